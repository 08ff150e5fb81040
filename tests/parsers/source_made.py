"""Source files that tests write, read as an ingest reads them."""

from pathlib import Path

from reatt.documents.reader import FoundFile, Text, read


def parsed(folder: Path, name: str, source: str) -> Text:
    """Write a file byte for byte, and return what is read of it."""
    (folder / name).write_text(source, encoding="utf-8", newline="")
    [text] = read(FoundFile(folder / name, explicit=True))
    return text
