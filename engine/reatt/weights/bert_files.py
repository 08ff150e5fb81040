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
from reatt.weights import headers
from reatt.weights.bert_shape import FolderShape, read_shape
from reatt.weights.bounds import COUNTS
from reatt.weights.files import AGAIN
from reatt.weights.folder import EMBEDDINGS
from reatt.weights.headers import Entry
from reatt.weights.t5_files import RETRIEVAL, Uninitialised, complain, read_weights, shapes
from reatt_store.errors import ModelError

REDUNDANT = re.compile(r"^bert\.(pooler\.|embeddings\.position_ids$)")


def load_bert(folder: Path, dtype: torch.dtype = torch.float32) -> T5:
    """Build the model of a folder; raises `ModelError` naming everything that does not fit."""
    shape, apart = read_shape(folder), (folder / EMBEDDINGS).is_file()
    entries = {our_name(name): entry for name, entry in headers.of_folder(folder, REDUNDANT).items()}
    model = unfilled(replace(shape, width=shape.width or _width(entries)))
    expected = shapes(model)
    expected.pop("lm_head.weight")
    if apart:
        _check_words(folder / EMBEDDINGS, expected.pop(WORDS))
    complain(expected, entries, folder)
    weights = {our_name(name): weight for name, weight in read_weights(folder, REDUNDANT)}
    if apart:
        weights[WORDS] = _widened(folder / EMBEDDINGS)
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
        if shape.pairs is not None:
            model.pointer = Pointer(shape.encoder.hidden_size, shape.encoder.sep_token_id, shape.pairs)
    return model


def _width(entries: Mapping[str, Entry]) -> int | None:
    """Return the width of keys from the weights; None if the model retrieves by a head."""
    found = entries.get(f"{RETRIEVAL}k.weight")
    return min(found.shape[0], COUNTS["width"][1]) if found is not None and found.shape else None


def eight_bits(words: Tensor) -> dict[str, Tensor]:
    """Round embeddings (V, D) to 8 bits with a scale for each row, as in `embeddings.safetensors`."""
    scale = words.float().abs().amax(1).clamp(min=1e-12) / 127
    return {
        "word_embeddings.weight": (words.float() / scale[:, None]).round().to(torch.int8),
        "word_embeddings.scale": scale,
    }


def _check_words(file: Path, shape: tuple[int, ...]) -> None:
    """Raise ModelError unless a file holds embeddings (V, D) in 8 bits, with their scales."""
    entries = headers.of_file(file)
    words = entries.get("word_embeddings.weight")
    if words is not None and words.type != "I8":
        raise ModelError(f"{file} holds embeddings that are not of 8 bits", AGAIN, str(file))
    floats = {name: replace(entry, type="F16" if entry is words else entry.type) for name, entry in entries.items()}
    complain({"word_embeddings.weight": shape, "word_embeddings.scale": shape[:1]}, floats, file)


def _widened(file: Path) -> Tensor:
    """Read embeddings (V, D) from their 8-bit file."""
    try:
        with safe_open(file, framework="pt") as stream:
            found = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise headers.damaged(file, str(error)) from None
    words: Tensor = found["word_embeddings.weight"].float() * found["word_embeddings.scale"].float()[:, None]
    return words
