"""The teachers of retrieval: each gives every close chunk of a question a share; the shares sum to 1.

- `attention`: the decoder's target attention (ReAtt, section 3.1). It needs no answer.
- `likelihood`: how likely the answer is given each chunk alone (perplexity distillation: Izacard et al., 2022).

Teachers run as in inference, without dropout and without gradients, because their shares are targets.
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
    """Return the shares of the first decoder position's attention in the last block; it does not see the answer."""
    lengths = torch.tensor([len(row) for row in memory.rows], device=memory.states.device)
    owner = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)  # (t,)
    return target_attention(first_scores(t5, memory.joined()), owner, len(lengths))


def likelihood_shares(t5: T5, memory: Pool, answer: Ids) -> Tensor:
    """Return shares by the answer's mean token likelihood given each chunk alone."""
    each = fuse(memory, [1] * len(memory.rows))
    losses = answer_losses(t5, t5.remember(each.values, each.keep), [answer] * len(memory.rows))  # (C,)
    return (-losses.float() / len(answer) / LIKELIHOOD_TEMPERATURE).softmax(0)


TEACHERS: dict[str, Teacher] = {"attention": attention_shares, "likelihood": likelihood_shares}


def first_scores(t5: T5, memory: Tensor) -> Tensor:
    """Score a memory (t, D) like `T5.target_scores`, without projecting it: (h, t).

    There is only one position to decode, and <W_q x, W_k m> = <W_k^T W_q x, m>. So the query is projected to the width
    of the memory, instead of every memory token in every block. Autocast is off: T5's logits are not scaled, and half
    precision would round them by more than the difference of two chunks.
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
    """Ask a teacher about several questions, whose `counts` pairs follow each other in `memory`."""
    starts = [sum(counts[:i]) for i in range(len(counts))]
    rows = zip(starts, counts, answers, strict=True)
    return [teacher(t5, memory.part(slice(start, start + count)), answer) for start, count, answer in rows]


def shares(t5: T5, layer: int, batch: TrainingBatch, teacher: Teacher) -> list[Tensor]:
    """Return a teacher's shares of the close chunks of each question: (K,) each, in the order of `batch.close`."""
    found = []
    with without_dropout(t5):
        for question, answer, close in zip(batch.questions, batch.answers, batch.close, strict=True):
            lower = apart(t5, layer, [t5.encoder.paired(question), *(batch.chunks[n] for n in close)])
            pairs = [[*lower.rows[0], *row] for row in lower.rows[1:]]
            memory = together(t5, layer, lower.states, pairs)
            found += teach(t5, teacher, memory, [answer], [len(close)])
    return found


def teacher_hit(t5: T5, layer: int, batch: TrainingBatch, gold: Sequence[int], teacher: Teacher) -> float:
    """Measure how often a teacher gives the gold chunk (its number in the pool is in `gold`) the largest share."""
    found = shares(t5, layer, batch, teacher)
    return sum(map(first, found, [close.index(g) for close, g in zip(batch.close, gold, strict=True)])) / len(gold)


def first(values: Tensor, number: int) -> float:
    """Return 1 if a chunk has the highest of some values (K,), else 0; 1/n if n chunks tie for it.

    So the order of the chunks has no influence, and a teacher that gives equal shares gets 1/K.
    """
    best = (values == values.max()).nonzero().flatten().tolist()
    return (number in best) / len(best)
