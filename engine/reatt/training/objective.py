"""What is learnt (ReAtt, section 3): the answer, and retrieval from what reading attended to.

    L = L_QA + alpha * (L_cross-doc + L_cloze),    L_cross-doc = mean over questions of KL(P_target || P_retrieval)

`P_target` is the teacher's share of each close chunk, and 0 for the chunks that are in the batch for other questions;
`P_retrieval` is the softmax over all chunks of the batch of the retrieval attention (equation 1). `L_QA` is the mean
negative log likelihood of the batch's answer tokens. `L_cloze` is not the paper's: the same divergence of
cloze questions (`cloze`), to which the chunk that each was made from is close and those that words find; it needs no
teacher and no reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reatt.training.teachers import TEACHERS, Teacher

TAU = 0.001  # temperature of the head weights, section 3.2
LEAST_HEAD_WEIGHT = 0.01  # of the best head's weight: a head that weighs less is out


@dataclass(frozen=True)
class Objective:
    """What is learnt; each part can be switched off."""

    answers: bool = True  # L_QA
    cross_document: bool = True  # alpha * L_cross-doc
    cloze: bool = True  # alpha * L_cloze, where a batch has cloze questions
    in_batch: bool = True  # whether the other questions' chunks are in the retrieval distribution
    alpha: float = 8.0
    teacher: Teacher = TEACHERS["attention"]


@dataclass(frozen=True)
class Learned:
    """What a step's log says; 0 for the losses of parts that are off."""

    answer: float  # mean negative log likelihood of an answer token
    cross_document: float  # mean KL of a question, before alpha
    cloze: float  # mean KL of a cloze question, before alpha
    agreement: float  # questions for which retrieval puts first, of all chunks, the one that it is told to


class HeadSelector(nn.Module):
    """Learns which head of block B retrieves: softmax(w / tau) over its heads (section 3.2).

    At tau = 0.001 a difference of 0.003 gives one head 95 % of the weight: the choice is made in tens of steps. No
    weight decay belongs on `w`.
    """

    def __init__(self, heads: int, chosen: int | None = None, tau: float = TAU) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(heads))
        self.tau = tau
        if chosen is not None:
            self.choose(chosen)

    def choose(self, head: int) -> None:
        """Give one head all the weight; the softmax is then so steep that no gradient comes back."""
        with torch.no_grad():
            self.w.zero_()[head] = 1.0

    def weights(self, heads: Sequence[int] | None = None) -> Tensor:
        """Return what each head counts among all, or among some: (h,), sums to 1."""
        return ((self.w if heads is None else self.w[list(heads)]) / self.tau).softmax(0)

    def kept(self) -> list[int]:
        """Name the heads that are still in the running: soon a single one, and only its keys are computed."""
        weights = self.weights().detach()
        return (weights >= LEAST_HEAD_WEIGHT * weights.max()).nonzero().flatten().tolist()

    def best(self) -> int | None:
        """Name the head to export as `retrieval_head`; None while none is ahead, since nothing has taught which."""
        return int(self.w.argmax()) if self.w.any() else None


def target_matrix(shares: Sequence[Tensor], close: Sequence[Sequence[int]], columns: int) -> Tensor:
    """Lay each question's shares (K,) into its row, at the columns of its close chunks; 0 elsewhere -> (Q, C)."""
    target = torch.zeros(len(shares), columns, dtype=shares[0].dtype, device=shares[0].device)
    for row, given, numbers in zip(target, shares, close, strict=True):
        row.index_add_(0, torch.tensor(numbers, device=row.device), given.detach())
    return target


def cross_document_loss(scores: Tensor, target: Tensor) -> Tensor:
    """KL(target || softmax(scores)), both (Q, C): summed over chunks, mean over questions.

    `torch.nn.KLDivLoss` would by default average over chunks as well, and alpha would mean something else.
    """
    log_retrieval = scores.log_softmax(1)
    wanted = target > 0  # a score may be -inf elsewhere
    terms = torch.where(wanted, target * log_retrieval.masked_fill(~wanted, 0), 0)
    return (torch.xlogy(target, target) - terms).sum(1).mean()
