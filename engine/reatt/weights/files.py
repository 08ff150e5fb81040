"""The files of a model: opened without waiting, read within limits, copied, and known by their digests.

A model may come from a stranger, and its file may be a pipe or a device. Links are followed, because the hub's own
cache is made of them. To read a large model again takes seconds, so the digest of a file is remembered while its inode,
size and times stay as they are; `reatt check` reads it again all the same.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, cast

from reatt.places import cache_folder
from reatt_store.errors import ModelError
from reatt_store.opening import open_regular, private, private_folder, replace_bytes, small_json

AGAIN = "copy the model again"  # what to do about a damaged file
LARGEST_JSON = 4 << 20  # bytes of a config, or of an index of shards
MEMORY = "models.json"  # in the user's cache: digests of files, and models that were found sound
REMEMBERED = 400  # of each
FORMAT = 2  # raise it when more is checked, or what was found sound counts no more
SETTLED = 1.0  # seconds since a file's last change: it might change again at what a clock calls the same time
_CLONE = 0x40049409  # FICLONE: share the blocks of a file with its copy until one of them changes


@dataclass
class Memory:
    """What was found out about files and models before."""

    files: dict[str, str] = field(default_factory=dict)  # identity -> SHA-256
    sound: list[str] = field(default_factory=list)  # hashes of models


def opened(file: Path) -> BinaryIO:
    """Open a file of a model, wherever a link leads; raises ModelError for what is no regular file."""
    try:
        return open_regular(Path(os.path.realpath(file)))
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in (errno.EMFILE, errno.ENFILE):
            raise
        why = getattr(error, "strerror", None) or error
        raise ModelError(f"cannot read {file}: {why}", AGAIN, str(file)) from None


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object, or say what is wrong with the file."""
    with opened(file) as stream:
        content = stream.read(LARGEST_JSON + 1)
    try:
        if len(content) > LARGEST_JSON:
            raise ValueError(f"it has more than {LARGEST_JSON:,} bytes")
        raw = small_json(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"cannot read {file}: {error!s:.200}", AGAIN, str(file)) from None
    if not isinstance(raw, dict):
        raise ModelError(f"{file} holds no JSON object", AGAIN, str(file))
    return raw


def place(file: Path, target: Path) -> None:
    """Copy a file and sync it to disk. Its blocks are shared if the file system can, the file itself never is."""
    with opened(file) as source, open(target, "xb", opener=private) as copy:
        try:
            fcntl.ioctl(copy.fileno(), _CLONE, source.fileno())
        except OSError:
            shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())


def digest(files: Iterable[Path]) -> str:
    """Hash the files of a model as one; files that have not changed since the last time are not read."""
    memory = _recall()
    known = dict(memory.files)
    found = _total(files, known)
    if known != memory.files:
        _keep(Memory(known, memory.sound))
    return found


def digest_afresh(files: Iterable[Path]) -> str:
    """Hash the files of a model as one, and read them all."""
    return _total(files, {})


def identities(files: Iterable[Path]) -> list[str]:
    """Return what tells each file from every other, and from itself after a change."""
    return [_identity(os.stat(file)) for file in files]


def found_sound(sha256: str) -> bool:
    """Return whether a model of this hash was verified before."""
    return sha256 in _recall().sound


def remember_sound(sha256: str) -> None:
    """Remember that a model of this hash was verified."""
    memory = _recall()
    _keep(Memory(memory.files, [*memory.sound, sha256]))


def _total(files: Iterable[Path], known: dict[str, str]) -> str:
    total = hashlib.sha256()
    for file in files:
        with opened(file) as stream:
            total.update(bytes.fromhex(_of_file(stream, known)))
    return total.hexdigest()


def _of_file(stream: BinaryIO, known: dict[str, str]) -> str:
    """Return a file's SHA-256, and note it if the file has not changed for a while."""
    before = os.fstat(stream.fileno())
    identity = _identity(before)
    if identity in known:
        return known[identity]
    read = hashlib.file_digest(cast("BufferedReader", stream), "sha256").hexdigest()
    settled = time.time() - max(before.st_mtime, before.st_ctime) > SETTLED
    if settled and _identity(os.fstat(stream.fileno())) == identity:
        known[identity] = read
    return read


def _identity(found: os.stat_result) -> str:
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


def _recall() -> Memory:
    """Read what is remembered; nothing, if it cannot be read or is of another version."""
    try:
        with open_regular(cache_folder() / MEMORY) as file:
            said = small_json(file.read(LARGEST_JSON))
        files, sound = said["files"], said["sound"]
        if said["format"] == FORMAT and all(map(_is_hash, [*files.values(), *sound])):
            return Memory(files, sound)
    except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError):
        pass
    return Memory()


def _is_hash(found: object) -> bool:
    return isinstance(found, str) and len(found) == 64 and not set(found) - set("0123456789abcdef")


def _keep(memory: Memory) -> None:
    """Remember the latest; where nothing can be written, the next process reads all files again."""
    files = dict(list(memory.files.items())[-REMEMBERED:])
    said = {"format": FORMAT, "files": files, "sound": memory.sound[-REMEMBERED:]}
    with suppress(OSError):
        private_folder(cache_folder())
        replace_bytes(cache_folder() / MEMORY, json.dumps(said).encode(), sync=False)
