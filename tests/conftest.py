"""What tests share: a home of their own, a small store, the program in this process, a tiny published model."""

import json
import os
import random
import select
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import settings

from tests.texts import LEAVE, NOUNS, TRAVEL

pytest_plugins = ("tests.models_made", "tests.bert_made")

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")

ENVIRONMENT = ("STORE", "MODEL", "DEVICE", "PROGRESS", "LOG", "CONFIG")


@pytest.fixture(autouse=True, scope="session")
def _hear_ctrl_c():
    """Hear Ctrl-C, in this process and in those it starts: whoever started the tests may ignore it, as `nohup` does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True, scope="session")
def _own_state(tmp_path_factory):
    """Keep what belongs to the user apart from what tests make, in this process and in those it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


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
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
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


NURSERY = """
import json, os, sys
import reatt.adapt_encoder, reatt.model.reatt
from reatt_cli.app import run
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(quiet, stream)
        os._exit(run(json.loads(line)))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="session")
def nursery():
    """Return a function that runs `reatt`, in a fork of a process that has loaded everything, and may kill it.

    It returns the exit code; -9 if the kill came in time.
    """
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", NURSERY], **pipes) as process:
        assert process.stdout.readline() == "ready\n"

        def call(*arguments, kill_after=None):
            print(json.dumps([str(argument) for argument in arguments]), file=process.stdin, flush=True)
            child = int(process.stdout.readline())
            if kill_after is not None:
                select.select([process.stdout], [], [], kill_after)  # it may end before
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            return int(process.stdout.readline())

        yield call
        process.stdin.close()


@pytest.fixture
def library(reatt, home, model, monkeypatch):
    """Ingest three files with the tiny model into a store here."""
    monkeypatch.setenv("REATT_MODEL", str(model))
    for name, text in {"leave.md": LEAVE, "travel.txt": TRAVEL, "more/tea.txt": "Tea is at four o'clock.\n"}.items():
        (home / "work" / name).parent.mkdir(exist_ok=True)
        (home / "work" / name).write_text(text)
    reatt("init")
    assert reatt("ingest", "leave.md", "travel.txt", "more").code == 0
    return home / "work" / ".reatt"


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


@pytest.fixture(scope="session")
def tiny(write_model, tmp_path_factory):
    """Name a tiny model's folder."""
    from reatt.weights.folder import ModelFolder

    return ModelFolder(write_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="session")
def tiny_reatt(tiny):
    """Load the tiny model."""
    from reatt.weights import models

    return models.load(tiny, "cpu")


@pytest.fixture
def ingest(tmp_path, tiny, tiny_reatt):
    """Return a function that reads paths into a store with the tiny model, or another one's folder."""
    from reatt import ingest as engine
    from reatt.weights import models
    from reatt.weights.folder import ModelFolder
    from reatt_store.library import Library

    def read(*paths, store=tmp_path / "store", model=None, **options):
        folder, backbone = tiny, tiny_reatt
        if model is not None:
            folder = ModelFolder(model)
            backbone = models.load(folder, "cpu")
        with Library.create(store) as library:
            named = [str(path) for path in paths]
            return engine.ingest(library, backbone, folder, named, engine.IngestOptions(**options), lambda _: None)

    return read


@pytest.fixture(scope="session")
def archive(tiny, tiny_reatt, tmp_path_factory):
    """Make a store of a few hundred chunks with the tiny model, for tests that only read it; return its folder."""
    from reatt import ingest as engine
    from reatt_store.library import Library

    root = tmp_path_factory.mktemp("archive")
    write_corpus(root / "corpus")
    with Library.create(root / "store") as library:
        options = engine.IngestOptions()
        engine.ingest(library, tiny_reatt, tiny, [str(root / "corpus")], options, lambda _: None)
    return root / "store"


def write_corpus(folder):
    """Write 360 records in two files, two of equal text, and a few texts with headings, lines and other scripts."""
    folder.mkdir()
    pick = random.Random(0)
    texts = [sentence(pick) + sentence(pick).replace(" ", "\n", 3) for _ in range(359)]
    rows = [{"_id": f"r{n}", "title": pick.choice(NOUNS), "text": text} for n, text in enumerate(texts)]
    rows.append({**rows[0], "_id": "again"})
    for name, part in (("a.jsonl", rows[:200]), ("b.jsonl", rows[200:])):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in part))
    paragraphs = "\n\n".join(sentence(pick) * 3 for _ in range(20))
    (folder / "long.md").write_text(f"# Rules\n\n{LEAVE}\n{paragraphs}\n\n## Travel\n\n{TRAVEL}")
    (folder / "scripts.txt").write_text(
        "Ole Ærø-Sæther (49 år) bor i Tromsø.\r\n東京は日本の首都です。 👩‍👩‍👧 naïve cafe\u0301 हिन्दी\n"
    )


def sentence(pick):
    """Make up a sentence."""
    words = [
        pick.choice(NOUNS) if pick.random() < 0.6 else pick.choice(("is", "of", "in", "49", "the")) for _ in range(14)
    ]
    return " ".join(words).capitalize() + ". "


@pytest.fixture(scope="session")
def write_pool():
    """Return a function that writes 48 records, and questions in BEIR's form that need two of them each."""
    return _write_pool


def _write_pool(folder):
    rows = [(f"d{i}", f"The {NOUNS[i % 16]} of {NOUNS[i * 7 % 16]} is {i}.") for i in range(48)]
    files = {"docs.jsonl": [{"_id": id, "title": id, "text": text} for id, text in rows]}
    pairs = [(i, (i * 5 + 1) % 48) for i in range(40)]
    files["qa.jsonl"] = [
        {"_id": f"q{i}", "text": f"Which {NOUNS[a % 16]} and {NOUNS[b % 16]}?", "answers": [str(a)]}
        for i, (a, b) in enumerate(pairs)
    ]
    for name, lines in files.items():
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    judged = [f"q{i}\td{number}\t1\n" for i, pair in enumerate(pairs) for number in pair]
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged))
    return folder
