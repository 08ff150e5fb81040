"""What the bundled model learns from: which paragraph answers, where in it the answer stands, and its words.

Four losses on one pass over a batch: in-batch retrieval by the head of block B (equation 1); where the answer starts
and ends, read off the joint encoding by two vectors that only training has; the last decoder block's attention at each
step against the place of the token to be written; the answer's likelihood.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reatt.model.reatt import Head, Padded, head_keys, head_queries, lower_half, pack, pad, places, upper_half
from reatt.model.t5 import T5, Cache
from reatt.search.score import maxsim
from recipes.reatt_mini.close import Close, Passage, closest, passages, word_scores
from recipes.reatt_mini.data import Example, Ids, Questions

OTHERS = 1500  # random tokens that an answer's tokens compete with, beside the batch's own
ANSWER_LIMIT = 16  # tokens; longer answers are learnt by their beginning


@dataclass(frozen=True)
class Losses:
    """The parts of a step's loss, and how well it did."""

    retrieval: Tensor
    marks: Tensor
    pointer: Tensor
    answer: Tensor
    hit: float  # questions whose own paragraph scored highest in the batch
    start: float  # questions with the most attended token at an answer's start
    token_accuracy: float
    teacher: float  # of the questions read with several chunks: most target attention on the known one
    words: float  # the same, by the words that question and chunk share

    def detached(self) -> Losses:
        """Give the figures without the graph that they came from."""
        parts = {name: getattr(self, name).detach() for name in ("retrieval", "marks", "pointer", "answer")}
        return replace(self, **parts)


@dataclass(frozen=True)
class Batch:
    """Token ids; question i stands in chunk `owner[i]`, its answer there from starts[i][n] to ends[i][n]."""

    questions: list[Ids]  # with end mark
    chunks: list[Ids]
    owner: list[int]
    starts: list[Ids]
    ends: list[Ids]

    def answer(self, row: int) -> Ids:
        """The answer's tokens as they stand in the chunk."""
        return self.chunks[self.owner[row]][self.starts[row][0] : self.ends[row][0] + 1][:ANSWER_LIMIT]


class Marks(nn.Module):
    """Two directions of the joint states: an answer starts here, an answer ends here."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, width) * 0.02)
        self.temperature = nn.Parameter(torch.tensor(1.0))  # of retrieval scores


def whole(questions: Questions, examples: list[Example]) -> Batch:
    """Put whole paragraphs into a batch, each once."""
    chunks = list(dict.fromkeys(e.chunk for e in examples))
    number = {chunk: i for i, chunk in enumerate(chunks)}
    return Batch(
        [e.question for e in examples],
        [questions.chunks[c] for c in chunks],
        [number[e.chunk] for e in examples],
        [e.starts for e in examples],
        [e.ends for e in examples],
    )


def windows(questions: Questions, examples: list[Example], width: int, end: int, draw: random.Random) -> Batch:
    """Cut a window around one place of each answer: short, so that reading is learnt faster at first."""
    batch = Batch([], [], [], [], [])
    for example in examples:
        chunk = questions.chunks[example.chunk][:-1]
        place = draw.randrange(len(example.starts))
        first, last = example.starts[place], example.ends[place]
        low = max(0, min(last + 1 - width, len(chunk) - width))
        begin = draw.randint(min(low, first), max(min(first, len(chunk) - width), min(low, first), 0))
        cut = chunk[begin : max(begin + width, last + 1)]
        inside = [
            (s, e) for s, e in zip(example.starts, example.ends, strict=True) if begin <= s and e < begin + len(cut)
        ]
        batch.owner.append(len(batch.chunks))
        batch.questions.append(example.question)
        batch.chunks.append((*cut, end))
        batch.starts.append(tuple(s - begin for s, _ in inside))
        batch.ends.append(tuple(e - begin for _, e in inside))
    return batch


@dataclass(frozen=True)
class Pool:
    """States of many sequences in one tensor, and which of its rows belong to each sequence."""

    states: Tensor  # (N, D)
    rows: list[list[int]]


def encode_by_length(run: Callable[[list[int]], Padded], lengths: list[int], groups: int = 3) -> Pool:
    """Encode sequences in groups of like length, so that little is padded; `run` encodes those with given numbers."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    size = -(-len(order) // groups)
    states: list[Tensor] = []
    rows: dict[int, list[int]] = {}
    offset = 0
    for numbers in (order[at : at + size] for at in range(0, len(order), size)):
        done = run(numbers)
        rows |= dict(zip(numbers, places(done, offset), strict=True))
        states.append(done.values.flatten(0, 1))
        offset += done.keep.numel()
    return Pool(torch.cat(states), [rows[i] for i in range(len(lengths))])


