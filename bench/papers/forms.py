"""By what a model finds before it is taught to; each form returns a model with the weights of the one it is given.

- `top`: projections above the last block, as the bundled model has. `block`: projections at block B. Both begin as
  principal components of the states there.
- `head`: a head of block B's own attention, as in the paper: the one that finds best untaught.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from bench.papers.lessons import Material
from bench.quality.mini_sets import spaced
from reatt.model.backbone import ChunkText
from reatt.model.reatt import ReAtt
from reatt.model.stacks.bert import BertBlock, BertStack
from reatt.model.stacks.halves import Head, Padded, alone, head_keys, head_queries, learn_apart, lower_half, pad
from reatt.model.t5 import T5
from reatt.training.scores import retrieval_scores
from recipes.reatt_mini.losses import TEMPERATURE
from recipes.reatt_mini.shape import find_by_components

PROBED = 200  # passages whose states retrieval begins with
ASKED = 100  # questions of training by which a head is chosen
TOGETHER = 16


def by_components(model: ReAtt, material: Material, *, top: bool) -> ReAtt:
    """Find by principal components of the states above the last block, or at block B."""
    layer, t5 = model.head.layer, model.t5
    head = replace(model.head, further=len(t5.encoder.layers()) - layer if top else 0)
    learn_apart(t5, head)
    passages = spaced(material.corpus.passages, PROBED)
    parts = [passages[at : at + TOGETHER] for at in range(0, len(passages), TOGETHER)]
    find_by_components(t5, torch.cat([_states(model, head, part) for part in parts]))
    assert t5.retrieval is not None
    t5.retrieval.q.weight.data.mul_(TEMPERATURE)
    return found_by(model, t5, head)


def by_head(model: ReAtt, material: Material) -> ReAtt:
    """Find by the head of block B that finds best untaught."""
    t5, layer = model.t5, model.head.layer
    t5.retrieval = None
    examples = spaced([each for each in material.examples if each.chunk is not None], ASKED)
    chunks = list(dict.fromkeys(each.chunk for each in examples if each.chunk is not None))
    passages = [material.corpus.passages[material.corpus.number[chunk]] for chunk in chunks]
    own = torch.tensor([chunks.index(each.chunk) for each in examples if each.chunk is not None])
    asked = _lower(model, [model.tokenizer.question(each.text).ids for each in examples])
    kept = _lower(model, [tokens.ids for tokens in model.tokenizer.chunks(passages)])
    heads = [Head(layer, number) for number in range(t5.encoder.head_count)]
    return found_by(model, t5, max(heads, key=lambda head: _hits(t5, head, asked, kept, own)))


FORMS: dict[str, Callable[[ReAtt, Material], ReAtt]] = {
    "top": partial(by_components, top=True),
    "block": partial(by_components, top=False),
    "head": by_head,
}


def found_by(model: ReAtt, t5: T5, head: Head) -> ReAtt:
    """Return a model with another Transformer and another head."""
    rest = (model.calibration, model.reads, model.prior, model.chooser)
    return ReAtt(t5, model.tokenizer, head, model.device, *rest)


@torch.no_grad()
def _hits(t5: T5, head: Head, asked: Padded, kept: Padded, own: Tensor) -> int:
    """Count the questions whose own passage scores best."""
    queries, keys = head_queries(t5, head, asked.values), head_keys(t5, head, kept.values)
    scores = retrieval_scores(queries[:, :, None], asked.keep, keys[:, :, None], kept.keep, torch.ones(1))
    return int((scores.argmax(1) == own).sum())


@torch.no_grad()
def _lower(model: ReAtt, texts: Sequence[Sequence[int]]) -> Padded:
    return lower_half(model.t5, model.head.layer, pad(texts, model.device))


@torch.no_grad()
def _states(model: ReAtt, head: Head, passages: Sequence[ChunkText]) -> Tensor:
    ids = [tokens.ids for tokens in model.tokenizer.chunks(passages)]
    found = alone(model.t5, head, _lower(model, ids))
    return model.t5.encoder.reads(head.depth, found.values[found.keep])


class Mean(nn.Module):
    """The mean of a text's states, at each of its tokens."""

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Average states (B, n, D) where `bias` (B, 1, 1, n) hides nothing."""
        keep = (bias[:, 0, 0] == 0).to(x.dtype)[..., None]  # (B, n, 1)
        mean = (x * keep).sum(1, keepdim=True) / keep.sum(1, keepdim=True)
        return mean.expand_as(x)


class OneVector(BertStack):
    """An encoder whose texts have one vector where retrieval projects them; what is read jointly stays as it was."""

    def __init__(self, whole: BertStack, head: Head) -> None:
        super().__init__(whole.config)
        self.load_state_dict(whole.state_dict())
        self._alone, self._mean = slice(head.layer, head.depth), (Mean(),)  # no module: it has no weights

    def layers(self, which: slice = slice(None)) -> list[BertBlock]:
        """List the blocks, and the mean after the last that a text passes alone."""
        blocks = list(super().layers(which))
        return [*blocks, cast("BertBlock", self._mean[0])] if which == self._alone else blocks


def with_one_vector(model: ReAtt) -> ReAtt:
    """Return a model that finds a text by one vector; it needs blocks between B and R."""
    assert model.head.further, "one vector is taken between blocks B and R"
    t5 = copy.copy(model.t5)
    t5._modules = dict(model.t5._modules)
    t5.encoder = OneVector(cast("BertStack", model.t5.encoder), model.head)
    return found_by(model, t5, model.head)
