"""Run rows of the table, each seed once: what is finished is a file in OUT, the rest goes on where it was cut."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from bench.kit.kept import Enough
from bench.kit.plan import Plan
from bench.papers import judging, memory
from bench.papers.forms import FORMS, with_one_vector
from bench.papers.learning import shortened, taught
from bench.papers.lessons import DOMAINS, Material, joined, load
from bench.papers.rows import ROWS, Memory, Row, Setting
from bench.papers.start import Reader
from reatt.model.reatt import ReAtt
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt.weights.write import write_reatt

MODEL = "model"  # of a finished row that others begin as
STAGES, SPENT = "stages", "spent.json"  # of a row that is not finished
SHOWN = 20.0  # seconds between two signs of life
Record = dict[str, Any]


@dataclass
class Clock:
    """Counts the processor's time, and stops a run when it is spent."""

    minutes: float
    began: float = field(default_factory=time.process_time)
    said: float = 0.0

    @property
    def spent(self) -> float:
        """Seconds of the processor."""
        return time.process_time() - self.began

    def tell(self, what: str) -> None:
        """Show a sign of life; raises Enough."""
        if self.spent > 60 * self.minutes:
            raise Enough(what)
        if time.monotonic() - self.said > SHOWN:
            self.said = time.monotonic()
            print(f"papers: {what} ({self.spent / 60:.1f} min of the processor) …", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Papers:
    """Where data, encoder, work and results lie."""

    data: Path
    work: Path
    out: Path
    encoder: Path
    tell: Callable[[str], None]
    start: Path | None = None  # a model's folder that every row begins as, instead of its own start
    share: float = 1.0  # of all steps, articles and questions; less is a trial

    def record(self, row: Row, seed: int) -> Path:
        """Name the file of a finished row."""
        return self.out / f"{row.name}-{seed}.json"

    def folder(self, name: str, seed: int) -> Path:
        """Name where checkpoints of a row lie, and its model, where other rows begin as it."""
        return self.work / "runs" / f"{name}-{seed}"

    def begin(self, setting: Setting) -> ModelFolder:
        """Find the start that a setting names; make it, or go on with that, if it is no model that there is."""
        if self.start or setting.start is None:
            return ModelFolder(self.start) if self.start else models.bundled()
        reader: Reader = replace(setting.start, steps=self.of(setting.start.steps))
        return reader.made(self.encoder, self.data, self.work, self.tell)

    def of(self, count: int) -> int:
        """Return the share of a count."""
        return max(1, round(self.share * count))

    def judged(self, domain: str) -> list[Material]:
        """Read what a domain is judged by."""
        return [load(self.data, part, self.share) for part in DOMAINS[domain].judged]


def execute(papers: Papers, row: Row, seed: int) -> Record:
    """Run one seed of a row and write its record; or read it, if it is there. What it begins as is run first."""
    file = papers.record(row, seed)
    found = _known(file, row)
    if found is None:
        begun_as = _prepared(papers, row, seed)
        before, spent = _spent(papers, row, seed), time.process_time()
        try:
            values = _values(papers, row, seed)
        finally:
            seconds = before + time.process_time() - spent
            _put(papers.folder(row.name, seed) / STAGES / SPENT, {"seconds": seconds})
        found = {"row": row.name, "seed": seed, "minutes": round(seconds / 60, 2), "start": begun_as}
        found |= {"setting": row.plain, "values": values}
        _put(file, found)
        shutil.rmtree(papers.folder(row.name, seed) / STAGES, ignore_errors=True)
    return found


def _known(file: Path, row: Row) -> Record | None:
    """Read a record, unless it is of another setting than the row has now."""
    found: Record = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found if found.get("setting") == row.plain else None


def _prepared(papers: Papers, row: Row, seed: int) -> str:
    """Make what a row begins as, which is no part of its cost; return the start's checksum."""
    if isinstance(row.setting, Memory):
        return (ModelFolder(papers.start) if papers.start else models.bundled()).sha256
    if row.setting.base:
        execute(papers, ROWS[row.setting.base], seed)
    return papers.begin(row.setting).sha256


def _values(papers: Papers, row: Row, seed: int) -> dict[str, judging.Values]:
    """Train and measure: set -> measure -> one value a question."""
    if isinstance(row.setting, Memory):
        plan = Plan(papers.data, papers.work / "intra", papers.start)
        return memory.found(plan, row.setting, seed, papers.tell)
    setting = row.setting
    first = _first(papers, setting, seed)
    learnt = learn(papers, row.name, setting, first, seed)
    finder = learnt if setting.finds else _first(papers, replace(setting, base=None), seed)
    values = {}
    for material in papers.judged(setting.domain):
        papers.tell(f"{row.name}-{seed}: judge on {material.name}")
        values[material.name] = judging.measured(finder, learnt, material)
    return values


def learn(papers: Papers, name: str, setting: Setting, model: ReAtt, seed: int) -> ReAtt:
    """Take all stages, and keep the model if another row begins as it."""
    folder, start = papers.folder(name, seed), papers.begin(setting)
    for number, stage in enumerate(setting.stages):
        material = learnt_from(papers.data, setting.domain, papers.share)
        whole = replace(stage, steps=papers.of(stage.steps))
        identity = hashlib.blake2b(repr((start.sha256, setting, whole, seed)).encode(), digest_size=8).hexdigest()
        model = taught(model, whole, material, seed, folder / STAGES / f"{number}-{identity}", papers.tell)
    if any(isinstance(row.setting, Setting) and row.setting.base == name for row in ROWS.values()):
        model.t5.fixed = ()  # all weights are written
        made = write_reatt(model, start, folder / "part")
        shutil.rmtree(folder / MODEL, ignore_errors=True)
        made.path.rename(folder / MODEL)
    return model


def _first(papers: Papers, setting: Setting, seed: int) -> ReAtt:
    """Load what a setting begins as."""
    if setting.base:
        made = papers.folder(setting.base, seed) / MODEL
        if not made.is_dir():  # its record came with the repository
            before = ROWS[setting.base].setting
            assert isinstance(before, Setting)
            learn(papers, setting.base, before, _first(papers, before, seed), seed)
        return shortened(models.load(ModelFolder(made), "cpu"))
    model = shortened(models.load(papers.begin(setting), "cpu"))
    model = FORMS[setting.form](model, learnt_from(papers.data, "questions", papers.share))
    return with_one_vector(model) if setting.one_vector else model


@cache
def learnt_from(data: Path, domain: str, share: float) -> Material:
    """Read what a domain learns from."""
    return joined([load(data, part, share) for part in DOMAINS[domain].learns])


def _spent(papers: Papers, row: Row, seed: int) -> float:
    """Return the seconds of the processor that earlier calls have spent on a row."""
    file = papers.folder(row.name, seed) / STAGES / SPENT
    return float(json.loads(file.read_text(encoding="utf-8"))["seconds"]) if file.is_file() else 0.0


def _put(file: Path, told: Record) -> None:
    """Write a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(told) + "\n", encoding="utf-8")
    part.replace(file)


def every(papers: Papers, rows: Sequence[Row]) -> str | None:
    """Run all rows that are not finished, the first seed of each first; return where the time was over, if it was."""
    most = max((row.seeds for row in rows), default=0)
    try:
        for seed in range(most):
            for row in rows:
                if seed < row.seeds:
                    execute(papers, row, seed)
    except Enough as at:
        return str(at)
    return None