def losses(
    t5: T5,
    head: Head,
    marks: Marks,
    batch: Batch,
    closeness: Sequence[Close],
    rarity: Tensor,
    from_reader: bool = False,
) -> Losses:
    """One step's losses; `closeness` says how many questions are read with how many chunks, the others with their own.

    Half of the questions are read without a prior, half with one: what retrieval thinks of each chunk, more or less. So
    the reader learns to use it and to do without. Retrieval is learnt from the known chunks, or `from_reader`
    alone: from the share that the reader's target attention gives each chunk read, and nothing for the batch's others
    (ReAtt, section 3.1); such a reader never has a prior.
    """
    device = marks.weight.device

    def lower(sequences: list[Ids]) -> Callable[[list[int]], Padded]:
        return lambda numbers: lower_half(t5, head.layer, pad([sequences[n] for n in numbers], device))

    chunks = encode_by_length(lower(batch.chunks), [len(ids) for ids in batch.chunks])
    asked = lower_half(t5, head.layer, pad(batch.questions, device))
    keys = pack(head_keys(t5, head, chunks.states), chunks.rows)
    every = asked.keep / asked.keep.sum(1, keepdim=True)  # (B, m) the mean over a question's tokens
    scores = maxsim(head_queries(t5, head, asked.values), every, keys.values, keys.keep) * marks.temperature
    own = torch.tensor(batch.owner, device=device)
    hit = float((scores.detach().argmax(1) == own).float().mean())
    words = word_scores(batch.questions, batch.chunks, rarity)
    evidence = chosen(batch, closeness, words)
    without_end = lower_half(t5, head.layer, pad([ids[:-1] for ids in batch.questions], device))
    memory, hidden = read(t5, head, without_end, chunks, evidence)
    answers = [places_read(batch, row, given[0]) for row, given in enumerate(evidence)]
    strength = torch.zeros(len(evidence)) if from_reader else (2 * torch.rand(len(evidence)) - 1).clamp(min=0)
    prior = priors(scores.detach() * strength.to(device)[:, None], batch, evidence, memory.keep.shape[1])
    marking = mark_loss(marks, memory, hidden, prior, where(answers, memory.keep.shape[1]).to(device))
    answer, pointer, start, accuracy, attention = answering(t5, memory, prior, batch, answers)
    target = shared(attention, batch, evidence).to(device)  # (Q, C)
    retrieval = cross_document(scores, target, evidence) if from_reader else F.cross_entropy(scores, own)
    teacher, order = teaching(target, words, evidence, strength)
    return Losses(retrieval, marking, pointer, answer, hit, start, accuracy, teacher, order)


def chosen(batch: Batch, closeness: Sequence[Close], words: Tensor) -> list[list[Passage]]:
    """Draw how each question is read, and with which chunks, by the words (Q, C) that they share."""
    draw = random.Random(int(torch.randint(1 << 31, ())))
    alone = Close(1 - sum(close.share for close in closeness), 1)
    ways = draw.choices([alone, *closeness], [alone.share, *(c.share for c in closeness)], k=len(batch.questions))
    close = closest(words, batch.owner, [way.chunks for way in ways])
    lengths = [len(ids) for ids in batch.chunks]
    found = []
    for row, (way, numbers) in enumerate(zip(ways, close, strict=True)):
        place = draw.randrange(len(batch.starts[row]))
        span = (batch.starts[row][place], batch.ends[row][place])
        found.append(passages(numbers, lengths, span, way, draw))
    return found


def places_read(batch: Batch, row: int, own: Passage) -> list[tuple[int, int]]:
    """Where in a question's memory its answer starts and ends: behind the question, in what is kept of its chunk."""
    at = {kept: i for i, kept in enumerate(own.kept, len(batch.questions[row]) - 1)}
    spans = zip(batch.starts[row], batch.ends[row], strict=True)
    return [(at[s], at[e]) for s, e in spans if all(p in at for p in range(s, e + 1))]


