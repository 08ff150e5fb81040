"""The table of experiments: what each varies, what it is compared with, and what the papers claim of it.

`Setting` is one training with the engine's own steps. `Memory` is one way to search by INTRA's decoder. A row of the
table names its setting, the row that it is compared with, and which of the two the paper finds better.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from bench.papers.start import Reader
from bench.quality.intra_ways import WHOLE
from bench.quality.intra_ways import Setting as Way
from reatt.training.plans import PRESETS, Plan

STEPS, BATCH, CLOSE = 60, 16, 4  # of a training; |Q|; K
VISITS = STEPS * BATCH  # questions that every training takes
LEARNING_STEPS = 100  # of INTRA's tokens
PLAN = replace(PRESETS["laptop"], batch=BATCH, close=CLOSE, rounds=2, lead=None)  # no exam: a row teaches, or not


@dataclass(frozen=True)
class Stage:
    """A stretch of a training: what is learnt from, which weights learn, and by which losses."""

    lessons: str = "questions"  # a name in `lessons.LESSONS`
    plan: Plan = PLAN
    steps: int = STEPS
    freeze: str = "none"
    answers: bool = True
    cross_document: bool = True
    in_batch: bool = True
    alpha: float = 8.0
    teacher: str = "attention"  # a name in `lessons.TEACHERS`
    posterior: bool = False
    dropout: float = 0.0


@dataclass(frozen=True)
class Setting:
    """What a model begins as, what it learns, and how it is judged."""

    stages: tuple[Stage, ...] = (Stage(),)
    start: Reader | None = None  # None: the bundled model; its projections of retrieval are forgotten in any case
    form: str = "top"  # a name in `forms.FORMS`: by what it finds, untaught
    base: str | None = None  # the row whose model of the same seed it begins as, instead
    finds: bool = True  # if not, what its base began as finds, and what was learnt only reads
    one_vector: bool = False  # a text is found by the mean of its states
    domain: str = "questions"  # a name in `lessons.DOMAINS`: where it learns and is judged


@dataclass(frozen=True)
class Memory:
    """A way to search by INTRA's decoder, and which of its orders counts: a name in `memory.ORDERS`."""

    way: Way = WHOLE
    order: str = "INTRA"
    steps: int = LEARNING_STEPS


@dataclass(frozen=True)
class Row:
    """One experiment."""

    name: str
    table: str
    says: str  # what it is, for people
    setting: Setting | Memory
    minutes: float  # of one core, a seed: an estimate
    against: str | None = None  # the row that it is compared with; None: it is only compared with
    better: int = -1  # whether the paper finds this row better (1), worse (-1) or neither (0)
    paper: str = ""  # what the paper reports
    measure: str = "nDCG@10"
    seeds: int = 1

    @property
    def plain(self) -> dict[str, Any]:
        """Its setting as JSON holds it: a record of another setting is none of this row."""
        told: dict[str, Any] = json.loads(json.dumps(asdict(self.setting)))
        return told


ONE = Stage()
TABLE3, TABLE5, TABLE6, TABLE7, YONO, INTRA = (
    "ReAtt, table 3: losses, chunks, rounds",
    "ReAtt, table 5: a pipeline against end to end",
    "ReAtt, table 6: adapting to bare documents",
    "ReAtt, table 7: other losses as teachers",
    "One vector a chunk",
    "INTRA: its parts",
)


def one(**changes: object) -> Setting:
    """Give the whole method with some settings of its only stage changed."""
    plan = {name: changes.pop(name) for name in ("batch", "close", "rounds") if name in changes}
    return Setting((replace(ONE, plan=replace(PLAN, **plan), **changes),))  # type: ignore[arg-type]


