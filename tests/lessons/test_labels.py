"""The files of questions: what is read, and how a wrong line is named."""

import gzip
import json

import pytest

from reatt.lessons.labels import Answered, CloseLine, Judged, read_answered, read_close, read_judged
from reatt.lessons.lines import SHOWN
from reatt_store.errors import QueriesFormat


def written(tmp_path, text, name="rows.jsonl"):
    (tmp_path / name).write_bytes(text.encode())
    return tmp_path / name


def line(**fields):
    return json.dumps(fields) + "\n"


def test_questions_are_read_in_either_of_two_forms(tmp_path):
    text = line(question="Who?", answers=["Ada", "Ada "], document="a.md") + "\n"
    text += line(_id=7, text="How long?", answers=["49"], doc_id="d1")
    assert read_answered(written(tmp_path, text)) == [
        Answered("Who?", ("Ada",), "a.md", None),
        Answered("How long?", ("49",), "d1", "7"),
    ]


def test_a_compressed_file_and_a_byte_order_mark_are_read(tmp_path):
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(("\ufeff" + line(question="Q", answers=["a"])).encode()))
    assert len(read_answered(tmp_path / "rows.jsonl.gz")) == 1


def test_judgements_are_relevant_unless_they_say_otherwise(tmp_path):
    text = line(question="Q", document="a") + line(question="Q", document="b", relevance=0)
    assert read_judged(written(tmp_path, text)) == [Judged("Q", "a", 1), Judged("Q", "b", 0)]


def test_close_chunks_are_named_by_id_or_by_document(tmp_path):
    text = line(_id="q1", chunks=["C-12", 3]) + line(question="Q", documents=["a.md"])
    assert read_close(written(tmp_path, text)) == {
        "q1": CloseLine("q1", (12, 3), ()),
        "Q": CloseLine("Q", (), ("a.md",)),
    }


@pytest.mark.parametrize(
    ("read", "row", "problem"),
    [
        (read_answered, "{", "not JSON"),
        (read_answered, "[1]", "not a JSON object"),
        (read_answered, line(answers=["a"]), "question: missing"),
        (read_answered, line(question=" ", answers=["a"]), "question: ' ' is not a text"),
        (read_answered, line(question="Q"), "answers: missing"),
        (read_answered, line(question="Q", answers="a"), "answers: 'a' is not a list"),
        (read_answered, line(question="Q", answers=["a"], document=["b"]), "document: "),
        (read_judged, line(question="Q"), "document: missing"),
        (read_judged, line(question="Q", document="d", relevance="high"), "relevance: 'high'"),
        (read_judged, line(question="Q", document="d", relevance=-1), "relevance: -1"),
        (read_close, line(question="Q"), "neither chunks"),
        (read_close, line(question="Q", chunks=["12a"]), "chunks: '12a'"),
        (read_close, line(chunks=[1]), "question: missing"),
    ],
)
def test_a_wrong_line_is_named_with_its_field_and_a_good_example(tmp_path, read, row, problem):
    good = line(question="Q", answers=["a"], document="d", chunks=[1])
    with pytest.raises(QueriesFormat) as error:
        read(written(tmp_path, f"{good}\n{row}"))
    assert f"rows.jsonl:3: {problem}" in error.value.message
    assert error.value.fix.startswith('a line looks like {"question"')
    assert error.value.exit_code == 2


def test_of_many_wrong_lines_the_first_are_shown_and_the_others_counted(tmp_path):
    with pytest.raises(QueriesFormat) as error:
        read_answered(written(tmp_path, "{\n" * (SHOWN + 7)))
    assert len(error.value.message.splitlines()) == SHOWN + 1
    assert "7 more wrong lines" in error.value.message


@pytest.mark.parametrize("read", [read_answered, read_judged, read_close])
def test_an_empty_file_is_said_to_be_empty(tmp_path, read):
    with pytest.raises(QueriesFormat, match="is empty"):
        read(written(tmp_path, " \n\n"))


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xfa\n"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    if content:
        (tmp_path / "rows.jsonl").write_bytes(content)
    with pytest.raises(QueriesFormat, match="cannot be read"):
        read_answered(tmp_path / "rows.jsonl")


def test_a_file_without_any_answer_or_relevant_document_is_refused(tmp_path):
    with pytest.raises(QueriesFormat, match="has an answer"):
        read_answered(written(tmp_path, line(question="Q", answers=[])))
    with pytest.raises(QueriesFormat, match="is relevant"):
        read_judged(written(tmp_path, line(question="Q", document="d", relevance=0)))