def priors(scores: Tensor, batch: Batch, evidence: list[list[Passage]], width: int) -> Tensor:
    """Lay the scores (Q, C) of the chunks that each question is read with over its memory's tokens -> (Q, width)."""
    prior = torch.zeros(len(evidence), width, device=scores.device, dtype=scores.dtype)
    for row, given in enumerate(evidence):
        each = scores[row, [passage.chunk for passage in given]]
        widths = [len(batch.questions[row]) - 1 + len(passage.kept) for passage in given]
        told = (each - each.max()).repeat_interleave(torch.tensor(widths, device=scores.device))
        prior[row, : len(told)] = told
    return prior


def shared(attention: Tensor, batch: Batch, evidence: list[list[Passage]]) -> Tensor:
    """Sum each question's target attention (Q, t) over every chunk that it was read with -> (Q, C), no gradient."""
    target = torch.zeros(len(evidence), len(batch.chunks))
    for row, given in enumerate(evidence):
        before = len(batch.questions[row]) - 1
        widths = [before + len(passage.kept) for passage in given]
        pieces = torch.split(attention[row, : sum(widths)].detach().float().cpu(), widths)
        for passage, piece in zip(given, pieces, strict=True):
            target[row, passage.chunk] = piece.sum()
    return target


def cross_document(scores: Tensor, target: Tensor, evidence: list[list[Passage]]) -> Tensor:
    """KL of the reader's shares and retrieval's softmax over the batch, (Q, C), for those read with several."""
    several = torch.tensor([len(given) > 1 for given in evidence])
    each = F.kl_div(scores.log_softmax(1), target, reduction="none").sum(1)
    return (each * several.to(each.device)).sum() / several.sum().clamp(min=1)


def teaching(target: Tensor, words: Tensor, evidence: list[list[Passage]], strength: Tensor) -> tuple[float, float]:
    """How often a reader without a prior attends most to the known chunk of several, and words put it first."""
    rows = [row for row, given in enumerate(evidence) if len(given) > 1 and not strength[row]]
    numbers = [(row, [passage.chunk for passage in evidence[row]]) for row in rows]
    attended = [int(target[row, chunks].argmax()) == 0 for row, chunks in numbers]
    ordered = [int(words[row, chunks].argmax()) == 0 for row, chunks in numbers]
    return sum(attended) / max(1, len(rows)), sum(ordered) / max(1, len(rows))


def read(t5: T5, head: Head, asked: Padded, chunks: Pool, evidence: list[list[Passage]]) -> tuple[Padded, Tensor]:
    """Read each question's passages jointly, its own first -> the decoder's memory, and which tokens are no chunk's."""
    pool = torch.cat((asked.values.flatten(0, 1), chunks.states))  # (N, D)
    before = places(asked)
    after = [[asked.keep.numel() + p for p in row] for row in chunks.rows]
    pairs = [before[i] + [after[p.chunk][k] for k in p.kept] for i, given in enumerate(evidence) for p in given]

    def upper(numbers: list[int]) -> Padded:
        joined = pack(pool, [pairs[n] for n in numbers])
        return Padded(upper_half(t5, head.layer, joined), joined.keep)

    states = encode_by_length(upper, [len(pair) for pair in pairs], groups=4)
    rows, asking = iter(states.rows), []
    fused = []
    for i, given in enumerate(evidence):
        together = [next(rows) for _ in given]
        fused.append([p for row in together for p in row])
        asking.append([int(at < len(before[i])) for row in together for at in range(len(row))])
    hidden = pad(asking, asked.keep.device)
    memory = pack(states.states, fused)
    return memory, ~memory.keep | hidden.values.bool()


def where(answers: list[list[tuple[int, int]]], width: int) -> Tensor:
    """Answer starts and ends as positions of the memory: (B, 2, t) bool."""
    placed = torch.zeros(len(answers), 2, width, dtype=torch.bool)
    for row, spans in enumerate(answers):
        placed[row, 0, [start for start, _ in spans]] = True
        placed[row, 1, [end for _, end in spans]] = True
    return placed


