"""How fast documents become findable, beside the least that the model alone needs; and in how much memory."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from bench.kit import corpus, processes
from bench.kit.machine import cores
from bench.kit.plan import Plan
from bench.kit.table import Row, at_least, at_most
from reatt import ingest
from reatt.model.backbone import ChunkCode, ChunkText
from reatt.model.reatt import ReAtt
from reatt.model.stacks.halves import alone, head_keys, lower_half, pad
from reatt.model.t5 import T5, T5Config
from reatt.model.t5_names import published_weights
from reatt.model.tokens import TextTokenizer
from reatt_store.library import Library

STAGE = "ingest"
SPEED_UP = 1.7  # of two workers, over one process with one thread


@dataclass(frozen=True)
class Pace:
    """Work done in some time."""

    tokens: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Tokens in a second."""
        return self.tokens / self.seconds


class Recorder:
    """A model that notes which chunks it is given together."""

    def __init__(self, reatt: ReAtt) -> None:
        self._reatt = reatt
        self.batches: list[list[ChunkText]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reatt, name)

    def encode_chunks(self, passages: Sequence[ChunkText]) -> list[ChunkCode]:
        """Encode as the model does."""
        self.batches.append(list(passages))
        return self._reatt.encode_chunks(passages)


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this stage."""
    return [speed(plan), *workers(plan), *_memory(plan)]


def speed(plan: Plan) -> Row:
    """Time the pipeline and the bare loop in turn, so that a busy minute hits both."""
    reatt = plan.backbone()
    file = corpus.write_articles(plan.data, plan.work / f"articles-{plan.ingest_bytes}.jsonl", plan.ingest_bytes)
    recorder = Recorder(reatt)
    pipeline(plan, recorder, file)
    pairs = [(pipeline(plan, reatt, file), _bare_loop(reatt, recorder.batches)) for _ in range(plan.rounds)]
    assert all(ours.tokens == bare.tokens for ours, bare in pairs), "both encode the same"
    ratio = statistics.median(ours.per_second / bare.per_second for ours, bare in pairs)
    ours, bare = (statistics.median(pace.per_second for pace in paces) for paces in zip(*pairs, strict=True))
    chunks = sum(map(len, recorder.batches))
    return Row(
        STAGE, "whole pipeline, files to findable", "tokens/s", all=ours, ratio=ratio, goal=at_least(ratio, 0.7),
        beside=f"bare loop over lower half and head keys, same batches: {bare:,.0f} tokens/s",
        also={"chunks": chunks, "tokens": pairs[0][0].tokens, "rounds": plan.rounds},
    )  # fmt: skip


def workers(plan: Plan) -> list[Row]:
    """Time `reatt ingest` with several processes that encode, beside one with one thread and one with all.

    The commands take turns. What they load is not timed in the one process, but in the workers, which begin with that.
    """
    if plan.device != "cpu":
        return []
    file = corpus.write_articles(plan.data, plan.work / f"articles-{plan.ingest_bytes}.jsonl", plan.ingest_bytes)
    ways = {"one thread": (1, 1), "all threads": (1, cores())}
    ways |= {f"{count} workers": (count, cores()) for count in sorted({2, cores()} - {1})}
    runs: dict[str, list[tuple[Pace, float, int]]] = {way: [] for way in ways}
    for _ in range(plan.rounds):
        for way, (count, threads) in ways.items():
            runs[way].append(_command(plan, file, count, threads))
    pace = {way: statistics.median(one.per_second for one, _, _ in found) for way, found in runs.items()}
    rows = []
    for way, found in list(runs.items())[1:]:
        ratio = pace[way] / pace["one thread"]
        also = {
            "processor, s": statistics.median(worked for _, worked, _ in found),
            "the same with one thread, s": statistics.median(worked for _, worked, _ in runs["one thread"]),
            "largest process, MB": max(peak for _, _, peak in found) / 1e6,
        }
        beside = f"one process, one thread: {pace['one thread']:,.0f} tokens/s"
        goal = at_least(ratio, SPEED_UP) if way == "2 workers" else None
        what = f"`reatt ingest`, {way}"
        rows.append(Row(STAGE, what, "tokens/s", all=pace[way], beside=beside, ratio=ratio, goal=goal, also=also))
    return rows


def _command(plan: Plan, file: Path, count: int, threads: int) -> tuple[Pace, float, int]:
    """Ingest into a new store with the command: its pace, seconds of the processor, bytes of its largest process."""
    store = plan.work / "workers"
    shutil.rmtree(store, ignore_errors=True)
    command = ["env", f"OMP_NUM_THREADS={threads}", *processes.REATT, "ingest", "--json", "--store", str(store)]
    command += ["--workers", str(count), "--device", "cpu", "--model", str(plan.model.path), str(file)]
    done, peak = processes.run_for_peak(command, plan.home)
    told = json.loads(done.out)
    shutil.rmtree(store)
    return Pace(told["tokens"], told["seconds"]), done.worked, peak


def pipeline(plan: Plan, backbone: Any, file: Path) -> Pace:
    """Ingest into a new store: read, cut, tokenise, encode, quantise, write, publish."""
    folder = plan.work / "speed"
    shutil.rmtree(folder, ignore_errors=True)
    with Library.create(folder) as library:
        started = time.perf_counter()
        options = ingest.IngestOptions()
        report = ingest.ingest(library, backbone, plan.model, [str(file)], options, lambda _: None)
        pace = Pace(report.tokens, time.perf_counter() - started)
    shutil.rmtree(folder)
    return pace


@torch.inference_mode()
def _bare_loop(reatt: ReAtt, batches: Sequence[Sequence[ChunkText]]) -> Pace:
    """Encode the same batches from token ids that lie ready, and throw the keys away."""
    tokens = [reatt.tokenizer.chunks(batch) for batch in batches]
    padded = [pad([chunk.ids for chunk in batch], reatt.device) for batch in tokens]
    started = time.perf_counter()
    for batch in padded:
        lower = lower_half(reatt.t5, reatt.head.layer, batch)
        head_keys(reatt.t5, reatt.head, alone(reatt.t5, reatt.head, lower).values)
    if reatt.device.type == "cuda":
        torch.cuda.synchronize()
    return Pace(sum(int(batch.keep.sum()) for batch in padded), time.perf_counter() - started)


def _memory(plan: Plan) -> list[Row]:
    """Ingest little and much text, each in a process of its own."""
    model = tiny_model(plan.work / "tiny-model", plan.model.path / "tokenizer.json")
    rows: list[Row] = []
    for size in plan.memory_bytes:
        file = corpus.write_articles(plan.data, plan.work / f"articles-{size}.jsonl", size)
        store = plan.work / "memory"
        shutil.rmtree(store, ignore_errors=True)
        command = [*processes.REATT, "ingest", "--json", "--store", str(store), "--model", str(model), str(file)]
        done, peak = processes.run_for_peak([*command, "--device", "cpu"], plan.home)
        told = json.loads(done.out)
        shutil.rmtree(store)
        what = f"peak memory of `reatt ingest`, {size / 1e6:g} MB of text, tiny random model"
        also = {"chunks": told["chunks"], "tokens": told["tokens"], "seconds": done.seconds}
        beside = f"{rows[0].what.split(',')[1].strip()}: {rows[0].all:,.0f} MB" if rows else ""
        ratio = peak / 1e6 / rows[0].all if rows and rows[0].all else None
        rows.append(Row(STAGE, what, "MB", all=peak / 1e6, beside=beside, ratio=ratio, also=also))
    return [*rows, _memory_of_workers(plan, model, plan.memory_bytes[-1])]


def _memory_of_workers(plan: Plan, model: Path, size: int) -> Row:
    """Ingest much text with two workers; what counts is the largest of the processes."""
    file, store = plan.work / f"articles-{size}.jsonl", plan.work / "memory"
    shutil.rmtree(store, ignore_errors=True)
    command = [*processes.REATT, "ingest", "--json", "--store", str(store), "--model", str(model), "--workers", "2"]
    done, peak = processes.run_for_peak([*command, "--device", "cpu", str(file)], plan.home)
    shutil.rmtree(store)
    what = f"largest process of `reatt ingest --workers 2`, {size / 1e6:g} MB of text, tiny random model"
    return Row(STAGE, what, "MB", all=peak / 1e6, goal=at_most(peak / 1e6, 600, "MB"), also={"seconds": done.seconds})


def tiny_model(folder: Path, tokenizer: Path) -> Path:
    """Make a random model with a real tokenizer and keys of real width; it encodes fast."""
    vocabulary = TextTokenizer(tokenizer, end=1).size
    shape = {"vocab_size": vocabulary, "d_model": 64, "d_kv": 64, "d_ff": 64, "num_heads": 1, "num_layers": 2}
    config = {"model_type": "t5", **shape, "feed_forward_proj": "gated-gelu", "retrieval_layer": 1, "retrieval_head": 0}
    limits = {"name": "tiny", "question_tokens": 64, "chunk_tokens": 320}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**config, "reatt": limits}), encoding="utf-8")
    torch.manual_seed(0)
    weights = published_weights(T5(T5Config.from_json(config)))
    save_file({name: weight.detach().clone() for name, weight in weights.items()}, folder / "model.safetensors")
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    return folder
