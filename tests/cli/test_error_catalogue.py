"""The 36 rows of the error catalogue: each met for real, with id, exit code, and a line that says what to do."""

import io
import json
import os
import resource
import signal
import sqlite3
import zipfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import jsonschema
import pypdf
import pytest

from reatt import ingest
from reatt.documents import reader
from reatt.parsers import pool
from reatt.weights import models
from reatt_cli.schemas import published as schemas
from reatt_store.library import Library, Writer

PARTLY = 3  # the exit code where some files could not be read


@dataclass(frozen=True)
class World:
    """Where a row is met: a folder with three files, a store of them, and what holds while the command runs."""

    work: object
    store: object
    reatt: object
    patch: pytest.MonkeyPatch
    while_it_runs: ExitStack
    write_model: object

    def write(self, name, content):
        path = self.work / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


@dataclass(frozen=True)
class Row:
    """A row of the catalogue: how to meet it, and what must be said."""

    number: int
    id: str
    code: int
    call: str
    said: str
    meet: object = lambda world: None

    def __str__(self):
        return f"{self.number}-{self.id}"


def file(name, content):
    return lambda world: world.write(name, content() if callable(content) else content)


def locked_pdf():
    writer, out = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(200, 200)
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(out)
    return out.getvalue()


def blank_pdf():
    writer, out = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(200, 200)
    writer.write(out)
    return out.getvalue()


def crowded_archive():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(10_001):
            archive.writestr(str(number), b"")
    return out.getvalue()


def changing(world):
    """Write to the file each time it is opened, as a program that is still at it does."""
    world.write("log.txt", b"1\n")
    opened, lengths = reader._open, iter(range(2, 99))

    def open_and_write(path):
        found = opened(path)
        world.write("log.txt", b"1\n" * next(lengths))
        return found

    world.patch.setattr(reader, "_open", open_and_write)


def without_pyarrow(world):
    """Let the parser's child meet a pyarrow that is not there."""
    world.write("none/pyarrow.py", b"raise ModuleNotFoundError('pyarrow')")
    world.write("a.parquet", b"PAR1" + bytes(99))
    world.patch.setenv("PYTHONPATH", str(world.work / "none"))
    pool.POOL.close()
    world.while_it_runs.callback(pool.POOL.close)


def interrupted(world):
    """Send this process a real Ctrl-C while it reads."""
    world.write("new.txt", b"one\n")
    opened = reader._open
    world.patch.setattr(reader, "_open", lambda path: (os.kill(os.getpid(), signal.SIGINT), opened(path))[1])


def killed_earlier(world):
    """End an ingest after its second batch, with which its first file is whole."""
    for number in range(3):
        world.write(f"more/{number}.txt", b"note %d\n" % number)
    publish, left = Writer.publish, iter([True, True, False])

    def once(*arguments):
        if not next(left):
            raise KeyboardInterrupt
        publish(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest, "BATCH_CHUNKS", 1)
        patch.setattr(Writer, "publish", once)
        assert world.reatt("ingest", "more", "--store", "fresh").code == 130


