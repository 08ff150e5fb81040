"""Train on a large batch with the memory of a small one: a gradient cache (Gao et al., 2021) that also learns answers.

The retrieval loss needs all chunks of a batch at once, the answer loss only those of one question. Therefore:

1. Everything is encoded without gradients, a group of questions at a time. The retrieval head's vectors are kept, and
   the teacher's targets for the group.
2. The retrieval loss gives each vector its gradient.
3. Each group is encoded again with gradients and read, and one backward pass follows: a chunk's cached gradient and the
   answer loss share a single forward pass.

A chunk that is close to questions of several groups belongs to the last of them. The earlier groups read its states
from (1) and accumulate gradients on them; the last group adds these to its backward pass.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from reatt.lessons.batches import Ids, TrainingBatch
from reatt.model.stacks.halves import Head
from reatt.model.t5 import T5
from reatt.training.objective import (
    HeadSelector,
    Learned,
    Objective,
    cross_document_loss,
    posterior,
    target_matrix,
)
from reatt.training.pools import ChunkStates, pick, without_dropout
from reatt.training.ranks import ALONE, Ranks, add_gradients
from reatt.training.scores import retrieval_scores
from reatt.training.step import Group, Lower, TrainingStep, groups_of, seeded
from reatt.training.teachers import shares


def at_once(
    t5: T5, selector: HeadSelector, head: Head, batch: TrainingBatch, objective: Objective, *, micro: int | None = None
) -> Tensor:
    """Return a batch's loss with the graph of the whole batch: the reference for `accumulate`.

    `micro` questions (None: all) share their seeds of dropout; without dropout it has no effect.
    """
    batch = _asked(batch, objective)
    step = TrainingStep(t5, selector, head, batch, objective, objective.cross_document or bool(batch.cloze))
    groups, lowers, found = groups_of(batch, micro or len(batch.questions)), [], []
    for group in groups:
        with seeded(group.below, t5):
            lowers.append(step.lower(group))
            found.append(step.alone(lowers[-1]))
    whole, sought = ({c: pick(lower.states, [row]) for lower in each for c, row in lower.chunks.items()}
                     for each in (lowers, found))  # fmt: skip
    loss = t5.shared.weight.new_zeros(())
    if step.sought:
        heads = selector.kept()
        asked = [pick(lower.states, [row]) for lower in found for row in lower.asked]
        cloze = {c: pick(lower.states, [row]) for group, lower in zip(groups, found, strict=True)
                 for c, row in zip(group.cloze, lower.cloze, strict=True)}  # fmt: skip
        queries = [step.vectors("q", states, heads) for states in [*asked, *(cloze[c] for c in sorted(cloze))]]
        keys = [step.vectors("k", sought[c], heads) for c in range(len(batch.chunks))]
        pooled = _pooled(ALONE, keys, batch.chunks)
        targets = shares(t5, head.layer, batch, objective.teacher) if objective.cross_document else []
        told = _retrieval(step, queries, pooled, targets, heads)
        loss = loss + objective.alpha * told.cross_document / len(batch.questions)
        loss = loss + objective.alpha * told.cloze / max(1, len(batch.cloze))
    if objective.answers:
        for group, lower in zip(groups, lowers, strict=True):
            with seeded(group.above, t5):
                loss = loss + step.answers(group, lower, whole) / sum(map(len, batch.answers))
    return loss


def accumulate(
    t5: T5,
    selector: HeadSelector,
    head: Head,
    batch: TrainingBatch,
    objective: Objective,
    *,
    micro: int,
    ranks: Ranks = ALONE,
    known: ChunkStates | None = None,
) -> Learned:
    """Compute the gradients of a batch's loss into empty `.grad`, with a graph of only `micro` questions at a time.

    With several `ranks` it is the loss over the questions of all processes, and the retrieval distribution covers the
    chunks of all. `known` holds states of chunks that do not change.
    """
    batch, device = _asked(batch, objective), t5.shared.weight.device
    total = torch.tensor([sum(map(len, batch.answers)), len(batch.questions), len(batch.cloze)], device=device)
    ranks.add(total)
    tokens, *asked = total.tolist()
    step = TrainingStep(t5, selector, head, batch, objective, objective.cross_document or asked[1] > 0, known)
    groups = groups_of(batch, micro)
    kept = _first_pass(step, groups)
    learned = torch.zeros(4, device=device)
    if step.sought:
        kept, learned[1:] = _cache_gradients(step, kept, ranks, asked)
    for group in groups:
        learned[0] += _second_pass(step, group, kept, tokens)
    ranks.add(learned)
    add_gradients(ranks, [*t5.parameters(), *selector.parameters()])
    return Learned(*learned.tolist())


def _asked(batch: TrainingBatch, objective: Objective) -> TrainingBatch:
    """Leave out the cloze questions if the objective does not use them."""
    return batch if objective.cloze else replace(batch, cloze=())


@dataclass(frozen=True)
class Kept:
    """What is known of a batch between its two encodings."""

    heads: list[int]
    queries: list[Tensor]  # per question, then per cloze question (m, h, d), then their gradients
    keys: list[Tensor]  # per chunk (n, h, d), then their gradients
    targets: list[Tensor]  # per question (K,) the teacher's shares of its close chunks
    lent: dict[int, Tensor] = field(default_factory=dict)  # (n, D) states of chunks that several groups read


def _first_pass(step: TrainingStep, groups: Sequence[Group]) -> Kept:
    """Encode without gradients, starting with the last group, because earlier groups borrow its chunks."""
    empty = torch.empty(0)
    asked = len(step.batch.questions) + len(step.batch.cloze)
    kept = Kept(step.selector.kept(), [empty] * asked, [empty] * len(step.batch.chunks), [])
    borrowed = {c for group in groups for c in group.borrowed}
    clean: dict[int, Tensor] = {}
    targets: dict[int, Tensor] = {}
    drops = step.t5.training and step.t5.config.dropout_rate > 0
    for group in reversed(groups):
        lends = borrowed.intersection(group.own)
        if not (lends or step.sought):
            continue
        with torch.no_grad(), seeded(group.below, step.t5):
            lower = step.lower(group)
            found = step.alone(lower)
        kept.lent.update({c: pick(lower.states, [lower.chunks[c]]) for c in lends})
        if step.sought:
            _keep_vectors(step, group, found, kept)
        if step.objective.cross_document:
            with without_dropout(step.t5):
                lower = step.lower(group) if drops else lower
                clean |= {c: pick(lower.states, [lower.chunks[c]]) for c in lends}
                targets |= dict(zip(group.questions, step.shares(group, lower, clean), strict=True))
    return replace(kept, targets=[targets[q] for q in sorted(targets)])


def _keep_vectors(step: TrainingStep, group: Group, found: Lower, kept: Kept) -> None:
    with torch.no_grad():
        for q, row in zip(_askers(step, group), [*found.asked, *found.cloze], strict=True):
            kept.queries[q] = step.vectors("q", pick(found.states, [row]), kept.heads)
        for c, row in found.chunks.items():
            kept.keys[c] = step.vectors("k", pick(found.states, [row]), kept.heads)


def _askers(step: TrainingStep, group: Group) -> list[int]:
    """Number a group's questions of both kinds, as `Kept.queries` does."""
    return [*group.questions, *(len(step.batch.questions) + c for c in group.cloze)]


