"""A stored document as a page, opened at one of its passages. Every text is escaped; there is no script."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from reatt_cli.rendering import visible

if TYPE_CHECKING:
    from reatt_store.library import Library
    from reatt_store.records import StoredChunk

AROUND = 100_000  # characters shown before and after the passage


def page(library: Library, chunk_id: int) -> str:
    """Write the page of the document that holds a passage; raises NoSuchId."""
    chunk = library.chunk(chunk_id)
    document = library.document(chunk.document_id).document
    chunks = library.chunks_of(chunk.document_id)
    start, end = chunk.chunk.char_start - AROUND, chunk.chunk.char_end + AROUND
    near = [each for each in chunks if each.chunk.char_end > start and each.chunk.char_start < end]
    cut = (
        "" if near[0] is chunks[0] else "<p>… the beginning is not shown</p>",
        "" if near[-1] is chunks[-1] else "<p>…</p>",
    )
    record = f" {document.external_id}" if document.external_id is not None else ""
    title = _safe(document.path + record)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/page.css"></head>'
        f"<body><main><h1><bdi>{title}</bdi></h1><p class=soft><bdi>{_safe(document.title)}</bdi></p>{cut[0]}"
        f"<pre>{''.join(_piece(each, chunk_id) for each in near)}</pre>{cut[1]}</main></body></html>"
    )


def _piece(stored: StoredChunk, chosen: int) -> str:
    text = _safe(stored.chunk.text)
    return f'<mark id="here" tabindex="0">{text}</mark>' if stored.id == chosen else text


def _safe(text: str) -> str:
    return escape(visible(text.replace("\r\n", "\n")), quote=True)
