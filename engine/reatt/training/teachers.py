"""Who tells retrieval what was worth reading: a share for each close chunk of a question, summing to 1.

- `attention`: the decoder's target attention (ReAtt, section 3.1). Needs no answer.
- `likelihood`: how likely the answer is given each chunk alone (perplexity distillation: Izacard et al., 2022).

Teachers run as at inference, without dropout and without gradients: what they say is a target, not a path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from reatt.lessons.batches import Ids, TrainingBatch
from reatt.model.stacks.halves import target_attention
from reatt.model.t5 import T5
from reatt.training.pools import Pool, answer_losses, apart, fuse, together, without_dropout

LIKELIHOOD_TEMPERATURE = 0.01  # of the mean log likelihood of a token, as in Atlas

Teacher = Callable[[T5, Pool, Ids], Tensor]  # (model, memory of one question's C pairs, answer) -> (C,) shares


def attention_shares(t5: T5, memory: Pool, answer: Ids) -> Tensor:
    """Share out the first decoder position's attention in the last block; it precedes the answer, which is not seen."""
    lengths = torch.tensor([len(row) for row in memory.rows], device=memory.states.device)
    owner = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)  # (t,)
    return target_attention(first_scores(t5, memory.joined()), owner, len(lengths))


def likelihood_shares(t5: T5, memory: Pool, answer: Ids) -> Tensor:
    """Share out by the answer's mean token likelihood given each chunk alone."""
    each = fuse(memory, [1] * len(memory.rows))
    losses = answer_losses(t5, t5.remember(each.values, each.keep), [answer] * len(memory.rows))  # (C,)
    return (-losses.float() / len(answer) / LIKELIHOOD_TEMPERATURE).softmax(0)


TEACHERS: dict[str, Teacher] = {"attention": attention_shares, "likelihood": likelihood_shares}


def first_scores(t5: T5, memory: Tensor) -> Tensor:
    """Score a memory (t, D) as `T5.target_scores` does, without projecting it: (h, t).

    With one position to decode, <W_q x, W_k m> = <W_k^T W_q x, m>: the query is lifted to the memory's width, once,
    instead of every memory token lowered in every block. Not in half precision under autocast: T5's logits are not
    scaled, and it would round them by more than what tells two chunks apart.
    """
    shape = t5.config
    with torch.autocast(memory.device.type, enabled=False):
        x = t5.decoder.dropout(t5.shared(torch.full((1, 1), shape.decoder_start_token_id, device=memory.device)))
        bias = t5.decoder.bias(1, 1)
        *before, last = t5.decoder.layers()
        for block in before:
            x = block.attend(x, bias)
            seen = _lifted(block.cross_norm(x), block.cross.q.weight, block.cross.k.weight, shape.num_heads) @ memory.T
            mixed = seen.softmax(-1) @ memory  # (h, D)
            values = torch.einsum("hD,hdD->hd", mixed, torch.unflatten(block.cross.v.weight, 0, (shape.num_heads, -1)))
            x = block.think(x + block.dropout(block.cross.o(values.flatten()))[None, None])
        x = last.attend(x, bias)
        return _lifted(last.cross_norm(x), last.cross.q.weight, last.cross.k.weight, shape.num_heads) @ memory.T


def _lifted(x: Tensor, q: Tensor, k: Tensor, heads: int) -> Tensor:
    queries = torch.unflatten(q @ x.flatten(), 0, (heads, -1))  # (h, d)
    return torch.einsum("hd,hdD->hD", queries, torch.unflatten(k, 0, (heads, -1)))


def teach(t5: T5, teacher: Teacher, memory: Pool, answers: Sequence[Ids], counts: Sequence[int]) -> list[Tensor]:
    """Ask a teacher about several questions, whose `counts` pairs stand one after another in `memory`."""
    starts = [sum(counts[:i]) for i in range(len(counts))]
    rows = zip(starts, counts, answers, strict=True)
    return [teacher(t5, memory.part(slice(start, start + count)), answer) for start, count, answer in rows]


def shares(t5: T5, layer: int, batch: TrainingBatch, teacher: Teacher) -> list[Tensor]:
    """Say for each question of a batch what its close chunks are worth: (K,) each, in the order of `batch.close`."""
    found = []
    with without_dropout(t5):
        for question, answer, close in zip(batch.questions, batch.answers, batch.close, strict=True):
            lower = apart(t5, layer, [t5.encoder.paired(question), *(batch.chunks[n] for n in close)])
            pairs = [[*lower.rows[0], *row] for row in lower.rows[1:]]
            memory = together(t5, layer, lower.states, pairs)
            found += teach(t5, teacher, memory, [answer], [len(close)])
    return found


def teacher_hit(t5: T5, layer: int, batch: TrainingBatch, gold: Sequence[int], teacher: Teacher) -> float:
    """Measure a teacher: how often the gold chunk (`gold` numbers it in the pool) gets the most of all close ones."""
    found = shares(t5, layer, batch, teacher)
    return sum(map(first, found, [close.index(g) for close, g in zip(batch.close, gold, strict=True)])) / len(gold)


def first(values: Tensor, number: int) -> float:
    """Say whether a chunk has the highest of some values (K,): 1 or 0, and where n tie for it 1/n.

    So the order of the chunks plays no part, and a teacher who says nothing gets 1/K, not the score of the order that
    he was shown.
    """
    best = (values == values.max()).nonzero().flatten().tolist()
    return (number in best) / len(best)
