"""A T5Gemma2 on disk, as it is published: `config.json`, shards of safetensors, `tokenizer.json`.

Its vision tower is neither built nor read. transformers makes the layers, on the meta device. The weights are copied
key by key; errors name every key that is missing, unknown or of the wrong shape.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import torch

from reatt.model.t5gemma import Reparameterised, T5Gemma, T5GemmaIds
from reatt.weights import headers
from reatt.weights.files import AGAIN
from reatt.weights.folder import INSTALL_HUB, ModelFolder
from reatt.weights.t5_files import complain, read_weights, shapes
from reatt_store.errors import ModelError

EYES = re.compile(r"^model\.encoder\.(vision_tower|multi_modal_projector)\.")
WORDS = "encoder.embed_tokens."  # also used for the decoder and the head if a file lacks those
OURS = (
    (re.compile(r"^model\.encoder\.(text_model\.)?"), "encoder."),  # transformers writes it, published files lack it
    (re.compile(r"^model\.decoder\."), "stack."),
    (re.compile(r"^lm_head\.out_proj\.weight$"), "head"),
)
T = TypeVar("T")
FORMS = {"exact": T5Gemma, "paper": Reparameterised}  # two ways to move the key projection to the query's side


def load_t5gemma(folder: ModelFolder, dtype: torch.dtype = torch.float32) -> T5Gemma:
    """Build the text part of a T5Gemma2 from a folder; raises `ModelError` naming everything that does not fit."""
    model = _unfilled(folder)
    entries = {_ours(name): entry for name, entry in headers.of_folder(folder.path, EYES).items()}
    complain(shapes(model), _shared(entries), folder.path)
    weights = _shared({_ours(name): weight.to(dtype) for name, weight in read_weights(folder.path, EYES)})
    model.load_state_dict(weights, assign=True)
    tie(model)
    return model.eval().requires_grad_(False)


def _shared(weights: dict[str, T]) -> dict[str, T]:
    """Use the encoder's embeddings for the decoder and the head, if a file lacks those."""
    whole = {name.replace("encoder.", "stack.", 1): each for name, each in weights.items() if name.startswith(WORDS)}
    whole |= {"head": weights[f"{WORDS}weight"]} if f"{WORDS}weight" in weights else {}
    return whole | weights


def tie(model: T5Gemma) -> None:
    """Make equal embeddings of encoder, decoder and head one tensor again, on any device."""
    words, read = model.encoder.embed_tokens, model.stack.embed_tokens
    if read.weight.data_ptr() == words.weight.data_ptr():
        read.weight, read.eoi_embedding = words.weight, words.eoi_embedding
    if model.head.data_ptr() == words.weight.data_ptr():
        model.head = words.weight


def _form(folder: ModelFolder) -> type[T5Gemma]:
    """Return the form that the checkpoint was trained for; published ones use the exact form."""
    named = folder.settings.get("rqwk", "exact")
    if isinstance(named, str) and named in FORMS:
        return FORMS[named]
    file = folder.path / "config.json"
    raise ModelError(f"{file}: rqwk is {named!r:.40}; expected {' or '.join(FORMS)}", AGAIN, str(file))


def _unfilled(folder: ModelFolder) -> T5Gemma:
    """Read the shape by transformers' own rules, and build a model without weights."""
    try:
        from huggingface_hub.errors import StrictDataclassError
        from transformers.models.t5gemma2.configuration_t5gemma2 import T5Gemma2Config
    except ImportError as error:
        raise ModelError(f"{folder.name} is a T5Gemma2, which transformers runs: {error}", INSTALL_HUB) from None
    form, file = _form(folder), folder.path / "config.json"
    wrong = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
    try:
        config: Any = T5Gemma2Config.from_dict({k: v for k, v in folder.config.items() if k != "reatt"})
        marks = T5GemmaIds(*(_id(config.decoder, key) for key in ("bos_token_id", "eos_token_id", "pad_token_id")))
        return form(*_stacks(config), marks)
    except (StrictDataclassError, *wrong) as error:  # whatever transformers makes of a number that cannot be
        message = f"{file} does not describe a T5Gemma2: {' '.join(str(error).split()):.200}"
        raise ModelError(message, AGAIN, str(file)) from None


def _stacks(config: Any) -> tuple[Any, Any]:
    """Build encoder and decoder without weights, but with the rotary angles and the embedding's scale."""
    from transformers.initialization import no_init_weights
    from transformers.models.t5gemma2 import modeling_t5gemma2 as parts

    shape = config.decoder
    if shape.attention_bias or shape.num_attention_heads % shape.num_key_value_heads:
        raise ValueError("keys have an offset, or key heads do not serve equally many query heads")
    kinds: tuple[Any, Any] = parts.T5Gemma2TextEncoder, parts.T5Gemma2Decoder
    made = []
    for kind, shape in zip(kinds, (config.encoder.text_config, config.decoder), strict=True):
        shape._attn_implementation = "sdpa"
        with torch.device("meta"), no_init_weights():
            stack = kind(shape, config.eoi_token_index)
        stack.rotary_emb = parts.T5Gemma2RotaryEmbedding(shape)
        stack.embed_tokens.embed_scale = torch.tensor(shape.hidden_size**0.5)
        made.append(stack)
    return made[0], made[1]


def _ours(name: str) -> str:
    """Translate a published weight's name into ours."""
    for published, ours in OURS:
        name = published.sub(ours, name)
    return name


def _id(side: Any, key: str) -> int:
    """Read the id of a mark; if there are several, the first."""
    found = getattr(side, key)
    found = found[0] if isinstance(found, list) and found else found
    if type(found) is int and 0 <= found < side.vocab_size:
        return found
    raise ValueError(f"{key} is {found!r:.40}; expected an id")
