"""The Typer program that every command group is added to: `app.py` adds them, and runs it."""

from __future__ import annotations

import typer

app = typer.Typer(
    help="Ask your own documents: one Transformer that retrieves and reads, offline.",
    epilog="Start: reatt ingest FOLDER, then: reatt ask QUESTION",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
