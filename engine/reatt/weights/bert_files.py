"""A BERT encoder with a T5 decoder on disk, as docs/model-format.md describes it.

The encoder's weights have BERT's published names, the decoder's those of T5. Both share the word embeddings, which may
be in a file of their own, `embeddings.safetensors`, in 8 bits. Errors name every weight that is missing, unknown or of
the wrong shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from reatt.model.projections import Pointer, Projections
from reatt.model.stacks.bert import BertStack
from reatt.model.stacks.names import WORDS, our_name
from reatt.model.t5 import T5
from reatt.weights.bert_shape import FolderShape, read_shape
from reatt.weights.folder import EMBEDDINGS
from reatt.weights.t5_files import RETRIEVAL, Uninitialised, complain, read_weights
from reatt_store.errors import ModelError

REDUNDANT = re.compile(r"^bert\.(pooler\.|embeddings\.position_ids$)")


def load_bert(folder: Path, dtype: torch.dtype = torch.float32) -> T5:
    """Build the model of a folder; raises `ModelError` naming everything that does not fit."""
    shape, apart = read_shape(folder), (folder / EMBEDDINGS).is_file()
    weights = {our_name(name): weight for name, weight in read_weights(folder, REDUNDANT)}
    model = unfilled(replace(shape, width=shape.width or _width(weights)))
    expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items() if name != "lm_head.weight"}
    if apart:
        complain({name: shape for name, shape in expected.items() if name != WORDS}, weights, folder)
        weights[WORDS] = _widened(folder / EMBEDDINGS, expected[WORDS])
    else:
        complain(expected, weights, folder)
    model.load_state_dict({name: weight.to(dtype) for name, weight in weights.items()}, strict=False, assign=True)
    model.lm_head.weight = model.shared.weight
    model.fixed = (model.shared,) if apart else ()
    return model.eval().requires_grad_(False)


def unfilled(shape: FolderShape) -> T5:
    """Build a model without its weights."""
    with torch.device("meta"), Uninitialised():
        model = T5(shape.decoder, BertStack(shape.encoder))
        if shape.width is not None:
            model.retrieval = Projections(shape.encoder.hidden_size, shape.width, shape.form)
        if shape.points:
            model.pointer = Pointer(shape.encoder.hidden_size, shape.encoder.sep_token_id)
    return model


def _width(weights: Mapping[str, Tensor]) -> int | None:
    """Return the width of keys from the weights; None if the model retrieves by a head."""
    found = weights.get(f"{RETRIEVAL}k.weight")
    return len(found) if found is not None and found.ndim else None


def eight_bits(words: Tensor) -> dict[str, Tensor]:
    """Round embeddings (V, D) to 8 bits with a scale for each row, as in `embeddings.safetensors`."""
    scale = words.float().abs().amax(1).clamp(min=1e-12) / 127
    return {
        "word_embeddings.weight": (words.float() / scale[:, None]).round().to(torch.int8),
        "word_embeddings.scale": scale,
    }


def _widened(file: Path, shape: tuple[int, ...]) -> Tensor:
    """Read embeddings (V, D) from their 8-bit file."""
    try:
        with safe_open(file, framework="pt") as stream:
            found = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ModelError(f"{file} is damaged: {error}", "copy the model again", str(file)) from None
    complain({"word_embeddings.weight": shape, "word_embeddings.scale": shape[:1]}, found, file)
    if found["word_embeddings.weight"].dtype != torch.int8:
        raise ModelError(f"{file} holds embeddings that are not of 8 bits", "copy the model again", str(file))
    words: Tensor = found["word_embeddings.weight"].float() * found["word_embeddings.scale"].float()[:, None]
    return words
