"""A model that is loaded when there is something to encode: reading again what has not changed needs none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from reatt.model.backbone import ChunkCode, ChunkText, Encoder
from reatt_store.errors import ModelMismatch
from reatt_store.library import Generation


class Deferred:
    """The model that made a generation, for which the generation speaks until the model is loaded.

    Loading raises ModelMismatch where the same model would now make other keys, as a later version of us might.
    """

    def __init__(self, made: Generation, load: Callable[[], Encoder]) -> None:
        self._made, self._load = made, load

    @property
    def method(self) -> str:
        """The method of the generation."""
        return self._made.method

    @property
    def max_chunk_tokens(self) -> int:
        """The model's own limit."""
        return self._loaded.max_chunk_tokens

    def fingerprint(self) -> str:
        """Return the generation's."""
        return self._made.fingerprint

    def count_tokens(self, text: str) -> int:
        """Load the model and let it count."""
        return self._loaded.count_tokens(text)

    def encode_chunks(self, passages: Sequence[ChunkText]) -> list[ChunkCode]:
        """Load the model and let it encode."""
        return self._loaded.encode_chunks(passages)

    @cached_property
    def _loaded(self) -> Encoder:
        loaded = self._load()
        if loaded.fingerprint() != self._made.fingerprint:
            message = f"this version makes other vectors with {self._made.model_name} than the store holds"
            raise ModelMismatch(message, "reatt ingest --reencode PATH")
        return loaded
