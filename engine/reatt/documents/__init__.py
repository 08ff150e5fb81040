"""Which files are read, how they become text, and how text becomes chunks.

- The chunks of a document tile its text: joined they are the text.
- Offsets are characters of that text, [start, end).
- A file that cannot be read is named and skipped; it never ends a run.
"""
