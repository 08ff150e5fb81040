"""Read a large HTML page, in a process of its own. Run as a script by `sandbox.Child`.

Says one line: {"title": ..., "text": ..., "headings": [[position, heading], ...]}.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from reatt_engine.html import html
from reatt_engine.pdf_child import limit


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.stdin.readline())
    limit(request["memory"], request["cpu_seconds"])
    with open(request["file"], "rb", closefd=False) as file:
        source = file.read().decode("utf-8")
    sys.stdout.write(json.dumps(asdict(html(source))) + "\n")


if __name__ == "__main__":
    main()
