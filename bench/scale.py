"""What a million passages and more need, computed from the committed tables: bytes, hours, machines and cost.

    python -m bench.scale

writes docs/scale.md. Nothing is measured here. A scan is taken to grow with the number of passages; another way to
search grows as it did between the two sizes that were measured. Prices and the machine are assumptions, named below.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from bench.kit.table import grid

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "bench" / "results", ROOT / "docs" / "scale.md"
SIZES = (1_000_000, 10_000_000, 100_000_000)
SCANS = frozenset({"exact", "fast", "words (FTS5)"})  # they look at every passage
WAYS = ("clusters", "fast")  # to search by attention; the first that was measured is taken
MONTH = 730  # hours
_ROW = re.compile(r"p50 of ([\d,]+) chunks, ([\d,]+) keys: (.+)")
# How a search by clusters grows at least: lists, their lengths and candidates grow as the root of the number of keys.
LEAST = 0.5


@dataclass(frozen=True)
class Assumed:
    """What no table says: prices in US dollars, a machine to rent, and what a person puts up with."""

    core_hour: float = 0.04  # with its share of the memory
    gb_month: float = 0.08  # of a fast disk
    cores: int = 16
    memory_gb: float = 64.0
    disk_gb: float = 2000.0
    question_s: float = 1.0  # to find the passages of a question
    encode_h: float = 24.0  # to read everything for the first time
    used: float = 0.8  # of memory and disk

    def rows(self) -> list[tuple[str, str]]:
        """Say them in words."""
        return [
            ("core_hour", f"${self.core_hour:g} for an hour of a core, its share of the memory included"),
            ("gb_month", f"${self.gb_month:g} for a GB on a fast disk, a month"),
            ("cores, memory_gb, disk_gb", f"a machine has {self.cores} cores, {self.memory_gb:g} GB of memory and "
             f"a disk of {self.disk_gb:,.0f} GB"),
            ("used", f"{self.used:.0%} of memory and disk can be used"),
            ("question_s", f"the passages of a question should be found in {self.question_s:g} s"),
            ("encode_h", f"the first ingest should take {self.encode_h:g} hours"),
        ]  # fmt: skip


@dataclass(frozen=True)
class Way:
    """A way to search, as it was measured at one or two sizes."""

    name: str
    chunks: int  # of the larger store
    keys: int
    seconds: float  # a question, the better of one thread and all
    bytes_a_key: float  # the files that it reads
    growth: float  # time grows as passages to this power

    def at(self, passages: float) -> float:
        """Return the seconds of a question among so many passages."""
        return float(self.seconds * (passages / self.chunks) ** self.growth)


@dataclass(frozen=True)
class Measured:
    """What the tables say."""

    keys: float  # of a passage
    attention: Way
    words: Way
    tokens_a_second: float  # that one core encodes
    width: int  # numbers in a key
    sources: tuple[str, ...]

    @property
    def bytes_a_key(self) -> float:
        """Keys, words and texts on the disk."""
        return self.attention.bytes_a_key + self.words.bytes_a_key

    @property
    def scanned_a_key(self) -> float:
        """The bytes of a key that a question reads, which should be in memory: 8 bits a number, and a scale."""
        return self.width + 4


@dataclass(frozen=True)
class Need:
    """What so many passages need."""

    passages: int
    keys: float
    disk_gb: float
    memory_gb: float
    encode_h: float  # of one core
    question_s: float  # on one machine that has the memory
    factors: dict[str, float]  # what -> how many times a machine's limit
    machines: int
    encode_cost: float
    month_cost: float


def measured(folder: Path = RESULTS) -> Measured:
    """Read the tables."""
    bench, speed = (json.loads((folder / name).read_text("utf-8")) for name in ("bench.json", "mini/speed.json"))
    ways = {way.name: way for way in _ways(bench["rows"])}
    attention = next(ways[name] for name in WAYS if name in ways)
    ingest = next(sheet for sheet in speed["sheets"] if sheet["title"] == "ingest")
    pace = max(float(row[ingest["columns"].index("tokens a second")]) for row in ingest["rows"])
    exact = ways["exact"]
    width = round(exact.bytes_a_key - 4)  # int8, and a scale of four bytes
    sources = (
        f"`bench.json` of {bench['head']['date']}, {bench['head']['model']}, {bench['head']['processor']}",
        f"`mini/speed.json`, {speed['head']['models']}, {speed['head']['machine']}",
    )
    return Measured(exact.keys / exact.chunks, attention, ways["words (FTS5)"], pace, width, sources)


def _ways(rows: list[dict[str, Any]]) -> Iterator[Way]:
    """Yield each way to search that has a size on the disk, at the largest store, with how it grew up to there."""
    found: dict[str, dict[int, tuple[dict[str, Any], int]]] = {}
    for row in rows:
        if (what := _ROW.fullmatch(row["what"])) and "bytes/token" in row["also"]:
            chunks, keys = (int(number.replace(",", "")) for number in what.groups()[:2])
            found.setdefault(what[3], {})[chunks] = row, keys
    for name, sizes in found.items():
        (chunks, (row, keys)), *smaller = sorted(sizes.items(), reverse=True)
        seconds, growth = _seconds(row), 1.0
        if name not in SCANS and smaller:
            less, (before, _) = smaller[0]
            growth = max(LEAST, math.log(seconds / _seconds(before)) / math.log(chunks / less))
        yield Way(name, chunks, keys, seconds, row["also"]["bytes/token"], growth)


def _seconds(row: dict[str, Any]) -> float:
    return float(min(figure for figure in (row["one"], row["all"]) if figure)) / 1000


def need(passages: int, seen: Measured, assumed: Assumed) -> Need:
    """Work out what so many passages need."""
    keys = passages * seen.keys
    disk, memory = keys * seen.bytes_a_key / 1e9, keys * seen.scanned_a_key / 1e9
    encode = keys / seen.tokens_a_second / 3600
    question = seen.attention.at(passages)
    factors = {
        "time of a question": question / assumed.question_s,
        "memory": memory / (assumed.used * assumed.memory_gb),
        "disk": disk / (assumed.used * assumed.disk_gb),
        "first ingest": encode / (assumed.cores * assumed.encode_h),
    }
    slow = factors["time of a question"] ** (1 / seen.attention.growth)  # so many parts are each fast enough
    machines = math.ceil(max(slow, factors["memory"], factors["disk"], 1))
    month = machines * assumed.cores * assumed.core_hour * MONTH + disk * assumed.gb_month
    return Need(passages, keys, disk, memory, encode, question, factors, machines, encode * assumed.core_hour, month)


COLUMNS = (
    "passages", "keys", "on the disk", "keys in memory", "encoding, core-hours", "its cost", "a question, one machine",
    "machines", "a month",
)  # fmt: skip
REMEDIES = {
    "time of a question": "Cut the documents into several stores, each on a machine of its own, or ask by words first.",
    "memory": "A question then reads keys from the disk: more memory, or several machines.",
    "disk": "A larger disk, or several machines.",
    "first ingest": "Let several machines each ingest a part of the documents into a store of its own.",
}
NOTES = (
    "**keys in memory**: what a question reads, in 8 bits. What does not fit into memory is read from the disk, at the "
    "disk's pace.",
    "**a question, one machine**: search by attention, where all of that is in memory, on a machine like the measured.",
    "**machines**: as many as are needed for a question to be in time, and for memory and disk to suffice. Each holds "
    "a part of the documents. A passage's score depends on its own keys alone, so the lists of several stores are "
    "merged by score and nothing is lost, if one model made them.",
    "**a month**: these machines, always on, and one copy of the store on a disk.",
)
ENGINE = """## Many processes or machines

