"""The pretrained encoder as it came, which finds well untrained: what retrieval learns beside its labels.

Labels alone make it forget names, since a question's wrong chunks are often of the same article and share them. Rare
pieces count more than common ones, which finds better (docs/LOG.md); queries learn to have their length.

Axes: Q questions, C chunks, V vocabulary.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from recipes.reatt_mini import shape
from recipes.reatt_mini.batches import Batch
from recipes.reatt_mini.data import Ids, Sets
from recipes.reatt_mini.losses import Keys, Learner, maxsim

SHARPNESS = 60.0  # of its cosines


def rarity(sets: Sets) -> Tensor:
    """Weigh each piece (V,) by the root of the logarithm of the share of chunks that hold it."""
    found = [set(questions.texts[n]) for questions, _ in sets.values() for n in range(len(questions.texts))]
    counts = torch.bincount(
        torch.tensor([piece for pieces in found for piece in pieces]), minlength=shape.CONFIG["vocab_size"]
    )
    return (1 + len(found) / (1 + counts)).log().sqrt()


class Teacher:
    """The pretrained encoder of a folder; every text is one of its first kind, as it was trained."""

    def __init__(self, folder: Path, learner: Learner, weights: Tensor) -> None:
        model = shape.pretrained(folder, learner.layer)
        device = learner.temperature.device
        self._learner = Learner(model, learner.layer, learner.depth, narrow=learner.narrow)
        self._learner.requires_grad_(requires_grad=False).to(device)
        self._weights = weights.to(device)  # (V,) of pieces

    def logs(self, batch: Batch) -> Tensor:
        """Give each question's log-probabilities of the batch's chunks: (Q, C)."""
        encoder = self._learner
        questions = [question.ids for question in batch.questions]
        with torch.no_grad():
            with encoder.products():
                asked = encoder.deeper(encoder.lower(questions, 0))
                chunks = encoder.deeper(encoder.lower([chunk.ids for chunk in batch.chunks], 0))
            keys = Keys(F.normalize(chunks.values.float(), dim=-1), chunks.layout, batch.numbers)
            queries = F.normalize(asked.values.float(), dim=-1) * self._shares(questions)[:, None]
            return (maxsim(queries, asked.layout, keys) * SHARPNESS).log_softmax(1)

    def _shares(self, questions: list[Ids]) -> Tensor:
        """Weigh the tokens of all questions, one after the other; the mean over a question's is 1."""
        rows = [self._weights[list(ids)] for ids in questions]
        return torch.cat([row / row.mean() for row in rows])
