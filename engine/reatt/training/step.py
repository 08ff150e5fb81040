"""The stages of a training step, and the groups of questions that it processes one after the other.

Each forward pass of a group has its own seed of dropout, drawn when the step begins. So dropout is the same when a pass
runs twice, or in another order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from reatt.lessons.batches import TrainingBatch
from reatt.model.stacks.halves import Head, formed, projection
from reatt.model.t5 import T5
from reatt.training.objective import HeadSelector, Objective
from reatt.training.pointing import pointer_losses
from reatt.training.pools import ChunkStates, Pool, answer_losses, apart, fuse, onward, together
from reatt.training.teachers import teach


@dataclass(frozen=True)
class Group:
    """Questions that are read together."""

    questions: tuple[int, ...]
    own: tuple[int, ...]  # chunks that are not close to a later group: encoded here, with gradients
    borrowed: tuple[int, ...]  # chunks that belong to later groups
    cloze: tuple[int, ...]  # cloze questions that are encoded here
    below: int  # seed of the dropout in texts alone
    above: int  # seed of the dropout in pairs


@dataclass(frozen=True)
class Lower:
    """A group at block B, or at block R: states, and the rows of each text."""

    states: Tensor  # (N, D)
    asked: tuple[range, ...]  # each question with its end mark, for retrieval
    joint: tuple[range, ...]  # each question as it stands before a chunk; only at block B
    cloze: tuple[range, ...]
    chunks: dict[int, range]


@dataclass(frozen=True)
class TrainingStep:
    """One batch, the model that learns from it, and the objective."""

    t5: T5
    selector: HeadSelector
    head: Head  # its number is chosen by the selector
    batch: TrainingBatch
    objective: Objective
    sought: bool  # whether retrieval learns, here or in another process
    known: ChunkStates | None = None  # if the lower half does not learn

    def lower(self, group: Group) -> Lower:
        """Encode a group's questions and own chunks through the lower half."""
        questions = [self.batch.questions[q] for q in group.questions]
        cloze = [self.batch.cloze[c].ids for c in group.cloze]
        chunks = [self.batch.chunks[c] for c in group.own]
        asked = [*questions, *map(self.t5.encoder.paired, questions), *cloze]
        pool = apart(self.t5, self.head.layer, [*asked, *(() if self.known else chunks)])
        pool = pool.with_more([self.known.of(ids) for ids in chunks]) if self.known else pool
        n, last = len(questions), len(asked)
        places = dict(zip(group.own, pool.rows[last:], strict=True))
        return Lower(pool.states, pool.rows[:n], pool.rows[n : 2 * n], pool.rows[2 * n : last], places)

    def alone(self, lower: Lower) -> Lower:
        """Encode each text of a group alone up to block R, for retrieval; nothing to do if R = B."""
        if not (self.sought and self.head.further):
            return lower
        n, asked = len(lower.asked), [*lower.asked, *lower.cloze]
        fresh = Pool(lower.states, (*asked, *(() if self.known else lower.chunks.values())))
        pool = onward(self.t5, self.head, fresh)
        if self.known:
            pool = pool.with_more([self.known.alone(self.batch.chunks[c]) for c in lower.chunks])
        places = dict(zip(lower.chunks, pool.rows[len(asked) :], strict=True))
        return Lower(pool.states, pool.rows[:n], (), pool.rows[n : len(asked)], places)

    def read(self, group: Group, lower: Lower, lent: Mapping[int, Tensor]) -> Pool:
        """Encode a group's pairs, question by question; borrowed chunks are in `lent` as (n, D)."""
        states, places, start = [lower.states], dict(lower.chunks), len(lower.states)
        for c in group.borrowed:
            states.append(lent[c])
            places[c] = range(start, start := start + len(lent[c]))
        rows = zip(lower.joint, (self.batch.close[q] for q in group.questions), strict=True)
        pairs = [[*question, *places[c]] for question, close in rows for c in close]
        return together(self.t5, self.head.layer, torch.cat(states), pairs)

    def answers(self, group: Group, lower: Lower, lent: Mapping[int, Tensor]) -> Tensor:
        """Sum the answers' negative log likelihood over a group, and the pointer's losses."""
        fused = fuse(self.read(group, lower, lent), [len(self.batch.close[q]) for q in group.questions])
        cache = self.t5.remember(fused.values, fused.keep)
        questions, answers = ([row[q] for q in group.questions] for row in (self.batch.questions, self.batch.answers))
        chunks = [[self.batch.chunks[c] for c in self.batch.close[q]] for q in group.questions]
        pointed = pointer_losses(self.t5, fused, questions, chunks, answers)
        return (answer_losses(self.t5, cache, answers) + pointed).sum()

    def shares(self, group: Group, lower: Lower, lent: Mapping[int, Tensor]) -> list[Tensor]:
        """Ask the teacher for the shares of a group's close chunks."""
        memory = self.read(group, lower, lent)
        counts = [len(self.batch.close[q]) for q in group.questions]
        return teach(self.t5, self.objective.teacher, memory, [self.batch.answers[q] for q in group.questions], counts)

    def vectors(self, side: str, states: Tensor, heads: Sequence[int]) -> Tensor:
        """Project states (N, D) at block R to queries or keys of some heads: (N, h, d), in full precision."""
        weights = torch.cat([projection(self.t5, replace(self.head, number=n), side) for n in heads])  # (h*d, D)
        with torch.autocast(states.device.type, enabled=False):
            flat: Tensor = F.linear(self.t5.encoder.reads(self.head.depth, states), weights)
            return formed(self.t5, side, torch.unflatten(flat, 1, (len(heads), -1)))


def groups_of(batch: TrainingBatch, micro: int) -> list[Group]:
    """Cut a batch into groups of `micro` questions; a chunk belongs to the last group that is close to it."""
    assert all(batch.close), "a question without close chunks has nothing to be read from"
    cuts = [range(at, min(at + micro, len(batch.questions))) for at in range(0, len(batch.questions), micro)]
    needed = [sorted({c for q in cut for c in batch.close[q]}) for cut in cuts]
    last = {c: number for number, chunks in enumerate(needed) for c in chunks}
    owner = [last.get(c, c % len(cuts)) for c in range(len(batch.chunks))]  # chunks that are close to none: any group
    seeds = torch.randint(1 << 62, (len(cuts), 2)).tolist()
    return [
        Group(
            tuple(cut),
            tuple(c for c in range(len(batch.chunks)) if owner[c] == number),
            tuple(c for c in needed[number] if owner[c] != number),
            tuple(range(number, len(batch.cloze), len(cuts))),
            *seeds[number],
        )
        for number, cut in enumerate(cuts)
    ]


@contextmanager
def seeded(seed: int, t5: T5) -> Iterator[None]:
    """Draw dropout from a seed, and restore the random generators afterwards."""
    device = t5.shared.weight.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
