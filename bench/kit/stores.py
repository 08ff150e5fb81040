"""Stores of real passages, encoded by the real model: made once, gone on with after an interruption, then kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.random import Generator

from bench.kit import corpus, processes
from bench.kit.plan import Plan
from reatt.weights.models import load_for
from reatt_store.errors import StoreError
from reatt_store.library import Chunk, Document, Library, Segment, Writer
from reatt_store.vectors.segments import draft

NOISE = 0.4  # of a key's length, in all directions, for a perturbed copy
ASKED = {"reatt": (), "reatt-states": ("--keep-states",), "intra": ("--method", "intra")}  # of `reatt ingest`


def store(plan: Plan, chunks: int, method: str = "reatt") -> Path:
    """Return a store of so many chunks in the model's keys; what another model encoded is thrown away."""
    folder = plan.work / (f"chunks-{chunks}" if method == "reatt" else f"chunks-{chunks}-{method}")
    if not _made_by(folder, load_for(method, plan.model, plan.device).fingerprint()):
        shutil.rmtree(folder, ignore_errors=True)
    file = corpus.write_passages(plan.data, plan.work / f"passages-{chunks}.jsonl", chunks)
    _ingest(plan, folder, file, ASKED[method])
    return folder


def copied(original: Path, folder: Path, times: int) -> Path:
    """Make a store of so many perturbed copies of every passage of another, the first unchanged; one is kept.

    For sizes that real passages would take too long to encode. A copy's keys have the length of the original's.
    """
    if folder.is_dir():
        return folder
    with closing(Library.open(original)) as source, closing(Library.create(folder)) as library:
        made = source.generation()
        assert made is not None, "an ingested store has a generation"
        texts = {stored.chunk.digest: stored.chunk for stored in source.every_chunk()}
        random = np.random.default_rng(0)
        with library.writing() as writer:
            id = writer.begin_generation(made.fingerprint, made.model_name, made.model_sha256, made.method)
            writer.switch(id)
            for number in range(times):
                for segment in source.segments(made.id):
                    _publish_copy(writer, id, segment, texts, random, number)
    return folder


def _publish_copy(
    writer: Writer, generation: int, segment: Segment, texts: Mapping[bytes, Chunk], random: Generator, number: int
) -> None:
    keys = segment.keys()
    if number:
        lengths = np.linalg.norm(keys, axis=1, keepdims=True)
        keys = keys + NOISE * lengths / keys.shape[1] ** 0.5 * random.standard_normal(keys.shape, np.float32)
        keys *= lengths / np.linalg.norm(keys, axis=1, keepdims=True)
    known = [texts.get(digest.tobytes()) for digest in segment.digests]  # None: removed
    chunks = [replace(each, ordinal=i, text=f"{each.text} [{number}]") for i, each in enumerate(filter(None, known))]
    parts = [part for part, each in zip(np.split(keys, segment.offsets[1:-1]), known, strict=True) if each]
    document = Document(f"/copies/{number}/{segment.id}.txt", None, "", "text", "00" * 16, 0, 0)
    drafted = draft([chunk.digest for chunk in chunks], parts)
    writer.publish([(document, chunks)], drafted, generation)


def fresh(plan: Plan, folder: Path, file: Path) -> None:
    """Make a store of one file anew."""
    shutil.rmtree(folder, ignore_errors=True)
    _ingest(plan, folder, file)


def _ingest(plan: Plan, folder: Path, file: Path, asked: Sequence[str] = ()) -> None:
    """Run `reatt ingest`: what the store already holds is passed over."""
    named = ["--store", str(folder), "--model", str(plan.model.path), "--device", plan.device]
    command = [*processes.REATT, "ingest", *named, *asked, str(file)]
    subprocess.run(command, check=True, stdout=sys.stderr, env=processes.environment(plan.home))


def _made_by(folder: Path, fingerprint: str) -> bool:
    try:
        with closing(Library.open(folder)) as library:
            return all(made.fingerprint == fingerprint for made in library.generations())
    except StoreError:
        return False
