"""The one door to a model's weights: what comes through has the hash that was recorded, is finite and fits together.

A model may come from a stranger or from a failing disk. One that was found sound is known by its hash, so that an
unchanged model costs nothing the next time. `models` opens everything here; the tests allow no other way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from safetensors import SafetensorError, safe_open
from torch import Tensor

from reatt.model.tokens import TextTokenizer
from reatt.weights import tokenizer_bounds
from reatt.weights.files import AGAIN, digest, found_sound, identities, remember_sound
from reatt.weights.folder import ModelFolder
from reatt.weights.headers import damaged
from reatt.weights.memory import check_files, check_to_load
from reatt.weights.tokenizer_files import read_tokenizer
from reatt_store.errors import ModelError

LARGEST = 1e15  # of a weight; products of larger ones are soon no numbers
MEND = {
    "store": ("those that the store was made with", "reatt check --repair"),
    "added": ("those that were added", "reatt models add it once more"),
    "bundled": ("those that come with reatt", "install reatt again"),
}
M = TypeVar("M")


@dataclass(frozen=True)
class Loaded(Generic[M]):
    """A model and its tokenizer."""

    model: M
    tokenizer: TextTokenizer


def opened(folder: ModelFolder, load: Callable[[], M], vocabulary: Callable[[M], int]) -> Loaded[M]:
    """Load a model; raises ModelError if its files are not what they should be, OutOfMemory if they are too large."""
    files = folder.files
    before, sha256 = identities(files), digest(files)
    require_recorded(folder, sha256)
    check_files(folder)
    check_to_load(folder)
    known = found_sound(sha256)
    if not known:
        tokenizer_bounds.check(folder.path / "tokenizer.json")
    loaded = Loaded(load(), read_tokenizer(folder))
    if not known:
        require_finite(file for file in files if file.suffix == ".safetensors")
        require_fitting(folder, loaded.tokenizer, vocabulary(loaded.model))
    if identities(folder.files) != before:
        raise ModelError(f"{folder.path} changed while it was read", "run it again", str(folder.path))
    if not known:
        remember_sound(sha256)
    return loaded


def require_recorded(folder: ModelFolder, sha256: str) -> None:
    """Raise ModelError unless a model has the hash that was recorded for it, if one was."""
    if folder.recorded in (None, sha256):
        return
    said, fix = MEND[folder.origin]
    message = f"the files of {folder.name} in {folder.path} are not {said}: they were damaged or changed"
    raise ModelError(message, fix, str(folder.path))


def require_finite(files: Iterable[Path]) -> None:
    """Raise ModelError naming the first weight that is no number, or an absurd one."""
    for file in files:
        try:
            with safe_open(file, framework="pt") as stream:
                wrong = next((name for name in stream.keys() if not _sane(stream.get_tensor(name))), None)  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise damaged(file, str(error)) from None
        if wrong is not None:
            message = f"{file}: the weight {wrong:.100} is not finite, or absurdly large"
            raise ModelError(message, AGAIN, str(file))


def require_fitting(folder: ModelFolder, tokenizer: TextTokenizer, vocabulary: int) -> None:
    """Raise ModelError if the embedding lacks a token that the tokenizer can give."""
    if tokenizer.size > vocabulary:
        message = f"tokenizer.json has {tokenizer.size} tokens, the model {vocabulary}"
    elif tokenizer.largest >= vocabulary:
        message = f"tokenizer.json has the id {tokenizer.largest}, and the model knows those below {vocabulary}"
    else:
        return
    raise ModelError(message, "take both from the same model", str(folder.path))


def _sane(weight: Tensor) -> bool:
    """Return whether all numbers of a weight are finite and not absurd."""
    if not weight.is_floating_point() or not weight.numel():
        return True
    least, most = weight.float().aminmax()
    return float(least) >= -LARGEST and float(most) <= LARGEST  # not so if one is no number
