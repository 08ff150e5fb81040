"""From a question to the chunks that score best: by attention (ReAtt, equation 1), by words, or by both.

- Every fast way gives the scores of weighted MaxSim in plain float arithmetic, up to rounding.
- Only chunks of the generation in force are found; keys of two generations are never compared.
- The token pairs that are shown sum to the score that ranked.
"""
