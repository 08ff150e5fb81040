"""Reads one file in its own process. Run as a script by `sandbox.Child`.

Prints one line: a `Content` as JSON, its warnings as [id or "", text], or {"error": id, "message": ..., "fix": ...}.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from reatt.parsers.pdf_child import limit
from reatt.parsers.registry import PARSERS, guarded
from reatt.parsers.sandbox import Message
from reatt_store.errors import DocumentError, ParseLimit


def answer(request: Message) -> Message:
    """Read the requested file."""
    try:
        with open(request["file"], "rb", closefd=False) as file:
            file.seek(0)
            content = guarded(PARSERS[request["kind"]], file.read(), request["encoding"])
        return {**asdict(content), "warnings": [[getattr(said, "id", ""), str(said)] for said in content.warnings]}
    except DocumentError as error:
        return {"error": error.id, "message": error.message, "fix": error.fix}
    except MemoryError:
        return {"error": ParseLimit.id, "message": "parsing needs more memory than allowed", "fix": "split the file"}


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.stdin.readline())
    limit(request["memory"], request["cpu_seconds"])
    sys.stdout.write(json.dumps(answer(request)) + "\n")


if __name__ == "__main__":
    main()
