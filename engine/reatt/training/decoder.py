"""Train the decoder to retrieve (INTRA, section 3): only its retrieval tokens and the weights of its heads.

The model is frozen, so the states and keys in the store stay valid, and only questions are encoded. A question's loss
is the cross-entropy of all its evidence, among the chunks of the first round, the evidence of the other questions of
the step, and random chunks. A step is a function of the seed and its number.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.model.backbone import ChunkText
from reatt.model.intra import FEED, Intra
from reatt.model.retrieval_tokens import RetrievalTokens
from reatt.progress import TrainingLog, TrainingRow
from reatt.search.index import AttentionIndex
from reatt.search.score import maxsim
from reatt.training.plans import SEEDS, Budget, Plan, rate

STRANGERS = 256  # random chunks in a step
CLIP = 1.0  # norm of the gradient
RETRIEVAL_PLAN = Plan(batch=16, rate=3e-3, rounds=1, learn_head=False, half=False, recompute=False)


def chunk_scores(asking: Tensor, weights: Tensor, keys: Tensor, keep: Tensor, columns: Tensor | None = None) -> Tensor:
    """Score chunks (C,) by queries (L, h, R, d), weights (L, h) and keys (C, n, d), which are real where `keep` (C, n).

    A score is `sum_{l,h} w_lh * sum_r max_j <q_lhr, k_j>`. `columns` (L, h) is the entry of a key that scales its
    products with a head's queries.
    """
    scales = None if columns is None else columns[..., None]  # (L, h, 1)
    by_head = maxsim(asking, torch.ones_like(asking[..., 0]), keys, keep, scales)  # (L, h, C)
    return (weights[..., None] * by_head).sum((0, 1))


def evidence_loss(scores: Tensor, evidence: Tensor) -> Tensor:
    """Compute the cross-entropy of scores (C,) with a target that is uniform over the evidence (C,), a mask."""
    return -scores.log_softmax(0)[evidence].mean()


@dataclass(frozen=True)
class Taken:
    """The figures of a step, as in `TrainingRow`."""

    answer: float | None = None
    cross_document: float | None = None
    agreement: float | None = None


class Learns(Protocol):
    """A learner that `learn` can run."""

    read: int  # states that the decoder has read

    def step(self, number: int, rate: float) -> Taken:
        """Take a step."""


@dataclass(frozen=True)
class EvidenceMaterial:
    """Examples with their evidence, the store that holds the states, and what the first round found for each."""

    examples: Sequence[Example]
    corpus: Corpus
    index: AttentionIndex
    before: Sequence[Sequence[int]]  # store chunk ids


def first_round(
    model: Intra, index: AttentionIndex, examples: Sequence[Example], on_each: Callable[[int], None]
) -> list[list[int]]:
    """Search once for each example with the encoder's round; the encoder is frozen, so the results stay valid."""
    found = []
    for number, example in enumerate(examples):
        on_each(number)
        queries = model.rounds[0].ask(example.text, ())
        found.append([chunk for chunk, _ in index.search(queries, FEED, "auto")][:FEED])
    return found


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> tuple[int, ...]:
    return tuple(random.Random(f"{seed} {epoch}").sample(range(count), count))  # noqa: S311


