"""Several stores searched as one: equal to one store that holds all of their documents, score for score."""
