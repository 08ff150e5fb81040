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

INSTRUCTION_SETS = {  # what a process is told that is to know no more than one of them, the least first
    "default": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "avx512": {"ATEN_CPU_CAPABILITY": "avx512", "ONEDNN_MAX_CPU_ISA": "DEFAULT"},
}
_TOLD = tuple(INSTRUCTION_SETS["default"])
PACKAGES = ("torch", "numpy", "tokenizers", "faiss-cpu", "faiss-gpu", "bm25s", "typer", "rich", "pydantic")


def describe(device: str) -> dict[str, str]:
    """Name the processor, the memory, the versions and the commit; a GPU, too, where one is used."""
    import torch

    found = {
        "processor": f"{_processor()}, {_instructions()}",
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


def instruction_sets() -> dict[str, dict[str, str]]:
    """Name the instruction sets that this process may use, with what tells another process to use one."""
    import torch

    names, most = list(INSTRUCTION_SETS), torch.backends.cpu.get_cpu_capability().lower()
    if most not in names:  # another family of processors, whose sets no variable chooses
        return {most: {}}
    return {name: INSTRUCTION_SETS[name] for name in names[: names.index(most) + 1]}


def told() -> dict[str, str]:
    """Return what this process was told of instruction sets."""
    return {name: os.environ[name] for name in _TOLD if name in os.environ}


def again(target: str, arguments: Sequence[str]) -> str:
    """Write the command that repeats a run."""
    others = shlex.join(argument for argument in arguments if argument != "--quick")
    before = "".join(f"{name}={value} " for name, value in told().items())
    return f"{before}make {target}" + " QUICK=1" * ("--quick" in arguments) + (f' ARGS="{others}"' if others else "")


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    text = information.read_text(encoding="utf-8", errors="replace") if information.is_file() else ""
    named = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return named[1] if named else platform.processor() or platform.machine()


def _instructions() -> str:
    """Name the instruction set that PyTorch uses, who asked for it, and what it multiplies itself."""
    import torch

    from reatt.model.processor import multiplies_bfloat16, multiplies_int8

    own = {"int8": multiplies_int8(), "bfloat16": multiplies_bfloat16(torch.device("cpu"))}
    products = " and ".join(name for name, has in own.items() if has) or "float32 alone"
    asked = "".join(f" {name}={value}" for name, value in told().items())
    return f"{torch.backends.cpu.get_cpu_capability()}{asked and f' by{asked}'}, products of {products}"


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
