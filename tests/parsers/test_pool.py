"""Laws of the children that parse: no file holds an ingest up, fills the memory, or leaves a process behind.

The first three are attacks that succeeded once.
"""

import base64
import gzip
import json
import lzma
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from reatt.documents.ahead import LOOK, Ahead
from reatt.documents.reader import FoundFile, ReadLimits, read
from reatt.parsers import pool, registry
from reatt.parsers.pool import POOL, Allowance, Request
from reatt.parsers.sandbox import Crashed, read_message
from reatt_store.errors import ArchiveLimit, DocumentError, NotText, ParseLimit, RecordFormat, TooBig

QUADRATIC = b"<html><body>some text" + b"<ul>text" * 3000 + b"<a>x</a>" * 3000 + b"</body></html>"


def found(folder, name, data):
    (folder / name).write_bytes(data)
    return FoundFile(folder / name, explicit=True)


def blank_lines(pack):
    return pack(b"\n" * 30_000_000)


def brackets():
    return b'{"text": "a", "x": [' + b",".join([b"{}"] * 8_000_000) + b"]}\n"


HOSTILE = [
    ("blank.jsonl.gz", lambda: blank_lines(gzip.compress), ArchiveLimit),
    ("blank.jsonl.xz", lambda: blank_lines(lzma.compress), ArchiveLimit),
    ("spaces.jsonl.gz", lambda: gzip.compress((b" " * 5_000_000 + b"\n") * 6), ArchiveLimit),
    ("brackets.jsonl.gz", lambda: gzip.compress(brackets()), ArchiveLimit),
    ("brackets.ipynb", brackets, DocumentError),  # too long for some machines, and no notebook for the others
    ("lists.html", lambda: QUADRATIC, ParseLimit),
    ("lists.eml", lambda: b"Content-Type: text/html\n\n" + QUADRATIC, ParseLimit),
    ("lists64.eml", lambda: b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n"
     + base64.encodebytes(QUADRATIC), ParseLimit),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "error"), HOSTILE, ids=[name for name, _, _ in HOSTILE])
def test_a_file_that_grows_or_takes_its_time_is_refused_and_costs_this_process_nothing(tmp_path, name, data, error):
    file, before = found(tmp_path, name, data()), resource.getrusage(resource.RUSAGE_SELF)
    with pytest.raises(error) as caught:
        list(read(file, ReadLimits(seconds=2, memory=1 << 30)))
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert caught.value.path == str(file.path)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
    assert after.ru_maxrss - before.ru_maxrss < 50_000  # kB


@pytest.mark.parametrize("line", [brackets(), b'{"text": "' + b"[" * 60_000_000 + b'"}'], ids=["memory", "long"])
def test_one_line_of_a_plain_file_stays_within_the_limits_of_a_parser(tmp_path, line):
    file = found(tmp_path, "a.jsonl", b'{"text": "a"}\n' + line)
    with pytest.raises((ParseLimit, TooBig)):
        list(read(file, ReadLimits(memory=400 << 20, max_bytes=50_000_000 if b"[[" in line else 200_000_000)))


def test_records_may_take_long_all_together_but_not_between_two_of_them(tmp_path):
    lines = b"".join(json.dumps({"_id": str(number), "text": "a " * 2000}).encode() + b"\n" for number in range(3000))
    assert len(list(read(found(tmp_path, "a.jsonl", lines), ReadLimits(output=20_000, max_bytes=10_000)))) == 3000
    with pytest.raises(ParseLimit, match="longer than"):
        list(read(found(tmp_path, "b.jsonl", b"\n" * 190_000_000), ReadLimits(seconds=0.5)))


@pytest.mark.parametrize("number", [1, 120_000])
def test_a_repeated_id_is_found_in_files_of_any_length(tmp_path, number):
    lines = [f'{{"_id": "{at}", "text": "a"}}\n' for at in range(number)]
    data = "".join([*lines, '{"_id": "0", "text": "b"}\n']).encode()
    texts = list(read(found(tmp_path, "a.jsonl", data)))
    assert (len(texts), texts[-1].external_id, texts[-1].text) == (number, "0", "b")


def test_a_parser_is_used_again_and_replaced_when_it_is_spent_or_something_went_wrong(tmp_path, monkeypatch):
    def parser():
        list(read(found(tmp_path, "a.html", b"<p>words")))
        return POOL._waiting[-1]._process.pid

    POOL.close()
    first = parser()
    assert parser() == first
    with pytest.raises(ParseLimit):
        list(read(found(tmp_path, "b.html", QUADRATIC), ReadLimits(seconds=0.2)))
    second = parser()
    assert second != first
    os.kill(second, signal.SIGKILL)
    os.waitid(os.P_PID, second, os.WEXITED | os.WNOWAIT)
    third = parser()
    assert third != second
    monkeypatch.setattr(pool, "FILES", POOL._waiting[-1].files + 1)
    list(read(found(tmp_path, "a.html", b"<p>words")))
    assert POOL._waiting == []


