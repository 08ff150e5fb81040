"""A model that is loaded only when there is something to encode; reading unchanged files again needs none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from reatt.model.backbone import ChunkCode, ChunkText, Encoder
from reatt_store.errors import ModelMismatch
from reatt_store.library import Generation


class Deferred:
    """The model that made a generation; until it is loaded, its method and fingerprint are the generation's.

    Loading raises ModelMismatch if the model would now make other keys, as in a later version of the program.
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
        """Return the fingerprint of the generation."""
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
            message = f"with {self._made.model_name} this version makes other vectors than those in the store"
            raise ModelMismatch(message, "reatt ingest --reencode")
        return loaded
