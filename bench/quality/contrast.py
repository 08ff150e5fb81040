"""What else could be learnt from bare documents: two contrastive trainings of the same retrieval head.

- `simcse`: a text and itself, told apart by dropout alone (Gao et al., 2021).
- `crops`: two random stretches of a text, one as the question (Izacard et al., 2022).

Both score by the head's attention (MaxSim), take the other texts of the batch as wrong ones, and learn all encoder
weights with the optimiser and the schedule that `reatt adapt` has, in the same minutes, at the paper's 5e-5.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch.nn import functional as F

from reatt.model.backbone import ChunkText
from reatt.model.reatt import ReAtt, alone, head_keys, head_queries, lower_half, pad
from reatt.model.t5 import T5
from reatt.training.plans import Plan, rate
from reatt.training.scores import retrieval_scores

BATCH = 16  # texts
DROPOUT = 0.1  # where a model has none, there would be no two views
CROP = (0.1, 0.5)  # share of a text's words

Pair = tuple[str, ChunkText]  # what asks, and what is to be found
Views = Callable[[ChunkText, random.Random], Pair]


def itself(passage: ChunkText, draw: random.Random) -> Pair:
    """Ask with a text for itself."""
    return passage.text, passage


def crops(passage: ChunkText, draw: random.Random) -> Pair:
    """Ask with one stretch of a text for another one."""
    return _crop(passage.text, draw), ChunkText(passage.title, _crop(passage.text, draw))


VIEWS: dict[str, Views] = {"simcse": itself, "crops": crops}


def _crop(text: str, draw: random.Random) -> str:
    words = text.split()
    count = max(1, round(draw.uniform(*CROP) * len(words)))
    start = draw.randint(0, len(words) - count)
    return " ".join(words[start : start + count])


def train(model: ReAtt, passages: Sequence[ChunkText], views: Views, minutes: float, seed: int = 0) -> ReAtt:
    """Return a copy of a model that has learnt for so many minutes to tell a text's other view from other texts."""
    t5 = T5(replace(model.t5.config, dropout_rate=model.t5.config.dropout_rate or DROPOUT)).to(model.device)
    t5.load_state_dict(model.t5.float().state_dict())
    learner = ReAtt(t5.train(), model.tokenizer, model.head, model.device, model.calibration)
    plan, draw, began = Plan(), random.Random(seed), time.monotonic()
    optimizer = torch.optim.AdamW(t5.parameters(), lr=plan.rate, weight_decay=0.0)
    torch.manual_seed(seed)
    while (share := (time.monotonic() - began) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate(plan, share)
        optimizer.zero_grad()
        chosen = draw.sample(passages, min(BATCH, len(passages)))
        torch.autograd.backward(_loss(learner, [views(passage, draw) for passage in chosen]))
        torch.nn.utils.clip_grad_norm_(t5.parameters(), plan.clip)
        optimizer.step()
    t5.eval()
    return learner


def _loss(model: ReAtt, pairs: Sequence[Pair]) -> torch.Tensor:
    """InfoNCE over the batch: each question's own text is the right one."""
    t5, head = model.t5, model.head
    texts = [tokens.ids for tokens in model.tokenizer.chunks([text for _, text in pairs])]
    asked = lower_half(t5, head.layer, pad([model.tokenizer.question(q).ids for q, _ in pairs], model.device))
    found = lower_half(t5, head.layer, pad(texts, model.device))
    queries = head_queries(t5, head, alone(t5, head, asked).values)[:, :, None]  # (Q, m, 1, d)
    keys = head_keys(t5, head, alone(t5, head, found).values)[:, :, None]  # (C, n, 1, d)
    scores = retrieval_scores(queries, asked.keep, keys, found.keep, torch.ones(1, device=model.device))  # (Q, C)
    return F.cross_entropy(scores, torch.arange(len(pairs), device=model.device))
