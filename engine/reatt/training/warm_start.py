"""Train the decoder to answer from stored states, before it is trained to retrieve from them (INTRA, appendix B.1).

Everything that states and keys depend on is frozen, so the store stays valid. A question is read with as many chunks as
in use: its evidence, then alternately chunks that the encoder's round found and evidence of other questions. Only the
question distinguishes its own evidence from the rest, so the decoder learns to look for it. The loss is that of the
answer's tokens after the decoder's prompt. A step is a function of the seed and its number.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest

import torch
from torch import Tensor
from torch.nn import functional as F

from reatt.lessons.batches import short
from reatt.model.answers.decoding import Decoder
from reatt.model.asker import Asker
from reatt.model.backbone import ChunkText
from reatt.model.intra import Intra
from reatt.model.t5 import Cache
from reatt.progress import TrainingLog
from reatt.training.decoder import CLIP, EvidenceMaterial, Taken, drawn
from reatt.training.plans import Plan
from reatt_store.errors import QueriesFormat

ANSWER_PLAN = Plan(batch=16, rate=3e-4, rounds=1, learn_head=False, half=False, recompute=False)


@dataclass(frozen=True)
class Warmed:
    """A model after its warm start, or without one."""

    model: Intra
    log: TrainingLog = field(default_factory=lambda: TrainingLog((), None, False))
    asker: Asker | None = None  # None: it did not change

    @property
    def seconds(self) -> float:
        """The duration of the warm start."""
        return self.log.rows[-1].seconds if self.log.rows else 0.0

    def then(self, log: TrainingLog) -> TrainingLog:
        """Append later steps to those of the warm start."""
        before = len(self.log.rows)
        rows = (replace(row, step=row.step + before, seconds=row.seconds + self.seconds) for row in log.rows)
        return replace(log, rows=(*self.log.rows, *rows), stopped=log.stopped or self.log.stopped)


class AnswerLearner:
    """A copy of a model whose decoder learns to answer."""

    def __init__(self, model: Intra, material: EvidenceMaterial, plan: Plan) -> None:
        self.asker = copy.deepcopy(model.asker)
        self.model = Intra(self.asker, model.tokenizer, model.tokens, model.device, model.parts)
        self._material, self._plan = answered(material), plan
        self._weights = learning(self.asker)
        self._optimizer = torch.optim.AdamW(self._weights, lr=plan.rate, weight_decay=0.0)
        self.read = 0  # states that the decoder has read

    def step(self, number: int, rate: float) -> Taken:
        """Take a step; return the loss per token, averaged over questions."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        for weight in self._weights:
            weight.requires_grad_()
        self._optimizer.zero_grad()
        losses, examples = [], self._material.examples
        draw = random.Random(f"{self._plan.seed} {number}")  # noqa: S311
        chosen = drawn(len(examples), self._plan, number)
        evidence = [chunk for place in chosen for chunk in examples[place].close]
        for place in chosen:  # one graph at a time
            answer = draw.choice(examples[place].answers)
            loss = self._loss(place, answer, draw.sample(evidence, len(evidence)))
            torch.autograd.backward(loss / self._plan.batch)
            losses.append(float(loss.detach()))
        torch.nn.utils.clip_grad_norm_(self._weights, CLIP)
        self._optimizer.step()
        for weight in self._weights:
            weight.requires_grad_(False)  # other users of the model need no graph between two steps
        return Taken(answer=sum(losses) / len(losses))

    def _loss(self, place: int, answer: str, others: Sequence[int]) -> Tensor:
        example, tokenizer = self._material.examples[place], self.model.tokenizer
        chunks = self._read(place, others)
        kept, asked = self._material.index.memory(chunks), tokenizer.question(example.text)
        memory, _ = self.model.context(asked, [ChunkText("", "", kept.get(chunk)) for chunk in chunks])
        self.read += len(memory)
        prompt = self.asker.prompt(asked, tokenizer)
        return answer_loss(self.asker.decoder, self.asker.remember(memory), prompt, short(tokenizer.answer(answer)))

    def _read(self, place: int, others: Sequence[int]) -> list[int]:
        """Choose the chunks of an example: its evidence, then S0 and `others` in turn; store ids, no text twice."""
        corpus, before = self._material.corpus, self._material.before[place]
        beside = chain.from_iterable(zip_longest(before, others))
        every = (chunk for chunk in (*self._material.examples[place].close, *beside) if chunk in corpus.number)
        firsts = dict.fromkeys(corpus.equal[corpus.number[chunk]] for chunk in every)
        return [corpus.ids[first] for first in firsts][: self.model.reads]


def answer_loss(decoder: Decoder, cache: Cache, prompt: Sequence[int], answer: Sequence[int]) -> Tensor:
    """Compute the mean cross-entropy of an answer's tokens, including its end mark, after a prompt."""
    states = decoder.decode(torch.tensor([[*prompt, *answer[:-1]]]), cache)[0, len(prompt) - 1 :]  # (n, D)
    return F.cross_entropy(decoder.logits(states).float(), torch.tensor(answer, device=states.device))


def learning(asker: Asker) -> list[Tensor]:
    """List the weights that neither states nor keys depend on: those of the decoder, and of a separate head."""
    frozen = {id(weight) for weight in asker.depends_on()}
    return [weight for weight in asker.parameters() if id(weight) not in frozen]


def answered(material: EvidenceMaterial) -> EvidenceMaterial:
    """Keep the questions whose answers are known; raises QueriesFormat if there are none."""
    rows = zip(material.examples, material.before, strict=True)
    pairs = [(example, before) for example, before in rows if example.answers]
    if not pairs:
        message = "--warm-start trains the decoder to answer, but no question has answers"
        raise QueriesFormat(message, 'add "answers": [...] to the lines of --qa, or leave out --warm-start')
    examples, before = zip(*pairs, strict=True)
    return replace(material, examples=examples, before=before)
