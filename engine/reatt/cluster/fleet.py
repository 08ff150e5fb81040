"""Calls to shards: to one, to some, to all that live; a shard that dies or falls silent is lost to the question.

Nothing is asked twice here. Whoever asks the question begins it again without the shard that was lost, so that every
answer is whole for the shards that it is of.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reatt.cluster.shard import Said
from reatt_store.errors import rebuilt

SILENCE = 5.0  # seconds in which a process that lives says so
_turns = itertools.count(os.getpid())


class Lost(Exception):
    """A shard has died, or says nothing."""

    def __init__(self, number: int) -> None:
        super().__init__(f"shard {number} is lost")
        self.number = number


class Moved(Exception):
    """A shard's store has moved to another model since the question began."""


@dataclass(frozen=True)
class Member:
    """A shard as it is known from outside."""

    number: int
    folder: str
    handle: Any  # Ray's, of the process


class Fleet:
    """The shards that a question is asked of, each with the generation that it had when the question began."""

    def __init__(self, members: Sequence[Member], generations: Mapping[int, int | None]) -> None:
        self.members = {member.number: member for member in members}
        self._generations = generations  # of those that have said; 0 is any

    def every(self, what: str, *given: Any) -> dict[int, Any]:
        """Call all shards at once -> number -> what each returns."""
        return self.some(what, dict.fromkeys(self.members, given))

    def some(self, what: str, given: Mapping[int, Sequence[Any]]) -> dict[int, Any]:
        """Call some shards at once, each with its own arguments."""
        calls = {
            number: self.members[number].handle.call.remote(self._generations.get(number, 0), what, *own)
            for number, own in given.items()
        }
        return {number: _told(said) for number, said in self._heard(calls)}

    def model(self, number: int, what: str, *given: Any) -> Any:
        """Let the model of a shard ask or read."""
        method = self.members[number].handle.model.options(concurrency_group="model")
        [(_, said)] = self._heard({number: method.remote(what, *given)})
        return _told(said)

    def turn(self, numbers: Sequence[int]) -> int:
        """Choose one of some shards, so that all get their turn."""
        return numbers[next(_turns) % len(numbers)]

    def _heard(self, calls: Mapping[int, Any]) -> Iterator[tuple[int, Said]]:
        """Yield what each call returns, in order; raises Lost."""
        import ray

        waiting = dict(calls)
        while waiting:
            ready, rest = ray.wait(list(waiting.values()), num_returns=len(waiting), timeout=SILENCE)
            waiting = {number: call for number, call in waiting.items() if call not in ready}
            if rest:
                lost = silent([self.members[number] for number in waiting])
                if lost:
                    raise Lost(lost[0])
        for number, call in calls.items():
            yield number, _fetched(number, call)


def silent(members: Sequence[Member]) -> list[int]:
    """Return the numbers of the shards that do not say at once that they live."""
    import ray

    asked = {member.handle.alive.options(concurrency_group="watch").remote(): member.number for member in members}
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=SILENCE)
    lost = [number for call, number in asked.items() if call not in ready]
    for call in ready:
        try:
            _fetched(asked[call], call)
        except Lost:
            lost.append(asked[call])
    return sorted(lost)


def _fetched(number: int, call: Any) -> Any:
    import ray

    try:
        return ray.get(call)
    except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError) as error:
        raise Lost(number) from error


def _told(said: Said) -> Any:
    kind, value = said
    if kind == "moved":
        raise Moved
    if kind == "error":
        raise rebuilt(*value)
    return value
