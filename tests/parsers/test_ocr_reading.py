"""Laws of the process that reads pages by OCR: what it may do, and what becomes of one that does otherwise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reatt.documents.reader import FoundFile, ReadLimits, read
from reatt.parsers.ocr import reading
from reatt_store.errors import DocumentError, NotText

LIMITS = ReadLimits(seconds=20)
HEAD = """
import json, os, sys, time
asked = json.loads(sys.stdin.readline())
def say(**message):
    print(json.dumps(message), flush=True)
say(count=4)
for number in asked["pages"] or range(1, 5):
"""
READ = '    say(page=number, text=f"page {number}", confidence=0.5 + number / 8, characters=6)\n'


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Put a process in the engine's place that does something else before it reads a page."""

    def put(body: str) -> Path:
        path = tmp_path / "child.py"
        path.write_text(HEAD + body + READ)
        monkeypatch.setattr(reading, "SCRIPT", path)
        return path

    return put


def scan(tmp_path: Path, limits: ReadLimits = LIMITS, pages=()) -> reading.Scanned:
    with open(tmp_path / "file", "w+b") as file:
        return reading.scan("picture", file.fileno(), limits, pages)


def test_a_page_that_ends_the_process_is_named_and_the_others_are_read(child, tmp_path):
    child("    if number == 2: os.abort()\n")
    found = scan(tmp_path)
    assert {number: page.text for number, page in found.pages.items()} == {1: "page 1", 3: "page 3", 4: "page 4"}
    assert "OCR cannot read page 2: the engine crashed" in " ".join(found.warnings())


def test_a_page_that_takes_too_long_is_named_and_the_others_are_read(child, tmp_path):
    child("    if number == 3: time.sleep(600)\n")
    found = scan(tmp_path, ReadLimits(seconds=3))
    assert sorted(found.pages) == [1, 2, 4]
    assert "took longer than" in found.failed[3]


def test_a_file_whose_pages_all_end_the_process_is_given_up(child, tmp_path):
    child("    os.abort()\n")
    found = scan(tmp_path)
    assert (found.pages, sorted(found.failed)) == ({}, [1, 2, 3, 4])
    assert found.failed[4] == "too many pages, or too many that failed"


def test_pages_that_are_not_sure_are_named(child, tmp_path):
    child("")
    said = list(scan(tmp_path).warnings())
    assert [(warning.id, str(warning)) for warning in said] == [
        ("OCR_UNSURE", "OCR is not sure of the text: pages 1-3, confidence 0.75")
    ]


def test_a_reader_that_is_told_to_stop_stops_in_the_middle_of_a_page(child, tmp_path):
    child("    if number == 2: time.sleep(600)\n")
    calls = []

    def stop(done: int, total: int) -> None:
        calls.append((done, total))
        if calls.count((1, 4)) > 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(tmp_path, ReadLimits(seconds=600, on_page=stop))
    assert calls[-3:] == [(1, 4)] * 3


NO_ANSWERS = {
    "an array": "'[]'",
    "a page that is no number": """'{"page": "1"}'""",
    "a text that is none": """'{"page": 1, "text": 7}'""",
    "fewer than no pages": """'{"count": -1}'""",
    "a truth for a count": """'{"count": true}'""",
    "a truth for a page": """'{"page": true, "failed": "why"}'""",
    "no confidence": """'{"page": 1, "text": "a", "confidence": NaN, "characters": 1}'""",
    "endless confidence": """'{"page": 1, "text": "a", "confidence": Infinity, "characters": 1}'""",
    "a truth for a confidence": """'{"page": 1, "text": "a", "confidence": true, "characters": 1}'""",
    "fewer than no characters": """'{"page": 1, "text": "a", "confidence": 1.0, "characters": -1}'""",
    "a long text": """json.dumps({"page": 1, "text": "a" * 1_000_001, "confidence": 1.0, "characters": 1})""",
    "no JSON": "'{'",
    "many digits": """'{"count": ' + "9" * 5000 + "}" """,
    "deep": "'[' * 100_000",
    "not UTF-8": "'\\udcff'",
}


@pytest.mark.parametrize("what", NO_ANSWERS)
def test_what_is_no_answer_is_a_crash(what, child, tmp_path):
    child(f"    os.write(1, os.fsencode({NO_ANSWERS[what]}) + b'\\n'); continue\n")
    assert "engine crashed (it said what is no answer)" in " ".join(scan(tmp_path).failed.values())


