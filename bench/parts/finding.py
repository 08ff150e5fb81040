"""The part `finding`: nDCG@10 and hits of every way to find, on all judged questions, and what they differ by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench.kit.kept import Kept
from bench.kit.sheets import Cell, Sheet
from bench.parts.minilm import MiniLM
from bench.parts.page import MEAN, UNSEEN, Bar, difference, mean
from bench.parts.run import Run
from bench.parts.ways import BM25S, OWN, TOKENS, WHOLE, ByBm25s, ByMiniLM, ByModel, find
from bench.quality import mini_sets
from bench.quality.mini_sets import SETS, Judged
from recipes.reatt_mini.shape import ENCODER

WAYS = (
    "words: SQLite FTS5; bm25s: BM25 with stemming, over whole documents; MiniLM: all-MiniLM-L6-v2, one vector a "
    "chunk; MiniLM tokens: its last states untrained, MaxSim by the cosine, title and text, in bfloat16 where the "
    "processor multiplies it; attention and hybrid: the model. MiniLM's authors list questions of NQ among what it "
    "learnt from."
)
CUT = "There MiniLM reads whole documents, cut at 256 pieces; here the same chunks that its token states are of."
RANKED = {"ndcg@10": "nDCG@10", "hit@1": "hit@1", "hit@5": "hit@5"}
MAIN = "ndcg@10"
Found = Mapping[str, Mapping[str, Sequence[float]]]  # way -> measure -> value of each question


@dataclass
class Measured:
    """All that was found, by set; the columns in the order of the table."""

    sets: Sequence[Judged]
    found: Mapping[str, Found]

    @property
    def ways(self) -> list[str]:
        """The columns: what stands beside comes first, our own last."""
        first = self.found[self.sets[0].name]
        beside = [way for way in first if way not in (*OWN, BM25S, WHOLE, TOKENS)]
        order = ["words", BM25S, WHOLE, TOKENS, *beside, "attention", "hybrid"]
        return [way for way in order if way in first]

    def values(self, way: str, measure: str = MAIN, *, seen: bool = True) -> list[Sequence[float]]:
        """Give the questions' values of every set that counts; without those that the encoder may have seen."""
        counted = [each for each in self.sets if each.dev.counts and (seen or not each.dev.seen)]
        return [self.found[each.name][way][measure] for each in counted]


def measure(run: Run) -> tuple[list[Sheet], list[Bar]]:
    """Search all sets in every way that there is."""
    measured = Measured(run.sets, {judged.name: _found(run, judged) for judged in run.sets})
    complete = {dev.name for dev in SETS if dev.counts} <= set(measured.found)
    return _sheets(run, measured), _bars(measured) if complete else []


def _found(run: Run, judged: Judged) -> dict[str, Mapping[str, Sequence[float]]]:
    """Search one set; by MiniLM where it was fetched."""
    beside = run.work / "mini" / "known" / "beside"
    found: dict[str, Mapping[str, Sequence[float]]] = {}
    found |= find(Kept(beside / f"bm25s-{judged.name}.jsonl"), judged, ByBm25s(judged.corpus), run.clock.tell)
    if (run.minilm / ENCODER).is_file():
        encoder = ByMiniLM(MiniLM(run.minilm), judged.corpus)
        found |= find(Kept(beside / f"minilm-{judged.name}.jsonl"), judged, encoder, run.clock.tell)
    found |= find(
        run.main.kept("finding", judged.name), judged, ByModel(lambda: run.store(run.main, judged)), run.clock.tell
    )
    for subject in run.subjects[1:]:
        finder = ByModel(partial(run.store, subject, judged), alone=True)
        attention = find(subject.kept("attention", judged.name), judged, finder, run.clock.tell)["attention"]
        found[subject.name] = attention
    return found


def _sheets(run: Run, measured: Measured) -> list[Sheet]:
    made = [_ranked(measured, name, title) for name, title in RANKED.items()]
    made.append(_less(measured, BM25S))
    if TOKENS in measured.ways:
        made.append(_less(measured, TOKENS))
    there = _published(run, measured)
    return [*made, there] if there.rows else made


def _ranked(measured: Measured, name: str, title: str) -> Sheet:
    rows: list[list[Cell]] = [
        [_name(each), len(each.asked), *(mean([measured.found[each.name][way][name]]) for way in measured.ways)]
        for each in measured.sets
    ]
    for label, seen in ((MEAN, True), (UNSEEN, False)):
        values = {way: measured.values(way, name, seen=seen) for way in measured.ways}
        count = len(values["words"])
        rows += [[label, count, *(mean(values[way]) for way in measured.ways)]] if count else []
    return Sheet(title, ["set", "questions", *measured.ways], rows, WAYS if name == MAIN else "")


def _less(measured: Measured, beside: str) -> Sheet:
    """Compare every way with one of them, each question with itself."""
    ways = [way for way in measured.ways if way not in (BM25S, WHOLE, beside)]
    rows: list[list[Cell]] = []
    for each in measured.sets:
        found = measured.found[each.name]
        rows.append([_name(each), *(difference([found[way][MAIN]], [found[beside][MAIN]]) for way in ways)])
    for label, seen in ((MEAN, True), (UNSEEN, False)):
        before = measured.values(beside, seen=seen)
        cells = [difference(measured.values(way, seen=seen), before) for way in ways] if before else []
        rows += [[label, *cells]] if before else []
    return Sheet(f"nDCG@10 less that of {beside}", ["set", *ways], rows)


def _published(run: Run, measured: Measured) -> Sheet:
    """Put baselines.json beside, where it is of the same questions."""
    there = mini_sets.published(run.data, measured.sets)
    rows: list[list[Cell]] = []
    for each in (each for each in measured.sets if each.name in there):
        here = {way: mean([measured.found[each.name][way][MAIN]]) for way in measured.ways}
        known = there[each.name]
        rows.append([each.name, here[BM25S], known["bm25"][MAIN], here.get(WHOLE), known["minilm"][MAIN]])
    columns = ["set", BM25S, "in baselines.json", WHOLE, "in baselines.json "]
    return Sheet("nDCG@10 beside baselines.json, of the same questions", columns, rows, CUT)


def _bars(measured: Measured) -> list[Bar]:
    attention, hybrid = measured.values("attention"), measured.values("hybrid")
    bars = [
        Bar("attention alone, mean nDCG@10", mean(attention), 0.79, 0.815),
        Bar("the same without nq_qed_dev", mean(measured.values("attention", seen=False)), 0.79, 0.815),
        Bar("hybrid, mean nDCG@10", mean(hybrid), 0.812, 0.835),
        Bar("the same without nq_qed_dev ", mean(measured.values("hybrid", seen=False)), 0.812, 0.835),
    ]
    if TOKENS in measured.ways:
        less = difference(attention, measured.values(TOKENS)).value
        bars.append(Bar("attention less MiniLM's token states untrained, mean nDCG@10", less, 0.0, 0.02))
    return bars


def _name(judged: Judged) -> str:
    if judged.dev.seen:
        return f"{judged.name} (perhaps seen by MiniLM)"
    return judged.name if judged.dev.counts else f"{judged.name} (not in the mean)"
