"""Vectors on disk: sealed segment files that never change, and FAISS indexes over them, which are caches."""
