"""The command `report`: an answer or a training run as one HTML page.

Pages of runs are in the store. For the latest answers the store keeps which passages were used, without text
(`replies/kept.py`). A page of any answer comes from `ask --report FILE`, or from the output of `ask --json`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reatt_cli.command import command
from reatt_cli.session import Session, page_file, short_path

if TYPE_CHECKING:
    from reatt_cli.schemas.answers import Ask

Shown = Annotated[
    str,
    typer.Argument(metavar="A-…|R-…|FILE", help="An answer, a run, or a file with the output of `reatt ask --json`."),
]
READABLE = ("reatt.ask/1", "reatt.ask/2")
LARGEST = 100_000_000  # bytes of a page, or of an answer as JSON
To = Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="The page [ID.html in this folder].")]


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    command(app, "report", example="reatt report A-0a1b2c3d4e -o answer.html")(report)


def report(session: Session, shown: Shown, output: To = None) -> None:
    """Write an answer, or a training run, as one self-contained HTML page."""
    from reatt_cli.replies import kept
    from reatt_cli.replies import page as answer_page
    from reatt_cli.schemas import upkeep
    from reatt_store.connection import replace_text

    target: Callable[[str], Path] = session.target
    if re.fullmatch(r"R-\d{1,18}", shown, re.ASCII):
        name, text = _run(session, shown)
    elif re.fullmatch(r"A-[0-9a-f]{1,64}", shown, re.ASCII) and not Path(shown).exists():
        name, text = shown, answer_page.page(kept.kept(session, shown))
    else:
        name, text = _printed(shown)
        target = page_file  # it is of no store
    file = target(output or f"{name}.html")
    replace_text(file, text)
    result = upkeep.Reported(id=name, path=str(file.absolute()))
    session.out.result(result, lambda: session.out.say(short_path(result.path)))


def _run(session: Session, shown: str) -> tuple[str, str]:
    """Return the page of a training run: the one in the store if this user made it, else a new one from its record.

    Another one could hold anything, scripts too, and would be opened as a page of this user's own.
    """
    from reatt_cli.replies import page as pages
    from reatt_store.errors import NoSuchId

    library = session.library
    text = _own_page(library.folder / "reports" / f"{shown}.html")
    if text is not None:
        return shown, text
    try:
        return shown, pages.run_page(library.run(int(shown.removeprefix("R-"))))
    except NoSuchId:
        runs = ", ".join(f"R-{run.id}" for run in library.runs())
        raise NoSuchId(f"no run is called {shown}; the runs are: {runs or 'none'}") from None


def _own_page(file: Path) -> str | None:
    """Read a page that this user made, as its last line says; None if there is none, or if somebody else did."""
    from reatt_store.opening import open_regular
    from reatt_store.vouching import vouched

    try:
        with open_regular(file) as page:
            content, _, words = page.read(LARGEST).rpartition(b"<!-- ")
        return content.decode() if vouched(content, words.removesuffix(b" -->\n")) else None
    except (OSError, UnicodeDecodeError):
        return None


def _printed(shown: str) -> tuple[str, str]:
    """Make the page of an answer from the printed object."""
    from reatt_cli.replies import page as answer_page
    from reatt_store.errors import NoSuchPath, UsageError
    from reatt_store.opening import small_json

    try:
        with open(shown, "rb") as file:
            printed = small_json(file.read(LARGEST))
        reply = _reply(printed)
    except OSError as error:
        raise NoSuchPath(f"{shown}: {error.strerror}", "reatt ask --json QUESTION > FILE", shown) from None
    except ValueError:
        raise UsageError(
            f"{shown} is not the output of reatt ask --json", "reatt ask --json QUESTION > FILE", shown
        ) from None
    return reply.id, answer_page.page(reply)


def _reply(printed: object) -> Ask:
    """Read an answer; raises ValueError if it is not one, or if its id could lead out of this folder."""
    from reatt_cli.schemas.answers import Ask

    if not isinstance(printed, dict) or printed.get("schema") not in READABLE:
        raise ValueError("another object")
    reply = Ask.model_validate(printed)
    if not re.fullmatch(r"A-[0-9a-f]+", reply.id, re.ASCII) or (reply.source or 0) not in range(
        len(reply.evidence) or 1
    ):
        raise ValueError("not one of ours")
    return reply
