"""Ask the shards of a cluster as one store.

A shard that is lost in the middle of a question is left out, and the question begins again without it. So an answer is
what the other shards, searched as one, would give, and it names those that it is without.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from reatt.cluster import running, serving
from reatt.cluster.fleet import Fleet, Lost, Member, Moved
from reatt.cluster.remote import RemoteKeys, RemoteModel, Shards
from reatt.progress import OnProgress
from reatt.search.query import TOP, Query
from reatt_store.errors import ModelMismatch, NoCluster, Notice, ShardsLost

if TYPE_CHECKING:
    from reatt.ask import Reply
    from reatt.evaluate import Evaluation
    from reatt.search.hits import Hits
    from reatt.search.retriever import Hit, Retriever
    from reatt_store.selection import Selection

T = TypeVar("T")
TRIES = 3  # of a question while stores move to other models
RESTART = 60.0  # seconds that a measurement waits for a shard to be restarted


@dataclass(frozen=True)
class Told(Generic[T]):
    """What the shards have told together."""

    value: T
    partial: tuple[str, ...]  # folders of the shards that it is without
    root: str  # the folder that all documents lie in
    empty: bool = False  # whether there was no document to be found


class Cluster:
    """The shards that are served at an address."""

    def __init__(self, shards: Sequence[tuple[str, Member | None]]) -> None:
        self._folders = [folder for folder, _ in shards]
        self._members = {number: member for number, (_, member) in enumerate(shards) if member is not None}
        self._away: dict[int, Any] = {}  # shards that were lost, and the call that they have not answered since

    def search(self, query: Query) -> Told[Hits]:
        """Find the passages that match a question best, as `Store.search` does."""
        from reatt.search import hits

        def find(shards: Shards) -> tuple[Hits, bool]:
            known, warnings = _known(shards, query)
            found = hits.search(_retriever(shards, known.retriever != "words"), known)
            return replace(found, warnings=[*warnings, *found.warnings]), not found.found and _empty(shards, query)

        return self._told(find)

    def ask(self, query: Query) -> Told[Reply]:
        """Answer a question, as `Store.ask` does."""
        from reatt import ask as verb

        def answer(shards: Shards) -> tuple[Reply, bool]:
            known, warnings = _known(shards, query)
            reply = verb.ask(_retriever(shards, True), known)
            return replace(reply, warnings=[*warnings, *reply.warnings]), not reply.evidence and _empty(shards, query)

        return self._told(answer)

    def evaluate(
        self, queries: Path, qrels: Path | None, how: Query, *, read: bool, limit: int | None, progress: OnProgress
    ) -> Told[Evaluation]:
        """Measure like `Store.evaluate`; a shard that is lost is waited for: figures without it would be wrong."""
        from reatt import evaluate

        measured = _Measured(self, how)
        told = evaluate.evaluate(
            measured, queries, qrels, limit=limit, read=measured.answer if read else None,
            stored=measured.names, on_progress=progress,
        )  # fmt: skip
        return Told(told, tuple(sorted(measured.partial)), "")

    def _told(self, do: Callable[[Shards], tuple[T, bool]], patience: float = 0.0) -> Told[T]:
        (value, empty), shards = self.attempt(do, patience)
        there = set(shards.states)
        partial = tuple(folder for number, folder in enumerate(self._folders) if number not in there)
        return Told(value, partial, shards.root(), empty)

    def attempt(self, do: Callable[[Shards], T], patience: float = 0.0) -> tuple[T, Shards]:
        """Do something with all shards that live, again without each that is lost meanwhile; return them, too.

        With `patience`, a shard is waited for so many seconds before it is left out.
        """
        moves = 0
        while True:
            members = [member for number, member in self._members.items() if not self._is_away(number)]
            if not members:
                raise ShardsLost("no shard answers", "try again in a minute: shards that died are restarted")
            try:
                states = Fleet(members, {}).every("state")
                made = {number: state.generation.id if state.generation else None for number, state in states.items()}
                shards = Shards(Fleet(members, made), states)
                return do(shards), shards
            except Lost as lost:
                self._leave_out(lost.number, patience)
            except Moved:
                moves += 1
                if moves == TRIES:
                    raise ModelMismatch("a shard has moved to another model meanwhile", "run it again") from None

    def _leave_out(self, number: int, patience: float) -> None:
        """Ask a shard that was lost to say when it is back, and wait for that a while."""
        self._away[number] = _asked(self._members[number])
        until = time.monotonic() + patience
        while time.monotonic() < until and self._is_away(number):
            time.sleep(0.2)

    def _is_away(self, number: int) -> bool:
        """Return whether a shard that was lost has not come back yet."""
        import ray

        call = self._away.get(number)
        if call is None:
            return False
        if not ray.wait([call], timeout=0)[0]:
            return True
        try:
            ray.get(call)
        except ray.exceptions.RayError:
            self._away[number] = _asked(self._members[number])
            return True
        del self._away[number]
        return False


@contextmanager
def opened(address: str) -> Iterator[Cluster]:
    """Join a cluster for a block and find its shards; raises NoCluster."""
    with running.joined(address):
        shards = serving.known()
        if not any(member for _, member in shards):
            raise NoCluster(f"no shards are served at {address}", "reatt cluster serve STORE...")
        yield Cluster(shards)


class _Measured:
    """Searches and reads for a measurement, and remembers what was missing."""

    def __init__(self, cluster: Cluster, how: Query) -> None:
        self._cluster, self._how = cluster, how
        self.partial: set[str] = set()

    def search(
        self, question: str, k: int = TOP, retriever: str = "", search: str = "", only: Selection | str | None = None
    ) -> list[Hit]:
        """Return the best k chunks, best first."""
        query = replace(self._how, question=question, top=k)
        return self._heard(lambda shards: _retriever(shards, query.retriever != "words").find(query))

    def answer(self, question: str) -> str | None:
        """Answer by a span, however unsure."""
        from reatt import ask

        query = replace(self._how, question=question, abstain=0.0, answer="span")
        return self._heard(lambda shards: ask.ask(_retriever(shards, True), query).answer)

    def names(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Return what the stores call the documents of some ids."""

        def named(shards: Shards) -> dict[str, str]:
            found: dict[str, str] = {}
            for own in shards.fleet.every("names_of", list(ids)).values():
                found.update({id: name for id, name in own.items() if id not in found or id == name})
            return found

        return self._heard(named)

    def _heard(self, do: Callable[[Shards], T]) -> T:
        told = self._cluster._told(lambda shards: (do(shards), False), RESTART)
        self.partial.update(told.partial)
        return told.value


