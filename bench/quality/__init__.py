"""How well a model finds and reads: sets, ways and tables that the studies beside this folder share."""
