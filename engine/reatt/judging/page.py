"""An HTML page that stands alone: no script, nothing fetched, no address given away."""

from __future__ import annotations

from collections.abc import Sequence

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(title: str, style: str, body: Sequence[str]) -> str:
    """Put a page together; title and body are HTML already, all that they quote escaped."""
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{style}</style>"
    )
    return "\n".join(["<!doctype html>", f'<html lang="en"><head>{head}</head><body>', *body, "</body></html>", ""])
