"""The experiments of both papers at our scale: which there are (`rows`), how one is run, and what they say."""
