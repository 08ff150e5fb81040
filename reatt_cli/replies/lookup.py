"""Answer or search with a warm process if there is one, else in this process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from reatt_cli.patterns import described
from reatt_cli.serving import warm
from reatt_cli.session import Session, short_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reatt.cluster.asking import Cluster
    from reatt.search.query import Query
    from reatt_cli.schemas import answers as schemas
    from reatt_store.errors import ReattError


@dataclass(frozen=True)
class Found:
    """The object to print (or a `warm.Received`, which is read in the same way), and a note if nothing was found."""

    result: schemas.Search | schemas.Ask
    note: str | None = None


def found(session: Session, command: warm.Command, query: Query, *, cold: bool) -> Found:
    """Ask the cluster if one was named, or the store's warm process if there is one, unless `cold` forbids it.

    Else search and read here. One that says nothing is not asked again, for every question would wait for it.
    """
    if session.cluster is not None:
        return _of_shards(session, session.cluster, command, query)
    if not cold and not session.alone:
        try:
            return _warm(session, command, query)
        except warm.Unavailable as why:
            session.alone = isinstance(why, warm.Silent)
            if str(why):
                session.warn(f"{why}; the model was loaded instead (to restart it: {session.again('serve')})")
    _ = session.view  # before torch is loaded, so that a missing store is reported at once
    from reatt_cli.replies import answers

    if command == "search":
        hits = session.store.search(query)
        found = answers.search(hits, session.view.root(), _told(session, hits.warnings))
        return Found(found, _note(session, query, len(hits)))
    reply = session.store.ask(query)
    told = answers.reply(reply, session.view.root(), _told(session, reply.warnings))
    return Found(told, _note(session, query, len(reply.evidence)))


def _of_shards(session: Session, cluster: Cluster, command: warm.Command, query: Query) -> Found:
    """Ask the shards of a cluster, and say without which of them the result is."""
    from reatt_cli.replies import answers

    if command == "search":
        hits = cluster.search(query)
        warnings = _of_lost(session, hits.partial, hits.value.warnings)
        result: schemas.Search | schemas.Ask = answers.search(hits.value, hits.root, warnings, hits.partial)
        return Found(result, _nothing(query) if hits.empty else None)
    reply = cluster.ask(query)
    warnings = _of_lost(session, reply.partial, reply.value.warnings)
    result = answers.reply(reply.value, reply.root, warnings, reply.partial)
    return Found(result, _nothing(query) if reply.empty else None)


def _of_lost(session: Session, partial: Sequence[str], warnings: Sequence[str]) -> list[str]:
    warn_of_lost(session, partial)
    return _told(session, warnings)


def warn_of_lost(session: Session, partial: Sequence[str]) -> None:
    """Say without which shards of a cluster a result is."""
    from reatt_store.errors import Notice

    for folder in partial:
        session.warn(Notice("SHARD_LOST", f"{short_path(folder)} does not answer; this is without its documents"))


def is_warm(session: Session) -> bool:
    """Return whether there is a warm process, or was one that has been killed."""
    return os.path.lexists(warm.place(*session.store.folders).socket)


def _note(session: Session, query: Query, count: int) -> str | None:
    """Say so if there are no documents that could have been found."""
    if count or next(session.view.documents(query.among), None) is not None:
        return None
    return _nothing(query)


def _nothing(query: Query) -> str:
    return f"no document matches {described(query.among)}" if query.among else "the store is empty"


def _told(session: Session, warnings: Sequence[str]) -> list[str]:
    """Print warnings; return those for the object, with the earlier ones, each once."""
    for warning in warnings:
        session.warn(warning)
    told, session.warnings = session.warnings, []
    return told if session.out.json else []


def _warm(session: Session, command: warm.Command, query: Query) -> Found:
    settings = session.settings
    asked = warm.request(session.store.folders, settings.model, settings.device, command, query)
    told = warm.exchange(warm.place(*session.store.folders), asked)
    if refused := told.get("refused"):
        raise warm.Unavailable(f"reatt serve cannot answer this: {refused}")
    if error := told.get("error"):
        raise error_of(error)
    for folder in session.store.folders:
        session.out.note(f"store  {short_path(folder)}  (warm)")
    result = told["result"]
    result["warnings"] = _told(session, result.warnings)
    return Found(cast("schemas.Ask | schemas.Search", result), told.get("note"))


def error_of(told: dict[str, str]) -> ReattError:
    """Rebuild the error that a warm process raised."""
    from reatt_store.errors import rebuilt

    return rebuilt(told["id"], told["message"], told["fix"], told["path"])
