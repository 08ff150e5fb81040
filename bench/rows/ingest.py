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
from bench.kit.plan import Plan
from bench.kit.table import Row, at_least
from reatt import ingest
from reatt.model.backbone import ChunkCode, ChunkText
from reatt.model.reatt import ReAtt
from reatt.model.stacks.halves import alone, head_keys, lower_half, pad
from reatt.model.t5 import T5, T5Config
from reatt.model.t5_names import published_weights
from reatt.model.tokens import TextTokenizer
from reatt_store.library import Library

STAGE = "ingest"


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
    return [speed(plan), *_memory(plan)]


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
    return rows


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