def test_every_file_of_a_batch_is_read_as_if_it_were_alone(tmp_path, corpus_of_small_files):
    files = corpus_of_small_files
    ahead = Ahead(ReadLimits(), lambda file: file.path.name != "5.html")  # one that needs no reading
    for number, file in enumerate(files):
        assert said(ahead.texts(file, files[number + 1 : number + 1 + LOOK])) == said(read(file))


def said(texts):
    try:
        return list(texts)
    except DocumentError as error:
        return error.id, error.path


@pytest.fixture
def corpus_of_small_files(tmp_path):
    files = [found(tmp_path, f"{n}.html", f"<title>T {n}</title><p>Words {n}".encode()) for n in range(70)]
    odd = {
        "b.eml": b"Subject: A\n\nx", "c.md": b"# A\n\nb", "d.md": "é".encode("cp1252"), "e.txt": b"x",
        "f.jsonl": b'{"text": "a"}\n{"text": "b"}', "g.jsonl": b"{", "h.ipynb": b"[" * 60_000, "i.html": b"",
        "j.csv": b"\0", "k.html": b"<script>x</script>", "l.html": b"<p>a" * 20_000,
    }  # fmt: skip
    files[5:5] = [found(tmp_path, name, data) for name, data in odd.items()]
    return files


def test_a_file_that_takes_its_time_costs_only_itself_in_a_batch(tmp_path):
    files = [found(tmp_path, f"{n}.html", QUADRATIC if n == 3 else b"<p>words") for n in range(8)]
    ahead = Ahead(ReadLimits(seconds=1), lambda _: True)
    read_ = [said(ahead.texts(file, files[n + 1 :])) for n, file in enumerate(files)]
    assert read_[3] == ("PARSE_LIMIT", str(tmp_path / "3.html"))
    assert [texts[0].text for texts in read_[:3] + read_[4:]] == ["words"] * 7


def test_a_file_of_a_batch_that_changes_before_its_turn_is_read_again(tmp_path):
    files = [found(tmp_path, f"{n}.html", b"<p>old") for n in range(4)]
    ahead, kept = Ahead(ReadLimits(), lambda _: True), []
    for n, file in enumerate(files):
        kept += ahead.texts(file, files[n + 1 :])
        if n == 0:
            files[1].path.write_text("<p>changed")
            files[2].path.unlink()
            os.mkfifo(files[2].path)
            files[2:3] = []
    assert [text.text for text in kept] == ["old", "changed", "old"]


FORGED = [
    {"content": 3}, {"content": {"title": 1, "text": "", "pages": [], "headings": [], "warnings": []}}, {"end": True},
    {"content": {"title": "", "text": "a", "pages": [2], "headings": [], "warnings": []}},
    {"content": {"title": "", "text": "a", "pages": [], "headings": [[0]], "warnings": []}},
    {"content": {"title": "", "text": "\ud800", "pages": [], "headings": [], "warnings": []}},
    {"error": "NO_SUCH", "message": "", "fix": ""}, {"content": {"title": "", "text": "a", "pages": [True]}},
]  # fmt: skip


@pytest.mark.parametrize("answer", FORGED)
def test_the_answer_of_a_parser_that_a_file_has_taken_over_is_checked(answer):
    task = registry.Task("html", Request({}, 0, Allowance(1, 1, 1)), b"", None)
    with pytest.raises(DocumentError), registry.named("html"):
        task.content(answer)


@pytest.mark.parametrize("record", [3, ["a"], ["a", "b", "c", "d", "e", []], ["a", "b", "\udfff", "d", 1, []]])
def test_the_record_of_such_a_parser_is_checked(record):
    with pytest.raises(DocumentError), registry.named("records"):
        list(registry.record({"record": record}))


def test_what_is_no_message_is_a_crash():
    for line in (b"{", b"[1]", b"[" * 100_000, b"\xff"):
        with pytest.raises(Crashed):
            read_message(line)