def mark_loss(marks: Marks, memory: Padded, hidden: Tensor, prior: Tensor, placed: Tensor) -> Tensor:
    """Likelihood of the answers' starts and ends among all tokens of the chunks read, their places summed."""
    scores = F.linear(memory.values, marks.weight).float().transpose(1, 2) + prior[:, None]  # (B, 2, t)
    known = scores.masked_fill(hidden[:, None], -torch.inf).log_softmax(2)
    return -known.masked_fill(~placed, -torch.inf).logsumexp(2).mean()


def answering(
    t5: T5, memory: Padded, prior: Tensor, batch: Batch, spans: list[list[tuple[int, int]]]
) -> tuple[Tensor, Tensor, float, float, Tensor]:
    """Answer likelihood, the last block's attention at each step against the place of the token to be written.

    Beside them: how often the first step attends most to an answer's start, the share of tokens that are right, and the
    target attention (B, t): what the first step attends to.
    """
    device, end = t5.shared.weight.device, t5.config.eos_token_id
    rows = [(*batch.answer(row), end) for row in range(len(batch.questions))]
    padded = pad(rows, device)
    answers = padded.values
    inputs = torch.cat((torch.zeros_like(answers[:, :1]), answers[:, :-1]), 1)
    cache = t5.remember(memory.values, memory.keep)
    if cache.memory_bias is not None:
        cache.memory_bias = cache.memory_bias + prior[:, None, None].to(cache.memory_bias.dtype)
    states, scores = decode_with_attention(t5, inputs, cache)
    answer, accuracy = likelihood(t5, states[padded.keep], answers[padded.keep], batch)
    attention = scores.softmax(3).mean(1)  # (B, T, t)
    target = torch.zeros(attention.shape, dtype=torch.bool)
    for row, ids in enumerate(rows):
        for start, _ in spans[row]:
            for step in range(len(ids) - 1):
                target[row, step, start + step] = True
    target = target.to(device)
    surprise = -(attention * target).sum(2).clamp(min=1e-6).log()  # (B, T)
    pointed = target.any(2)
    first = attention[:, 0].detach().argmax(1)
    begun = float(target[torch.arange(len(rows)), 0, first].float().mean())
    pointer = surprise[:, 0].mean() + 0.5 * surprise[:, 1:][pointed[:, 1:]].sum() / max(1, int(pointed[:, 1:].sum()))
    return answer, pointer, begun, accuracy, attention[:, 0]


def likelihood(t5: T5, states: Tensor, answers: Tensor, batch: Batch) -> tuple[Tensor, float]:
    """Cross-entropy of answer tokens (N,) given decoder states (N, D), and how many come first.

    They compete with the batch's own tokens, which is what grounded decoding chooses from, and OTHERS more: the whole
    vocabulary would cost more than the encoder.
    """
    others = torch.randint(t5.config.vocab_size, (OTHERS,), device=answers.device)
    mine = torch.tensor([t for ids in batch.chunks for t in ids], device=answers.device)
    words = torch.unique(torch.cat((mine, answers, others)))
    scores = F.linear(states * t5.config.d_model**-0.5, t5.shared.weight[words]).float()  # (N, words)
    target = torch.searchsorted(words, answers)
    right = (scores.detach().argmax(1) == target).float().mean()
    return F.cross_entropy(scores, target), float(right)


def decode_with_attention(t5: T5, inputs: Tensor, cache: Cache) -> tuple[Tensor, Tensor]:
    """Run the decoder on whole answers -> states (B, T, D) and the last block's cross-attention logits (B, h, T, t)."""
    x, bias = t5.decoder.dropout(t5.shared(inputs)), t5.decoder.bias(inputs.shape[1], inputs.shape[1])
    for number, block in enumerate(t5.decoder.layers()):
        x = block.attend(x, bias)
        keys, values = cache.memory[number]
        queries = block.cross.split(block.cross.q(block.cross_norm(x)))  # (B, h, T, d)
        x = block.think(block.read(x, keys, values, cache.memory_bias))
    scores = (queries @ keys.transpose(2, 3)).float()
    return t5.decoder.final_norm(x), scores if cache.memory_bias is None else scores + cache.memory_bias
