"""Laws of `reatt eval`'s figures, on a real store searched by words."""

import gzip
import json
import lzma
from math import log2
from pathlib import Path

import pytest

from reatt.evaluate import MEASURES, evaluate, ranked_documents
from reatt.lessons.judged import read_qrels, read_queries
from reatt.search.retriever import Retriever
from reatt_store.errors import QueriesFormat
from reatt_store.library import Chunk, Document, Library

TEXTS = {
    "leave": ["Parental leave in Norway is 49 weeks at full pay."],
    "travel": ["Travel is approved by the head of department.", "Expenses of travel are paid within 30 days."],
    "visits": ["Visits from Norway are announced a week before."],
    None: ["Norway borders Sweden."],
}


@pytest.fixture
def retriever(tmp_path):
    with Library.create(tmp_path / "store") as library:
        add(library, TEXTS.items())
        yield Retriever(library, None, None)


def add(library, documents):
    made = []
    for number, (id, parts) in enumerate(documents):
        starts = [sum(map(len, parts[:i])) for i in range(len(parts))]
        chunks = [Chunk(i, s, s + len(t), 1, None, "", t) for i, (s, t) in enumerate(zip(starts, parts, strict=True))]
        path = "/faq.jsonl" if id else "/maps/norway.md"
        made.append((Document(path, id, "", "text", f"{number:032x}", 100, 0), chunks))
    with library.writing() as writer:
        writer.publish(made, None, 0)


@pytest.fixture
def asked(tmp_path):
    """Write a queries file, and judgements in BEIR's form unless there are none; return both paths."""

    def write(questions, judged=()):
        queries, qrels = tmp_path / "queries.jsonl", tmp_path / "qrels.tsv"
        queries.write_text("".join(json.dumps(question) + "\n" for question in questions))
        lines = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in judged)]
        qrels.write_text("\n".join(lines) + "\n")
        return queries, qrels if judged else None

    return write


QUESTIONS = [
    {"_id": "q1", "text": "How long is parental leave?", "answers": ["49 weeks"]},
    {"_id": "q2", "text": "Who allows travel expenses to be paid?", "answers": ["the boss", "head of department"]},
    {"_id": "q3", "text": "Which weeks may guests visit from Norway?"},
]
GRADES = {"visits": 0, "leave": 1, "/maps/norway.md": 2}
JUDGED = [("q1", "leave", 1), ("q2", "travel", 1), *(("q3", id, grade) for id, grade in GRADES.items())]


def test_every_figure_is_that_of_the_ranking(retriever, asked):
    rankings = [ranked_documents(retriever.search(q["text"], 100, "words")) for q in QUESTIONS]
    assert rankings == [["leave"], ["travel"], ["visits", "/maps/norway.md", "leave"]]
    result = evaluate(retriever, *asked(QUESTIONS, JUDGED), retriever_name="words")
    expected = dict.fromkeys(MEASURES[:-2], 1.0) | {"hit@1": 2 / 3, "complete@2": 2 / 3, "mrr@10": 2.5 / 3}
    expected |= {"ndcg@10": (2 + (2 / log2(3) + 1 / 2) / (2 + 1 / log2(3))) / 3, "answer_hit@1": 1 / 2}
    assert result.metrics == pytest.approx(expected | {"em": None, "f1": None})
    assert result.queries == 3
    assert result.intervals["hit@1"][0] < 2 / 3 < result.intervals["hit@1"][1]


def test_what_cannot_be_computed_is_none(retriever, asked):
    without_judgements = evaluate(retriever, *asked(QUESTIONS), retriever_name="words").metrics
    without_answers = evaluate(retriever, *asked(QUESTIONS[2:], JUDGED), retriever_name="words").metrics
    assert {name for name, value in without_judgements.items() if value is not None} == {
        f"answer_hit@{k}" for k in (1, 5, 20, 100)
    }
    assert {name for name, value in without_answers.items() if value is None} == {
        *(f"answer_hit@{k}" for k in (1, 5, 20, 100)), "em", "f1",
    }  # fmt: skip


def test_answers_are_compared_when_they_are_read(retriever, asked):
    replies = {QUESTIONS[0]["text"]: "The 49 weeks.", QUESTIONS[1]["text"]: None}
    result = evaluate(retriever, *asked(QUESTIONS), retriever_name="words", read=replies.__getitem__)
    assert (result.metrics["em"], result.metrics["f1"]) == (0.5, 0.5)
    assert result.per_question["em"] == {"q1": 1, "q2": 0}


