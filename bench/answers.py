"""How well questions are answered that ask for more than a fact: writes answers.md and answers.json.

    python -m bench.answers [--data DIR] [--sets A,B] [--minutes N] [--model DIR]

300 questions that ask for yes or no, for sentences or for lists are searched in their sets and read once; 600 that ask
for a span are read in the paragraphs that are judged relevant. What was shown before is the model's span; what is shown
now is chosen from the same reading. By half of the questions the rules were chosen; the other half reports. What was
read is kept in WORK and not read again, unless the model, or the code that finds and reads, has changed: the rules may.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from statistics import fmean

from bench.kit import machine, sheets
from bench.kit.kept import Clock, Enough, Kept, Record, code
from bench.kit.plan import Plan
from bench.kit.sheets import Cell, Sheet
from bench.parts.page import figure
from bench.quality.asked_otherwise import KINDS, Case, cases, documents
from bench.quality.mini_sets import lines, open_store
from reatt.answering import kinds
from reatt.answering.quoting import Read, Shown, shown
from reatt.judging import metrics
from reatt.lessons.judged import Judgements, read_qrels
from reatt.model.backbone import Answer, Backbone, ChunkText, Limits, Stretch
from reatt.model.confidence import Calibration, Signs
from reatt.search.query import TOP, Query
from reatt.search.retriever import Retriever

UNFINISHED = 3
GIVEN = ("squad11_dev13", "nq_qed_dev")  # whose paragraphs are given, so that only reading counts
READING = ("engine/reatt/model", "engine/reatt/search", "engine/reatt/weights", "store/reatt_store")
LEAST = 1e-6  # of the weight of a token that is kept
SETS = tuple(dict.fromkeys(kind.name for kind in KINDS))
ALL = "**all**"
HALVES = {"chosen by": False, "reported": True}
NOTES = (
    "Holds: yes or no is the right one, and with a sentence; else half of the reference's words, counted as SQuAD "
    "counts them, are in what is shown. The references of a list count as one, and so do the items that are shown.",
    "Before: the model's span, or its yes or no, from the same reading. Nothing is withheld, but in the last table. "
    "To questions that ask for a span only the paragraphs that are judged relevant are given.",
    "The right mode is told by the set. Of Chroma these are the questions with two references or more, of QMSum and "
    "ARAGOG all, of FairytaleQA the implicit ones.",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask what is not known yet, and write both files."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    plan = Plan(options.data.resolve(), options.work.resolve(), options.model)
    if not (plan.data / "dev").is_dir():
        print(f"answers: {options.data}/dev is not here: pass --data DIR", file=sys.stderr)
        return 2
    clock, found = Clock("answers", options.minutes), dict[str, Record]()
    every = cases(plan.data, options.sets.split(","))
    try:
        for name in options.sets.split(","):
            found |= _records(plan, name, [case for case in every if case.set == name], clock)
    except Enough as at:
        print(f"answers: the time is over at: {at}. The same command goes on from there.", file=sys.stderr)
        return UNFINISHED
    head = {"to repeat": f"`{machine.again('answers', given)}`"}
    head |= {"model": f"{plan.model.name} {plan.model.sha256[:8]}", **machine.describe(plan.device)}
    tables = [_held(every, found), _modes(every, found), _spans(every, found), _shown(every, found)]
    print(sheets.write(options.out, "answers", "Questions that ask for more than a fact", head, tables, NOTES))
    return 0


def _records(plan: Plan, name: str, asked: Sequence[Case], clock: Clock) -> dict[str, Record]:
    """Read a set's questions as far as that is not known yet, and choose what is shown."""
    folder = plan.work / "mini" / "known" / f"{plan.model.sha256[:12]}-{code(READING)}"
    reader = given(plan, name) if name in GIVEN else searched(plan, name, clock)

    def make(some: Sequence[Case]) -> Iterator[Record]:
        return (written(reader(case)) for case in some)

    found = Kept(folder / f"answers-{name}.jsonl").fill({case.id: case for case in asked}, make, clock.tell)
    return {f"{name} {case.id}": choose(case, again(found[case.id])) for case in asked}


