"""The stores of one server: their names, and the documents in them that a path or an id names."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reatt_cli.session import Session
from reatt_cli.settings import Settings

if TYPE_CHECKING:
    from reatt_store.library import Library
    from reatt_store.records import StoredDocument

MANY = 20  # records of a file that an error names


@dataclass(frozen=True)
class Named:
    """A store under the name that agents use; it is opened anew for each call, so it may move or be replaced."""

    name: str
    settings: Settings

    def session(self) -> Session:
        """Return a session on the store as it is now."""
        return Session(self.settings)

    @contextmanager
    def library(self) -> Iterator[Library]:
        """Open the store for reading, for a block."""
        session = self.session()
        try:
            yield session.library
        finally:
            session.store.close()


def named(settings: Settings, folders: Sequence[str]) -> list[Named]:
    """Name stores by their folders; without folders there is the one store that the command line would use."""
    quiet = replace(settings, json=True, quiet=True, beside=())
    places = [_store_in(folder) for folder in folders] or [Session(settings).folder]
    names = [place.parent.name if place.name == ".reatt" else place.name for place in places]
    count, seen, found = Counter(names), Counter[str](), []
    for name, place in zip(names, places, strict=True):
        seen[name] += 1
        unique = name if count[name] == 1 else f"{name}-{seen[name]}"
        found.append(Named(unique, replace(quiet, store=str(place))))
    return found


def _store_in(folder: str) -> Path:
    """Return the store that a folder is, or holds as `.reatt`."""
    from reatt.places import expanded

    place = expanded(folder)
    return place / ".reatt" if (place / ".reatt").is_dir() else place


def chosen(stores: Sequence[Named], name: str | None) -> list[Named]:
    """Return the store of a name, or all of them; raises UsageError for a name that none has."""
    from reatt_store.errors import UsageError

    found = [store for store in stores if name in (None, store.name)]
    if not found:
        raise UsageError(f"no store is called {name}", f"one of: {', '.join(store.name for store in stores)}")
    return found


def document(library: Library, path: str, record: str | None) -> StoredDocument | None:
    """Find the document of an id, an absolute path, or a path below the store's root; None if there is none.

    Raises NoSuchId for a file of several records if none of them is named.
    """
    from reatt_store.errors import NoSuchId

    if re.fullmatch(r"D-[0-9]{1,18}", path):
        return library.document(int(path[2:]))
    found = library.at(os.path.join(library.root(), path), record, MANY + 1)
    if len(found) > 1:
        names = [str(each.document.external_id) for each in found]
        more = ", …" if len(names) > MANY else ""
        raise NoSuchId(f"{path} holds several records: {', '.join(names[:MANY])}{more}", "name one with `record`")
    return found[0] if found else None