def test_documents_rank_by_their_best_chunk_and_only_once(retriever):
    hits = retriever.search("travel expenses approved Norway", 100, "words")
    ranked = ranked_documents(hits)
    assert len(hits) == len(ranked) + 1
    assert ranked == list(dict.fromkeys(hit.chunk.external_id or hit.chunk.path for hit in hits))


def test_long_documents_are_searched_deeper(tmp_path, asked):
    with Library.create(tmp_path / "long") as library:
        long = [f"Rain and rain and rain, line {i}. " for i in range(300)]
        add(library, [("long", long), ("short", ["The longest line of this small text speaks once of rain."])])
        files = asked([{"_id": "q", "text": "rain"}], [("q", "short", 1)])
        result = evaluate(Retriever(library, None, None), *files, retriever_name="words")
    assert (result.metrics["hit@1"], result.metrics["hit@5"]) == (0, 1)


def test_a_limit_takes_questions_from_the_whole_file(retriever, asked):
    questions = [{"_id": f"q{i}", "text": f"Norway {i}", "answers": ["x"]} for i in range(10)]
    result = evaluate(retriever, *asked(questions), retriever_name="words", limit=5)
    assert list(result.per_question["answer_hit@1"]) == ["q0", "q2", "q4", "q6", "q8"]


def test_progress_reaches_its_total(retriever, asked):
    steps = []
    evaluate(retriever, *asked(QUESTIONS), retriever_name="words", on_progress=steps.append)
    assert [(step.done, step.total) for step in steps] == [(0, 2), (1, 2), (2, 2)]


def test_what_is_left_out_is_said(retriever, asked):
    result = evaluate(retriever, *asked(QUESTIONS, [("q1", "leave", 1), ("gone", "leave", 1)]), retriever_name="words")
    assert any(warning.startswith("1 questions have neither") for warning in result.warnings)
    assert "1 judged questions are not asked" in result.warnings


@pytest.mark.parametrize(("suffix", "opener"), [("", open), (".gz", gzip.open), (".xz", lzma.open)])
def test_queries_may_be_compressed(tmp_path, suffix, opener):
    path = tmp_path / f"queries.jsonl{suffix}"
    with opener(path, "wt") as file:
        file.write('{"_id": 7, "text": "Où?"}\n\n{"_id": "b", "text": "Why?", "answers": ["so", "thus"]}\n')
    assert [(q.id, q.text, q.answers) for q in read_queries(path)] == [("7", "Où?", ()), ("b", "Why?", ("so", "thus"))]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "Why?"}', "_id: missing"),
        ('{"_id": "a"}', "text: missing"),
        ('{"_id": "a", "text": ["Why?"]}', "text: ['Why?'] is not a text"),
        ('{"_id": "a", "text": "Why?", "answers": "so"}', "answers: not a list of strings"),
        ('{"_id": "good", "text": "Why?"}', "_id: 'good' again"),
        ('["Why?"]', "not a JSON object"),
        ("Why?", "not JSON: Expecting value"),
    ],
)
def test_a_wrong_query_is_named_by_file_line_and_field(tmp_path, line, said):
    path = tmp_path / "queries.jsonl"
    path.write_text('{"_id": "good", "text": "Why?"}\n' + line + "\n")
    with pytest.raises(QueriesFormat) as error:
        read_queries(path)
    assert error.value.message.startswith(f"{path}:2: {said}")
    assert '{"_id": "q1"' in error.value.fix


@pytest.mark.parametrize(
    ("line", "said"),
    [("q1 d1 1", "1 tab-separated fields, not 3"), ("q1\td1\tyes", "score: 'yes' is not a whole number")],
)
def test_a_wrong_judgement_is_named_by_file_line_and_field(tmp_path, line, said):
    path = tmp_path / "qrels.tsv"
    path.write_text(f"query-id\tcorpus-id\tscore\nq1\td2\t1\n{line}\n")
    with pytest.raises(QueriesFormat) as error:
        read_qrels(path)
    assert error.value.message == f"{path}:3: {said}"
    assert "<tab>" in error.value.fix


def test_only_the_first_wrong_lines_are_shown(tmp_path):
    path = tmp_path / "queries.jsonl"
    path.write_text("{}\n" * 1005)
    with pytest.raises(QueriesFormat) as error:
        read_queries(path)
    assert error.value.message.endswith(":5: _id: missing\n… and 1,000 more wrong lines")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", None])
def test_a_file_that_holds_no_questions_is_refused(tmp_path, content):
    path = tmp_path / "queries.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(QueriesFormat):
        read_queries(Path(path))


def test_questions_without_judgement_and_answer_cannot_be_measured(retriever, asked):
    with pytest.raises(QueriesFormat, match="no question of"):
        evaluate(retriever, *asked(QUESTIONS[2:], [("other", "leave", 1)]), retriever_name="words")
