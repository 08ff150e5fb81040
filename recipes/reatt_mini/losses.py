"""What the first bundled model learns from: retrieval, answers, and where in the paragraph the answer stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from reatt_engine.reatt import Head, Padded, head_keys, head_queries, lower_half, pack, pad, places, upper_half
from reatt_engine.t5 import T5, Cache
from reatt_engine.tokens import TextTokenizer
from recipes.reatt_mini.data import Example, Questions, answer_starts

IGNORE = -100


@dataclass(frozen=True)
class Losses:
    """The parts of a step's loss, and how well it did."""

    retrieval: Tensor
    answer: Tensor
    pointer: Tensor
    hit: float  # questions whose own paragraph scored highest in the batch
    token_accuracy: float


@dataclass(frozen=True)
class Batch:
    """Token ids of a batch; row i of everything belongs to question i."""

    questions: list[tuple[int, ...]]
    chunks: list[tuple[int, ...]]
    answers: list[tuple[int, ...]]  # with end mark
    starts: list[list[int]]  # token positions in the chunk where the answer begins


def collate(questions: Questions, examples: list[Example], tokenizer: TextTokenizer) -> Batch:
    """Turn examples into token ids; the answer is what the paragraph itself says, token for token."""
    rows = [questions.chunks[e.chunk] for e in examples]
    starts = [answer_starts(t, questions.texts[e.chunk], e.answer) for t, e in zip(rows, examples, strict=True)]
    return Batch(
        [tokenizer.question(e.question).ids for e in examples],
        [t.ids for t in rows],
        [tokenizer.answer(e.answer)[:24] for e in examples],
        starts,
    )


@dataclass(frozen=True)
class Pool:
    """States of many sequences in one tensor, and which of its rows belong to each sequence."""

    states: Tensor  # (N, D)
    rows: list[list[int]]


def encode_by_length(run: Callable[[list[int]], Padded], lengths: list[int], groups: int = 3) -> Pool:
    """Encode sequences in groups of like length, so that little is padded; `run` encodes those with given numbers."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    size = -(-len(order) // groups)
    states, rows, offset = [], {}, 0
    for numbers in (order[at : at + size] for at in range(0, len(order), size)):
        done = run(numbers)
        rows |= dict(zip(numbers, places(done, offset), strict=True))
        states.append(done.values.flatten(0, 1))
        offset += done.keep.numel()
    return Pool(torch.cat(states), [rows[i] for i in range(len(lengths))])


def losses(t5: T5, head: Head, temperature: Tensor, batch: Batch, extra: float, device: torch.device) -> Losses:
    """One step's losses: in-batch retrieval, and answers read from the question's own paragraph or from two."""

    def lower(sequences: list[tuple[int, ...]]) -> Callable[[list[int]], Padded]:
        return lambda numbers: lower_half(t5, head.layer, pad([sequences[n] for n in numbers], device))

    chunks = encode_by_length(lower(batch.chunks), [len(ids) for ids in batch.chunks])
    asked = lower_half(t5, head.layer, pad(batch.questions, device))
    keys = pack(head_keys(t5, head, chunks.states), chunks.rows)
    scores = maxsim(head_queries(t5, head, asked.values), asked.keep, keys.values, keys.keep)
    own = torch.arange(len(scores), device=device)
    retrieval = F.cross_entropy(scores * temperature, own)
    without_end = lower_half(t5, head.layer, pad([ids[:-1] for ids in batch.questions], device))
    cache, length = read(t5, head, without_end, chunks, others_of(scores.detach(), extra))
    answer, pointer, accuracy = answering(t5, cache, batch, length)
    hit = float((scores.detach().argmax(1) == own).float().mean())
    return Losses(retrieval, answer, pointer, hit, accuracy)


def maxsim(queries: Tensor, asked: Tensor, keys: Tensor, kept: Tensor) -> Tensor:
    """Equation 1 for every question (B, m, d) and chunk (C, n, d): mean over m of the maximum over n -> (B, C)."""
    products = torch.einsum("bmd,cnd->bcmn", queries, keys).masked_fill(~kept[None, :, None], -torch.inf)
    best = products.amax(3).float().masked_fill(~asked[:, None], 0)  # (B, C, m)
    return best.sum(2) / asked.sum(1)[:, None]


def others_of(scores: Tensor, extra: float) -> list[list[int]]:
    """Give the share `extra` of the questions the paragraph of another question that scores best for them."""
    best = scores.clone().fill_diagonal_(-torch.inf).argmax(1).tolist()
    return [[n] if torch.rand(()) < extra else [] for n in best]


def read(t5: T5, head: Head, asked: Padded, chunks: Pool, others: list[list[int]]) -> tuple[Cache, Tensor]:
    """Read each question's paragraphs jointly: the decoder's memory, its own paragraph's pair first, and its length."""
    pool = torch.cat((asked.values.flatten(0, 1), chunks.states))  # (N, D)
    before = places(asked)
    after = [[asked.keep.numel() + p for p in row] for row in chunks.rows]
    evidence = [[i, *more] for i, more in enumerate(others)]
    pairs = [before[i] + after[n] for i, numbers in enumerate(evidence) for n in numbers]

    def upper(numbers: list[int]) -> Padded:
        joined = pack(pool, [pairs[n] for n in numbers])
        return Padded(upper_half(t5, head.layer, joined), joined.keep)

    memory = encode_by_length(upper, [len(pair) for pair in pairs])
    rows = iter(memory.rows)
    fused = pack(memory.states, [[p for _ in numbers for p in next(rows)] for numbers in evidence])
    return t5.remember(fused.values, fused.keep), fused.keep.sum(1)


