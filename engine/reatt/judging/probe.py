"""Which attention head of a plain T5 retrieves best: measures every head of every layer on sentences of the store.

ReAtt learns a weight for each head and keeps one (section 2.3). This measures a T5 that was not trained that way. A
sentence with a few masked words must find its own chunk among many, with the score that retrieval uses: the mean over
its tokens of the best dot product with the keys of the chunk, from the states below that layer, each text alone.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from reatt.model.backbone import ChunkText
from reatt.model.stacks.halves import Padded, pad
from reatt.model.t5 import T5
from reatt.progress import OnProgress, Progress
from reatt.search.score import maxima, mean_by_question
from reatt.weights.folder import RECORD, ModelFolder, record
from reatt.weights.models import choose_device, load_stack
from reatt.weights.t5_files import learnt_apart
from reatt_store.errors import NothingFound, UsageError
from reatt_store.library import Chunk, Library
from reatt_store.opening import replace_bytes

CHUNKS = 500  # chunks to choose from; more are harder and take longer
BATCH = 16  # chunks encoded at once
FEWEST = 10  # minimum number of sentences for a meaningful result
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_SALIENT = re.compile(r"\d|^[^a-z]*[A-Z]")


@dataclass(frozen=True)
class HeadScore:
    """How well one head finds the chunks."""

    layer: int
    number: int
    hit: float  # share of sentences whose chunk scores highest
    mrr: float  # mean of 1 / rank


@dataclass(frozen=True)
class ProbeReport:
    """What was measured."""

    sentences: int
    chunks: int
    heads: tuple[HeadScore, ...]  # best first


@dataclass(frozen=True)
class MaskedSentence:
    """The parts of a sentence before and after a few masked words, and the number of its chunk."""

    parts: tuple[str, str]
    chunk: int


@torch.inference_mode()
def probe(
    library: Library,
    folder: ModelFolder,
    on_progress: OnProgress,
    *,
    sentences: int = 200,
    chunks: int = CHUNKS,
    device: str = "auto",
    seed: int = 0,
) -> ProbeReport:
    """Measure every head of the encoder on a store; the same store and seed give the same numbers."""
    draw = random.Random(seed)  # noqa: S311
    sample = draw_chunks(library, chunks, draw)
    asked = mask_sentences([chunk.text for chunk in sample], sentences, draw)
    if len(asked) < FEWEST:
        raise NothingFound(
            f"the store has only {len(asked)} usable sentences; {FEWEST} are needed", "reatt ingest PATH"
        )
    loaded = load_stack(folder, torch.float32)
    tokenizer, t5 = loaded.tokenizer, loaded.model.to(choose_device(device))
    where = t5.shared.weight.device
    order = sorted(range(len(sample)), key=lambda number: len(sample[number].text))
    tokens = tokenizer.chunks([ChunkText(sample[number].title, sample[number].text) for number in order])
    groups = [embed(t5, [t.ids for t in tokens[at : at + BATCH]], where) for at in range(0, len(tokens), BATCH)]
    questions = embed(t5, [tokenizer.masked(sentence.parts).ids for sentence in asked], where)
    own = torch.tensor([order.index(sentence.chunk) for sentence in asked], device=where)  # (S,)
    heads: list[HeadScore] = []
    for layer in range(t5.config.num_layers):
        on_progress(Progress("probe", layer, t5.config.num_layers, f"layer {layer}"))
        scores = torch.cat([score(t5, layer, questions, group) for group in groups], 2)  # (h, S, C)
        heads += rank(layer, scores, own)
        questions, groups = advance(t5, layer, questions), [advance(t5, layer, group) for group in groups]
    best = sorted(heads, key=lambda head: (-head.mrr, -head.hit, head.layer, head.number))
    return ProbeReport(len(asked), len(sample), tuple(best))


def choose(folder: ModelFolder, head: HeadScore) -> ModelFolder:
    """Write the head into the model's config. A store that has a copy of the model is not changed."""
    refuse_shared(folder)
    config = {**folder.config, "retrieval_layer": head.layer, "retrieval_head": head.number}
    file = folder.path / "config.json"
    (folder.path / RECORD).unlink(missing_ok=True)  # what it says holds no longer
    replace_bytes(file, (json.dumps(config, indent=1) + "\n").encode(), mode=0o666)
    changed = ModelFolder(folder.path, folder.origin, folder.called)
    if folder.origin == "added":
        record(changed)
    return changed


