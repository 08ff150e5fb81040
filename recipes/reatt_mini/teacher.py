"""The pretrained encoder as it came, which finds well untrained: what retrieval learns beside its labels.

Labels alone make it forget names, since a question's wrong chunks are often of the same article and share them.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from recipes.reatt_mini import shape
from recipes.reatt_mini.batches import Batch
from recipes.reatt_mini.losses import Keys, Learner, maxsim

SHARPNESS = 60.0  # of its cosines


class Teacher:
    """The pretrained encoder of a folder; every text is one of its first kind, as it was trained."""

    def __init__(self, folder: Path, learner: Learner) -> None:
        model = shape.pretrained(folder, learner.layer)
        self._learner = Learner(model, learner.layer, learner.depth, narrow=learner.narrow)
        self._learner.requires_grad_(requires_grad=False).to(learner.temperature.device)

    def logs(self, batch: Batch) -> Tensor:
        """Give each question's log-probabilities of the batch's chunks: (Q, C)."""
        encoder = self._learner
        with torch.no_grad():
            with encoder.products():
                asked = encoder.deeper(encoder.lower([question.ids for question in batch.questions], 0))
                chunks = encoder.deeper(encoder.lower([chunk.ids for chunk in batch.chunks], 0))
            keys = Keys(F.normalize(chunks.values.float(), dim=-1), chunks.layout, batch.numbers)
            scores = maxsim(F.normalize(asked.values.float(), dim=-1), asked.layout, keys)
            return (scores * SHARPNESS).log_softmax(1)
