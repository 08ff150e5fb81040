"""What a disk can hold after a crash: all that was written (a kill), or what was synced and part of the rest (power).

A name and its content are safe apart from each other: the content once the file is synced, the name once its folder
is. Of what is not safe, any part of the contents may be there, torn at sectors, and the first so many changes of names.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SECTOR = 512


class Change(NamedTuple):
    op: str  # C(reate) W(rite) T(runcate) S(ync) R(ename) U(nlink)
    path: str
    data: bytes
    offset: int


def read_log(path: Path) -> Iterator[Change]:
    content, at = path.read_bytes(), 0
    while at < len(content):
        op, named, length, offset = struct.unpack_from("<4q", content, at)
        at += 32
        yield Change(chr(op), content[at : at + named].decode(), content[at + named : at + named + length], offset)
        at += named + length


@dataclass
class File:
    safe: bytes = b""
    pending: list[Change] = field(default_factory=list)

    def content(self, rng: random.Random | None) -> bytes:
        """Give the content after a kill, or after a power cut if there is a source of chance."""
        changes = self.pending if rng is None else [part for each in self.pending for part in _torn(each, rng)]
        content = bytearray(self.safe)
        for change in changes:
            if change.op == "T":
                content = content[: change.offset].ljust(change.offset, b"\0")
            else:
                content = content.ljust(change.offset, b"\0")
                content[change.offset : change.offset + len(change.data)] = change.data
        return bytes(content)


def _torn(change: Change, rng: random.Random) -> list[Change]:
    """Keep a change, lose it, or keep some sectors of it."""
    fate = rng.random()
    if fate < 0.4:
        return [change]
    if fate < 0.7 or change.op == "T":
        return []
    parts = [change.data[at : at + SECTOR] for at in range(0, len(change.data), SECTOR)]
    whole = [change._replace(data=part, offset=change.offset + SECTOR * n) for n, part in enumerate(parts)]
    return [part for part in whole if rng.random() < 0.5]


class Disk:
    """One folder, with its sub-folders, as a sequence of changes leaves it."""

    def __init__(self, start: Path) -> None:
        self.safe = {str(path): File(path.read_bytes()) for path in start.rglob("*") if path.is_file()}
        self.now = dict(self.safe)
        self.pending: dict[str, list[tuple[str, File | None]]] = {}  # folder -> changes of names

    def apply(self, change: Change) -> None:
        if change.op == "C":
            self._name(change.path, File())
        elif change.op == "U":
            self._name(change.path, None)
        elif change.op == "R":
            self._name(change.data.decode(), self.now[change.path])
            self._name(change.path, None)
        elif change.op == "S" and change.path in self.now:
            file = self.now[change.path]
            file.safe, file.pending = file.content(None), []
        elif change.op == "S":
            for path, file in self.pending.pop(change.path, []):
                _put(self.safe, path, file)
        elif change.path in self.now:  # else a file that has lost its name
            self.now[change.path].pending.append(change)

    def write(self, folder: Path, rng: random.Random | None = None) -> None:
        """Write out what a kill leaves, or what a power cut may."""
        files = dict(self.safe)
        for changes in self.pending.values():
            for path, file in changes[: len(changes) if rng is None else rng.randint(0, len(changes))]:
                _put(files, path, file)
        for path, file in files.items():
            target = folder / os.path.relpath(path, self.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content(rng))

    root = "/"

    def _name(self, path: str, file: File | None) -> None:
        _put(self.now, path, file)
        self.pending.setdefault(os.path.dirname(path), []).append((path, file))


def _put(names: dict[str, File], path: str, file: File | None) -> None:
    if file is None:
        names.pop(path, None)
    else:
        names[path] = file
