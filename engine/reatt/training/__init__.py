"""How a model learns: one step after the other, the losses, the teachers, checkpoints.

- A step is a function of the seed and its number, so a killed run ends as an undisturbed one does, bit by bit.
- Memory changes no step: where it runs out, fewer questions are read at a time.
- What is frozen stays: the keys of a frozen encoder keep their fingerprint.
"""