def drawn(count: int, plan: Plan, number: int) -> list[int]:
    """Return the numbers of the examples of a step; each is used once before any is used twice."""
    places = range(number * plan.batch, (number + 1) * plan.batch)
    return [_order(count, plan.seed, place // count)[place % count] for place in places]


def candidates(material: EvidenceMaterial, chosen: Sequence[int], seed: int, number: int) -> list[list[int]]:
    """Return for each question of a step its candidate chunks: store ids, its evidence first, no text twice."""
    corpus, draw = material.corpus, random.Random(seed * SEEDS + number)  # noqa: S311
    strangers = draw.sample(corpus.ids, min(STRANGERS, len(corpus.ids)))
    evidence = [chunk for place in chosen for chunk in material.examples[place].close]
    every = ([*material.examples[place].close, *material.before[place], *evidence, *strangers] for place in chosen)
    firsts = (
        dict.fromkeys(corpus.equal[corpus.number[chunk]] for chunk in own if chunk in corpus.number) for own in every
    )
    return [[corpus.ids[first] for first in own] for own in firsts]


class Learner:
    """Trains the retrieval tokens of a frozen model."""

    def __init__(self, model: Intra, material: EvidenceMaterial, plan: Plan) -> None:
        self._model, self._material, self._plan = model, material, plan
        self._vectors = model.tokens.vectors.clone().requires_grad_()
        self._unit = model.tokens.weights.abs().mean().clamp_min(1e-12)
        self._gains = (model.tokens.weights / self._unit).requires_grad_()
        self._optimizer = torch.optim.AdamW([self._vectors, self._gains], lr=plan.rate, weight_decay=0.0)
        self.read = 0  # states that the decoder has read

    @property
    def tokens(self) -> RetrievalTokens:
        """What has been learnt."""
        return RetrievalTokens(self._vectors.detach().clone(), self._weights.detach().clone())

    @property
    def _weights(self) -> Tensor:
        """(L, h), learnt in units of their first mean; otherwise AdamW's steps would be too large for them."""
        return self._gains * self._unit

    def state(self) -> dict[str, Tensor]:
        """Copy what a later run needs to continue: what has been learnt, and AdamW's moments."""
        moments = {
            f"{name}.{number}": value.clone()
            for number, of in self._optimizer.state_dict()["state"].items()
            for name, value in of.items()
        }
        learnt = {"vectors": self.tokens.vectors, "weights": self.tokens.weights}
        return {**learnt, "gains": self._gains.detach().clone(), "unit": self._unit, **moments}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a result of `state`; the next steps equal those of an uninterrupted run."""
        moments: dict[int, dict[str, Tensor]] = defaultdict(dict)
        for name, _, number in (key.partition(".") for key in state):
            if number:
                moments[int(number)][name] = state[f"{name}.{number}"].clone()
        with torch.no_grad():
            self._vectors.copy_(state["vectors"])
            self._gains.copy_(state["gains"])
        self._unit = state["unit"].to(self._gains.device)
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": dict(moments)})

    def temper(self) -> None:
        """Scale the weights so that the first step's scores have standard deviation 1, which suits the softmax."""
        with torch.no_grad():
            scores = torch.cat([scores for scores, _ in self._scored(0)])
            self._unit = self._unit / scores.std().clamp_min(1e-6)
        self.read = 0

    def step(self, number: int, rate: float) -> Taken:
        """Take a step; return its loss, and the share of its questions whose best chunk is evidence."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        losses, right = [], 0
        for scores, evidence in self._scored(number):  # one graph at a time
            loss = evidence_loss(scores, evidence)
            (loss / self._plan.batch).backward()  # type: ignore[no-untyped-call]
            losses.append(float(loss.detach()))
            right += int(evidence[scores.argmax()])
        torch.nn.utils.clip_grad_norm_([self._vectors, self._gains], CLIP)
        self._optimizer.step()
        return Taken(cross_document=sum(losses) / len(losses), agreement=right / len(losses))

    def _scored(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield for each question of a step the scores of its candidates (C,), and which of them are evidence (C,)."""
        chosen = drawn(len(self._material.examples), self._plan, number)
        every = candidates(self._material, chosen, self._plan.seed, number)
        keys = self._keys(sorted({chunk for own in every for chunk in own}))
        for place, own in zip(chosen, every, strict=True):
            example = self._material.examples[place]
            padded = pad_sequence([keys[chunk] for chunk in own], batch_first=True)
            sizes = torch.tensor([len(keys[chunk]) for chunk in own], device=padded.device)
            keep = torch.arange(padded.shape[1], device=padded.device) < sizes[:, None]
            evidence = torch.tensor([chunk in example.close for chunk in own], device=padded.device)
            columns = self._model.asker.columns
            yield chunk_scores(self._asking(place), self._weights, padded, keep, columns), evidence

    def _asking(self, place: int) -> Tensor:
        found = self._material.before[place]
        memory = self._material.index.memory(found)
        passages = [ChunkText("", "", memory.get(chunk)) for chunk in found]
        asked = self._model.tokenizer.question(self._material.examples[place].text)
        states = self._model.context(asked, passages)[0]
        self.read += len(states)
        return self._model.asks(asked, states, RetrievalTokens(self._vectors, self._weights))

    def _keys(self, chunks: Sequence[int]) -> Mapping[int, Tensor]:
        return {id: keys.to(self._model.device) for id, keys in self._material.index.keys(chunks).items()}


def learn(
    learner: Learns, plan: Plan, budget: Budget, on_row: Callable[[TrainingRow, float], None], stop: Callable[[], bool]
) -> TrainingLog:
    """Take steps until the budget is spent or a person stops the run."""
    rows: list[TrainingRow] = []
    started, stopped = time.monotonic(), False
    while (share := budget.share(len(rows), time.monotonic() - started)) < 1:
        read, now = learner.read, time.monotonic()
        taken = learner.step(len(rows), pace := rate(plan, share))
        tokens, end = learner.read - read, time.monotonic()
        row = TrainingRow(
            len(rows) + 1, end - started, pace, tokens, tokens / (end - now), taken.answer, taken.cross_document,
            taken.agreement, teacher_hit=None,
        )  # fmt: skip
        rows.append(row)
        on_row(rows[-1], share)
        if stopped := stop():
            break
    return TrainingLog(tuple(rows), None, stopped)
