"""A secret key with which a user recognises files that they wrote themselves.

Reading a FAISS index from elsewhere can corrupt memory (its issue 5400). A store may come from a stranger, and then its
checksums do, too. So a cached index is verified by a keyed checksum, and the key is in no store.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from reatt_store.opening import fresh, open_regular, private_folder, replace_bytes

BYTES = 32
SOURCES = "sources"  # a file of a store: a line for each file that its user read into it
LARGEST = 42_000_000  # bytes of it: two million files
_LINE = re.compile(rb"^[0-9a-f]{20}\n", re.MULTILINE)


def own_key() -> bytes | None:
    """Return this user's key, created on first use; None if it cannot be saved."""
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        file = Path(state) / "reatt" / "key"
        if not file.exists():
            _make(file)
        with open_regular(file) as stored:
            key = stored.read(BYTES + 1)
    except (OSError, RuntimeError):  # the second error: this user has no home folder
        return None
    return key if len(key) == BYTES else None


def remember(folder: Path, paths: Iterable[str]) -> None:
    """Remember, in the store, that this user read some files into it; nobody else can say so."""
    key = own_key()
    if key is None:
        return
    with suppress(OSError):
        known = _remembered(folder)
        lines = {_line(path, key) for path in paths} - known
        if lines:
            replace_bytes(folder / SOURCES, b"".join(sorted(known | lines)))


def remembered(folder: Path, paths: Iterable[str]) -> set[str]:
    """Return which files this user read into a store."""
    key = own_key()
    if key is None:
        return set()
    known = _remembered(folder)
    return {path for path in paths if _line(path, key) in known}


def _remembered(folder: Path) -> set[bytes]:
    """Read the lines of that file; whatever else a stranger put into it is not one, and takes no memory."""
    try:
        with open_regular(folder / SOURCES) as file:
            return set(_LINE.findall(file.read(LARGEST)))
    except OSError:
        return set()


def _line(path: str, key: bytes) -> bytes:
    return hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=10, key=key).hexdigest().encode() + b"\n"


def _make(file: Path) -> None:
    """Write a key atomically; if another process has just written one, keep that."""
    private_folder(file.parent)
    with fresh(file.parent) as (path, out):
        out.write(secrets.token_bytes(BYTES))
        out.flush()
        try:
            os.link(path, file)
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            os.replace(path, file)
        path.unlink(missing_ok=True)


def voucher(content: bytes) -> str | None:
    """Return the words by which this user, and nobody else, vouches for a content; None without a key."""
    key = own_key()
    return None if key is None else hashlib.blake2b(content, digest_size=32, key=key).hexdigest()


def vouched(content: bytes, said: bytes) -> bool:
    """Return whether this user vouched for a content, wherever both were found."""
    expected = voucher(content)
    return expected is not None and hmac.compare_digest(expected.encode(), said)
