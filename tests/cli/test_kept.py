"""An answer is found again by its id, as it was, from what the store still holds; and asking never suffers for it."""

import html.parser
import json
import re
import sqlite3

import jsonschema
import pytest

from reatt_cli.replies import kept
from reatt_cli.schemas import answers as schemas
from reatt_cli.schemas.published import json_schema
from reatt_cli.session import Session
from reatt_cli.settings import Settings
from reatt_store.library import Library

QUESTION = "How long is parental leave in Norway?"
PAYLOADS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "'\"><svg onload=x>", "</style><script>", "<!--",
    "<a href=http://x>", "<iframe srcdoc=x>", "<meta http-equiv=refresh content=0;url=//x>", "javascript:x",
    "\x1b]52;c;aGk=\x1b\\", "\x9b31m", "\u202etxt.exe\u2066", "<base href=//x>", "&#60;script>",
)  # fmt: skip


@pytest.fixture
def ask(reatt, library):
    """Ask, and return the object that is printed."""

    def call(*arguments):
        return json.loads(reatt("ask", "--json", "--explain", "--abstain", "never", *arguments).out)

    return call


def active(text):
    """Name what a browser would run, fetch or be steered by."""
    found = re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)

    class Page(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.extend([tag] * (tag in {"script", "a", "img", "svg", "iframe", "link", "base", "object", "form"}))
            found.extend(name for name, _ in attrs if name.startswith("on") or name in {"src", "href", "srcdoc"})
            found.extend(value for name, value in attrs if name == "http-equiv" and value == "refresh")

    Page().feed(text)
    return found


@pytest.mark.parametrize(
    "arguments",
    [(QUESTION,), (QUESTION, "-k", "1", "--retriever", "words"), ("Is tea at four?",), (QUESTION, "--abstain", "1")],
)
def test_an_answer_is_found_again_exactly_as_it_was(arguments, ask, library):
    told = ask(*arguments)
    assert kept.kept(Session(Settings(quiet=True)), told["id"]) == schemas.Ask.model_validate(told)


def test_the_id_that_is_shown_gives_the_page_that_asking_would_have_written(reatt, ask, home):
    shown = reatt("ask", QUESTION, "--abstain", "never", "--report", "asked.html").out
    id = re.search(r"confidence \d\.\d\d   (A-[0-9a-f]{10})$", shown, re.MULTILINE)[1]
    done = reatt("report", id, "--json")
    jsonschema.validate(json.loads(done.out), json_schema("report"))
    assert (home / "work" / f"{id}.html").read_text() == (home / "work" / "asked.html").read_text()


def test_no_word_of_a_document_is_kept_and_what_is_removed_is_gone(reatt, ask, library):
    told = ask(QUESTION, "--only", "leave.md")
    [file] = (library / "answers").iterdir()
    assert "full pay" in told["evidence"][0]["text"]
    assert [word for word in ("weeks", "full pay", "leave.md") if word in file.read_text()] == []
    assert reatt("remove", "leave.md").code == 0
    done = reatt("report", told["id"])
    assert (done.code, done.out, done.err.count("reatt: ")) == (2, "", 1)
    assert f"has changed or is gone   try: reatt ask '{QUESTION}'" in done.err


def test_a_document_that_changed_is_said_and_not_quoted_anew(reatt, ask, home):
    told = ask(QUESTION)
    (home / "work" / "leave.md").write_text("Parental leave is 50 weeks.\n")
    assert reatt("ingest", ".").code == 0
    assert "has changed or is gone" in reatt("report", told["id"]).err


def test_an_answer_in_free_words_is_not_kept_and_its_id_not_shown(reatt, ask, library):
    reatt("ask", QUESTION, "--keep", "0")  # so that none is there
    told = reatt("ask", QUESTION, "--free", "--abstain", "never").out
    assert not re.search("A-[0-9a-f]{10}", told)
    assert list((library / "answers").iterdir()) == []


def test_only_as_many_are_kept_as_is_set_and_none_if_that_is_none(reatt, ask, library):
    (library / "config.toml").write_text("[ask]\nkeep = 2\n")
    ids = [ask(f"{QUESTION} {number}")["id"] for number in range(4)]
    assert {path.stem for path in (library / "answers").iterdir()} == set(ids[2:])
    done = reatt("ask", QUESTION, "--keep", "0")
    assert "A-" not in done.out
    assert list((library / "answers").iterdir()) == []


def test_asking_goes_on_while_a_writer_holds_the_store(ask, library):
    with Library.open(library) as opened, opened.writing():
        connection = sqlite3.connect(library / "reatt.db", timeout=0, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        told = ask(QUESTION)
        connection.close()
    assert kept.kept(Session(Settings(quiet=True)), told["id"]).id == told["id"]


def test_asking_goes_on_where_nothing_can_be_kept(reatt, library):
    (library / "answers").write_text("no folder")
    done = reatt("ask", QUESTION, "--abstain", "never")
    assert (done.code, done.err.count("\n")) == (0, 1)  # the line that names the store
    assert not re.search("A-[0-9a-f]{10}", done.out)


def test_asking_changes_nothing_that_a_reader_looks_at(ask, library):
    with Library.open(library) as opened:
        before = opened.version()
        ask(QUESTION)
        assert opened.version() == before
        assert opened.check().damaged == ()


def test_no_text_is_active_in_the_page_of_a_kept_answer(reatt, ask, home):
    for number, payload in enumerate(PAYLOADS):
        (home / "work" / f"{number}.md").write_text(f"# {payload}\n\nThe word of {payload} is {number}.\n")
    assert reatt("ingest", ".").code == 0
    for payload in PAYLOADS:
        told = ask(f"What is the word of {payload}?", "--retriever", "words")
        assert reatt("report", told["id"], "-o", "page.html").code == 0
        text = (home / "work" / "page.html").read_text()
        assert (active(text), "default-src 'none'" in text) == ([], True)
    assert active(PAYLOADS[0] + PAYLOADS[1] + PAYLOADS[9]) == ["\x1b", "\x1b", "script", "img", "src", "onerror"]


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_an_id_that_is_not_there_is_one_clear_line(how, reatt, library):
    done = reatt("report", "A-0123456789", *how)
    assert (done.code, done.out) == (2, "")
    assert "no answer with the id A-0123456789 is kept" in done.err
    if how:
        jsonschema.validate(json.loads(done.err), json_schema("error"))


EVIDENCE = {"chunk": "C-1", "retrieval": {"tokens": []}}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[]", b"\xff", b'{"evidence": 1}', b'{"evidence": [{"chunk": "C-x"}]}',
        json.dumps({"question": "a", "source": 0, "evidence": []}).encode(),
        json.dumps({"question": "a", "source": 7, "evidence": [EVIDENCE]}).encode(),
        json.dumps({"question": "a", "source": None, "evidence": [EVIDENCE], "answer": 3}).encode(),
        json.dumps({"evidence": [{"chunk": "C-" + "9" * 5000}]}).encode(),
    ],
)  # fmt: skip
def test_what_was_kept_and_is_damaged_is_one_clear_line(content, reatt, library):
    (library / "answers").mkdir()
    (library / "answers" / "A-00.json").write_bytes(content)
    done = reatt("report", "A-00")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 2)
    assert "is damaged" in done.err
