"""The store, or stores, that are worked with, and their model: each is opened when it is first needed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reatt.places import plain, registry

if TYPE_CHECKING:
    from reatt.weights.folder import ModelFolder
    from reatt_store.errors import Notice
    from reatt_store.joined.library import JoinedLibrary
    from reatt_store.library import Library


class Opened:
    """One store, to be read and written to; or several that are searched as one, and never written to."""

    def __init__(self, folder: Path, model: str | None = None, beside: Sequence[Path] = ()) -> None:
        every: dict[str, Path] = {}
        for each in (folder, *beside):
            every.setdefault(os.path.realpath(each), each)  # a store that is named twice is one
        self.folders = tuple(every.values())
        self.folder = folder
        self._named = None if model is None else plain(model)
        self._library: Library | None = None
        self._joined: JoinedLibrary | None = None
        self._model: ModelFolder | None = None

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        for opened in (self._library, self._joined):
            if opened is not None:
                opened.close()
        self._library = self._joined = None

    @property
    def several(self) -> bool:
        """Whether several stores are open as one."""
        return len(self.folders) > 1

    def require_one(self) -> None:
        """Raise UsageError if several stores are open: they are searched as one, and nothing else."""
        if self.several:
            from reatt_store.errors import UsageError

            raise UsageError(f"this needs one store, but {len(self.folders)} are open", "open one of them")

    @property
    def view(self) -> Library | JoinedLibrary:
        """What is searched: the store, or all of them as one. Raises `NoStore` if one is not there."""
        if not self.several:
            return self.library
        if self._joined is None:
            from reatt_store.joined.library import JoinedLibrary

            self._joined = JoinedLibrary.open(self.folders)
        return self._joined

    @property
    def library(self) -> Library:
        """What the store holds: documents, chunks, generations, runs. Raises `NoStore` if there is none.

        Raises UsageError for several stores.
        """
        self.require_one()
        if self._library is None:
            from reatt_store.library import Library

            self._library = Library.open(self.folder)
        return self._library

    def doubt(self) -> None:
        """Open a store to check and repair it, even if its schema is not ours."""
        from reatt_store.library import Library

        self._library = self._library or Library.open(self.folder, doubted=True)

    @property
    def exists(self) -> bool:
        """Whether there is a store. One whose creation was interrupted does not count."""
        from reatt_store.errors import NoStore, ReattError, StoreLocked

        try:
            return self.view is not None
        except NoStore:
            return False
        except StoreLocked:  # waiting did not help; once is enough
            raise
        except ReattError:  # damaged, or of a newer version: whoever opens it gets the error
            return True

    def make(self) -> Library:
        """Make the store if there is none, and open it."""
        self.require_one()
        if not self.exists:
            from reatt_store.library import Library

            self._library = Library.create(self.folder)
        return self.library

    @property
    def model(self) -> ModelFolder:
        """The requested model, else the store's own, else the bundled one; not loaded.

        Of several stores it is the first one's: they have the same keys, but may ask in different ways.
        """
        if self._model is None:
            from reatt.weights import models

            self._model = models.find(self._named, registry(), self.view.leading if self.exists else None)
        return self._model

    def of_several_models(self) -> list[Notice]:
        """Say so if several stores were adapted apart: their keys can be compared, but one model asks for all."""
        if self._joined is None or self._named is not None:
            return []
        from reatt_store.errors import Notice

        made = [(library.folder, each) for library in self._joined.libraries if (each := library.generation())]
        return [
            Notice("OTHER_MODEL", f"{folder} has a model of its own; the one of {made[0][0]} asks and reads for both")
            for folder, each in made[1:]
            if each.model_sha256 != made[0][1].model_sha256
        ]
