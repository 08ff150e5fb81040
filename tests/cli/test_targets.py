"""Laws of what an argument names: a document by its path, its lines or page; a question that begins with a dash."""

import doctest
import json

import pytest

from reatt_cli import questions, targets
from reatt_store.vouching import voucher

LINES = "".join(f"Line {n} of the gate book.\n" for n in range(1, 200))


@pytest.fixture
def filled(reatt, home, model):
    """Fill a store in the working folder."""
    work = home / "work"
    (work / "docs").mkdir()
    (work / "docs" / "gate.txt").write_text(LINES)
    (work / "docs" / "a b:7").write_text("A name that ends like a line.\n")
    records = [{"_id": name, "text": f"Text of {name}."} for name in ("one", "two")]
    (work / "docs" / "r.jsonl").write_text("\n".join(map(json.dumps, records)))
    assert reatt("ingest", "docs", "--model", model).code == 0
    return reatt


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ("docs/gate.txt", LINES),
        ("./docs/../docs/gate.txt:2-4", "".join(LINES.splitlines(True)[1:4])),
        ("docs/gate.txt:150", LINES.splitlines(True)[149]),
        ("docs/gate.txt:198-999", "".join(LINES.splitlines(True)[197:])),
        ("docs/a b:7", "A name that ends like a line.\n"),
        ("docs/r.jsonl two", "Text of two.\n"),
    ],
)
def test_show_takes_a_path_and_lines_of_it(filled, shown, text):
    assert filled("show", shown, "-q").out == text
    assert json.loads(filled("show", shown, "--json").out)["id"] == shown


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ("docs/none.txt", "neither an id (D-12, C-345) nor the path of a document"),
        ("docs/gate.txt:900", "no such part"),
        ("docs/gate.txt:p2", "no such part"),
        ("docs/r.jsonl", "names 2 documents: D-"),
    ],
)
def test_what_show_cannot_find_is_said(filled, shown, told):
    done = filled("show", shown)
    assert (done.code, told in done.err) == (2, True)


@pytest.mark.parametrize("question", ["-z flag of tar", "--delete: what does it do", "- a dash", "-k 3 means what?"])
@pytest.mark.parametrize("options", [(), ("--retriever", "words", "--ok-empty")])
def test_a_question_may_begin_with_a_dash(filled, question, options):
    done = filled("search", question, *options)
    assert done.code in (0, 4)
    assert json.loads(filled("search", *options, question, "--json").out or "{}").get("question") in (question, None)


def test_an_option_that_there_is_none_says_how_to_ask_about_it(filled):
    done = filled("ask", "-z")
    assert (done.code, 'reatt ask -- "-…"' in done.err) == (2, True)
    assert filled("search", "--", "-z", "--ok-empty").code in (0, 2, 4)


@pytest.mark.parametrize(
    ("name", "rc"), [("docs/gate.txt", 0), ("./docs/gate.txt", 0), ("one", 0), ("docs/none.txt", 2), ("r.jsonl", 2)]
)
def test_a_judged_document_is_named_as_list_prints_it_or_missed_by_name(filled, home, name, rc):
    (home / "work" / "q.jsonl").write_text('{"_id": "1", "text": "Line 3 of the gate book"}\n')
    (home / "work" / "r.tsv").write_text(f"query-id\tcorpus-id\tscore\n1\t{name}\t1\n1\tunjudged.txt\t0\n")
    done = filled("eval", "--queries", "q.jsonl", "--qrels", "r.tsv", "--retriever", "words", "--json")
    assert done.code == rc
    if rc:
        assert f"1 of 1 judged documents is not in the store: {name}" in done.err
    elif name != "one":
        assert json.loads(done.out)["hit@1"] == 1.0


def test_the_examples_in_docstrings_hold():
    assert doctest.testmod(targets).failed == 0


def test_only_a_question_is_moved():
    commands = {"ask": type("Command", (), {"params": []})}
    assert questions.marked(["list", "-x y"], {}) == ["list", "-x y"]
    assert questions.marked(["ask", "--only=my docs", "what"], commands) == ["ask", "--only=my docs", "what"]
    assert questions.marked(["ask", "-x y", "-q"], commands) == ["ask", "-q", "--", "-x y"]


@pytest.mark.parametrize("name", [".reatt/reatt.db", ".reatt/new", "link/reatt.db", "more/../.reatt/x/y"])
@pytest.mark.parametrize("command", ["export", "ask Why? --report", "report R-1 -o"])
def test_nothing_is_written_over_the_files_of_a_store(command, name, reatt, store, home):
    (home / "work" / "link").symlink_to(store)
    (home / "work" / "more").mkdir()
    (store / "reports").mkdir(exist_ok=True)
    (store / "reports" / "R-1.html").write_text(f"mine<!-- {voucher(b'mine')} -->\n")
    before = (store / "reatt.db").read_bytes()
    done = reatt(*command.split(), name)
    assert done.code == 2
    assert f"{name} is inside the store" in done.err
    assert (store / "reatt.db").read_bytes() == before
    assert not (store / "new").exists()
