"""One encoder-decoder Transformer that retrieves and reads (ReAtt): the library under the `reatt` command.

The modules here are the verbs (ask, ingest, adapt, evaluate, repair, switch); the rooms below them hold what they use.
A room imports rooms below it and never a verb; `tests/test_layers.py` has the order. Importing this loads nothing else.
"""
