"""What is learnt from: examples out of a store's chunks or a person's files, their close chunks, and batches.

- The same seed and corpus give the same examples, in the same order.
- What is held out for judging is never learnt from.
- A wrong line of a file is named with its number and field.
"""