[cluster.md](cluster.md) says how several stores are filled and kept open by many processes or machines, and searched as
one, with the extra `reatt[cluster]`.

## Another engine

A site that already runs a search engine can let it hold the keys. `reatt export keys.parquet` writes one row for each
passage; this reads it, and ranks the passages as `reatt search --search exact` does:

```python
import json

import numpy as np
from pyarrow import parquet

table = parquet.read_table("keys.parquet")
width = json.loads(table.schema.metadata[b"reatt"])["width"]
queries = store.queries("How long is parental leave?")  # of reatt.open(...)
vectors, weights = queries.vectors.numpy(), queries.weights.numpy()
scores = {}
for row in table.to_pylist():
    keys = np.frombuffer(row["codes"], np.int8).reshape(-1, width) * np.array(row["scales"], np.float32)[:, None]
    scores[row["chunk"]] = weights @ (vectors @ keys.T).max(axis=1)
```

With `--keys float16` the keys are `np.frombuffer(row["keys"], np.float16).reshape(-1, width)`, and the scores are those
of `reatt` to a thousandth. Neither queries nor keys may be normalised. The weights are not negative, so they can be
multiplied into the query vectors. Whatever model makes the queries must be the one that the file names.

- **Vespa** holds a passage's codes as `tensor<int8>(key{}, x[WIDTH])`, its scales as `tensor<float>(key{})`. The second
  phase computes `sum(reduce(sum(query(q) * cell_cast(attribute(codes), float), x) * attribute(scales), max, key), t)`
  for queries `tensor<float>(t{}, x[WIDTH])`.
