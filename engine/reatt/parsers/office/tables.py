"""CSV -> text, character by character; the column names become the heading of every passage below."""

from __future__ import annotations

from reatt.parsers.columns import name_columns
from reatt.parsers.content import Content

_DELIMITERS = ",;\t|"


def csv(text: str) -> Content:
    """Keep a table unchanged and find its column names."""
    first = text.partition("\n")[0].strip("\r\ufeff")
    delimiter = max(_DELIMITERS, key=first.count)
    cells = [cell.strip().strip('"') for cell in first.split(delimiter)]
    return Content("", text, headings=((0, ", ".join(cells)),) if name_columns(cells) else ())
