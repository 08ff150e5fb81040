"""Leave out of a reply's JSON what was not asked for: token pairs, keys of passages, keys without a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reatt_cli.schemas.answers import Ask, Search

PASSAGE = (
    "chunk", "doc", "path", "external_id", "title", "page", "line_start", "char_start", "char_end", "text", "retrieval",
    "attribution", "copies", "store",
)  # fmt: skip
ABOUT_THE_RUN = ("model", "timing_ms", "notices")  # of no use to who only wants to know what was found
VALUELESS: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Lean:
    """A reply that is printed without what was not asked for; the reply itself stays whole."""

    reply: Search | Ask
    explain: bool = False
    fields: tuple[str, ...] | None = None  # keys of passages; None: all
    compact: bool = False

    def model_dump(self, **_: object) -> dict[str, Any]:
        """Return the object to print."""
        whole = self.reply.model_dump(mode="json", by_alias=True)
        told = whole if self.explain else _without_pairs(whole)
        if self.fields is None and not self.compact:
            return told
        chosen = _chosen(told, self.fields or PASSAGE)
        key = _passages(told)
        return _valued(chosen) | {key: _valued(chosen[key])} if self.compact else chosen


def fields(given: str) -> tuple[str, ...]:
    """Read `--fields`; raises UsageError for a key that no passage has."""
    from reatt_store.errors import UsageError

    names = tuple(name.strip() for name in given.split(",") if name.strip())
    unknown = [name for name in names if name not in PASSAGE]
    if unknown or not names:
        wrong = f"a passage has no key {unknown[0]!r}" if unknown else "--fields names no key"
        raise UsageError(f"{wrong}; the keys are: {', '.join(PASSAGE)}", "--fields path,line_start,text")
    return names


def _passages(told: dict[str, Any]) -> str:
    """Name the key that holds the passages."""
    return "hits" if "hits" in told else "evidence"


def _without_pairs(whole: dict[str, Any]) -> dict[str, Any]:
    key = _passages(whole)
    return whole | {key: [each | {"retrieval": each["retrieval"] | {"tokens": []}} for each in whole[key]]}


def _chosen(told: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Keep some keys of each passage, and of the object what says something about the documents."""
    key, schema = _passages(told), told["schema"].partition("/")[0]
    kept = {name: value for name, value in told.items() if name not in ABOUT_THE_RUN}
    found = [{name: each[name] for name in names if name in each} for each in told[key]]
    return kept | {"schema": f"{schema}-fields/1", key: found}


def _valued(value: Any) -> Any:
    """Leave out keys without a value, at every depth."""
    if isinstance(value, dict):
        inner = {name: _valued(each) for name, each in value.items()}
        return {name: each for name, each in inner.items() if each not in VALUELESS}
    return [_valued(each) for each in value] if isinstance(value, list) else value
