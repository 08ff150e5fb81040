"""What a figure was measured on: without it, no figure means anything."""

from __future__ import annotations

import os
import platform
import re
import shlex
import sqlite3
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "numpy", "tokenizers", "faiss-cpu", "faiss-gpu", "bm25s", "typer", "rich", "pydantic")


def describe(device: str) -> dict[str, str]:
    """Name the processor, the memory, the versions and the commit; a GPU, too, where one is used."""
    import torch

    found = {
        "processor": f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}",
        "cores": str(cores()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}",
        "versions": ", ".join([*_versions(), f"SQLite {sqlite3.sqlite_version}"]),
        "commit": _commit(),
    }
    if device != "cpu":
        found["GPU"] = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    return found


def cores() -> int:
    """Count the cores this process may use."""
    return len(os.sched_getaffinity(0))


def load() -> str:
    """Say how many processes wanted a core in the last minute: above the cores, times are too long."""
    return f"{os.getloadavg()[0]:.1f}"


def again(target: str, arguments: Sequence[str]) -> str:
    """Write the command that repeats a run."""
    others = shlex.join(argument for argument in arguments if argument != "--quick")
    return f"make {target}" + " QUICK=1" * ("--quick" in arguments) + (f' ARGS="{others}"' if others else "")


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    text = information.read_text(encoding="utf-8", errors="replace") if information.is_file() else ""
    named = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return named[1] if named else platform.processor() or platform.machine()


def _versions() -> list[str]:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed
