"""Long measurements that can be stopped: a clock that says when the time is over, and records that are kept one by one.

What a record was measured with is in the name of its file: a model's checksum, and that of the engine's code.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

Item = TypeVar("Item")
Record = dict[str, Any]
CODE = ("engine/reatt", "store/reatt_store")  # what answers and rankings depend on beside a model


class Enough(Exception):
    """The time is over: what is done is kept."""


@dataclass
class Clock:
    """Says what is going on, and stops the run when the time is over."""

    name: str
    minutes: float
    began: float = field(default_factory=time.monotonic)
    said: float = 0.0

    def tell(self, what: str) -> None:
        """Show a sign of life every ten seconds; raises Enough."""
        now = time.monotonic()
        if now - self.began > 60 * self.minutes:
            raise Enough(what)
        if now - self.said > 10:
            self.said = now
            print(f"{self.name}: {what} …", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Kept:
    """Records by id in a file of lines; a last line that was cut short is as if it were not there."""

    file: Path

    def known(self) -> dict[str, Record]:
        """Read what is known, by id."""
        lines = self.file.read_text(encoding="utf-8").split("\n")[:-1] if self.file.is_file() else []
        return {record["id"]: record for record in map(json.loads, lines)}

    def fill(
        self,
        items: Mapping[str, Item],
        make: Callable[[Sequence[Item]], Iterable[Record]],
        tell: Callable[[str], None],
        together: int = 1,
    ) -> dict[str, Record]:
        """Find out what is not known yet, so many `together`; return the records of all items, in their order."""
        known = self.known()
        left = [id for id in items if id not in known]
        if left:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            kept = "".join(json.dumps(record) + "\n" for record in known.values())
            self.file.write_text(kept, encoding="utf-8")
        for at in range(0, len(left), together):
            tell(f"{self.file.stem}: {at} of {len(left)}")
            ids = left[at : at + together]
            for id, record in zip(ids, make([items[id] for id in ids]), strict=True):
                known[id] = {"id": id, **record}
                with open(self.file, "a", encoding="utf-8") as out:
                    out.write(json.dumps(known[id]) + "\n")
        return {id: known[id] for id in items}


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Take so many at a time.

    >>> list(batched("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


@cache
def code(folders: tuple[str, ...] = CODE) -> str:
    """Name the engine's code, or that of some folders: another code may give other answers."""
    total = hashlib.blake2b(digest_size=4)
    root = Path(__file__).resolve().parents[2]
    for file in sorted(file for folder in folders for file in (root / folder).rglob("*.py")):
        total.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return total.hexdigest()
