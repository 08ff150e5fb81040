"""`reatt models add`: copy a model under a name; weights in a pickle are converted once.

This is the only module that starts a download. A model is assembled in a temporary folder by a child with limits
(`convert`), loaded there as a check, and moved into place by one rename.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reatt.parsers.sandbox import Child, Crashed, Message
from reatt.progress import OnProgress, Progress
from reatt.weights.folder import INSTALL_HUB, ModelFolder, read_config, record
from reatt.weights.memory import check_files, check_to_load
from reatt.weights.models import BUNDLED
from reatt.weights.needs import needs
from reatt_store.connection import sync_folder, translated
from reatt_store.errors import DiskFull, ModelError, ModelUnsafe, NoSuchPath, ParseLimit, UsageError, rebuilt
from reatt_store.opening import private_folder

SCRIPT = Path(__file__).with_name("convert.py")
MEMORY, TIMES = 4 << 30, 4  # bytes of the child's address space, and more for each byte of the model
SLACK = 1 << 26  # bytes that its files may be larger
SECONDS, PACE = 600.0, 5e6  # that it may take, on a busy machine too; and bytes for which it has a second more
ELSEWHERE = "get it again from where it comes from"
OUTPUT = 1 << 20  # bytes that it may say
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


@dataclass(frozen=True)
class Added:
    """A model that now has a name."""

    folder: ModelFolder
    left_out: tuple[str, ...]  # weights of the pickle that are not part of a T5


def add(source: str, registry: Path, on_progress: OnProgress, name: str | None = None) -> Added:
    """Register a model folder, or a model of the hub (`owner/model[@revision]`); it replaces one of the same name."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return _register(folder, registry, _name(name or folder.resolve().name), on_progress)
    if not HUB_NAME.fullmatch(source):
        raise NoSuchPath(f"{source} is neither a folder nor a hub name such as neulab/reatt-large-nq", "", source)
    called = _name(name or source.partition("@")[0].rpartition("/")[2])
    with translated(registry):
        private_folder(registry)
        fetched = registry / f".hub-{re.sub(r'[/@]', '--', source)}"  # kept if killed: the next run goes on
        fetched.mkdir(mode=0o700, exist_ok=True)
    download(source, fetched, on_progress)
    added = _register(fetched, registry, called, on_progress)
    shutil.rmtree(fetched, ignore_errors=True)
    return added


def download(name: str, folder: Path, on_progress: OnProgress) -> None:
    """Fetch a model of the hub into a folder, in a child process; this process never opens a connection."""
    environment = {key: value for key, value in os.environ.items() if key not in OFFLINE}
    script = str(Path(__file__).with_name("hub_child.py"))
    command = [sys.executable, "-P", script, name, str(folder), str(os.getpid())]
    said: dict[str, object] = {}
    quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment | quiet, text=True
    ) as child:
        try:
            for line in child.stdout or ():
                said |= json.loads(line)
                total = int(str(said.get("total", 0)))
                _check_room(folder, name, total)
                on_progress(Progress("download", min(int(str(said.get("done", 0))), total), total, name))
        finally:
            child.terminate()
    if said.get("install"):
        raise ModelError(f"to download {name}, huggingface_hub is needed", INSTALL_HUB)
    if said.get("gated"):
        fix = f"do so on https://huggingface.co/{name.partition('@')[0]}, then: hf auth login"
        raise ModelError(f"{name} is only for those who have accepted its licence", fix)
    if child.returncode or "error" in said:
        why = said.get("error", "the download stopped")
        raise ModelError(
            f"cannot download {name}: {why}", f"download it by hand, then: reatt models add DIR --name {name}"
        )


def _check_room(folder: Path, name: str, total: int) -> None:
    """Stop a download if the disk or the memory is too small, as soon as the model's config says so."""
    left = total - sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if left > shutil.disk_usage(folder).free:
        raise DiskFull(f"no room in {folder.parent}: the model needs {total / 1e9:.2f} GB", "free some space")
    if (folder / "config.json").is_file():
        check_to_load(ModelFolder(folder, called=name))


def _register(source: Path, registry: Path, name: str, on_progress: OnProgress) -> Added:
    check_files(ModelFolder(source))
    check_to_load(ModelFolder(source, called=name))
    with translated(registry), _beside(registry, source) as part:
        left_out = _assembled(source, part, name, on_progress)
        record(ModelFolder(part))
        _put_in_place(part, registry / name)
    return Added(ModelFolder(registry / name, "added", name), left_out)


def _assembled(source: Path, part: Path, name: str, on_progress: OnProgress) -> tuple[str, ...]:
    """Let a child copy or convert a model into a folder, and load it; returns the weights left out.

    A file of a stranger's model may crash what reads it, or ask for all memory there is.
    """
    size, weights = _bytes(source), _needed(source)
    request = {
        "source": str(source), "part": str(part), "memory": MEMORY + TIMES * (size + weights),
        "written": size + 2 * weights + SLACK,
    }  # fmt: skip
    seconds = SECONDS + (size + weights) / PACE
    said: Message = {}
    try:
        with Child(SCRIPT, request, seconds=seconds, output=OUTPUT) as child:
            for said in child.messages():
                if "phase" in said:
                    on_progress(Progress(str(said["phase"]), 0, None, name))
    except (Crashed, ParseLimit, ValueError) as error:
        message = f"{source} cannot be read as a model: {error}"
        raise ModelUnsafe(message, ELSEWHERE, str(source)) from None
    if "left_out" in said:
        return tuple(map(str, said["left_out"]))
    if "error" not in said:
        raise ModelUnsafe(f"{source} cannot be read as a model: its reader ended early", ELSEWHERE, str(source))
    id, message, fix = (str(said.get(key) or "") for key in ("error", "message", "fix"))
    raise rebuilt(id, message, fix, str(source))


def _bytes(source: Path) -> int:
    return sum(path.stat().st_size for path in source.iterdir() if path.is_file())


def _needed(source: Path) -> int:
    """Return the bytes of memory that a model's weights take."""
    needed = needs(read_config(source))
    return needed.memory if needed else 0


@contextmanager
def _beside(registry: Path, source: Path) -> Iterator[Path]:
    """Make a hidden folder to assemble a model in; it is removed afterwards unless it was moved."""
    private_folder(registry)
    needed = _bytes(source)
    if shutil.disk_usage(registry).free < needed:
        raise DiskFull(
            f"no room in {registry}: the model needs {needed / 1e6:.0f} MB", "free some space", str(registry)
        )
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=registry))
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put_in_place(part: Path, target: Path) -> None:
    sync_folder(part)
    if target.exists():
        old = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
        target.rename(old / "old")
        part.rename(target)
        shutil.rmtree(old)
    else:
        part.rename(target)
    sync_folder(target.parent)


def _name(name: str) -> str:
    if not NAME.fullmatch(name) or name == BUNDLED:
        raise UsageError(f"a model cannot be called {name!r} here", "--name NAME, of letters, digits, dots and dashes")
    return name
