"""From a question to the chunks that score best: by attention (ReAtt, equation 1), by words, or by both.

- Every fast search gives the same scores as weighted MaxSim in float32, up to rounding.
- Only chunks of the current generation are found; keys of two generations are never compared.
- The weights of the token pairs that are shown sum to the score.
"""
