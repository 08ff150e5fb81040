"""What agents use: `reatt mcp`, a server of the Model Context Protocol over one store or several.

`server.py` alone imports the protocol's library; everything else works without it. Questions go to the same warm
process as those of the command line (`asking.py`); nothing here loads a model.
"""
