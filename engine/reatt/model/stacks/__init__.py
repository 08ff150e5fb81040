"""Stacks of Transformer blocks: what a model asks of its encoder, the two encoders, and an encoder cut in two halves.

- The lower half sees one text at a time, so encoding apart equals joint encoding under a block mask.
"""
