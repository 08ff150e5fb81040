"""Bytes to text: one parser for each family of formats, and the table that says which one reads what.

- Imports nothing else of the engine: no model, no store but its errors.
- Files are hostile. What can hang or crash runs in a child process with limits on memory, time and output.
- A parser returns the text with exact character offsets of its pages and headings.
"""
