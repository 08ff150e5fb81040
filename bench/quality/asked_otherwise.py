"""Questions that ask for more than a fact, or less, out of DATA/dev: which are asked, and when an answer holds.

What kind a question is is told by its set, not by its words: PubMedQA asks for yes or no, the implicit questions of
FairytaleQA have answers that stand nowhere as a span, QMSum's and ARAGOG's have sentences as references, and those of
Chroma with two references or more ask for a list. SQuAD and Natural Questions ask for spans.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.quality.mini_sets import Dev, Judged, lines, spaced
from reatt.judging import metrics

ENOUGH = 0.5  # of the words of a reference
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """A set, the mode that its questions ask for, how many are asked, and which of them."""

    name: str
    mode: str
    count: int
    which: Callable[[Row], bool] = lambda _: True


KINDS = (
    Kind("pubmedqa", "yes-no", 30, lambda row: row["answers"] == ["yes"]),
    Kind("pubmedqa", "yes-no", 30, lambda row: row["answers"] == ["no"]),
    Kind("fairytaleqa_val", "sentence", 100, lambda row: row["kind"] == "implicit"),
    Kind("qmsum_val", "sentence", 40, lambda row: not row.get("general")),
    Kind("aragog", "sentence", 40),
    Kind("chroma_chunking_eval", "list", 60, lambda row: len(row["answers"]) > 1),
    Kind("squad11_dev13", "span", 300),
    Kind("nq_qed_dev", "span", 300),
)


@dataclass(frozen=True)
class Case:
    """A question with its references, and which half it belongs to."""

    id: str
    set: str
    mode: str
    text: str
    references: tuple[str, ...]
    to_report: bool  # every second question of a kind; by the others the rules were chosen

    def holds(self, shown: str) -> float:
        """Say whether what was shown holds the reference; yes or no must be the right one."""
        if self.mode == "yes-no":
            return float(shown.strip().lower() == self.references[0])
        return float(self.recall(shown) >= ENOUGH)

    def recall(self, shown: str) -> float:
        """Return the share of the reference's words that was shown; of a list all references are one."""
        return max(recall(shown, reference) for reference in self._wanted)

    def f1(self, shown: str) -> float:
        """Return the harmonic mean of that share and of the share of what was shown that the reference has."""
        return metrics.f1(shown, self._wanted)

    @property
    def _wanted(self) -> tuple[str, ...]:
        return (" ".join(self.references),) if self.mode == "list" else self.references


def recall(shown: str, reference: str) -> float:
    """Return the share of a reference's words that a text has, as SQuAD counts words.

    >>> recall("He ran to the sea.", "to the sea, singing")
    0.6666666666666666
    """
    said, wanted = Counter(metrics.normal(shown).split()), Counter(metrics.normal(reference).split())
    return (said & wanted).total() / max(1, wanted.total())


def cases(data: Path, names: Sequence[str]) -> list[Case]:
    """Choose the questions: evenly spaced over those of a kind."""
    found = list[Case]()
    for kind in KINDS:
        if kind.name in names:
            rows = [row for row in lines(data / "dev" / kind.name / "queries.jsonl.gz") if _asked(kind, row)]
            found += [_case(kind, row, bool(at % 2)) for at, row in enumerate(spaced(rows, kind.count))]
    return found


def _asked(kind: Kind, row: Row) -> bool:
    return bool(row.get("answers")) and kind.which(row)


def _case(kind: Kind, row: Row, to_report: bool) -> Case:
    return Case(str(row["_id"]), kind.name, kind.mode, row["text"], tuple(row["answers"]), to_report)


def documents(data: Path, name: str) -> Judged:
    """Name a set's documents, for a store of them; ARAGOG has no judgements of them."""
    return Judged(Dev(name), data / "dev" / name, (), {})
