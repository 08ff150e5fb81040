"""A secret key with which a user recognises files that they wrote themselves.

Reading a FAISS index from elsewhere can corrupt memory (its issue 5400). A store may come from a stranger, and then its
checksums do, too. So a cached index is verified by a keyed checksum, and the key is in no store.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from reatt_store.opening import private

BYTES = 32


def own_key() -> bytes | None:
    """Return this user's key, created on first use; None if it cannot be saved."""
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        file = Path(state) / "reatt" / "key"
        if not file.exists():
            _make(file)
        key = file.read_bytes()
    except (OSError, RuntimeError):  # the second error: this user has no home folder
        return None
    return key if len(key) == BYTES else None


def _make(file: Path) -> None:
    """Write a key atomically; if another process has just written one, keep that."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_name(f"key.{os.getpid()}")
    try:
        with open(part, "wb", opener=private) as out:
            out.write(secrets.token_bytes(BYTES))
        with suppress(FileExistsError):
            os.link(part, file)
    finally:
        part.unlink(missing_ok=True)
