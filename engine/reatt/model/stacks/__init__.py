"""Stacks of Transformer blocks, and what a model asks of its encoder's."""
