"""The command `doctor`: checks that everything a question needs is installed, sound and private."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from reatt_cli import __version__
from reatt_cli.command import command
from reatt_cli.rendering import counted, human_bytes
from reatt_cli.session import Session, short_path

if TYPE_CHECKING:
    from reatt_cli.schemas.upkeep import Finding

LITTLE_ROOM = 1_000_000_000  # bytes
LIBRARIES = ("numpy", "tokenizers", "safetensors", "typer", "pydantic", "pypdf", "selectolax", "sqlite-utils")
BROKEN = 1  # exit code if a check fails


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    command(app, "doctor", example="reatt doctor", model=True)(doctor)


def doctor(session: Session) -> int:
    """Check versions, devices, the store and its model, and say how to fix problems."""
    from reatt_cli.schemas import upkeep

    found = [_examined(name, look, session) for name, look in CHECKS.items()]
    result = upkeep.Doctor(ok=all(each.status != "fail" for each in found), checks=found)

    def render() -> None:
        rows = [(each.status, each.name, each.detail + (f"   try: {each.fix}" if each.fix else "")) for each in found]
        session.out.table(rows)

    session.out.result(result, render)
    return 0 if result.ok else BROKEN


def _examined(name: str, look: Callable[[Session], Finding], session: Session) -> Finding:
    """Run one check; an error that it raises becomes the finding."""
    from reatt_store.errors import ReattError

    try:
        found = look(session)
    except ReattError as error:
        found = _finding("fail", error.message, error.fix)
    return found.model_copy(update={"name": name})


def _finding(status: str, detail: str, fix: str = "") -> Finding:
    from reatt_cli.schemas.upkeep import Finding

    return Finding.model_validate({"name": "", "status": status, "detail": detail, "fix": fix})


def _program(session: Session) -> Finding:
    python = ".".join(map(str, sys.version_info[:3]))
    return _finding("ok", f"reatt {__version__}, Python {python}, {sys.platform}")


def _libraries(session: Session) -> Finding:
    found = {name: _version(name) for name in LIBRARIES}
    missing = [name for name, what in found.items() if what is None]
    if missing:
        return _finding("fail", f"not installed: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    return _finding("ok", ", ".join(f"{name} {what}" for name, what in found.items()))


def _torch(session: Session) -> Finding:
    import torch

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    found = f"torch {torch.__version__}, {build} build"
    if torch.cuda.is_available():
        return _finding("ok", f"{found}; {torch.cuda.get_device_name(0)}")
    if torch.version.cuda:
        return _finding(
            "warn", f"{found}; no GPU is visible, the processor computes", "install a driver, or torch's CPU build"
        )
    return _finding("ok", f"{found}, {counted(torch.get_num_threads(), 'thread')}")


def _faiss(session: Session) -> Finding:
    found = {name: what for name in ("faiss-cpu", "faiss-gpu") if (what := _version(name))}
    if len(found) == 2:
        fix = "pip uninstall -y faiss-cpu faiss-gpu, then install one of them"
        return _finding("fail", "faiss-cpu and faiss-gpu are both installed and overwrite each other", fix)
    if not found:
        return _finding("warn", "no FAISS: `--search two-stage` needs it", "pip install faiss-cpu")
    return _finding("ok", ", ".join(f"{name} {what}" for name, what in found.items()))


def _sqlite(session: Session) -> Finding:
    import sqlite3

    with sqlite3.connect(":memory:") as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE t USING fts5(a)")
        except sqlite3.OperationalError:
            return _finding("fail", f"SQLite {sqlite3.sqlite_version} lacks FTS5", "use another build of Python")
    return _finding("ok", f"SQLite {sqlite3.sqlite_version} with FTS5")


def _store(session: Session) -> Finding:
    if not session.exists:
        return _finding("warn", f"none in {short_path(session.folder)}", "reatt ingest PATH")
    status = session.library.status()
    found = (
        f"{short_path(session.folder)}: {counted(status.documents, 'document')}, {counted(status.chunks, 'passage')}"
    )
    if status.pending:
        return _finding("warn", f"{found}, {status.pending:,} of them without vectors", "repeat the last reatt ingest")
    return _finding("ok", f"{found}; every checksum: {session.again('check')}")


def _modes(session: Session) -> Finding:
    """Check the modes of the store's folder; nobody reaches what is inside a closed folder."""
    if not session.exists:
        return _finding("ok", "no store")
    mode = session.folder.stat().st_mode & 0o777
    if mode & 0o077:
        found = f"{short_path(session.folder)} is open to other users ({mode:o})"
        return _finding("warn", found, f"chmod 700 {shlex.quote(short_path(session.folder))}")
    return _finding("ok", "the store is for you alone")


def _room(session: Session) -> Finding:
    place = next(path for path in (session.folder, *session.folder.parents) if path.exists())
    free = shutil.disk_usage(place).free
    found = f"{human_bytes(free)} free at {short_path(place)}"
    return _finding("warn", found, "free some space") if free < LITTLE_ROOM else _finding("ok", found)


def _model(session: Session) -> Finding:
    from reatt.weights import models

    if session.exists and (gone := models.damaged(session.library)):
        found = f"{gone[0].path.name}: its files are missing or differ from those the store was made with"
        return _finding("fail", found, "reatt ingest --reencode")
    return _finding("ok", f"{session.model.name} {session.model.sha256[:12]}, {session.model.origin}")


def _serve(session: Session) -> Finding:
    from reatt_cli.serving import warm

    there = os.path.lexists(warm.place(session.folder).socket)
    return _finding("ok", "running" if there else "not running; reatt serve makes questions faster")


def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


CHECKS: dict[str, Callable[[Session], Finding]] = {
    "program": _program,
    "libraries": _libraries,
    "torch": _torch,
    "faiss": _faiss,
    "sqlite": _sqlite,
    "store": _store,
    "modes": _modes,
    "room": _room,
    "model": _model,
    "serve": _serve,
}
