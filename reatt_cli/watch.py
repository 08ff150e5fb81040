"""`ingest --watch`: read once, then again after every change, until Ctrl-C.

The model stays loaded between rounds. Each round is an ordinary ingest: unchanged files are skipped, and the store is
locked only while it is written to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reatt_cli.session import Session

QUIET_MS = 1000  # a file is read after being unchanged for this long; saving it often takes several writes
WAKE_MS = 500  # the longest time until Ctrl-C is noticed


def rounds(session: Session, paths: Sequence[str], once: Callable[[], int]) -> int:
    """Run `once`, and again after each change below the paths, until Ctrl-C."""
    code = 0
    for changed in _changes(session, paths):
        if changed:
            session.out.note(f"{changed} changed")
        code = once()
    return code


def check(session: Session, paths: Sequence[str]) -> None:
    """Raise UsageError, before anything is read, for what cannot be watched."""
    from importlib.util import find_spec

    from reatt_store.errors import UsageError

    if session.out.json:
        raise UsageError("--watch does not end, but --json prints one object", "leave one of them out")
    if find_spec("watchfiles") is None:
        raise UsageError("--watch needs the library watchfiles, which is not installed", 'pip install "reatt[watch]"')
    from reatt.documents.files import gone

    if unwatched := [path for path in paths if gone(os.path.realpath(os.path.expanduser(path)))]:
        raise UsageError(
            f"{unwatched[0]} cannot be watched: only files and folders can", "name a folder, and --include GLOB"
        )


def _changes(session: Session, paths: Sequence[str]) -> Iterator[str]:
    """Yield a description of each change, "" at first. Changes of the store itself, from each round, are ignored."""
    import watchfiles

    store = session.folder.resolve()

    def ours(change: watchfiles.Change, path: str) -> bool:
        return not Path(path).resolve().is_relative_to(store) and watchfiles.DefaultFilter()(change, path)

    watched = [os.path.expanduser(path) for path in paths]
    looking = watchfiles.watch(
        *watched, watch_filter=ours, debounce=QUIET_MS, rust_timeout=WAKE_MS, yield_on_timeout=True,
        raise_interrupt=True,
    )  # fmt: skip
    next(looking)  # watching starts here, so changes during the first round are not missed
    yield ""
    for changes in looking:
        names = sorted(os.path.basename(path) for _, path in changes)
        if names:
            yield names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