def _cache_gradients(step: TrainingStep, kept: Kept, ranks: Ranks, asked: Sequence[int]) -> tuple[Kept, Tensor]:
    """Return `kept` with gradients of the retrieval losses instead of vectors, and this process's part of `Learned`.

    The latter is (3,). `asked` counts the questions of all processes: first ordinary ones, then cloze questions.
    """
    queries = [each.requires_grad_() for each in kept.queries]
    pooled = _pooled(ranks, kept.keys, step.batch.chunks)
    pooled.keys.requires_grad_()
    found = _retrieval(step, queries, pooled, kept.targets, kept.heads)
    losses = found.cross_document / asked[0], found.cloze / max(1, asked[1])
    torch.autograd.backward(step.objective.alpha * (losses[0] + losses[1]))
    gradients = _gradient(pooled.keys)
    ranks.add(gradients)  # the questions of other processes were scored with the chunks of this one, too
    keys = [row[: len(k)] for row, k in zip(gradients[pooled.own], kept.keys, strict=True)]
    counted = asked[0] * step.objective.cross_document + asked[1]
    learned = torch.stack([*(loss.detach() for loss in losses), found.hits / counted])
    return replace(kept, queries=[_gradient(each) for each in queries], keys=keys), learned


def _gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None, "every question and every chunk is in the retrieval loss"
    return leaf.grad


def _second_pass(step: TrainingStep, group: Group, kept: Kept, tokens: int) -> Tensor:
    """Encode a group with gradients, read it, and run the backward pass -> its part of the answer loss."""
    with seeded(group.below, step.t5):
        lower = step.lower(group)
        found = step.alone(lower)
    loss = answer = lower.states.new_zeros(())
    if step.objective.answers:
        lent = {c: kept.lent[c].requires_grad_(lower.states.requires_grad) for c in group.borrowed}
        with seeded(group.above, step.t5):
            answer = step.answers(group, lower, lent) / tokens
        loss = answer
    if step.sought:
        loss = loss + _surrogate(step, group, found, kept)
    for c in [c for c in group.own if c in kept.lent]:
        if (left := kept.lent.pop(c).grad) is not None:
            loss = loss + (pick(lower.states, [lower.chunks[c]]) * left).sum()
    if loss.requires_grad:  # not if everything that it depends on is frozen
        torch.autograd.backward(loss)
    return answer.detach()


