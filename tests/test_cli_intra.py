"""`--method intra` on the command line: the same commands and objects, another way to find."""

import json

import pytest

QUESTION = "How long is parental leave in Norway?"
MISMATCH = 13


@pytest.fixture
def decoded(reatt, home, model, monkeypatch):
    """Ingest three files for the decoder to search."""
    monkeypatch.setenv("REATT_MODEL", str(model))
    texts = {"leave.md": "Leave is 49 weeks.\n", "tea.txt": "Tea is at four.\n", "key.txt": "Ada has it.\n"}
    for name, text in texts.items():
        (home / "work" / name).write_text(text)
    reatt("init")
    assert reatt("ingest", "--method", "intra", ".").code == 0
    return home / "work"


def test_search_shows_which_heads_spoke_and_their_terms_sum_to_the_score(reatt, decoded):
    found = json.loads(reatt("search", QUESTION, "--retriever", "attention", "--json").out)
    assert len(found["hits"]) == 3
    for hit in found["hits"]:
        terms = hit["retrieval"]["tokens"]
        assert sum(term["weight"] for term in terms) == pytest.approx(hit["retrieval"]["attention"], abs=1e-3)
        assert {(term["layer"], term["head"]) for term in terms} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    shown = reatt("search", QUESTION, "--retriever", "attention", "--explain")
    assert "layer 1 head 0" in shown.out


def test_one_round_shows_the_questions_words(reatt, decoded):
    done = reatt("search", QUESTION, "--retriever", "attention", "--rounds", "1", "--json")
    assert {term["layer"] for hit in json.loads(done.out)["hits"] for term in hit["retrieval"]["tokens"]} == {None}
    assert reatt("search", QUESTION, "--retriever", "attention", "--rerank-only").code == 0


def test_ask_answers_from_the_kept_states(reatt, decoded):
    told = json.loads(reatt("ask", QUESTION, "--abstain", "never", "--json").out)
    assert told["answer"]
    assert told["evidence"][told["source"]]["text"][told["char_start"] : told["char_end"]] == told["answer"]
    assert not told["warnings"]


def test_eval_measures_a_round_by_itself(reatt, decoded):
    (decoded / "q.jsonl").write_text(json.dumps({"_id": "1", "text": QUESTION, "answers": ["49 weeks"]}) + "\n")
    for extra in ((), ("--rounds", "1"), ("--rerank-only",)):
        done = reatt("eval", "--queries", "q.jsonl", "--retriever", "attention", "--json", *extra)
        assert json.loads(done.out)["answer_hit@5"] == 1


def test_a_store_goes_on_with_its_own_method(reatt, decoded):
    (decoded / "more.txt").write_text("The oven is hot.\n")
    assert reatt("ingest", ".").code == 0
    hits = json.loads(reatt("search", "oven", "--retriever", "attention", "--json").out)["hits"]
    assert len(hits) == 4


def test_another_method_is_told_what_to_type(reatt, decoded):
    refused = [reatt("ingest", "--method", "reatt", "."), reatt("adapt", "--steps", "1")]
    assert [done.code for done in refused] == [MISMATCH] * 2
    assert all("--reencode --method reatt" in done.err for done in refused)
    assert reatt("ingest", "--reencode", "--method", "reatt", ".").code == 0
    asked = reatt("search", QUESTION, "--retriever", "attention", "--rounds", "1")
    assert asked.code == MISMATCH
    assert "reatt ingest --reencode --method intra" in asked.err


def test_rounds_of_words_are_a_usage_error(reatt, decoded):
    assert reatt("search", QUESTION, "--rounds", "1").code == 2
    assert reatt("search", QUESTION, "--retriever", "attention", "--rounds", "1", "--rerank-only").code == 2