def searched(plan: Plan, name: str, clock: Clock) -> Callable[[Case], Read]:
    """Return what searches a set and reads what it finds, as `ask` does; its store is opened for the first question."""

    @cache
    def retriever() -> Retriever:
        told = f"encode {name}"
        return open_store(plan, plan.backbone(), documents(plan.data, name), lambda _: clock.tell(told))

    def read(case: Case) -> Read:
        finder, query = retriever(), Query(case.text)
        hits = [replace(hit, tokens=tuple(finder.explain(case.text, hit))) for hit in finder.distinct(query)]
        passages = finder.passages([hit.chunk for hit in hits])
        scores = [sum(pair.weight for pair in hit.tokens) for hit in hits]
        told = finder.backbone.answer(case.text, passages, scores, Limits())
        return Read(told, [passage.text for passage in passages], [hit.chunk.document_id for hit in hits])

    return read


def given(plan: Plan, name: str) -> Callable[[Case], Read]:
    """Return what reads the paragraphs that are judged relevant, and searches nothing: all score alike."""

    @cache
    def known() -> tuple[Backbone, dict[str, ChunkText], Judgements]:
        folder = plan.data / "dev" / name
        texts = {str(row["_id"]): ChunkText(row["title"], row["text"]) for row in lines(folder / "corpus.jsonl.gz")}
        return plan.backbone(), texts, read_qrels(folder / "qrels.tsv")

    def read(case: Case) -> Read:
        model, texts, judged = known()
        passages = [texts[id] for id, grade in judged[case.id].items() if grade > 0 and id in texts][:TOP]
        told = model.answer(case.text, passages, [0.0] * len(passages), Limits())
        return Read(told, [passage.text for passage in passages], range(len(passages)))

    return read


def written(seen: Read) -> Record:
    """Turn what was read into a record; weights that count for nothing are left out."""
    told = asdict(seen.told)
    told["weights"] = [[(s, round(w, 6)) for s, w in weights if w >= LEAST] for weights in seen.told.weights]
    return {"told": told, "texts": list(seen.texts), "documents": list(seen.documents)}


def again(record: Record) -> Read:
    """Turn a record into what was read."""
    told = dict(record["told"])
    told["signs"] = Signs(**told["signs"])
    if told["calibration"] is not None:
        told["calibration"] = Calibration(**{**told["calibration"], "weights": Signs(**told["calibration"]["weights"])})
    told["span"] = told["span"] and tuple(told["span"])
    told["stretches"] = tuple(Stretch(**{**each, "span": tuple(each["span"])}) for each in told["stretches"])
    told["weights"] = tuple(tuple((tuple(span), weight) for span, weight in each) for each in told["weights"])
    return Read(Answer(**{**told, "shares": tuple(told["shares"])}), record["texts"], record["documents"])


def choose(case: Case, seen: Read) -> Record:
    """Return what was shown before, and what is shown now, with and without withholding."""
    asks, told = kinds.asked(case.text), seen.told
    every, strict = shown(asks, seen, always=True), shown(asks, seen)
    return {
        "mode": asks.mode, "before": told.text, "sure_before": told.confidence, "threshold": told.threshold,
        "answer": every.text, "pointed": _pointed(every, seen), "quotes": _texts(every, seen),
        "passage": _passage(every, seen), "disagree": every.disagree,
        "sure": strict.confidence if strict.text else 0.0, "withheld": strict.withheld,
    }  # fmt: skip


def _texts(given: Shown, seen: Read) -> list[str]:
    """Return what is shown, each text once: sentences, a span, or of several the sentences in which they stand."""
    every = [seen.texts[quote.source][slice(*(quote.around or quote.span))] for quote in given.quotes]
    return list(dict.fromkeys(every))


def _passage(every: Shown, seen: Read) -> str:
    """Return the whole passage from which the first quote is; for the model's own words none."""
    return seen.texts[every.quotes[0].source] if every.quotes else ""


def _pointed(given: Shown, seen: Read) -> str:
    """Return the stretch that the model points at: within sentences, or the answer itself."""
    first = given.quotes[0] if given.quotes else None
    if first is None or first.key is None or given.text in ("yes", "no"):
        return given.text
    return seen.texts[first.source][slice(*first.key)]


def now(record: Record) -> str:
    """Return all that is shown now as the answer; yes or no counts only with a sentence."""
    if record["answer"] in ("yes", "no"):
        return str(record["answer"]) if record["quotes"] else ""
    return " ".join(record["quotes"]) or str(record["answer"])


def _rows(every: Sequence[Case], cells: Callable[[list[Case]], list[Cell]], *, spans: bool) -> list[list[Cell]]:
    """Lay out each half: each set, and all of them."""
    rows = list[list[Cell]]()
    for half, reports in HALVES.items():
        mine = [case for case in every if case.to_report == reports and (case.mode == "span") == spans]
        by_set = {name: [case for case in mine if case.set == name] for name in SETS} | {ALL: mine}
        rows += [[half, name, len(some), *cells(some)] for name, some in by_set.items() if some]
    return rows


