"""Documents, chunks and vectors on disk. SQLite is the only truth; imports neither torch nor anything above it."""