- **Qdrant** holds a passage's keys as a multivector of size WIDTH with `MAX_SIM` and `DOT`. Without an index for them
  (`m = 0`) they rescore what another vector, or words, have found.

In both, something else must find the candidates: words, as in `reatt`'s hybrid search, or a vector for each passage.
How many they must be for a good recall is not measured here, and neither engine was run: what is tested is the file,
with the lines above."""


def page(seen: Measured, assumed: Assumed) -> str:
    """Write the page."""
    needs = [need(size, seen, assumed) for size in SIZES]
    lines = [
        "# From a million passages to a hundred million", "",
        "For whoever plans a large store: bytes, hours, machines, cost, what breaks first, and what another",
        "engine can do with `reatt`'s keys. `python -m bench.scale` computes this page from the measured tables.", "",
        "## What was measured", "", *_facts(seen), "",
        "## What is assumed", "", *grid(("in `bench/scale.py`", "assumed"), assumed.rows()), "",
        "## What it takes", "", *grid(COLUMNS, [_cells(each) for each in needs]), "", *map(_item, NOTES), "",
        "## What breaks first", "", "How many times the limit of one machine each size needs:", "",
        *(_item(_breaks(each)) for each in needs), "",
        ENGINE.replace("WIDTH", str(seen.width)), "",
    ]  # fmt: skip
    return "\n".join(lines)


def _item(text: str) -> str:
    return fill(text, 120, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _facts(seen: Measured) -> list[str]:
    way = seen.attention
    power = _power(way.growth)
    facts = (
        f"A passage of 70 to 100 words has {seen.keys:.0f} keys of {seen.width} numbers.",
        f"A key takes {way.bytes_a_key:.0f} bytes on the disk, its share of texts and words "
        f"{seen.words.bytes_a_key:.0f} more. A question reads {seen.scanned_a_key} bytes of it.",
        f"Search by attention (`{way.name}`) takes {1000 * way.seconds:.0f} ms among {way.chunks:,} passages, by words "
        f"{1000 * seen.words.seconds:.1f} ms. Attention is taken to grow with the number of passages {power}.",
        f"A core encodes {seen.tokens_a_second:,.0f} tokens a second.",
        f"The tables: {'; '.join(seen.sources)}.",
    )
    return [_item(fact) for fact in facts]


def _power(growth: float) -> str:
    if growth == LEAST:
        return "to the power 0.5, as what it reads does; between the two sizes measured it grew less"
    return "itself" if growth == 1 else f"to the power {growth:.2f}, as between the two sizes measured"


def _cells(each: Need) -> tuple[str, ...]:
    return (
        f"{each.passages:,}", f"{each.keys / 1e9:,.2f} billion", f"{each.disk_gb:,.0f} GB", f"{each.memory_gb:,.0f} GB",
        f"{each.encode_h:,.0f}", f"${each.encode_cost:,.2f}", f"{each.question_s:,.1f} s", f"{each.machines:,}",
        f"${each.month_cost:,.0f}",
    )  # fmt: skip


def _breaks(each: Need) -> str:
    worst, *others = sorted(each.factors, key=lambda name: -each.factors[name])
    rest = ", ".join(f"{name} {each.factors[name]:,.2f}" for name in others)
    verb = "breaks first" if each.factors[worst] > 1 else "comes nearest its limit"
    return (
        f"**{each.passages:,} passages**: the {worst} {verb}, at {each.factors[worst]:,.2f}; {rest}. {REMEDIES[worst]}"
    )


def main(to: Path = PAGE) -> int:
    """Write the page."""
    to.write_text(page(measured(), Assumed()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
