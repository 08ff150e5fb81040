"""Words: which characters are the same, which words a question has, and the word index."""
