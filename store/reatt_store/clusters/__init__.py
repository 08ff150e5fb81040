"""Clusters of keys, by which a search finds candidates without reading all keys."""
