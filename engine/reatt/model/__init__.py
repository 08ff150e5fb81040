"""The mathematics of the models: encode, ask, read, write an answer. Tensors in, tensors out.

- It imports nothing else of the engine, and knows neither model folders nor stores.
- The lower half of the encoder sees one text at a time, so encoding apart equals joint encoding under a block mask.
- Keys are neither normalised nor scaled unless a model says so.
- Masked scores are -inf before a maximum is taken; they are never multiplied by 0.
- A grounded answer is a stretch of its evidence.
"""
