"""What tests of the command line share: a home of their own, a small store, and the program in this process."""

from dataclasses import dataclass

import pytest

ENVIRONMENT = ("STORE", "MODEL", "DEVICE", "PROGRESS", "LOG")
LEAVE = "Parental leave in Norway is 49 weeks at full pay.\n"
TRAVEL = "Travel is approved by the head of department.\n"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Work in an empty folder, with nothing of the caller's settings."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(f"REATT_{name}", raising=False)
    for name in ("DATA", "STATE", "CONFIG", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home" / name.lower()))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


@pytest.fixture
def reatt(home, capsys):
    """Run `reatt` in this process."""
    from reatt_cli.app import run

    def call(*arguments):
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture
def store(home):
    """Make a store here that holds a Markdown file of two chunks, a record, and a page of a PDF; no vectors."""
    from reatt_store.library import Chunk, Document, Library

    texts = {
        ("hr/leave.md", None): (LEAVE, TRAVEL),
        ("faq.jsonl", "q1"): ("Ask Ada.\n",),
        ("a.pdf", None): ("Page two.",),
    }
    documents = []
    for (name, record), parts in texts.items():
        page = 2 if name.endswith("pdf") else None
        document = Document(str(home / "work" / name), record, f"Title of {name}", "text", "00" * 16, 100, page or 0)
        starts = [sum(map(len, parts[:i])) for i in range(len(parts))]
        chunks = [
            Chunk(i, start, start + len(text), i + 1, page, "Title", text)
            for i, (start, text) in enumerate(zip(starts, parts, strict=True))
        ]
        documents.append((document, chunks))
    with Library.create(home / "work" / ".reatt") as library, library.writing() as writer:
        writer.publish(documents, None, 0)
    return home / "work" / ".reatt"
