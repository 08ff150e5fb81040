"""One encoder-decoder Transformer that retrieves and reads (ReAtt), and what feeds and asks it."""
