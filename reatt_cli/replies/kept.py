"""Remember answers by id, without a copy of any document's text.

A record says which chunks were found, with which spans and weights. The texts, including the answer, are read from the
store when the record is loaded, so a document that `reatt remove` removes is gone from here as well.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reatt_store import answers as store
from reatt_store.opening import small_json

if TYPE_CHECKING:
    from reatt_cli.schemas.answers import Ask
    from reatt_cli.session import Session
    from reatt_store.records import StoredChunk

_OF_THE_CHUNK = {
    "store", "doc", "path", "external_id", "title", "page", "line_start", "char_start", "char_end", "text",
}  # fmt: skip
_WORDS = (None, "yes", "no")  # answers that are not part of a document


def keep(folder: Path, reply: Ask, most: int) -> bool:
    """Keep an answer. Returns False if the store cannot be written to, or if the answer is not part of a document."""
    if not reply.evidence or (reply.source is None and reply.answer not in _WORDS):
        return False
    told = reply.model_dump(mode="json", by_alias=True)
    content = told | {
        "evidence": [_without_text(each) for each in told["evidence"]],
        "quotes": [{name: value for name, value in each.items() if name != "text"} for each in told["quotes"]],
    }
    if reply.source is not None:
        del content["answer"]
    return store.keep(folder, reply.id, json.dumps(content).encode("ascii"), most)


def _without_text(evidence: dict[str, Any]) -> dict[str, Any]:
    retrieval = evidence["retrieval"]
    tokens = [{name: value for name, value in token.items() if name != "q"} for token in retrieval["tokens"]]
    kept = {name: value for name, value in evidence.items() if name not in _OF_THE_CHUNK}
    return kept | {"retrieval": retrieval | {"tokens": tokens}}


def kept(session: Session, id: str) -> Ask:
    """Load an answer; raises NoSuchId if it was not kept, or if its passages are gone."""
    from reatt_store.errors import NoSuchId

    library = session.library
    content = store.kept(library.folder, id)
    if content is None:
        raise NoSuchId(
            f"no answer with the id {id} is kept; only the latest are, and none of --free", "reatt ask --report FILE"
        )
    try:
        told = small_json(content)
        ids = [int(each["chunk"].removeprefix("C-")) for each in told["evidence"]]
        found = library.chunks(ids)
        if len(found) < len(ids):
            again = session.again("ask", shlex.quote(told["question"]))
            raise NoSuchId(f"a document behind {id} has changed or is gone", again)
        return _whole(told, found)
    except (AttributeError, LookupError, TypeError, ValueError):
        raise NoSuchId(f"the record of {id} is damaged", "ask again") from None


def _whole(told: dict[str, Any], found: Sequence[StoredChunk]) -> Ask:
    """Add the texts of the chunks from the store, and the answer cut from one of them."""
    from reatt_cli.replies.answers import placed
    from reatt_cli.schemas.answers import Ask

    told.setdefault("root", "")
    for chunk, each in zip(found, told["evidence"], strict=True):
        each |= placed(chunk, told["root"])
        for token in each["retrieval"]["tokens"]:
            token["q"] = told["question"][token["q_start"] : token["q_end"]]
    if told["source"] is not None:
        told["answer"] = _quoted(told, told["evidence"])
    for quote in told.get("quotes", []):
        quote["text"] = _quoted(quote, told["evidence"])
    return Ask.model_validate(told)


def _quoted(part: dict[str, Any], evidence: Sequence[dict[str, Any]]) -> str:
    """Cut a text from the evidence that its record names."""
    source = evidence[part["source"]]
    start, end = (part[edge] - source["char_start"] for edge in ("char_start", "char_end"))
    return str(source["text"][max(0, start) : end])