@pytest.mark.parametrize(("asked", "page"), [((), 0), ((), 5), ((), -1), ((), 10**18), ((2, 3), 1)])
def test_pages_that_nobody_asked_for_are_not_taken(asked, page, child, tmp_path):
    child(f"    say(page={page}, text='mine', confidence=1.0, characters=4)\n")
    found = scan(tmp_path, pages=asked)
    assert "it said what is no answer" in " ".join(found.failed.values())
    assert {*found.pages, *found.failed} <= {*(asked or range(1, 5))}


def test_the_count_of_a_child_that_was_taken_over_fills_no_memory(child, tmp_path):
    child("    say(count=10**15); break\n")
    assert len(scan(tmp_path).failed) <= 100_000


def test_an_engine_that_does_not_start_says_why(child, tmp_path):
    child("    say(error='engine', detail='no model'); break\n")
    with pytest.raises(DocumentError, match="OCR does not start: no model"):
        scan(tmp_path)


@pytest.mark.parametrize("name", ["picture.png", "picture.jpg", "picture.tif"])
def test_without_the_extra_a_picture_says_what_to_install(name, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_NEEDED", ("no_such_module",))
    heads = {"png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff\xe0", "tif": b"II*\0"}
    (tmp_path / name).write_bytes(heads[name[-3:]])
    with pytest.raises(NotText, match="a picture") as caught:
        list(read(FoundFile(tmp_path / name, explicit=True), LIMITS))
    assert 'pip install "reatt[ocr]"' in caught.value.fix


FORBIDDEN = {
    "a file": "open('/etc/hostname')",
    "a file to write": "open(sys.argv[1], 'w')",
    "a socket": "socket.socket()",
    "a pipe": "__import__('os').pipe()",
}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_process_that_gave_up_opening_opens_nothing(what, tmp_path):
    code = f"""
import socket, sys, subprocess
from reatt.parsers.confined import limit_open_files
limit_open_files(0)
try:
    {FORBIDDEN[what]}
except OSError as error:
    sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "new")], capture_output=True, check=False)
    assert (done.returncode, list(tmp_path.iterdir())) == (7, [])


CHANGING = {
    "run a program": "os.execv(sys.executable, ['python', '-c', ''])",
    "remove a file": "os.unlink('mine')",
    "remove a folder": "os.rmdir('folder')",
    "rename a file": "os.rename('mine', 'yours')",
    "cut a file": "os.truncate('mine', 0)",
    "make a file": "open('new', 'w')",
    "make a link": "os.symlink('mine', 'link')",
    "write a file": "open('mine', 'r+')",
    "run a program in a thread": "threads.submit(os.posix_spawn, sys.executable, ['python', '-c', ''], {}).result()",
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no Landlock")
@pytest.mark.parametrize("what", CHANGING)
def test_a_process_that_only_reads_changes_and_runs_nothing(what, tmp_path):
    (tmp_path / "mine").write_text("text")
    (tmp_path / "folder").mkdir()
    code = f"""
import os, sys
from concurrent.futures import ThreadPoolExecutor
from reatt.parsers.confined import only_read
if not only_read():
    sys.exit(8)
threads = ThreadPoolExecutor(1)
assert open('mine').read() == 'text'
try:
    {CHANGING[what]}
except PermissionError:
    sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False)
    if done.returncode == 8:
        pytest.skip("this kernel has no Landlock")
    assert done.returncode == 7, done.stderr
    assert (sorted(os.listdir(tmp_path)), (tmp_path / "mine").read_text()) == (["folder", "mine"], "text")


def test_the_child_gives_up_to_change_files_before_it_loads_the_engine(tmp_path):
    code = """
import builtins, io, json, os, sys
from reatt.parsers.confined import only_read
from reatt.parsers.ocr import child
steps = []
child.only_read = lambda: steps.append("only read")
child.answers = lambda request: steps.append("engine") or []
sys.stdin = io.StringIO(json.dumps({"parent": os.getppid(), "memory": 1 << 40, "cpu_seconds": 60}))
child.main()
sys.exit(7 if steps == ["only read", "engine"] else 1)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 7


def test_the_engine_may_download_nothing_while_it_loads():
    code = """
import sys, socket
from reatt.parsers.ocr.child import _no_network
sys.addaudithook(_no_network)
try:
    socket.create_connection(("127.0.0.1", 9), timeout=5)
except PermissionError as error:
    sys.exit(7)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 7