def answering(t5: T5, cache: Cache, batch: Batch, length: Tensor) -> tuple[Tensor, Tensor, float]:
    """Answer likelihood, and the last block's attention at each step against the place of the token to be written."""
    device = t5.shared.weight.device
    answers = pad_sequence([torch.tensor(a) for a in batch.answers], batch_first=True, padding_value=IGNORE).to(device)
    inputs = torch.cat((torch.zeros_like(answers[:, :1]), answers[:, :-1]), 1).clamp(min=0)
    states, attention = decode_with_attention(t5, inputs, cache)
    logits = t5.logits(states)
    answer = F.cross_entropy(logits.flatten(0, 1).float(), answers.flatten(), ignore_index=IGNORE)
    known = answers != IGNORE
    accuracy = float(((logits.argmax(-1) == answers) & known).sum() / known.sum())
    target = torch.zeros_like(attention)  # (B, T, t)
    for row, (at, ids) in enumerate(zip(batch.starts, batch.answers, strict=True)):
        for start in (len(batch.questions[row]) - 1 + s for s in at):
            for step in range(min(len(ids) - 1, int(length[row]) - start)):
                target[row, step, start + step] = 1
    mass = (attention * target).sum(2)  # (B, T)
    pointed = target.any(2)
    pointer = -mass[pointed].clamp(min=1e-6).log().mean() if pointed.any() else answer.new_zeros(())
    return answer, pointer, accuracy


def decode_with_attention(t5: T5, inputs: Tensor, cache: Cache) -> tuple[Tensor, Tensor]:
    """Run the decoder on whole answers -> states (B, T, D) and the last block's mean cross-attention (B, T, t)."""
    x, bias = t5.decoder.dropout(t5.shared(inputs)), t5.decoder.bias(inputs.shape[1], inputs.shape[1])
    attention = x.new_zeros(())
    for number, block in enumerate(t5.decoder.layers()):
        x = block.attend(x, bias)
        keys, values = cache.memory[number]
        if number == t5.config.num_decoder_layers - 1:
            queries = block.cross.split(block.cross.q(block.cross_norm(x)))  # (B, h, T, d)
            scores = (queries @ keys.transpose(2, 3)).float() + cache.memory_bias
            attention = scores.softmax(-1).mean(1)
        x = block.think(block.read(x, keys, values, cache.memory_bias))
    return t5.decoder.final_norm(x), attention
