"""Which answers the evidence allows, and the search for the best of them."""
