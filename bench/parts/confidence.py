"""The part `confidence`: half a set's own questions, half those of the next set, asked of one corpus.

A question of another set whose answer happens to stand in what is read is left out: it may well be answered. What
is right is an exact match or an F1 of a half, so that a longer way to say the same is no error; a foreign question has
no right answer. The threshold is the model's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from bench.kit.kept import Kept, Record
from bench.kit.sheets import Cell, Figure, Sheet
from bench.parts.page import MEAN, Bar
from bench.parts.run import Run, Subject
from bench.quality.mini_reading import answered, by_id, judge
from bench.quality.mini_sets import Judged
from reatt.ask import ask
from reatt.judging import metrics
from reatt.lessons.judged import Question
from reatt.model.confidence import UNCALIBRATED_THRESHOLD
from reatt.search.query import Query
from reatt.search.retriever import Retriever

SETS = ("squad11_dev13", "nq_qed_dev", "2wiki_dev200", "covidqa")
RIGHT_F1 = 0.5
SHOWN = 0.6  # of the questions that belong here, at least


@dataclass(frozen=True)
class Said:
    """One answer: how sure the model was, whether it was right, and whether the question belongs here."""

    confidence: float
    right: bool
    own: bool
    answer: str

    @classmethod
    def of(cls, record: Record, *, own: bool) -> Said:
        """Judge a record."""
        right = own and (record["em"] == 1 or record["f1"] >= RIGHT_F1)
        return cls(record["confidence"], right, own, record["answer"])


def measure(run: Run) -> tuple[list[Sheet], list[Bar]]:
    """Ask every model."""
    sets, rows, bars = run.of(SETS), list[list[Cell]](), list[Bar]()
    for subject in run.subjects if len(sets) > 1 else ():
        count = run.sizes.doubt if subject is run.main else min(run.sizes.doubt, run.sizes.read_beside)
        told = {each.name: _told(run, subject, each, sets[(n + 1) % len(sets)], count) for n, each in enumerate(sets)}
        threshold = _threshold(subject)
        rows += [[subject.name, name, *_cells([each], threshold)] for name, each in told.items()]
        rows.append([subject.name, MEAN, *_cells(list(told.values()), threshold)])
        if subject is run.main:
            bars = _bars(list(told.values()), threshold)
    columns = ["model", "set", "own", "of the next set", "AUROC own from foreign", "AUROC right from wrong"]
    columns += ["threshold", "own that are shown", "foreign that are shown", "shown that are right"]
    return [Sheet("confidence", columns, rows, TEXT)] if rows else [], bars


TEXT = (
    "Questions of the next set are asked of this set's corpus, too; one whose answer by chance stands in what is read "
    "is left out. Shown: at the model's own threshold. Right: exact match, or F1 of 0.5; no foreign question is."
)


def _told(run: Run, subject: Subject, judged: Judged, strangers: Judged, count: int) -> list[Said]:
    store = partial(run.store, subject, judged)
    own, strange = (by_id(each.questions(count)) for each in (judged, strangers))
    ours = answered(store, own, subject.kept("doubt", judged.name), run.clock.tell)
    theirs = foreign(store, strange, subject.kept("foreign", f"{judged.name}-{strangers.name}"), run.clock.tell)
    said = [Said.of(record, own=True) for record in ours.values()]
    return said + [Said.of(record, own=False) for record in theirs.values() if not record["by chance"]]


def foreign(
    store: Callable[[], Retriever], questions: Mapping[str, Question], kept: Kept, tell: Callable[[str], None]
) -> dict[str, Record]:
    """Ask what nothing here answers, and note where by chance an answer stands in what is read."""

    def make(some: Sequence[Question]) -> Iterator[Record]:
        for question in some:
            reply = ask(store(), Query(question.text, abstain=0.0, answer="span"))
            texts = (metrics.words_of(each.text) for each in reply.evidence)
            chance = any(metrics.has_answer(text, question.answers) for text in texts)
            yield {**judge(reply.answer or "", reply.confidence, question), "by chance": chance}

    return kept.fill(questions, make, tell)


def shown(said: Sequence[Said], threshold: float) -> list[Said]:
    """Leave out what the model would rather not say."""
    return [each for each in said if each.answer and each.confidence >= threshold]


def auroc(said: Sequence[Said], *, right: bool = False) -> float | None:
    """Say how often it is surer of a question that belongs here, or of a right answer, than of another."""
    return metrics.auroc([each.confidence for each in said], [each.right if right else each.own for each in said])


def share_right(sets: Sequence[Sequence[Said]], threshold: float, seed: int = 0) -> Figure | None:
    """Give the share of what is shown that is right, over all sets together; the interval draws questions anew."""
    every = [each for said in sets for each in said]
    is_shown = np.array([bool(shown([each], threshold)) for each in every])
    right = np.array([each.right for each in every]) & is_shown
    if not is_shown.any():
        return None
    drawn = np.random.default_rng(seed).integers(0, len(every), (metrics.RESAMPLES, len(every)))
    of = is_shown[drawn].sum(1)
    shares = right[drawn].sum(1)[of > 0] / of[of > 0]
    low, high = np.quantile(shares, [0.025, 0.975])
    return Figure(float(right.sum() / is_shown.sum()), float(low), float(high))


def _share(said: Sequence[Said], threshold: float) -> float:
    return len(shown(said, threshold)) / max(1, len(said))


def _cells(sets: Sequence[Sequence[Said]], threshold: float) -> list[Cell]:
    own = [each for said in sets for each in said if each.own]
    others = [each for said in sets for each in said if not each.own]
    ranked = [_average([auroc(said, right=right) for said in sets]) for right in (False, True)]
    shares = [_share(own, threshold), _share(others, threshold)]
    return [len(own), len(others), *ranked, threshold, *shares, share_right(sets, threshold)]


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _bars(sets: Sequence[Sequence[Said]], threshold: float) -> list[Bar]:
    own = [each for said in sets for each in said if each.own]
    ranked, right = _average([auroc(said) for said in sets]), share_right(sets, threshold)
    bars = [] if ranked is None else [Bar("confidence, AUROC, mean of sets", ranked, 0.87, 0.92)]
    bars += [] if right is None else [Bar("share of shown answers that are right", right.value, 0.60, 0.75)]
    return [*bars, Bar("share of answerable questions whose answer is shown", _share(own, threshold), SHOWN, SHOWN)]


def _threshold(subject: Subject) -> float:
    said = subject.plan.model.settings.get("confidence")
    return float(said["threshold"]) if said else UNCALIBRATED_THRESHOLD
