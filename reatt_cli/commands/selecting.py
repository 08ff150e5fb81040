"""The options that choose documents: by path, kind and date."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from reatt_cli.patterns import folder_or_globs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reatt_store.selection import Selection

Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only", metavar="GLOB|DIR", help="Only documents that match a pattern or are in a folder; repeatable."
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option("--except", metavar="GLOB|DIR", help="No documents that match a pattern or are in a folder."),
]
Kind = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="KIND", help="Only documents of a kind or file ending, such as pdf; repeatable."),
]
After = Annotated[
    str | None, typer.Option("--after", metavar="DATE", help="Only documents of this day or later: 2024, 2024-03-05.")
]
Before = Annotated[str | None, typer.Option("--before", metavar="DATE", help="Only documents of this day or earlier.")]


def selection(
    only: Sequence[str] | None,
    without: Sequence[str] | None,
    kinds: Sequence[str] | None,
    after: str | None,
    before: str | None,
) -> Selection:
    """Make a selection of the options; raises UsageError for a date that is none."""
    from reatt_store.selection import Selection

    return Selection(
        tuple(pattern for each in only or () for pattern in folder_or_globs(each)),
        tuple(pattern for each in without or () for pattern in folder_or_globs(each)),
        tuple(each.removeprefix(".").lower() for each in kinds or ()),
        after and _day("--after", after, "-01-01"),
        before and _day("--before", before, "-12-31"),
    )


def _day(option: str, given: str, rest: str) -> str:
    """Read a year, a month or a day; a year or a month means its first or last day."""
    from reatt_store.errors import UsageError

    parts = re.fullmatch(r"(\d{4})(?:-(\d\d?)(?:-(\d\d?))?)?", given.strip(), re.ASCII)
    first = rest == "-01-01"
    try:
        year, month, day = (int(part or 0) for part in parts.groups()) if parts else (0, 0, 0)
        if day:
            return date(year, month, day).isoformat()
        return date(year, month or 1, 1).isoformat() if first else _last(year, month or 12)
    except ValueError:
        raise UsageError(f"{option} {given!r:.40}: expected a date", f"{option} 2024-03-05") from None


def _last(year: int, month: int) -> str:
    from calendar import monthrange

    return date(year, month, monthrange(year, month)[1]).isoformat()
