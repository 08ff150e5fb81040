"""Trace what a command runs: files entered, and functions between the command and the first tensor.

`python -m bench.trace` runs `ingest`, `ask` and `adapt` on a small store with the bundled model, each in a process of
its own whose Python reports every call. Counted are our own modules alone. The chain is what stands on the stack,
from the command's function to the one that makes the first tensor of a text: T5's encoder cannot begin without it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from bench.house import ROOT, SOURCES

FOLDERS = tuple(str(ROOT / folder) + os.sep for name, folder in SOURCES.items() if name != "bench")
COMMANDS = str(ROOT / "reatt_cli" / "commands") + os.sep
FIRST = "pad"  # in model/stacks/halves.py: token ids become a tensor
RESULT = "reatt-trace "
TEXTS = {
    "leave.md": "# Leave\n\nParental leave in Norway is {} weeks at full pay. Ask Ada in room {}.\n",
    "travel.txt": "Travel is approved by the head of department number {} within {} days.\n",
}


@dataclass
class Trace:
    """What has run so far."""

    files: set[str]
    functions: set[tuple[str, str]]
    chain: list[str]

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(FOLDERS) or code.co_name.startswith("<"):
            return
        self.files.add(code.co_filename)
        self.functions.add((code.co_filename, code.co_qualname))
        if not self.chain and code.co_name == FIRST and code.co_filename.endswith("model/stacks/halves.py"):
            self.chain = chain(frame)


def chain(frame: FrameType | None) -> list[str]:
    """Name our functions on the stack, from the command's own to this one."""
    names = []
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(FOLDERS) and not code.co_name.startswith("<"):
            names.append(f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_qualname}")
        frame = frame.f_back
    outer = [number for number, name in enumerate(names) if (str(ROOT) + os.sep + name).startswith(COMMANDS)]
    return list(reversed(names[: outer[-1] + 1])) if outer else list(reversed(names))


def run(arguments: Sequence[str]) -> None:
    """Run one command in this process, and print what it entered as the last line."""
    import torch  # noqa: F401  (its own import calls nothing of ours)

    from reatt_cli.app import run as reatt

    trace = Trace(set(), set(), [])
    sys.setprofile(trace)
    try:
        code = reatt(list(arguments))
    finally:
        sys.setprofile(None)
    told = {"code": code, "files": len(trace.files), "functions": len(trace.functions), "chain": trace.chain}
    print(RESULT + json.dumps(told))


def traced(arguments: Sequence[str], home: Path) -> dict[str, Any]:
    """Run one command in a process of its own; return its exit code and what it entered."""
    command = [sys.executable, "-c", "import sys; from bench.trace import run; run(sys.argv[1:])", *arguments]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(home), "XDG_CACHE_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    lines = [line for line in done.stdout.splitlines() if line.startswith(RESULT)]
    if not lines:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr[-500:]}")
    told: dict[str, Any] = json.loads(lines[-1].removeprefix(RESULT))
    return told


def commands(folder: Path, adapt: bool) -> dict[str, list[str]]:
    """Write a few documents; return what is run over them."""
    (folder / "documents").mkdir()
    for name, text in TEXTS.items():
        lines = "\n".join(text.format(number, 3 * number) for number in range(40 if adapt else 2))
        (folder / "documents" / name).write_text(lines, encoding="utf-8")
    where = ["--store", str(folder / "store")]
    told = {
        "ingest": ["ingest", str(folder / "documents"), *where],
        "ask": ["ask", "How long is parental leave?", "--cold", "--ok-empty", *where],
    }
    return told | ({"adapt": ["adapt", "--steps", "1", "--accept", "never", *where]} if adapt else {})


def main() -> None:
    """Print a line for each command, and the chain of `ask`."""
    parser = argparse.ArgumentParser(prog="python -m bench.trace", description="Trace what commands run.")
    parser.add_argument("--no-adapt", action="store_true", help="leave out adapt, which takes some minutes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in commands(Path(folder), not given.no_adapt).items():
            told = traced(arguments, Path(folder))
            length = len(told["chain"])
            print(f"{name:<7} {told['files']} files, {told['functions']} functions; {length} to the first tensor")
            print("".join(f"          {each}\n" for each in told["chain"]), end="")


if __name__ == "__main__":
    main()
