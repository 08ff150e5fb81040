"""The mathematics of the models: encoding, asking, reading, writing an answer. Tensors in, tensors out.

- Imports nothing else of the engine: it knows neither files nor a store.
- The lower half of the encoder sees one text at a time, so encoding apart equals joint encoding under a block mask.
- Keys are neither normalised nor scaled unless a model says so.
- A mask is -inf before a maximum, never a product with 0.
- A grounded answer is a stretch of its evidence.
"""
