"""What an agent pays for an answer: ten questions, by `search` and `read` alone and by `ask`. Writes agent.md.

    python -m bench.agent [--out DIR]

A script plays the agent, through the protocol's own client: it searches, reads the lines around the best passage, and
takes the sentence there that shares most words with the question. What it is given is counted in tokens.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from tokenizers import Tokenizer

from bench.kit.table import grid
from reatt.weights import models

ROOT = Path(__file__).resolve().parents[1]
REATT = [sys.executable, "-m", "reatt_cli"]
AROUND = 2  # lines read before and after a passage
SHOWN = 160  # characters of a result in the transcript
QUESTIONS = {  # of examples/questions.txt, with what an answer must hold
    "Who approves trips abroad?": "head of your workshop",
    "What diameter does the main mirror of the telescope have?": "150",
    "When was the lighthouse on Skerry Island finished?": "1868",
    "How many weeks of parental leave can each parent take?": "26",
    "What is the most that a hotel room in Oslo may cost?": "160",
    "At which core temperature is the rye bread done?": "97",
    "Who may steer the Heron?": "blue ribbon",
    "Who built the brass orrery?": "Jonas Felder",
    "How long was the swimming test for new members?": "200",
    "Which standard has the tuning fork for A?": "French standard",
}


@dataclass(frozen=True)
class Row:
    """What one question cost by both ways, and whether the answer was in what was said."""

    question: str
    read_tokens: int
    read_right: bool
    ask_tokens: int
    ask_right: bool
    ask_answer: str | None


class Agent:
    """The script: it calls tools, and counts and notes what it is given."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._words = Tokenizer.from_file(str(models.bundled().path / "tokenizer.json"))
        self.log = list[str]()

    async def call(self, name: str, **arguments: Any) -> tuple[dict[str, Any], int]:
        """Call a tool; return what it says, and how many tokens that is."""
        result = await self._client.call_tool(name, arguments)
        text = str(getattr(result.content[0], "text", ""))
        self.log += [f"> {name} {json.dumps(arguments, ensure_ascii=False)}", _short(text)]
        return json.loads(text), len(self._words.encode(text).ids)

    async def row(self, question: str, expected: str) -> Row:
        """Answer a question by both ways."""
        found, searched = await self.call("search", question=question, k=3)
        best = found["passages"][0]
        first, _, last = best["lines"].partition("-")
        lines = f"{max(1, int(first) - AROUND)}-{int(last or first) + AROUND}"
        where = {"path": best["path"], **({"record": best["record"]} if "record" in best else {"lines": lines})}
        read, spent = await self.call("read", **where)
        if "text" not in read:  # the document ends before
            read, spent = await self.call("read", path=best["path"], lines=best["lines"])
        told, asked = await self.call("ask", question=question)
        answer = told.get("answer")
        right = expected in sentence(read["text"], question)
        return Row(question, searched + spent, right, asked, expected in (answer or ""), answer)


def sentence(text: str, question: str) -> str:
    """Return the sentence that shares most words with the question."""
    words = set(re.findall(r"\w{3,}", question.lower()))
    parts = re.split(r"(?<=[.!?])\s+", text)
    return max(parts, key=lambda part: len(words & set(re.findall(r"\w{3,}", part.lower()))))


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text):,} characters)"


async def _cancelled(client: Client, log: list[str]) -> None:
    """Ask a question and give it up at once; the next call is answered."""
    with anyio.move_on_after(0.001) as scope:
        await client.call_tool("ask", {"question": "Who built the brass orrery?", "k": 50})
    log.append(f"> ask …, cancelled after a millisecond: {scope.cancelled_caught}")


async def session(store: Path) -> tuple[list[Row], list[str]]:
    """Have the whole conversation; return the figures and the transcript."""
    server = StdioServerParameters(command=REATT[0], args=[*REATT[1:], "mcp", str(store)], env=dict(os.environ))
    async with Client(server) as client:
        agent = Agent(client)
        await agent.call("status")
        await agent.call("list", only="*.md")
        rows = [await agent.row(question, expected) for question, expected in QUESTIONS.items()]
        log = agent.log[:10]
        await _cancelled(client, log)
        agent.log.clear()
        await agent.call("search", question="ferry", k=1)
        return rows, log + agent.log


def page(rows: Sequence[Row], log: Sequence[str]) -> str:
    """Write the page."""
    columns = ("question", "search + read: tokens", "holds the answer", "ask: tokens", "holds the answer", "ask says")
    told = [
        [
            r.question,
            str(r.read_tokens),
            _mark(r.read_right),
            str(r.ask_tokens),
            _mark(r.ask_right),
            r.ask_answer or "-",
        ]
        for r in rows
    ]
    total = [
        "all", str(sum(r.read_tokens for r in rows)), str(sum(r.read_right for r in rows)),
        str(sum(r.ask_tokens for r in rows)), str(sum(r.ask_right for r in rows)), "",
    ]  # fmt: skip
    said = (__doc__ or "").strip().splitlines()[2:]
    lines = ["# What an agent pays for an answer", "", *said, "", *grid(columns, [*told, total])]
    lines += ["", "Tokens are those of the bundled model's tokenizer. `search` with k=3, `ask` with k=8.", ""]
    return "\n".join([*lines, "## The beginning and the end of the session", "", "```text", *log, "```", ""])


def _mark(right: bool) -> str:
    return "yes" if right else "no"


def main() -> None:
    """Ingest the example documents, have the session, write agent.md and agent.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    out: Path = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        subprocess.run(
            [*REATT, "ingest", "--quiet", "--store", store, "documents"], check=True, cwd=ROOT / "examples"
        )  # fmt: skip
        rows, log = anyio.run(session, store)
        subprocess.run([*REATT, "serve", "--stop", "--quiet", "--store", store], check=True)
    log = [line.replace(str(ROOT), "…").replace(folder, "…") for line in log]
    (out / "agent.md").write_text(page(rows, log), encoding="utf-8")
    content = json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False)
    (out / "agent.json").write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
