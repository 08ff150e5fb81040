"""The names of a T5's weights: ours and those of Hugging Face, and the translation in both directions."""

from __future__ import annotations

import re

from torch import Tensor

from reatt.model.t5 import T5

# Ours on the right; the numbers of a block's layers differ between encoder and decoder.
RENAMES = (
    (r"^(encoder|decoder)\.block\.0\.layer\.0\.SelfAttention\.relative_attention_bias\.", r"\1.position."),
    (r"^(encoder|decoder)\.block\.(\d+)\.layer\.0\.SelfAttention\.", r"\1.blocks.\2.attention."),
    (r"^(encoder|decoder)\.block\.(\d+)\.layer\.0\.layer_norm\.", r"\1.blocks.\2.attention_norm."),
    (r"^decoder\.block\.(\d+)\.layer\.1\.EncDecAttention\.", r"decoder.blocks.\1.cross."),
    (r"^decoder\.block\.(\d+)\.layer\.1\.layer_norm\.", r"decoder.blocks.\1.cross_norm."),
    (r"^(encoder|decoder)\.block\.(\d+)\.layer\.[12]\.DenseReluDense\.wi(?:_0)?\.", r"\1.blocks.\2.feed_forward.wi.0."),
    (r"^(encoder|decoder)\.block\.(\d+)\.layer\.[12]\.DenseReluDense\.wi_1\.", r"\1.blocks.\2.feed_forward.wi.1."),
    (r"^(encoder|decoder)\.block\.(\d+)\.layer\.[12]\.DenseReluDense\.wo\.", r"\1.blocks.\2.feed_forward.wo."),
    (r"^(encoder|decoder)\.block\.(\d+)\.layer\.[12]\.layer_norm\.", r"\1.blocks.\2.feed_forward_norm."),
    (r"^(encoder|decoder)\.final_layer_norm\.", r"\1.final_norm."),
)
# The reverse translation; {} is the number of a block's last layer.
PUBLISHED = {
    "attention": "layer.0.SelfAttention",
    "attention_norm": "layer.0.layer_norm",
    "cross": "layer.1.EncDecAttention",
    "cross_norm": "layer.1.layer_norm",
    "feed_forward": "layer.{}.DenseReluDense",
    "feed_forward_norm": "layer.{}.layer_norm",
}


def our_name(published: str) -> str:
    """Translate a published weight's name into ours; one without a rule stays as it is."""
    for pattern, ours in RENAMES:
        renamed, count = re.subn(pattern, ours, published)
        if count:
            return renamed
    return published


def published_name(ours: str, *, gated: bool) -> str:
    """Translate our name of a weight into the published one; undoes `our_name`."""
    in_block = re.fullmatch(r"(encoder|decoder)\.blocks\.(\d+)\.(\w+)\.(.+)", ours)
    if in_block is None:
        name = ours.replace(".final_norm.", ".final_layer_norm.")
        return name.replace(".position.", ".block.0.layer.0.SelfAttention.relative_attention_bias.")
    side, number, part, weight = in_block.groups()
    layer = PUBLISHED[part].format(1 if side == "encoder" else 2)
    weight = re.sub(r"^wi\.(\d)", r"wi_\1" if gated else "wi", weight)
    return f"{side}.block.{number}.{layer}.{weight}"


def published_weights(t5: T5) -> dict[str, Tensor]:
    """Return a model's weights under their published names; without a tied head, as in published files."""
    weights = {published_name(name, gated=t5.config.gated): weight for name, weight in t5.state_dict().items()}
    if t5.config.tie_word_embeddings:
        del weights["lm_head.weight"]
    return weights
