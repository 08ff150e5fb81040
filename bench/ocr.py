"""How well scanned pages are read, and questions about them answered: writes ocr.md.

    python -m bench.ocr [--pages N] [--out DIR]

The example documents are set on pages in three fonts, scanned at two resolutions and skewed by two degrees. The scans
are ingested as one PDF, and each page that was read is compared with what was set. Then twenty questions about them are
asked: the page must be named, and the answer must hold what is asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

from bench.kit import machine, scans
from bench.kit.table import grid
from reatt.api import Store
from reatt.api import open as open_store
from reatt.documents.reader import ReadLimits
from reatt.ingest import IngestOptions
from reatt.search.query import Query

# What is asked, and words of the answer, which stand on one page alone.
QUESTIONS = {
    "How long does the crossing to Skerry Island take?": "35 minutes",
    "Who decides whether the ferry sails?": "Callum Reid",
    "On which day do unused days of holiday lapse?": "31 March",
    "How many weeks of parental leave can each parent take?": "26 weeks",
    "From which day on is a doctor's note needed?": "fourth day",
    "How long can a sabbatical be?": "three to nine months",
    "When does the key card open the front door?": "06:00 to 21:00",
    "What is the name of the server with the measuring data?": "Magpie",
    "What colour is the badge of visitors?": "yellow",
    "How much does the company pay per kilometre of private cars?": "34 cents",
    "What is the ceiling for a room in Oslo?": "160 euros",
    "Whose team answers the emergency number?": "Priya Raman",
    "Who keeps the key of the shredder?": "Norman Pell",
    "How much is the rent for a half plot?": "31 pounds",
    "At which core temperature is the bread done?": "97 degrees",
    "Who built the brass orrery?": "Jonas Felder",
    "When was the last flight of the airship Kestrel?": "9 October 1913",
    "Who made the set of tuning forks?": "Rosalind Achterberg",
    "How far was the sledge pulled across Spitsbergen?": "1,180 kilometres",
    "Where was the glass model of a jellyfish blown?": "Dresden",
}


@dataclass(frozen=True)
class PageRow:
    """One page: how it was scanned, the share of its characters that were read right, and how sure OCR was."""

    look: str
    characters: int
    right: float
    words: float
    confidence: float


@dataclass(frozen=True)
class Asked:
    """One question: the page that holds the answer, the page that was named first, and the answer."""

    question: str
    expected: str
    page: int
    first: int | None
    answer: str | None

    @property
    def found(self) -> bool:
        """Whether the first passage is of the right page."""
        return self.page == self.first

    @property
    def right(self) -> bool:
        """Whether the answer holds what is asked for."""
        return self.expected.lower() in plain(self.answer or "").lower()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the page."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    pages = scans.texts()[: options.pages]
    looks = [scans.LOOKS[number % len(scans.LOOKS)] for number in range(len(pages))]
    images = [scans.scanned(text, look, seed) for seed, (text, look) in enumerate(zip(pages, looks, strict=True))]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "scan.pdf")
        file.write_bytes(scans.pdf_of(images))
        with closing(open_store(Path(folder, "store"))) as store:
            started, spent = time.monotonic(), children()
            report = store.ingest([str(file)], IngestOptions(limits=ReadLimits(seconds=600)))
            seconds, spent = time.monotonic() - started, children() - spent
            rows = compared(pages, looks, read_of(store), report.ocr[0])
            tried = [_asked(store, question, expected, pages) for question, expected in QUESTIONS.items()]
    asked = [each for each in tried if each is not None]
    page = _page(machine.again("ocr", given), rows, asked, seconds, spent)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "ocr.md").write_text(page, encoding="utf-8")
    figures = {"pages": [asdict(row) for row in rows], "questions": [asdict(each) for each in asked]}
    (options.out / "ocr.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(page)
    return 0


def children() -> float:
    """Return the seconds of the processor that ended children took."""
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read_of(store: Store) -> dict[int, str]:
    """Return the text of each page of the one document in a store."""
    found: dict[int, str] = {}
    for stored in store.library.every_chunk():
        number = stored.chunk.page or 0
        found[number] = found.get(number, "") + stored.chunk.text
    return found


def compared(
    pages: Sequence[str], looks: Sequence[scans.Look], read: Mapping[int, str], sure: Sequence[float]
) -> list[PageRow]:
    """Compare what was read with what was set, page by page."""
    return [
        PageRow(look.name, len(plain(page)), right_share(page, text), right_share_of_words(page, text), confidence)
        for number, (page, look, confidence) in enumerate(zip(pages, looks, sure, strict=True), 1)
        for text in [read.get(number, "")]
    ]


def plain(text: str) -> str:
    """Return a text in one line: where lines end is no matter of reading."""
    return " ".join(text.split())


def right_share(expected: str, read: str) -> float:
    """Return which share of the characters was read right: 1 less the edits for each expected character.

    >>> right_share("a bee", "a  bee"), right_share("a bee", "a boe")
    (1.0, 0.8)
    """
    return max(0.0, 1 - edits(plain(expected), plain(read)) / max(len(plain(expected)), 1))


def right_share_of_words(expected: str, read: str) -> float:
    """Return which share of the words was read right, in order."""
    words, others = expected.split(), read.split()
    same = SequenceMatcher(None, words, others, autojunk=False).get_matching_blocks()
    return sum(block.size for block in same) / max(len(words), 1)


def edits(one: str, other: str) -> int:
    """Count the characters to insert, leave out or change (Levenshtein)."""
    row = list(range(len(other) + 1))
    for at, character in enumerate(one, 1):
        before, row[0] = row[0], at
        for to, each in enumerate(other, 1):
            before, row[to] = row[to], min(row[to] + 1, row[to - 1] + 1, before + (character != each))
    return row[-1]


def _asked(store: Store, question: str, expected: str, pages: Sequence[str]) -> Asked | None:
    """Ask one question, whatever the confidence; None if no page that was scanned has its answer."""
    on = [number for number, page in enumerate(pages, 1) if expected in plain(page)]
    if not on:
        return None
    reply = store.ask(Query(question, abstain=0.0))
    first = reply.evidence[0].page if reply.evidence else None
    return Asked(question, expected, on[0], first, reply.answer)


def _page(again: str, rows: Sequence[PageRow], asked: Sequence[Asked], seconds: float, spent: float) -> str:
    parts = (
        ["# Reading scanned pages"],
        [f"`{again}`"],
        [_summary(rows, asked, seconds, spent)],
        [", ".join(f"{name}: {what}" for name, what in _described().items())],
        _by_look(rows),
        _by_page(rows),
        _answers(asked),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _described() -> dict[str, str]:
    """Name the machine and the engine."""
    engine = ", ".join(f"{name} {version(name)}" for name in ("rapidocr", "onnxruntime", "pypdfium2"))
    described = machine.describe("cpu")
    return {name: described[name] for name in ("processor", "cores", "memory", "commit")} | {"engine": engine}


def _summary(rows: Sequence[PageRow], asked: Sequence[Asked], seconds: float, spent: float) -> str:
    total = sum(row.characters for row in rows)
    right = sum(row.right * row.characters for row in rows) / total
    return (
        f"{len(rows)} pages of {total:,} characters, skewed by {scans.SKEW:g} degrees, with grain and JPEG's blocks. "
        f"Right: {right:.2%} of the characters, at least {min(row.right for row in rows):.2%} of each page. "
        f"The page is named first for {sum(each.found for each in asked)} of {len(asked)} questions, and the answer "
        f"holds what was asked for in {sum(each.right for each in asked)}. "
        f"A page took {spent / len(rows):.1f} s of one core, the engine's start included; all of ingest "
        f"{seconds:.0f} s at a load of {machine.load()}."
    )


def _by_look(rows: Sequence[PageRow]) -> list[str]:
    looks = dict.fromkeys(row.look for row in rows)
    same = {look: [row for row in rows if row.look == look] for look in looks}
    head = ("scan", "pages", "characters right", "worst page", "words right", "confidence")
    return grid(head, [(look, str(len(each)), *_means(each)) for look, each in same.items()])


def _means(rows: Sequence[PageRow]) -> Iterable[str]:
    yield f"{fmean(row.right for row in rows):.2%}"
    yield f"{min(row.right for row in rows):.2%}"
    yield f"{fmean(row.words for row in rows):.2%}"
    yield f"{fmean(row.confidence for row in rows):.3f}"


def _by_page(rows: Sequence[PageRow]) -> list[str]:
    head = ("page", "scan", "characters", "right", "words right", "confidence")
    return grid(
        head,
        [
            (str(at), row.look, str(row.characters), f"{row.right:.2%}", f"{row.words:.2%}", f"{row.confidence:.3f}")
            for at, row in enumerate(rows, 1)
        ],
    )


def _answers(asked: Iterable[Asked]) -> list[str]:
    rows = [
        (each.question, str(each.page), str(each.first), each.expected, plain(each.answer or ""), _verdict(each))
        for each in asked
    ]
    return grid(("question", "page", "named first", "asked for", "answer", ""), rows)


def _verdict(asked: Asked) -> str:
    return "right" if asked.found and asked.right else "right page" if asked.found else "**wrong**"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.ocr", description="Measure how scanned pages are read.")
    parser.add_argument("--pages", type=int, default=scans.COUNT, help="how many pages [20]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="where the page is written")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