def _retriever(shards: Shards, with_model: bool) -> Retriever:
    """Make what searches all shards, with the model of one of them; they take turns."""
    from reatt.search.retriever import Retriever

    made, leading = shards.generation(), shards.states[shards.leading]
    model = None
    if made is not None and with_model:
        alike = [n for n, s in shards.states.items() if s.generation and s.generation.model_sha256 == made.model_sha256]
        number = shards.fleet.turn(alike)
        model = RemoteModel(shards.fleet, number, shards.states[number])
    keys = RemoteKeys(shards.fleet)
    return Retriever(shards, model, made, leading.fusion, named=leading.named, open_keys=lambda _: keys)


def _known(shards: Shards, query: Query) -> tuple[Query, list[str]]:
    """Return a question as the model can ask it, and what is worth knowing about that."""
    known, warnings = shards.fleet.some("known", {shards.leading: (query,)})[shards.leading]
    leading = shards.states[shards.leading]
    others = [
        Notice(
            "OTHER_MODEL", f"{each.folder} has a model of its own; the one of {leading.folder} asks and reads for both"
        )
        for each in shards.states.values()
        if each.generation and leading.generation and each.generation.model_sha256 != leading.generation.model_sha256
    ]
    return known, [*warnings, *others]


def _empty(shards: Shards, query: Query) -> bool:
    return not any(shards.fleet.every("holds", query.among).values())


def _asked(member: Member) -> Any:
    return member.handle.call.remote(0, "state")
