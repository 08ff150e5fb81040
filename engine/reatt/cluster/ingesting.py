"""Read files into shards: each task reads its part into a plain store; Ray runs one again whose worker dies.

A file belongs to the shard that the hash of its path names, so a second run finds every file where the first left it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from reatt.cluster import layout
from reatt.cluster.shard import Said
from reatt.documents.files import Part
from reatt.ingest import IngestOptions, IngestReport, preflight
from reatt.progress import OnProgress, Progress
from reatt_store.errors import ReattError, StoreLocked, UsageError, WorkerDied, rebuilt

RETRIES = 3  # of a task whose worker died
LOCKED = 30.0  # seconds to wait for the lock of a worker that is about to die
_EACH = 1.0  # seconds between two looks at the tasks


def ingest(
    paths: Sequence[str],
    out: Path,
    count: int,
    options: IngestOptions,
    on_progress: OnProgress,
    *,
    method: str | None = None,
    model: str | None = None,
    device: str = "auto",
) -> IngestReport:
    """Read files into so many shards below a folder, in the cluster that was joined; return the sum of their reports.

    If a shard fails, the others are read all the same, and its error is raised at the end.
    """
    stores = layout.begin(out, count)
    named = absolute(paths)
    given = [
        (str(store), named, replace(options, part=Part(number, count)), method, model, device)
        for number, store in enumerate(stores)
    ]
    reports = _done(given, on_progress)
    layout.end(out, count)
    return summed(reports)


def absolute(paths: Sequence[str]) -> list[str]:
    """Name files independently of the current folder; raises UsageError for standard input, and as `ingest`."""
    if "-" in paths:
        raise UsageError("standard input cannot be read by many processes", "reatt cluster ingest FOLDER --out DIR")
    preflight(paths, IngestOptions())
    return [os.path.abspath(os.path.expanduser(path)) for path in paths]


def _done(given: Sequence[Sequence[Any]], on_progress: OnProgress) -> list[IngestReport]:
    """Run a task for each shard, as many at once as there are cores."""
    import ray

    gpus = 1 if str(given[0][-1]).startswith("cuda") else 0
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES, scheduling_strategy="SPREAD")(read_shard)
    tasks = {task.remote(*each): str(each[0]) for each in given}
    reports, errors, waiting = dict[str, IngestReport](), list[ReattError](), list(tasks)
    while waiting:
        on_progress(Progress("shards", len(tasks) - len(waiting), len(tasks)))
        ready, waiting = ray.wait(waiting, num_returns=1, timeout=_EACH)
        for each in ready:
            try:
                kind, value = ray.get(each)
            except ray.exceptions.RayTaskError:  # a bug, with its traceback
                raise
            except ray.exceptions.RayError as error:
                errors.append(_died(tasks[each], error))
                continue
            if kind == "error":
                errors.append(rebuilt(*value))
            else:
                reports[tasks[each]] = value
    on_progress(Progress("shards", len(tasks), len(tasks)))
    if errors:
        raise errors[0]
    return [reports[store] for store in tasks.values()]


def read_shard(
    store: str, paths: Sequence[str], options: IngestOptions, method: str | None, model: str | None, device: str
) -> Said:
    """Read one part of the files into a store; it continues what a worker has left that died."""
    from reatt.api import Store

    until = time.monotonic() + LOCKED
    while True:
        try:
            with Store(Path(store), model, device) as opened:
                return "told", opened.ingest(paths, options, method=method)
        except StoreLocked as error:
            if time.monotonic() > until:
                return "error", (error.id, error.message, error.fix, error.path)
            time.sleep(_EACH)
        except ReattError as error:
            return "error", (error.id, error.message, error.fix, error.path)


def summed(reports: Sequence[IngestReport]) -> IngestReport:
    """Add up reports; the seconds are the longest, and a warning is given once."""
    whole = IngestReport(reports[0].generation)
    for each in fields(IngestReport):
        values = [getattr(report, each.name) for report in reports]
        if isinstance(values[0], list):
            setattr(whole, each.name, [item for value in values for item in value])
        elif each.name != "generation":
            setattr(whole, each.name, sum(values))
    whole.seconds = max(report.seconds for report in reports)
    whole.warnings = list(dict.fromkeys(whole.warnings))
    return whole


def _died(store: str, error: Exception) -> WorkerDied:
    why = str(error).partition("\n")[0]
    told = f"the process that read into {store} died {RETRIES + 1} times: {why}"
    return WorkerDied(told, "run the same command again; it continues from there", store)
