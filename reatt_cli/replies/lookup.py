"""Answer or search with a warm process if there is one, else in this process."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from reatt_cli import warm
from reatt_cli.session import Session, short_path
from reatt_cli.warm import Wanted

TRIES = 2  # per question; the last one holds a store still that keeps moving to other models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reatt.search.rounds import TokenPair
    from reatt_cli.schemas import published as schemas
    from reatt_store.errors import ReattError
    from reatt_store.library import Generation


@dataclass(frozen=True)
class Found:
    """The object to print (or a `warm.Received`, which is read in the same way), and a note if nothing was found."""

    result: schemas.Search | schemas.Ask
    note: str | None = None


def found(session: Session, wanted: Wanted) -> Found:
    """Ask the store's warm process if there is one, else search and read here."""
    if not session.cold:
        try:
            return _warm(session, wanted)
        except warm.Unavailable as why:
            if str(why):
                session.warn(f"{why}; the model was loaded instead (to restart it: {session.again('serve')})")
    return cold(session, wanted)


def is_warm(session: Session) -> bool:
    """Return whether there is a warm process, or was one that has been killed."""
    return not session.cold and os.path.lexists(warm.place(session.folder).socket)


def cold(session: Session, wanted: Wanted) -> Found:
    """Search, and read if asked to, in this process; start again if the store moved to another model meanwhile.

    The result belongs to one generation: the one in force when the attempt began.
    """
    for _ in range(TRIES):
        if (found := _unless_moved(session, wanted)) is not None:
            return found
    with session.library.still():
        session.settle()
        return _found(session, wanted)


def _unless_moved(session: Session, wanted: Wanted) -> Found | None:
    """Find, or return None if vectors or model were dropped meanwhile, so that results may be missing."""
    from reatt_store.errors import ReattError

    told, asked = list(session.warnings), session.settle()
    try:
        found = _found(session, wanted)
    except (ReattError, OSError):
        if session.library.generation() == asked:
            raise
    else:
        model = found.result.model
        if model is None or model.generation in {made.id for made in session.library.generations()}:
            return found
    session.warnings = told
    return None


def _found(session: Session, wanted: Wanted) -> Found:
    from reatt_cli.schemas import published as schemas

    wanted = _by_words_if_foreign(session, wanted)
    result = _search(session, wanted) if wanted.command == "search" else _ask(session, wanted)
    if result.hits if isinstance(result, schemas.Search) else result.evidence:
        return Found(result)
    nothing = next(session.library.documents(wanted.only), None) is None
    empty = "the store is empty" if wanted.only is None else f"no document matches --only {wanted.only}"
    return Found(result, empty if nothing else None)


def _by_words_if_foreign(session: Session, wanted: Wanted) -> Wanted:
    """Search by words alone if the model does not know the language of the question, and say so."""
    from reatt.documents.languages import foreign, known_to
    from reatt_store.errors import Notice

    if wanted.retriever != "hybrid" or not session.exists:
        return wanted
    language = foreign(wanted.question, known_to(session.model.settings))
    if language is None:
        return wanted
    told = f"{session.model.name} does not know {language}; searched by words (--retriever attention overrides this)"
    session.warn(Notice("LANGUAGE", told))
    return replace(wanted, retriever="words")


def _search(session: Session, wanted: Wanted) -> schemas.Search:
    from reatt_cli.replies import answers
    from reatt_cli.schemas import published as schemas
    from reatt_cli.schemas import store

    finder = session.retriever(with_model=wanted.retriever != "words")
    started = time.monotonic()
    hits = finder.search(
        wanted.question, wanted.top, wanted.retriever, wanted.search, wanted.only, wanted.rounds, wanted.rerank
    )
    spent = {"search": 1000 * (time.monotonic() - started)}
    explained = [finder.explain(wanted.question, each) if each.attention_score is not None else [] for each in hits]
    shown = [answers.hit(wanted.question, *each) for each in zip(hits, explained, strict=True)]
    _say_if_cut(session, wanted.question, explained)
    told = _warnings(session)
    by = finder.generation if wanted.retriever != "words" else None
    return schemas.Search(
        question=wanted.question, hits=shown, model=_model(by) if by else None, timing_ms=spent, warnings=told,
        notices=store.noticed(told),
    )  # fmt: skip


def _model(made: Generation) -> schemas.Model:
    from reatt_cli.schemas import published as schemas

    return schemas.Model(name=made.model_name, sha256=made.model_sha256, generation=made.id)


def _ask(session: Session, wanted: Wanted) -> schemas.Ask:
    _ = session.library  # before torch is loaded, so that a missing store is reported at once
    from reatt.ask import AskOptions
    from reatt.ask import ask as read
    from reatt_cli.replies import answers

    options = AskOptions(
        top=wanted.top, retriever=wanted.retriever, search=wanted.search, only=wanted.only, free=wanted.free,
        beams=wanted.beams, max_tokens=wanted.max_tokens, rounds=wanted.rounds, rerank=wanted.rerank,
        abstain=wanted.abstain,
    )  # fmt: skip
    retriever = session.retriever()
    reply = read(retriever, wanted.question, options)
    assert retriever.generation is not None, "reading needs vectors"
    _say_if_cut(session, wanted.question, [each.pairs for each in reply.evidence])
    return answers.reply(reply, retriever.generation, _warnings(session))


def _say_if_cut(session: Session, question: str, explained: Sequence[Sequence[TokenPair]]) -> None:
    """Warn if the model read only the beginning of the question; its pairs cover all that was read."""
    from reatt_store.errors import Notice

    seen = max((pair.question_span[1] for pairs in explained[:1] for pair in pairs), default=len(question))
    if left := question[seen:].split():
        session.warn(
            Notice(
                "TRUNCATED", f"the question is too long; it was cut after {question[:seen][-30:]!r}, {len(left)} words"
            )
        )


def _warnings(session: Session) -> list[str]:
    """Return the warnings for the object, each once; on a terminal they have been printed already."""
    told, session.warnings = session.warnings, []
    return told if session.out.json else []


def _warm(session: Session, wanted: Wanted) -> Found:
    settings = session.settings
    asked = warm.request(session.folder, settings.model, settings.device, wanted)
    told = warm.exchange(warm.place(session.folder), asked)
    if refused := told.get("refused"):
        raise warm.Unavailable(f"reatt serve cannot answer this: {refused}")
    if error := told.get("error"):
        raise _error(error)
    session.out.note(f"store  {short_path(session.folder)}  (warm)")
    result = told["result"]
    for warning in result.warnings:
        session.warn(warning)
    result["warnings"] = _warnings(session)
    return Found(cast("schemas.Ask | schemas.Search", result), told.get("note"))


def _error(told: dict[str, str]) -> ReattError:
    """Rebuild the error that a warm process raised; an unknown kind is a bug."""
    from reatt_store.errors import InternalError, ReattError

    kinds, left = dict[str, type[ReattError]](), [ReattError]
    while left:
        kind = left.pop()
        kinds.setdefault(kind.id, kind)
        left += kind.__subclasses__()
    return kinds.get(told["id"], InternalError)(told["message"], told["fix"], told["path"])
