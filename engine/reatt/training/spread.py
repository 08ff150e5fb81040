"""What is kept of what retrieval learnt alone: a part of the way, and how far it told passages apart before.

Cloze questions are not people's. Weights between those before and those after find better for people than either end,
and a long run does less harm (Wortsman et al., 2022, Robust fine-tuning of zero-shot models).

A contrastive loss falls when all scores grow, and grow they do. But the head's scores are known as they were: to the
reader as a prior over passages, to its confidence, and to hybrid search, which adds those of words.
So what was learnt is kept, which is an order, and what only grew is taken back.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from reatt.model.backbone import ChunkText
from reatt.model.reatt import ReAtt
from reatt.model.stacks.halves import loudness, projection
from reatt.search.score import maxsim

PROBES = 32  # questions, and as many passages
SHARE = 0.6  # of the way from what the projections were to what they became


def keep_part(before: ReAtt, after: ReAtt, share: float = SHARE) -> None:
    """Take retrieval's projections back, in place, to a share of the way from what they were."""
    with torch.no_grad():
        for side in "qk":
            projection(after.t5, after.head, side).lerp_(projection(before.t5, before.head, side).float(), 1 - share)


@torch.inference_mode()
def spread(model: ReAtt, questions: Sequence[Sequence[str]], passages: Sequence[ChunkText]) -> float:
    """Return the standard deviation of a question's scores over passages, in the mean of the questions."""
    keys = [code.keys for code in model.encode_chunks(passages)]
    asked = [model.queries(model.tokenizer.masked(question)) for question in questions]
    scores = [[float(maxsim(each.vectors, each.weights, key[None])) for key in keys] for each in asked]  # (Q, C)
    return float(torch.tensor(scores).std(1).mean())


def keep_spread(before: ReAtt, after: ReAtt, questions: Sequence[Sequence[str]], passages: Sequence[ChunkText]) -> None:
    """Scale retrieval's queries, in place, until scores lie as far apart as before."""
    wanted, found = (spread(model, questions, passages) for model in (before, after))
    with torch.no_grad():
        loudness(after.t5, after.head).mul_(wanted / found if found else 1.0)
