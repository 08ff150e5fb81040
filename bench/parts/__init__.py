"""The parts of `make eval-mini`: what each measures, and the page that is put together from them."""
