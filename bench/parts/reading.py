"""The part `reading`: answers from the gold chunk and from what is found, and 2Wiki's questions by their kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from bench.kit.kept import Record
from bench.kit.sheets import Cell, Sheet
from bench.parts.kinds import COMPARISON, FIRST, FITTED, HOPS, YES_NO, Chooser, first_named, fitted, kind, yes_no
from bench.parts.page import MEAN, Bar, difference, figure, mean
from bench.parts.run import Run, Subject
from bench.quality.mini_reading import answered, by_id, on_gold
from bench.quality.mini_sets import Judged
from reatt.judging import metrics
from reatt.lessons.judged import Question, read_queries

GOLD = ("squad11_dev13", "nq_qed_dev", "covidqa", "fairytaleqa_val")
OPEN = ("squad11_dev13",)
HOPPING, LEARNT = "2wiki_dev200", "2wiki_train500"
ASKED = {  # set -> what is asked of it on gold chunks: measure, floor, goal
    "squad11_dev13": ("em", 0.60, 0.70),
    "nq_qed_dev": ("em", 0.45, 0.55),
    "covidqa": ("f1", 0.42, 0.50),
    "fairytaleqa_val": ("f1", 0.42, 0.50),
}
BY_KIND = {HOPS: (0.20, 0.35), COMPARISON: (0.60, 0.75), YES_NO: (0.60, 0.75)}
Values = dict[str, list[float]]


def measure(run: Run) -> tuple[list[Sheet], list[Bar]]:
    """Read every set with every model."""
    gold: list[list[Cell]] = []
    found: list[list[Cell]] = []
    bars: list[Bar] = []
    for subject in run.subjects:
        values = {judged.name: _gold(run, subject, judged) for judged in run.of(GOLD)}
        gold += _rows(subject.name, values)
        opened = {judged.name: _open(run, subject, judged) for judged in run.of(OPEN)}
        found += _rows(subject.name, opened)
        if subject is run.main:
            bars = _bars(values, opened)
    kinds, more = _kinds(run)
    columns = ["model", "set", "questions", "EM", "F1"]
    sheets = [
        Sheet("reading a gold chunk", columns, gold, "One gold chunk of each relevant document, nothing withheld."),
        Sheet("reading what is found", columns, found, "The eight best chunks of hybrid search, nothing withheld."),
        *kinds,
    ]
    return [sheet for sheet in sheets if sheet.rows], [*bars, *more]


def _count(run: Run, subject: Subject) -> int:
    return run.sizes.read if subject is run.main else run.sizes.read_beside


def _gold(run: Run, subject: Subject, judged: Judged) -> Values:
    return _values(_records(run, subject, judged).values())


def _records(run: Run, subject: Subject, judged: Judged) -> dict[str, Record]:
    kept, asked = subject.kept("gold", judged.name), by_id(judged.questions(_count(run, subject)))
    return on_gold(partial(run.store, subject, judged), judged, asked, kept, run.clock.tell)


def _open(run: Run, subject: Subject, judged: Judged) -> Values:
    kept, asked = subject.kept("open", judged.name), by_id(judged.questions(_count(run, subject)))
    return _values(answered(partial(run.store, subject, judged), asked, kept, run.clock.tell).values())


def _values(records: Iterable[Record]) -> Values:
    every = list(records)
    return {name: [record[name] for record in every] for name in ("em", "f1")}


def _rows(model: str, values: dict[str, Values]) -> list[list[Cell]]:
    rows: list[list[Cell]] = [
        [model, name, len(each["em"]), figure([each["em"]]), figure([each["f1"]])] for name, each in values.items()
    ]
    if len(values) > 1:
        every = list(values.values())
        both = [figure([each[name] for each in every]) for name in ("em", "f1")]
        rows.append([model, MEAN, sum(len(each["em"]) for each in every), *both])
    return rows


def _bars(gold: dict[str, Values], opened: dict[str, Values]) -> list[Bar]:
    bars = [
        Bar(f"{name}, gold passage {of.upper()}", mean([gold[name][of]]), floor, goal)
        for name, (of, floor, goal) in ASKED.items()
        if name in gold
    ]
    return bars + [
        Bar(f"{name}, open over eight passages EM", mean([each["em"]]), 0.52, 0.62) for name, each in opened.items()
    ]


def _kinds(run: Run) -> tuple[list[Sheet], list[Bar]]:
    """Read 2Wiki's gold chunks, and judge each kind of question in its own way."""
    found = run.of((HOPPING,))
    if not found:
        return [], []
    (judged,) = found
    choosers = {FIRST: first_named, FITTED: _fitted(run)}
    rows: list[list[Cell]] = []
    bars: list[Bar] = []
    for subject in run.subjects:
        records = _records(run, subject, judged)
        asked = {id: question for id, question in by_id(judged.asked).items() if id in records}
        for name, (floor, goal) in BY_KIND.items():
            mine = [question for question in asked.values() if kind(question) == name]
            if mine:
                row, value = _kind_row(name, mine, records, choosers)
                rows.append([subject.name, *row])
                bars += [Bar(f"2Wiki gold, {name}", value, floor, goal)] if subject is run.main else []
    columns = ["model", "kind", "questions", "right", FIRST, FITTED, "right less the better chooser"]
    text = (
        "Right: exact match; for yes and no the mean of both rates, so that always saying one of them gets 0.5. The "
        f"choosers see a comparison's question alone: one takes what is named first, the other was fitted on {LEARNT}."
    )
    return [Sheet("2Wiki, gold chunks, by kind", columns, rows, text)], bars


def _kind_row(
    name: str, asked: Sequence[Question], records: dict[str, Record], choosers: dict[str, Chooser]
) -> tuple[list[Cell], float]:
    right = [records[question.id]["em"] for question in asked]
    if name == YES_NO:
        halves = balanced(asked, [records[question.id]["answer"] for question in asked])
        return [name, len(asked), figure(halves), None, None, None], mean(halves)
    if name == HOPS:
        return [name, len(asked), figure([right]), None, None, None], mean([right])
    chosen = {
        each: [metrics.exact_match(choose(question.text), question.answers) for question in asked]
        for each, choose in choosers.items()
    }
    best = max(chosen.values(), key=sum)
    cells = [mean([values]) for values in chosen.values()]
    return [name, len(asked), figure([right]), *cells, difference([right], [best])], mean([right])


def balanced(asked: Sequence[Question], answers: Sequence[str]) -> list[list[float]]:
    """Say which yes-no questions are answered right, those to which yes is right and those to which no is."""
    halves: dict[str, list[float]] = {"yes": [], "no": []}
    for question, answer in zip(asked, answers, strict=True):
        wanted = yes_no(question.answers[0])
        halves[wanted].append(float(yes_no(answer) == wanted))
    return [each for each in halves.values() if each]


def _fitted(run: Run) -> Chooser:
    file = run.data / "train" / LEARNT / "queries.jsonl.gz"
    return fitted(read_queries(file)) if file.is_file() else first_named