def _table3() -> Iterator[Row]:
    yield Row("reatt", TABLE3, "the whole method", Setting(), 12, seeds=3)
    yield Row("no-cross-document", TABLE3, "without the cross-document loss", one(cross_document=False), 9,
              "reatt", paper="worse", seeds=3)  # fmt: skip
    yield Row("no-iteration", TABLE3, "without iteration: close chunks by words alone", one(rounds=1), 10,
              "reatt", paper="worse", seeds=3)  # fmt: skip
    yield Row("no-in-batch", TABLE3, "without the other questions' chunks", one(in_batch=False), 12,
              "reatt", paper="R@1 41.0 falls to 38.1", seeds=3)  # fmt: skip
    yield Row("no-answers", TABLE3, "without the loss of answers", one(answers=False), 9, "reatt", paper="worse")
    for batch in (4, 8, 32, 64):
        sign, told = (-1, "R@1 39.4 with 4") if batch < BATCH else (1, "R@1 45.5 with 64")
        yield Row(f"batch-{batch}", TABLE3, f"\\|Q\\| {batch}, as many questions in all",
                  one(batch=batch, steps=VISITS // batch), 12, "reatt", sign, told)  # fmt: skip
    for alpha in (1, 2, 4, 16):
        sign, told = (0, "as good as 8") if alpha == 4 else (-1, "worse")
        yield Row(f"alpha-{alpha}", TABLE3, f"alpha {alpha}", one(alpha=float(alpha)), 12, "reatt", sign, told)
    yield Row("at-b-bundled", TABLE3, "retrieval at block B", Setting(form="block"), 11, "reatt", 0, "it has only this")
    yield Row("at-b-3", TABLE3, "B 3, taught to read by 600 steps, retrieval at block B",
              Setting(start=Reader(3), form="block"), 11)  # fmt: skip
    for lower in (2, 4, 5):
        start, told = Setting(start=Reader(lower), form="block"), "6 and 18 of 24 are much worse than 12"
        yield Row(f"at-b-{lower}", TABLE3, f"B {lower}, the same", start, 11, "at-b-3", paper=told)
    yield Row("by-head", TABLE3, "retrieval by a head of block B, as in the paper", Setting(form="head"), 11)
    untaught = replace(one(cross_document=False), form="head")
    yield Row("by-head-no-cross-document", TABLE3, "the same without the cross-document loss", untaught, 9, "by-head",
              paper="worse")  # fmt: skip


def _table5() -> Iterator[Row]:
    yield Row("nothing-tuned", TABLE5, "nothing is tuned: the start", Setting(()), 4, "reatt", measure="F1")
    yield Row("reader-tuned", TABLE5, "pipeline: the start finds, the reader is tuned",
              Setting((), base="no-cross-document", finds=False), 4, "reatt",
              paper="worse", measure="F1", seeds=3)  # fmt: skip
    yield Row("both-tuned", TABLE5, "pipeline: the retriever is then tuned to the tuned reader",
              Setting((Stage(freeze="reader", answers=False),), base="no-cross-document"), 10,
              "reatt", paper="worse", measure="F1", seeds=3)  # fmt: skip


def _table6() -> Iterator[Row]:
    contrast = replace(PLAN, close=1, rounds=1)
    taught = Stage("cloze", replace(PLAN, rounds=1), answers=False, alpha=1.0, teacher="first")
    ways = {
        "reatt": ("masked spans, by ReAtt's losses", Stage("masked", replace(PLAN, rounds=1))),
        "simcse": ("SimCSE", replace(taught, lessons="itself", plan=contrast, dropout=0.1)),
        "denoising": ("denoising, like TSDAE", Stage("damaged", contrast, cross_document=False)),
        "pseudo": ("pseudo-questions (cloze)", taught),
    }
    for domain in ("stories", "medicine"):
        kept = Setting((), base="reatt", domain=domain)
        yield Row(f"{domain}-kept", TABLE6, f"{domain}: not adapted", kept, 4, f"{domain}-reatt", paper="worse")
        for name, (says, stage) in ways.items():
            against = None if name == "reatt" else f"{domain}-reatt"
            yield Row(f"{domain}-{name}", TABLE6, f"{domain}: {says}", replace(kept, stages=(stage,)), 12,
                      against, paper="worse")  # fmt: skip


def _rest() -> Iterator[Row]:
    yield Row("likelihood", TABLE7, "perplexity: the answer's likelihood", one(teacher="likelihood"), 14, "reatt",
              paper="worse")  # fmt: skip
    yield Row("em", TABLE7, "EM, and marginalisation: likelihood times retrieval's own share",
              one(teacher="evidence", posterior=True), 14, "reatt", paper="worse")  # fmt: skip
    yield Row("one-vector", YONO, "one vector a chunk (as in YONO)", replace(Setting(), one_vector=True), 12, "reatt",
              paper="worse")  # fmt: skip


def _intra() -> Iterator[Row]:
    what = {"measure": "complete@5", "table": INTRA}
    yield Row(name="intra", says="the whole method", setting=Memory(), minutes=12, seeds=3, **what)  # type: ignore[arg-type]
    orders = {
        "s0": ("S0 alone: the first round", "S0", 3, "59.9 falls to 37.1"),
        "s0-reordered": ("S0, ordered by the decoder", "S0 reordered", 1, "worse"),
        "decoder-alone": ("the decoder's five best, none of S0", "top 5", 1, "59.9 falls to 51.7"),
    }
    for name, (says, order, seeds, told) in orders.items():
        yield Row(name=f"intra-{name}", says=says, setting=Memory(order=order), minutes=2, against="intra",
                  paper=told, seeds=seeds, **what)  # type: ignore[arg-type]  # fmt: skip
    ways = {
        "s0-empty": (Way("S0 empty", feed=0), "S0 empty: the decoder sees no passage first", 3, "59.9 falls to 26.9"),
        "cosine": (Way("cosine S0", cosine=True), "S0 by the cosine", 3, "59.9 falls to 30.1"),
        "keys-1": (Way("L_p 1", parts=1), "L_p 1", 10, "59.9 falls to 48.9"),
        "keys-3": (Way("L_p 3", parts=3), "L_p 3", 10, "about as good"),
        "tokens-1": (Way("R 1", tokens=1), "R 1", 5, "59.9 falls to 44.9"),
        "tokens-16": (Way("R 16", tokens=16), "R 16", 7, "59.9 falls to 55.5"),
    }
    for name, (way, says, minutes, told) in ways.items():
        yield Row(name=f"intra-{name}", says=says, setting=Memory(way), minutes=minutes, against="intra",
                  better=0 if name == "keys-3" else -1, paper=told, **what)  # type: ignore[arg-type]  # fmt: skip


ROWS = {row.name: row for part in (_table3, _table5, _table6, _rest, _intra) for row in part()}