def alive(process):
    with suppress(FileNotFoundError), open(f"/proc/{process}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] not in "ZX"
    return False


def slow(name):
    if name.endswith("html"):
        return QUADRATIC * 20
    body = b"BT /F1 12 Tf " + b"(a) Tj 1 0 0 1 0 0 Tm " * 400_000 + b"ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(body), body),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    listed = b"".join(b"%d 0 obj %b endobj\n" % (number, each) for number, each in enumerate(objects, 1))
    return b"%PDF-1.4\n" + listed + b"trailer<</Root 1 0 R/Size 6>>\nstartxref\n0\n%%EOF\n"


def children(process):
    with suppress(FileNotFoundError), open(f"/proc/{process}/task/{process}/children") as file:
        return [int(child) for child in file.read().split()]
    return []


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc")
@pytest.mark.parametrize("name", ["slow.pdf", "slow.html", "lines.jsonl", "slow.eml"])
def test_a_parser_dies_with_the_process_that_started_it(tmp_path, name):
    data = b"\n" * 190_000_000 if name.endswith("jsonl") else slow(name)
    file = found(tmp_path, name, b"Content-Type: text/html\n\n" + slow("a.html") if name.endswith("eml") else data)
    program = (
        "import sys; from pathlib import Path; from reatt.documents.reader import FoundFile, read\n"
        "list(read(FoundFile(Path(sys.argv[1]), True)))"
    )
    with subprocess.Popen([sys.executable, "-c", program, file.path]) as parent:
        while not (found_children := children(parent.pid)) and parent.poll() is None:
            time.sleep(0.05)
        time.sleep(0.3)
        parent.kill()
    [child] = found_children
    for _ in range(100):
        if not alive(child):
            break
        time.sleep(0.1)
    assert not alive(child)


def test_where_the_kernel_does_not_tell_a_child_looks_for_its_parent():
    program = "import os, sys\nfrom reatt.parsers.confined import watch\nwatch(os.getppid() + 1)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL


def test_a_fork_does_not_use_the_parsers_of_the_process_it_came_from(tmp_path):
    file = found(tmp_path, "a.html", b"<p>words")
    list(read(file))
    mine = POOL._waiting[-1]._process.pid
    child = os.fork()
    if not child:
        with suppress(BaseException):
            os._exit(
                0 if [text.text for text in read(file)] == ["words"] and POOL._waiting[-1]._process.pid != mine else 1
            )
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [text.text for text in read(file)] == ["words"]


def test_raw_formats_are_decoded_here_and_parsed_there(tmp_path):
    [text] = read(found(tmp_path, "a.md", "# Größe\n\nMaß und Zahl, süß.\n".encode("cp1252")))
    assert (text.title, text.text) == ("Größe", "# Größe\n\nMaß und Zahl, süß.\n")
    assert text.warnings == ("read as cp1252, a guess; use --encoding NAME to set it",)
    [named] = read(found(tmp_path, "b.md", "# Größe".encode("cp1252")), ReadLimits(encoding="latin-1"))
    assert (named.title, named.text) == ("Größe", "# Größe")
    with pytest.raises(NotText):
        list(read(found(tmp_path, "c.md", b"# A\0")))


def test_headings_without_end_are_counted_to_a_bound(tmp_path):
    [text] = read(found(tmp_path, "a.md", b"# a\n" * 150_000))
    assert (len(text.headings), len(text.text)) == (100_000, 600_000)
    [text] = read(found(tmp_path, "a.org", b"#+TITLE: " + b"long " * 10_000 + b"\n* a"))
    assert len(text.title) == 1000


def test_a_compressed_file_that_is_cut_is_told(tmp_path):
    packed = gzip.compress(b"".join(b'{"text": "%d"}\n' % number for number in range(10_000)))
    with pytest.raises(RecordFormat, match="cut off"):
        list(read(found(tmp_path, "a.jsonl.gz", packed[:-2000])))
    assert len(list(read(found(tmp_path, "b.jsonl.gz", packed + packed)))) == 20_000


class Stop(Exception):
    """Stands for Ctrl-C."""


def test_whoever_waits_for_a_busy_parser_can_stop_it(tmp_path):
    """Else Ctrl-C waits until a workbook of 100,000 rows is read."""
    told = []

    def heard(done, total):
        told.append((done, total))
        if len(told) == 2:
            raise Stop

    with pytest.raises(Stop):
        list(read(found(tmp_path, "n.html", QUADRATIC), ReadLimits(seconds=60, on_page=heard)))
    assert told == [(0, 0), (0, 0)]


def test_a_parser_that_waits_for_a_processor_gets_the_time_that_it_may_work(monkeypatch):
    patience, now = pool._Patience(os.getpid(), 10.0), time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 11)
    monkeypatch.setattr(pool, "worked", lambda _: (patience._worked or 0) + 4)
    assert not patience.over()
    monkeypatch.setattr(time, "monotonic", lambda: now + 18)
    monkeypatch.setattr(pool, "worked", lambda _: (patience._worked or 0) + 10)
    assert patience.over()


def test_a_parser_that_does_nothing_is_not_waited_for_for_ever(monkeypatch):
    patience, now = pool._Patience(os.getpid(), 10.0), time.monotonic()
    for later, over in ((11, False), (95, False), (101, True)):
        monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
        monkeypatch.setattr(pool, "worked", lambda _: patience._worked)
        assert patience.over() is over