def _held(every: Sequence[Case], found: dict[str, Record]) -> Sheet:
    """Compare what was shown before with what is shown now."""

    def cells(some: list[Case]) -> list[Cell]:
        pairs = [(case, found[f"{case.set} {case.id}"]) for case in some]
        ways = [[(case, record["before"]) for case, record in pairs], [(case, now(record)) for case, record in pairs]]
        held: list[Cell] = [figure([[case.holds(text) for case, text in way]]) for way in ways]
        held.append(fmean(max(case.holds(now(r)), case.holds(r["passage"])) for case, r in pairs))
        measures = (Case.recall, Case.f1)
        return held + [fmean(measure(case, text) for case, text in way) for measure in measures for way in ways]

    columns = ["half", "set", "questions", "holds before", "holds now", "its passage holds"]
    columns += ["recall before", "recall now", "F1 before", "F1 now"]
    text = (
        "Its passage: all of the passage from which the first quote is. Where that does not hold, no quote of it can."
    )
    return Sheet("what is shown holds the reference", columns, _rows(every, cells, spans=False), text)


def _modes(every: Sequence[Case], found: dict[str, Record]) -> Sheet:
    """Say how often the mode was the one that the set asks for."""

    def cells(some: list[Case]) -> list[Cell]:
        modes = [(case.mode, found[f"{case.set} {case.id}"]["mode"]) for case in some]
        counts: list[Cell] = [sum(mode == name for _, mode in modes) for name in ("yes-no", "sentence", "list", "span")]
        return [figure([[float(wanted == mode) for wanted, mode in modes]]), *counts]

    columns = ["half", "set", "questions", "mode right", "yes-no", "sentence", "list", "span"]
    return Sheet(
        "the mode that was chosen", columns, [row for s in (False, True) for row in _rows(every, cells, spans=s)]
    )


def _spans(every: Sequence[Case], found: dict[str, Record]) -> Sheet:
    """Compare exact match and F1 of the questions that ask for a span; both halves together count."""

    def cells(some: list[Case]) -> list[Cell]:
        pairs = [(case, found[f"{case.set} {case.id}"]) for case in some]
        made = list[Cell]()
        for measure in (metrics.exact_match, metrics.f1):
            made += [fmean(measure(r[key], c.references) for c, r in pairs) for key in ("before", "pointed", "answer")]
        return [*made, fmean(record["disagree"] for _, record in pairs)]

    columns = ["half", "set", "questions", "EM before", "EM pointed at", "EM answer"]
    columns += ["F1 before", "F1 pointed at", "F1 answer", "two that disagree"]
    both = [replace(case, to_report=True) for case in every]
    rows = [*_rows(every, cells, spans=True), *(["both", *row[1:]] for row in _rows(both, cells, spans=True))]
    text = "Pointed at: of sentences, the words that are marked in them. The answer is the first item of a list."
    return Sheet("questions that ask for a span", columns, rows, text)


def _shown(every: Sequence[Case], found: dict[str, Record]) -> Sheet:
    """Say what is shown at the model's own threshold, and how much of it holds."""

    def cells(some: list[Case]) -> list[Cell]:
        pairs = [(case, found[f"{case.set} {case.id}"]) for case in some]
        before = [case.holds(r["before"]) for case, r in pairs if r["before"] and r["sure_before"] >= r["threshold"]]
        after = [case.holds(now(r)) for case, r in pairs if r["sure"] >= r["threshold"]]
        kind = sum(record["withheld"] is not None for _, record in pairs) / len(pairs)
        shares: list[Cell] = [len(some) / len(pairs) for some in (before, after)]
        return [*shares, *(fmean(some) if some else None for some in (before, after)), kind]

    columns = ["half", "set", "questions", "shown before", "shown now", "of it holds, before", "of it holds, now"]
    return Sheet("with the threshold", [*columns, "withheld for its kind"], _rows(every, cells, spans=False))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.answers", description="Measure what is shown as an answer.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data folder [%(default)s]")
    parser.add_argument("--sets", default=",".join(SETS), help="names, with commas between [%(default)s]")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="then stop, and keep what is done [never]")
    parser.add_argument("--model", type=Path, help="a model's folder [the bundled one]")
    parser.add_argument("--work", type=Path, default=Path(".work/bench"), help="what is kept [%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="[%(default)s]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
