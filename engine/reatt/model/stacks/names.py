"""The names of a model's weights: ours, and the published ones that its kind of folder uses.

A BERT encoder uses the published names of BERT, and the T5 decoder above it those of T5 (`t5_names`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from torch import Tensor

from reatt.model import t5_names
from reatt.model.t5 import T5

WORDS = "shared.weight"
# The names inside a block, then inside the embeddings: ours, then BERT's.
PARTS = (
    ("attention.q", "attention.self.query"),
    ("attention.k", "attention.self.key"),
    ("attention.v", "attention.self.value"),
    ("attention.o", "attention.output.dense"),
    ("attention_norm", "attention.output.LayerNorm"),
    ("wi", "intermediate.dense"),
    ("wo", "output.dense"),
    ("feed_forward_norm", "output.LayerNorm"),
)
EMBEDDED = (
    ("position", "position_embeddings"),
    ("kind", "token_type_embeddings"),
    ("norm", "LayerNorm"),
)
BEGIN, WORD_TABLE = "bert.embeddings.", "bert.embeddings.word_embeddings.weight"


def published(model: T5) -> dict[str, Tensor]:
    """Return a model's weights under their published names."""
    return PUBLISHED[model.encoder.kind](model)


def bert_weights(model: T5) -> dict[str, Tensor]:
    """Return a model's weights under their published names, without fixed embeddings: these have their own file."""
    gated = model.config.gated
    left_out = {"lm_head.weight", *([WORDS] if model.shared in model.fixed else [])}
    weights = {name: weight for name, weight in model.state_dict().items() if name not in left_out}
    return {published_name(name, gated=gated): weight for name, weight in weights.items()}


def our_name(published: str) -> str:
    """Translate a published weight's name into ours; one without a rule stays as it is."""
    if published == WORD_TABLE:
        return WORDS
    block = re.fullmatch(r"bert\.encoder\.layer\.(\d+)\.(.+)\.(weight|bias)", published)
    for ours, theirs in PARTS if block else ():
        if block and block[2] == theirs:
            return f"encoder.blocks.{block[1]}.{ours}.{block[3]}"
    for ours, theirs in EMBEDDED:
        if published.startswith(f"{BEGIN}{theirs}."):
            return f"encoder.embeddings.{ours}.{published.rpartition('.')[2]}"
    return t5_names.our_name(published)


def published_name(ours: str, *, gated: bool) -> str:
    """Translate our name of a weight into the published one; undoes `our_name`."""
    if ours == WORDS:
        return WORD_TABLE
    name, _, end = ours.rpartition(".")
    block = re.fullmatch(r"encoder\.blocks\.(\d+)\.(.+)", name)
    if block:
        return f"bert.encoder.layer.{block[1]}.{dict(PARTS)[block[2]]}.{end}"
    if name.startswith("encoder.embeddings."):
        return f"{BEGIN}{dict(EMBEDDED)[name.rpartition('.')[2]]}.{end}"
    return t5_names.published_name(ours, gated=gated)


PUBLISHED: dict[str, Callable[[T5], dict[str, Tensor]]] = {
    "t5": t5_names.published_weights,
    "bert-t5": bert_weights,
}