def refuse_shared(folder: ModelFolder) -> None:
    """Raise UsageError for models whose config must not be changed, and for those that do not retrieve with a head."""
    if learnt_apart(folder.path):
        raise UsageError(
            "this model retrieves with its own projections, not with a head", "probe the model that it was trained from"
        )
    if folder.origin in ("bundled", "store"):
        fix = f"reatt models add {folder.path} --name NAME, then probe the copy"
        raise UsageError(f"the head of a {folder.origin} model cannot be changed; reatt models add makes a copy", fix)


def draw_chunks(library: Library, most: int, draw: random.Random) -> list[Chunk]:
    """Draw distinct texts from a store, in the store's order; memory does not grow with the store."""
    total = library.status().chunks
    chosen = set(draw.sample(range(total), min(most, total)))
    found = (stored.chunk for number, stored in enumerate(library.every_chunk()) if number in chosen)
    return list({chunk.digest: chunk for chunk in found}.values())


def mask_sentences(texts: Sequence[str], most: int, draw: random.Random) -> list[MaskedSentence]:
    """Take a sentence from each of some texts and mask one to three of its words, a name or number if it has one."""
    found: list[MaskedSentence] = []
    for number in draw.sample(range(len(texts)), len(texts)):
        sentences = [words for words in _sentences(texts[number]) if 6 <= len(words) <= 40]
        if sentences and len(found) < most:
            found.append(MaskedSentence(_mask(draw.choice(sentences), draw), number))
    return found


def embed(t5: T5, ids: Sequence[Sequence[int]], device: torch.device) -> Padded:
    """Look up the states that enter block 0."""
    padded = pad(ids, device)
    return Padded(t5.embed(padded.values), padded.keep)


def advance(t5: T5, layer: int, states: Padded) -> Padded:
    """Run one block over each text alone."""
    return Padded(t5.encoder.layers()[layer](states.values, t5.encoder_bias(states.keep)), states.keep)


def score(t5: T5, layer: int, questions: Padded, chunks: Padded) -> Tensor:
    """Score chunks for questions by every head of a block: (h, S, b)."""
    queries, keys = (_heads(t5, layer, side, each.values) for side, each in (("q", questions), ("k", chunks)))
    kept = [row[:, keep] for row, keep in zip(keys, chunks.keep, strict=True)]  # (b) of (h, n, d)
    heads = []
    for number in range(t5.encoder.head_count):
        asked = queries[:, number][questions.keep]  # (M, d)
        # One chunk at a time, so that its products stay in the processor's cache.
        best = torch.cat([maxima(asked, chunk[None, number]) for chunk in kept], 1)  # (M, b)
        heads.append(mean_by_question(best, questions.keep))
    return torch.stack(heads)


def _heads(t5: T5, layer: int, side: str, states: Tensor) -> Tensor:
    """Project states (B, n, D) to what every head of a block retrieves by: (B, h, n, d)."""
    weight: Tensor = getattr(t5.encoder.layers()[layer].attention, side).weight
    flat = F.linear(t5.encoder.reads(layer, states), weight)
    return torch.unflatten(flat, -1, (t5.encoder.head_count, -1)).transpose(1, 2)


def rank(layer: int, scores: Tensor, own: Tensor) -> Iterator[HeadScore]:
    """Judge each head's scores (h, S, C) by the rank of each sentence's chunk `own` (S,); a tie counts as a loss."""
    for number, table in enumerate(scores):
        ranks = (table >= table.gather(1, own[:, None])).sum(1).float()  # (S,) 1 is best
        yield HeadScore(layer, number, float((ranks == 1).float().mean()), float((1 / ranks).mean()))


def _sentences(text: str) -> list[list[str]]:
    return [sentence.split() for sentence in _SENTENCE.split(text.strip())]


def _mask(words: list[str], draw: random.Random) -> tuple[str, str]:
    salient = [at for at, word in enumerate(words) if at and _SALIENT.search(word)]
    start = draw.choice(salient or range(len(words)))
    end = start + 1
    while end < min(len(words), start + 3) and end in salient:
        end += 1
    return " ".join([*words[:start], ""]), " ".join(["", *words[end:]])
