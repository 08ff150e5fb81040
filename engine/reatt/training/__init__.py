"""How a model learns: steps, losses, teachers, checkpoints.

- A step is a function of the seed and its number, so a resumed run ends exactly like an uninterrupted one.
- A step does not depend on memory: if memory runs out, fewer questions are read at a time.
- Frozen parts do not change, so the keys of a frozen encoder keep their fingerprint.
"""
