"""The key by which this user knows files that this user has made.

Reading a FAISS index from elsewhere can corrupt memory (its issue 5400), and a store can come from a stranger: then
the checksums in it are the stranger's, too. So a cached index is known by a checksum with a key that no store holds.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from reatt_store.opening import private

BYTES = 32


def own_key() -> bytes | None:
    """Return this user's key, made when it is first asked for; None where none can be kept."""
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        file = Path(state) / "reatt" / "key"
        if not file.exists():
            _make(file)
        key = file.read_bytes()
    except (OSError, RuntimeError):  # the second: this user has no home
        return None
    return key if len(key) == BYTES else None


def _make(file: Path) -> None:
    """Write a key, whole or not at all; if another process has just done so, that one stays."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_name(f"key.{os.getpid()}")
    try:
        with open(part, "wb", opener=private) as out:
            out.write(secrets.token_bytes(BYTES))
        with suppress(FileExistsError):
            os.link(part, file)
    finally:
        part.unlink(missing_ok=True)
