"""Answer or search with a warm process if there is one, else in this process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from reatt_cli import warm
from reatt_cli.patterns import described
from reatt_cli.session import Session, short_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reatt.search.query import Query
    from reatt_cli.schemas import published as schemas
    from reatt_store.errors import ReattError


@dataclass(frozen=True)
class Found:
    """The object to print (or a `warm.Received`, which is read in the same way), and a note if nothing was found."""

    result: schemas.Search | schemas.Ask
    note: str | None = None


def found(session: Session, command: warm.Command, query: Query, *, cold: bool) -> Found:
    """Ask the store's warm process if there is one, unless `cold` forbids it; else search and read here.

    One that says nothing is not asked again, for every question would wait for it.
    """
    if not cold and not session.alone:
        try:
            return _warm(session, command, query)
        except warm.Unavailable as why:
            session.alone = isinstance(why, warm.Silent)
            if str(why):
                session.warn(f"{why}; the model was loaded instead (to restart it: {session.again('serve')})")
    _ = session.library  # before torch is loaded, so that a missing store is reported at once
    from reatt_cli.replies import answers

    if command == "search":
        hits = session.store.search(query)
        found = answers.search(hits, session.library.root(), _told(session, hits.warnings))
        return Found(found, _note(session, query, len(hits)))
    reply = session.store.ask(query)
    told = answers.reply(reply, session.library.root(), _told(session, reply.warnings))
    return Found(told, _note(session, query, len(reply.evidence)))


def is_warm(session: Session) -> bool:
    """Return whether there is a warm process, or was one that has been killed."""
    return os.path.lexists(warm.place(session.folder).socket)


def _note(session: Session, query: Query, count: int) -> str | None:
    """Say so if there are no documents that could have been found."""
    if count or next(session.library.documents(query.among), None) is not None:
        return None
    return f"no document matches {described(query.among)}" if query.among else "the store is empty"


def _told(session: Session, warnings: Sequence[str]) -> list[str]:
    """Print warnings; return those for the object, with the earlier ones, each once."""
    for warning in warnings:
        session.warn(warning)
    told, session.warnings = session.warnings, []
    return told if session.out.json else []


def _warm(session: Session, command: warm.Command, query: Query) -> Found:
    settings = session.settings
    asked = warm.request(session.folder, settings.model, settings.device, command, query)
    told = warm.exchange(warm.place(session.folder), asked)
    if refused := told.get("refused"):
        raise warm.Unavailable(f"reatt serve cannot answer this: {refused}")
    if error := told.get("error"):
        raise error_of(error)
    session.out.note(f"store  {short_path(session.folder)}  (warm)")
    result = told["result"]
    result["warnings"] = _told(session, result.warnings)
    return Found(cast("schemas.Ask | schemas.Search", result), told.get("note"))


def error_of(told: dict[str, str]) -> ReattError:
    """Rebuild the error that a warm process raised."""
    from reatt_store.errors import rebuilt

    return rebuilt(told["id"], told["message"], told["fix"], told["path"])
