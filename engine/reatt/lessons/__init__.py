"""The training material: examples from a store's chunks or the user's files, their close chunks, and batches.

- The same seed and corpus give the same examples, in the same order.
- Training never uses what is held out for judging.
- Errors in a file name the line and the field.
"""
