"""The part `teacher`: who puts a gold chunk first among the 20 that BM25 finds, a gold one among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from bench.kit.kept import Record
from bench.kit.sheets import Cell, Sheet
from bench.parts.page import MEAN, Bar, difference
from bench.parts.run import Run, Subject
from bench.quality.mini_reading import BY_WORDS, by_id, hits
from bench.quality.mini_sets import Judged, library_of
from reatt.lessons.corpus import Corpus
from reatt.lessons.judged import Question
from reatt.training.teachers import TEACHERS

SETS = ("squad11_dev13", "nq_qed_dev", "2wiki_dev200", "covidqa")
TOGETHER = 10  # questions: BM25 reads the corpus once for them
ATTENTION = "attention"
FLOOR, GOAL = 0.0, 0.05
TEXT = (
    "Teachers see the chunks shuffled. The likelihood teacher is shown the answer, the others are not; attention is "
    "the decoder's alone, without retrieval's prior. Chance gives 0.05."
)


def measure(run: Run) -> tuple[list[Sheet], list[Bar]]:
    """Ask every model's teachers."""
    rows, bars = list[list[Cell]](), list[Bar]()
    for subject in run.subjects:
        found = {judged.name: _hits(run, subject, judged) for judged in run.of(SETS)}
        rows += [[subject.name, name, *_cells([each])] for name, each in found.items()]
        if found:
            rows.append([subject.name, MEAN, *_cells(list(found.values()))])
        if found and subject is run.main:
            less = difference([each[ATTENTION] for each in found.values()], [each[BY_WORDS] for each in found.values()])
            bars.append(Bar("teacher_hit@1 of attention less BM25's order", less.value, FLOOR, GOAL))
    columns = ["model", "set", "questions", BY_WORDS, *TEACHERS, *(f"{name} less BM25's" for name in TEACHERS)]
    return [Sheet("teacher_hit@1", columns, rows, TEXT)] if rows else [], bars


def _hits(run: Run, subject: Subject, judged: Judged) -> dict[str, list[float]]:
    """Say of each question who puts a gold chunk first: who -> values."""
    count = run.sizes.teach if subject is run.main else min(run.sizes.teach, run.sizes.read_beside)
    asked, corpora = by_id(judged.questions(count)), list[Corpus]()

    def make(some: Sequence[Question]) -> Iterator[Record]:
        if not corpora:
            corpora.append(Corpus.of(library_of(run.store(subject, judged))))
        found = hits(subject.model, corpora[0], judged, some)
        for number in range(len(some)):
            yield {name: float(values[number]) for name, values in found.items()}

    records = subject.kept("teacher", judged.name).fill(asked, make, run.clock.tell, TOGETHER)
    return {name: [record[name] for record in records.values()] for name in (BY_WORDS, *TEACHERS)}


def _cells(sets: Sequence[dict[str, list[float]]]) -> list[Cell]:
    shares = [fmean(fmean(each[name]) for each in sets) for name in (BY_WORDS, *TEACHERS)]
    less = [difference([each[name] for each in sets], [each[BY_WORDS] for each in sets]) for name in TEACHERS]
    return [sum(len(each[BY_WORDS]) for each in sets), *shares, *less]
