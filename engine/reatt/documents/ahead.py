"""Small files are read many at a time: to wake a parser's process for one of them takes longer than to parse it.

A file is read when its turn comes, and the small ones that follow are asked for with it. Whatever goes wrong with one
of them is its own error; those that were asked for with it are then read one by one, or in another batch.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from reatt.documents.files import stamp, steady, with_storable_names
from reatt.documents.reader import (
    FoundFile,
    ReadLimits,
    Text,
    kind_of,
    measured,
    of_content,
    of_record,
    open_file,
    require_for_people,
)
from reatt.parsers import registry
from reatt.parsers.pool import LAST, POOL, TOGETHER, Request
from reatt.parsers.sandbox import Message
from reatt_store.errors import DocumentError

SMALL = 1 << 16  # bytes
LOOK = 4 * TOGETHER  # files that are looked at for a batch
_APART = frozenset({*registry.PAGED, "packed", "code", "text"})  # have processes of their own; many files; need none


@dataclass(frozen=True)
class _Asked:
    """A file that a child has been asked for."""

    found: FoundFile
    stamp: tuple[int, ...]  # before it was opened
    request: Request
    texts: Callable[[list[Message]], list[Text]]  # the answer to documents


class Ahead:
    """Reads files one after another, small ones in batches."""

    def __init__(self, limits: ReadLimits, is_new: Callable[[FoundFile], bool]) -> None:
        self._limits = limits
        self._is_new = is_new  # whether a file will be read when its turn comes
        self._asked: deque[_Asked] = deque()
        self._messages: Iterator[Message] = iter(())

    def texts(self, found: FoundFile, following: Sequence[FoundFile]) -> Iterator[Text]:
        """Read a file as `steady` does. The files must come in the order of `following`; some may be left out."""
        to_come = {id(each) for each in (found, *following)}
        while self._asked and id(self._asked[0].found) not in to_come:
            self._answer(self._asked.popleft(), found)
        if not self._asked and following:
            self._ask([found, *following])
        texts = None
        if self._asked and self._asked[0].found is found:
            texts = self._answer(self._asked.popleft(), found)
        if texts is None:
            yield from steady(found, self._limits)
        else:
            yield from map(with_storable_names, texts)

    def _answer(self, asked: _Asked, found: FoundFile) -> list[Text] | None:
        """Return what the next file holds; None if it is not the one whose turn it is, or has changed meanwhile."""
        texts, failed = list[Text](), None
        try:
            texts = self._heard(asked)
        except DocumentError as error:
            error.path = str(asked.found.path)
            failed = error
        if asked.found is not found or stamp(found.path) != asked.stamp:
            return None
        if failed is not None:
            raise failed
        return texts

    def _heard(self, asked: _Asked) -> list[Text]:
        said = list[Message]()
        with registry.named(str(asked.request.body["kind"])):
            try:
                while not said or not LAST & said[-1].keys():
                    said.append(next(self._messages))
            except BaseException:
                self._asked.clear()  # the child is no more
                raise
            return asked.texts(said)

    def _ask(self, files: Sequence[FoundFile]) -> None:
        """Ask a child for the first file and for some that follow; not for a first one that must be read alone."""
        self._asked.clear()
        with ExitStack() as stack:
            for found in files:
                asked = self._prepared(found, stack) if found is files[0] or self._is_new(found) else None
                self._asked += [] if asked is None else [asked]
                if len(self._asked) == TOGETHER or (asked is None and found is files[0]):
                    break
            if len(self._asked) < 2:
                self._asked.clear()
                return
            with registry.named("first"):
                self._messages = POOL.ask([asked.request for asked in self._asked])

    def _prepared(self, found: FoundFile, stack: ExitStack) -> _Asked | None:
        """Open a file; None if it is not small, or cannot be read, which is found out again when its turn comes."""
        before, path = stamp(found.path), str(found.path)
        try:
            file = stack.enter_context(open_file(found.path))
            require_for_people(found, file)
            if os.fstat(file.fileno()).st_size > SMALL or (kind := kind_of(file, path)) in _APART:
                return None
            return _Asked(found, before, *self._task(file, path, kind))
        except (OSError, DocumentError):
            return None

    def _task(self, file: BinaryIO, path: str, kind: str) -> tuple[Request, Callable[[list[Message]], list[Text]]]:
        if kind in registry.STREAMED:
            request = registry.records_request(kind, file, os.path.basename(path), self._limits)
            return request, lambda said: [of_record(each, path) for one in said for each in registry.record(one)]
        size, digest = measured(file, self._limits)
        task = registry.prepared(kind, file, size, self._limits)
        assert isinstance(task, registry.Task)
        return task.request, lambda said: [of_content(task.content(said[0]), path, kind, digest, size, self._limits)]
