"""Correct projections that retrieval has learnt separately: keep only part of the change, and the old spread of scores.

Cloze questions differ from people's questions. Weights between the old and the new ones work better for people than
either of them, and a long run does less harm (Wortsman et al., 2022, Robust fine-tuning of zero-shot models).

A contrastive loss falls when all scores grow, so they do grow. But other parts rely on their size: the reader's prior
over passages, its confidence, and hybrid search, which adds word scores. So the new order of passages is kept, and the
growth of scores is undone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from reatt.model.backbone import ChunkText
from reatt.model.reatt import ReAtt
from reatt.model.stacks.halves import loudness, projection
from reatt.search.score import maxsim

PROBES = 32  # questions, and as many passages
SHARE = 0.6  # of the change of the projections that is kept


def keep_part(before: ReAtt, after: ReAtt, share: float = SHARE) -> None:
    """Reduce the change of retrieval's projections to a share of it, in place."""
    with torch.no_grad():
        for side in "qk":
            projection(after.t5, after.head, side).lerp_(projection(before.t5, before.head, side).float(), 1 - share)


@torch.inference_mode()
def spread(model: ReAtt, questions: Sequence[Sequence[str]], passages: Sequence[ChunkText]) -> float:
    """Return the standard deviation of a question's scores over passages, averaged over questions."""
    keys = [code.keys for code in model.encode_chunks(passages)]
    asked = [model.encode_question(model.tokenizer.masked(question)) for question in questions]
    scores = [[float(maxsim(each.vectors, each.weights, key[None])) for key in keys] for each in asked]  # (Q, C)
    return float(torch.tensor(scores).std(1).mean())


def keep_spread(before: ReAtt, after: ReAtt, questions: Sequence[Sequence[str]], passages: Sequence[ChunkText]) -> None:
    """Scale retrieval's queries, in place, so that scores have the same spread as before."""
    wanted, found = (spread(model, questions, passages) for model in (before, after))
    with torch.no_grad():
        loudness(after.t5, after.head).mul_(wanted / found if found else 1.0)
