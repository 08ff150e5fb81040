"""Encodes chunks in a process of its own. Run as a script by `workers.Worker`.

Arguments: the number of the socket, and of the process that started this one. It is first told which model to load, and
then texts, group by group; it answers each group with keys, or with the error that it met.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from reatt.parsers.confined import die_with
from reatt.search import workers
from reatt_store.errors import InternalError, ModelMismatch, OutOfMemory, ReattError


def main() -> None:
    """Answer until the socket closes."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    die_with(int(sys.argv[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        answer(connection)
    except workers.Died:
        return


def answer(connection: socket.socket) -> None:
    """Load the model, and encode what comes; raises Died when nothing comes any more."""
    told, _ = workers.receive(connection)
    backbone = None
    while True:
        asked, _ = workers.receive(connection)
        try:
            backbone = backbone or _loaded(told)
            said, data = workers.packed(backbone.encode_chunks(_chunks(asked)))
        except Exception as error:
            said, data = _failure(error), b""
        workers.send(connection, said, data)


def _loaded(told: dict[str, Any]) -> Any:
    """Load the model; raises ModelMismatch if its keys would be others than the parent's."""
    import torch

    from reatt.weights.folder import ModelFolder
    from reatt.weights.models import load_for

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    folder = ModelFolder(Path(told["path"]), told["origin"], told["called"], told["made_with"])
    backbone = load_for(told["method"], folder, "cpu")
    if backbone.fingerprint() != told["fingerprint"]:
        raise ModelMismatch("the model changed while it was read", "run the command again")
    return backbone


def _chunks(asked: dict[str, Any]) -> list[Any]:
    from reatt.model.backbone import ChunkText

    return [ChunkText(title, text) for title, text in asked["chunks"]]


def _failure(error: Exception) -> dict[str, Any]:
    if isinstance(error, MemoryError) or "not enough memory" in str(error):
        error = OutOfMemory("there is not enough memory to encode", "use fewer --workers, or close other programs")
    if not isinstance(error, ReattError):
        error = InternalError(f"a process that encodes failed: {type(error).__name__}: {error}"[:500])
    return {"error": error.id, "message": error.message, "fix": error.fix}


if __name__ == "__main__":
    main()