def full_disk(world):
    world.write("new.txt", b"word " * 20_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    world.while_it_runs.callback(resource.setrlimit, resource.RLIMIT_FSIZE, limits)


def damaged_segment(world):
    [segment] = (world.store / "segments").iterdir()
    segment.write_bytes(segment.read_bytes()[:-1])


def newer(world):
    with sqlite3.connect(world.store / "reatt.db") as connection:
        connection.execute("PRAGMA user_version = 999")


def pickled(world):
    folder = world.write_model(world.work / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def device_says(error):
    def fail(*_):
        raise error()

    return lambda world: world.patch.setitem(models.METHODS, "reatt", fail)


def out_of_gpu_memory():
    import torch

    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def equal_files(world):
    for name in ("a", "b"):
        world.write(f"{name}/same.txt", b"The same twice.\n")


def name_of_bytes(world):
    with open(os.fsencode(world.work) + b"/more/caf\xe9.txt", "w") as found:
        found.write("Coffee is at ten.\n")


OLD_DRIVER = "The NVIDIA driver on your system is too old (found version 11040).\nPlease update it."
PROBLEMS = [
    Row(1, "PDF_PASSWORD", PARTLY, "ingest a.pdf", "--password-file", file("a.pdf", locked_pdf)),
    Row(2, "PDF_NO_TEXT", PARTLY, "ingest a.pdf", "ocrmypdf", file("a.pdf", blank_pdf)),
    Row(3, "PDF_DAMAGED", PARTLY, "ingest a.pdf", "print it to a new PDF", file("a.pdf", b"%PDF-1.4\ncut off")),
    Row(4, "NOT_TEXT", PARTLY, "ingest a.txt", "a.txt   not text", file("a.txt", bytes(range(256)))),
    Row(8, "UNREADABLE", PARTLY, "ingest loop", "symbolic links", lambda w: (w.work / "loop").symlink_to("loop")),
    Row(9, "TOO_BIG", PARTLY, "ingest a.txt --max-file-size 1K", "--max-file-size", file("a.txt", b"word " * 999)),
    Row(10, "PARSE_LIMIT", PARTLY, "ingest deep.ipynb", "deep.ipynb", file("deep.ipynb", b"[" * 900_000)),
    Row(12, "ARCHIVE_LIMIT", PARTLY, "ingest a.docx", "10,001", file("a.docx", crowded_archive)),
    Row(36, "LIBRARY_MISSING", PARTLY, "ingest a.parquet", 'pip install "reatt[parquet]"', without_pyarrow),
    Row(14, "CHANGED_DURING_READ", PARTLY, "ingest log.txt", "when nothing writes to it", changing),
]
NOTICES = [
    Row(11, "ENCODING_GUESSED", 0, "ingest a.txt", "--encoding", file("a.txt", "Café à Orléans\n".encode("cp1252"))),
    Row(
        11,
        "FIELDS",
        0,
        "ingest chat.jsonl",
        "read as text: msg",
        file("chat.jsonl", b'{"user": "a", "msg": "two words"}'),
    ),
    Row(13, "SYMLINK_SKIPPED", 0, "ingest .", "not followed", lambda w: (w.work / "link").symlink_to("leave.md")),
    Row(15, "DUPLICATE", 0, "ingest a b", "one set of vectors", equal_files),
    Row(30, "TRUNCATED", 0, "search --ok-empty " + "leave," * 200, "cut after", lambda world: None),
]
FAILURES = [
    Row(6, "NOTHING_FOUND", 2, "ingest --include *.docx .", "skipped: .txt (2), .md (1)"),
    Row(7, "NO_SUCH_PATH", 2, "ingest leav.md", "leave.md?"),
    Row(16, "NO_STORE", 10, "list --store nowhere", "reatt ingest"),
    Row(17, "LOCKED", 11, "remove D-1", "wait until it has finished",
        lambda world: world.while_it_runs.enter_context(Library.open(world.store).writing())),
    Row(20, "DISK_FULL", 22, "ingest new.txt", "free some space", full_disk),
    Row(21, "STORE_CHECKSUM", 12, "search leave", "reatt check", damaged_segment),
    Row(22, "MODEL_MISMATCH", 13, "search leave --model other", "reatt ingest --reencode",
        lambda world: world.write_model(world.work / "other", seed=7)),
    Row(23, "MODEL_MISSING", 14, "search leave --model nothing", "reatt models list"),
    Row(23, "MODEL_UNSAFE", 14, "search leave --model ./pickled", "reatt models add", pickled),
    Row(24, "STORE_NEWER", 15, "list", "upgrade reatt", newer),
    Row(25, "DEVICE", 20, "search leave --device cuda:99", "--device"),
    Row(26, "GPU_MEMORY", 21, "search leave", "--device cpu", device_says(out_of_gpu_memory)),
    Row(27, "DEVICE", 20, "search leave", "nvidia-smi", device_says(lambda: RuntimeError(OLD_DRIVER))),
    Row(28, "QA_FORMAT", 2, "adapt --qa qa.jsonl", "qa.jsonl:1", file("qa.jsonl", b'{"question": "Why?"}\n')),
    Row(29, "TOO_FEW_SPANS", 2, "adapt", "ingest more"),
    Row(30, "BAD_QUESTION", 2, "ask ,", 'reatt ask "QUESTION"'),
    Row(32, "USAGE", 2, "lst", "Did you mean 'list'"),
    Row(34, "READ_ONLY", 22, "init --store leave.md/store", "name another folder"),
]  # fmt: skip


@pytest.fixture
def world(home, library, reatt, monkeypatch, write_model):
    with monkeypatch.context() as patch:
        yield World(home / "work", library, reatt, patch, ExitStack(), write_model)


def call(world, row, *more):
    words = [word.replace(",", " ") for word in row.call.split()]
    with world.while_it_runs:
        return world.reatt(*words, *more)


@pytest.fixture(params=["people", "json"])
def as_json(request):
    return request.param == "json"


def told(done, name):
    """Return the one object of a command that did what it could."""
    assert (done.err, done.out.count("\n")) == ("", 1)
    found = json.loads(done.out)
    jsonschema.validate(found, schemas.json_schema(name))
    return found


@pytest.mark.parametrize("row", PROBLEMS, ids=str)
def test_a_file_that_cannot_be_read_is_told_and_the_others_are_read(row, world, as_json):
    row.meet(world)
    world.write("good.txt", b"Good.\n")
    done = call(world, row, "good.txt", *(["--json"] if as_json else []))
    assert done.code == row.code
    if as_json:
        found = told(done, "ingest")
        assert ([problem["id"] for problem in found["problems"]], found["files"]["added"]) == ([row.id], 1)
    else:
        assert done.err.count("Traceback") == 0
        assert row.said in done.err


@pytest.mark.parametrize("row", NOTICES, ids=str)
def test_what_is_odd_but_no_failure_is_told_with_its_id(row, world, as_json):
    row.meet(world)
    done = call(world, row, *(["--json"] if as_json else []))
    assert done.code == row.code
    if as_json:
        found = told(done, row.call.split()[0])
        assert row.id in [notice["id"] for notice in found["notices"]]
    else:
        [line] = [line for line in done.err.splitlines() if row.said in line]
        assert line.startswith("warning: ")


@pytest.mark.parametrize("row", FAILURES, ids=str)
def test_a_failure_is_one_line_that_says_what_to_do(row, world, as_json):
    row.meet(world)
    done = call(world, row, *(["--json"] if as_json else []))
    assert (done.code, done.out) == (row.code, "")
    last = done.err.splitlines()[-1]
    assert row.said in (last if not as_json else f"{json.loads(last)['message']} {json.loads(last)['fix']}")
    if as_json:
        assert done.err == last + "\n"
        jsonschema.validate(json.loads(last), schemas.json_schema("error"))
        assert (json.loads(last)["id"], json.loads(last)["code"]) == (row.id, row.code)
    else:
        assert last.startswith("reatt: ")
        assert "Traceback" not in done.err


def test_row_4_what_a_scan_passes_over_is_no_failure(world, as_json):
    world.write("more/picture.txt", b"\x89PNG\r\n")
    done = world.reatt("ingest", "more", *(["--json"] if as_json else []))
    assert done.code == 0
    assert told(done, "ingest")["files"]["skipped"] == 1 if as_json else "1 file skipped" in done.err


def test_row_5_an_empty_file_is_counted(world, as_json):
    world.write("more/empty.txt", b"")
    done = world.reatt("ingest", "more", *(["--json"] if as_json else []))
    assert done.code == 0
    assert told(done, "ingest")["files"]["skipped"] == 1 if as_json else "1 file skipped" in done.err


def test_row_18_what_was_killed_goes_on(world):
    killed_earlier(world)
    done = world.reatt("ingest", "more", "--store", "fresh", "--json")
    files = told(done, "ingest")["files"]
    assert (files["unchanged"], files["added"]) == (1, 3)


def test_row_19_ctrl_c_is_130_and_leaves_a_whole_store(world, as_json):
    interrupted(world)
    done = world.reatt("ingest", "new.txt", "leave.md", *(["--json"] if as_json else []))
    assert (done.code, done.out) == (130, "")
    assert done.err == "" if as_json else "the same command continues from there" in done.err
    assert world.reatt("check").code == 0


def test_row_19_a_second_ctrl_c_does_not_wait(world):
    def press_twice(_):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("it went on")

    world.write("new.txt", b"one\n")
    world.patch.setattr(reader, "_open", press_twice)
    done = world.reatt("ingest", "new.txt")
    assert (done.code, done.err.count("Ctrl-C again to stop now")) == (130, 1)
    assert world.reatt("check").code == 0


def test_row_31_no_answer_is_4_with_the_nearest_passages(world, as_json):
    done = world.reatt("ask", "Why?", "--abstain", "1", *(["--json"] if as_json else []))
    assert done.code == 4
    if as_json:
        assert (told(done, "ask")["answer"], told(done, "ask")["abstained"]) == (None, True)
    else:
        assert done.out.startswith("no confident answer")


def test_row_33_a_closed_stdout_is_141_and_quiet(world):
    outer, inner = os.pipe()
    os.close(outer)
    closed = os.fdopen(inner, "w")
    world.patch.setattr("sys.stdout", closed)
    assert world.reatt("list").code == 141
    with suppress(BrokenPipeError):  # of what Python still wants to write
        closed.close()


def test_row_35_a_name_that_is_not_utf8_is_read_listed_and_removed(world, as_json):
    name_of_bytes(world)
    assert world.reatt("ingest", "more").code == 0
    done = world.reatt("list", "--only", "more", *(["--json"] if as_json else []))
    assert r"caf\xe9.txt" in (told(done, "list")["documents"][1]["path"] if as_json else done.out)
    assert world.reatt("remove", os.fsdecode(b"more/caf\xe9.txt")).code == 0


def test_every_row_of_the_catalogue_is_here():
    rows = {row.number for row in (*PROBLEMS, *NOTICES, *FAILURES)} | {5, 18, 19, 31, 33, 35}
    assert rows == set(range(1, 37))