def _surrogate(step: TrainingStep, group: Group, found: Lower, kept: Kept) -> Tensor:
    """Multiply live vectors by their cached gradients: a loss whose gradient is that of the retrieval loss."""
    queries = step.vectors("q", pick(found.states, [*found.asked, *found.cloze]), kept.heads)
    total = (queries * torch.cat([kept.queries[q] for q in _askers(step, group)])).sum()
    if not group.own:  # all of its chunks belong to later groups
        return total
    keys = step.vectors("k", pick(found.states, [found.chunks[c] for c in group.own]), kept.heads)
    return total + (keys * torch.cat([kept.keys[c] for c in group.own])).sum()


@dataclass(frozen=True)
class Pooled:
    """The keys of all processes' chunks."""

    keys: Tensor  # (C, n, h, d)
    keep: Tensor  # (C, n)
    names: list[int]  # equal for chunks of equal tokens
    own: slice  # this process's


def _pooled(ranks: Ranks, keys: Sequence[Tensor], chunks: Sequence[Ids]) -> Pooled:
    """Gather the keys of all processes' chunks, and a name for each chunk."""
    device = keys[0].device
    about = torch.tensor([[_name(ids), len(ids)] for ids in chunks], device=device)
    everyone = ranks.gather(about)
    parts = ranks.gather(pad_sequence(list(keys), batch_first=True))  # (C, n, h, d) each
    longest = max(part.shape[1] for part in parts)
    values = [F.pad(part, (0, 0, 0, 0, 0, longest - part.shape[1])) for part in parts]
    names, lengths = torch.cat(everyone).T.tolist()
    keep = torch.arange(longest, device=device) < torch.tensor(lengths, device=device)[:, None]
    start = sum(map(len, everyone[: ranks.number]))
    whole = values[0] if len(values) == 1 else torch.cat(values)
    return Pooled(whole, keep, names, slice(start, start + len(chunks)))


def _name(ids: Ids) -> int:
    """Hash a chunk's tokens to 64 bits."""
    return int.from_bytes(hashlib.blake2b(array("q", ids).tobytes(), digest_size=8).digest(), "little", signed=True)


@dataclass(frozen=True)
class RetrievalLosses:
    """The retrieval losses of one process's questions, summed over them; 0 without such questions."""

    cross_document: Tensor  # KL
    cloze: Tensor  # KL
    hits: Tensor  # the number of questions whose best chunk is their target's best


def _retrieval(
    step: TrainingStep, queries: Sequence[Tensor], pooled: Pooled, targets: Sequence[Tensor], heads: list[int]
) -> RetrievalLosses:
    """Compare the retrieval distribution over all chunks, each counted once, with the targets of teacher or words.

    `queries` are those of the questions, then of the cloze questions.
    """
    firsts: dict[int, int] = {}
    for row, name in enumerate(pooled.names):
        firsts.setdefault(name, row)
    column = {name: number for number, name in enumerate(firsts)}
    own = [column[name] for name in pooled.names[pooled.own]]
    close = [[own[c] for c in numbers] for numbers in step.batch.close]
    rows = list(firsts.values()) if len(firsts) < len(pooled.names) else slice(None)
    asked = pad_sequence([torch.ones(len(q), dtype=torch.bool, device=q.device) for q in queries], batch_first=True)
    vectors, weights = pad_sequence(list(queries), batch_first=True), step.selector.weights(heads)
    scores = retrieval_scores(vectors, asked, pooled.keys[rows], pooled.keep[rows], weights)  # (Q, C)
    by_question, by_cloze = torch.split(scores, [len(step.batch.questions), len(step.batch.cloze)])
    lost = missed = hits = scores.new_zeros(())
    if step.objective.cross_document:
        target = target_matrix(targets, close, len(firsts))
        if not step.objective.in_batch:
            allowed = target_matrix([torch.ones(len(numbers)) for numbers in close], close, len(firsts)) > 0
            by_question = by_question.masked_fill(~allowed.to(scores.device), -torch.inf)
        if step.objective.posterior:
            target = posterior(by_question, target)
        lost = cross_document_loss(by_question, target) * len(targets)
        hits = hits + (by_question.argmax(1) == target.argmax(1)).sum()
    if cloze := step.batch.cloze:
        worth = [scores.new_tensor(each.shares) for each in cloze]
        target = target_matrix(worth, [[own[c] for c in each.close] for each in cloze], len(firsts))
        missed = cross_document_loss(by_cloze, target) * len(cloze)
        hits = hits + (by_cloze.argmax(1) == target.argmax(1)).sum()
    return RetrievalLosses(lost, missed, hits)
