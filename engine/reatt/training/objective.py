"""The objective (ReAtt, section 3): the answer, and retrieval that learns from the attention of reading.

    L = L_QA + alpha * (L_cross-doc + L_cloze),    L_cross-doc = mean over questions of KL(P_target || P_retrieval)

`P_target` is the teacher's share of each close chunk, and 0 for chunks that are in the batch for other questions.
`P_retrieval` is the softmax of the retrieval attention (equation 1) over all chunks of the batch. `L_QA` is the mean
negative log likelihood of the batch's answer tokens. `L_cloze` is not in the paper. It is the same divergence for cloze
questions (`cloze`), whose targets are their source chunk and chunks found by words; it needs no teacher and no reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reatt.training.teachers import TEACHERS, Teacher

TAU = 0.001  # temperature of the head weights, section 3.2
LEAST_HEAD_WEIGHT = 0.01  # heads with less than this share of the best head's weight are dropped


@dataclass(frozen=True)
class Objective:
    """The parts of the loss; each can be switched off."""

    answers: bool = True  # L_QA
    cross_document: bool = True  # alpha * L_cross-doc
    cloze: bool = True  # alpha * L_cloze, if a batch has cloze questions
    in_batch: bool = True  # whether the other questions' chunks are in the retrieval distribution
    alpha: float = 8.0
    teacher: Teacher = TEACHERS["attention"]
    posterior: bool = False  # whether retrieval's own distribution multiplies the teacher's shares, as in EM


@dataclass(frozen=True)
class Learned:
    """The figures of a step for the log; losses of parts that are off are 0."""

    answer: float  # mean negative log likelihood of an answer token
    cross_document: float  # mean KL of a question, before alpha
    cloze: float  # mean KL of a cloze question, before alpha
    agreement: float  # share of questions for which retrieval's best chunk is the target's best


class HeadSelector(nn.Module):
    """Learns which head of block B retrieves: softmax(w / tau) over its heads (section 3.2).

    At tau = 0.001 a difference of 0.003 gives one head 95 % of the weight, so the choice is made within tens of steps.
    `w` must not have weight decay.
    """

    def __init__(self, heads: int, chosen: int | None = None, tau: float = TAU) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(heads))
        self.tau = tau
        if chosen is not None:
            self.choose(chosen)

    def choose(self, head: int) -> None:
        """Give one head all the weight; the softmax is then so steep that its gradient is 0."""
        with torch.no_grad():
            self.w.zero_()[head] = 1.0

    def weights(self, heads: Sequence[int] | None = None) -> Tensor:
        """Return the weight of each head among all, or among `heads`: (h,), sums to 1."""
        return ((self.w if heads is None else self.w[list(heads)]) / self.tau).softmax(0)

    def kept(self) -> list[int]:
        """List the heads that are not dropped yet; soon only one is left, and only its keys are computed."""
        weights = self.weights().detach()
        return (weights >= LEAST_HEAD_WEIGHT * weights.max()).nonzero().flatten().tolist()

    def best(self) -> int | None:
        """Return the head to export as `retrieval_head`; None as long as all weights are equal."""
        return int(self.w.argmax()) if self.w.any() else None


def target_matrix(shares: Sequence[Tensor], close: Sequence[Sequence[int]], columns: int) -> Tensor:
    """Put each question's shares (K,) into the columns of its close chunks; 0 elsewhere -> (Q, C)."""
    target = torch.zeros(len(shares), columns, dtype=shares[0].dtype, device=shares[0].device)
    for row, given, numbers in zip(target, shares, close, strict=True):
        row.index_add_(0, torch.tensor(numbers, device=row.device), given.detach())
    return target


def posterior(scores: Tensor, target: Tensor) -> Tensor:
    """Multiply each row of a target (Q, C) by retrieval's softmax over its chunks, and make it sum to 1 again.

    With shares p(answer | question, chunk) it is p(chunk | question, answer), the target of EM. The gradient of the
    marginal likelihood for the scores is the same (Sachan et al., 2021).
    """
    logs = target.clamp(min=torch.finfo(target.dtype).tiny).log() + scores.detach()
    return logs.masked_fill(target <= 0, -torch.inf).softmax(1)


def cross_document_loss(scores: Tensor, target: Tensor) -> Tensor:
    """Compute KL(target || softmax(scores)), both (Q, C): summed over chunks, mean over questions.

    `torch.nn.KLDivLoss` would by default also average over chunks, which would change the meaning of alpha.
    """
    log_retrieval = scores.log_softmax(1)
    wanted = target > 0  # a score may be -inf elsewhere
    terms = torch.where(wanted, target * log_retrieval.masked_fill(~wanted, 0), 0)
    return (torch.xlogy(target, target) - terms).sum(1).mean()
