"""Jupyter notebook -> text: the cells in order, code with its text output; pictures are left out."""

from __future__ import annotations

import json
from typing import Any

from reatt.parsers.archives import damaged
from reatt.parsers.composing import PARAGRAPH, Composer, whole
from reatt.parsers.content import Content
from reatt.parsers.formats import markdown


def notebook(source: str) -> Content:
    """Read a notebook of format 3 or 4; headings come from its Markdown cells."""
    try:
        raw = json.loads(source)
    except ValueError as error:
        raise damaged(f"not JSON ({error})") from error
    cells = _cells(raw)
    if cells is None:
        raise damaged("a notebook has cells")
    composer, title = Composer(), ""
    for cell in cells:
        if cell.get("cell_type") == "markdown":
            prose = markdown(whole(_joined(cell.get("source"))).strip("\n"))
            composer.add_content(prose.text, prose.headings)
            title = title or prose.title
            continue
        composer.add(_joined(cell.get("source", cell.get("input"))).strip("\n"), PARAGRAPH)
        for output in _objects(cell.get("outputs")):
            composer.add(_said(output).strip("\n"), PARAGRAPH)
    return composer.content(title)


def _cells(raw: Any) -> list[dict[str, Any]] | None:
    """Return the cells of the notebook, or of its worksheets in format 3."""
    if not isinstance(raw, dict):
        return None
    if isinstance(raw.get("worksheets"), list):
        return [cell for sheet in _objects(raw["worksheets"]) for cell in _objects(sheet.get("cells"))]
    return _objects(raw["cells"]) if isinstance(raw.get("cells"), list) else None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _joined(value: Any) -> str:
    """Join a text that is stored as one string or as a list of lines."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""


def _said(output: dict[str, Any]) -> str:
    """Return the plain text of an output."""
    data = output.get("data")
    if output.get("output_type") in ("error", "pyerr"):
        return f"{_joined(output.get('ename'))}: {_joined(output.get('evalue'))}".strip(": ")
    return _joined(output.get("text")) or (_joined(data.get("text/plain")) if isinstance(data, dict) else "")
