"""Lines of the files that people bring, with their numbers; every wrong one is named in one error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reatt.parsers.compressed import DAMAGED, open_text
from reatt_store.errors import QueriesFormat

SHOWN = 5  # wrong lines named in an error


def numbered_lines(path: Path, fix: str) -> Iterator[tuple[int, str]]:
    """Yield the non-empty lines with their numbers; raises QueriesFormat, with `fix`, if the file cannot be read."""
    try:
        with open_text(path) as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
    except (OSError, UnicodeDecodeError, *DAMAGED) as error:
        reason = getattr(error, "strerror", None) or error
        raise QueriesFormat(f"{path} cannot be read: {reason}", fix, str(path)) from error


def wrong_lines(path: Path, wrong: Sequence[str], example: str) -> QueriesFormat:
    """Make the error that names the first few of what is wrong, and counts the rest."""
    more = f"\n… and {len(wrong) - SHOWN:,} more wrong lines" if len(wrong) > SHOWN else ""
    return QueriesFormat("\n".join(wrong[:SHOWN]) + more, example, str(path))
