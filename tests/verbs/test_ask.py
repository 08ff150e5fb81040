"""A reply says what its evidence says, where it says it, and how sure that is; the same question has the same reply."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reatt.ask import ask
from reatt.model.backbone import ChunkText, Limits
from reatt.model.confidence import Calibration, Signs, confidence
from reatt.model.reatt import ReAtt
from reatt.search.query import Query
from reatt.search.retriever import Retriever
from reatt_store.errors import BadQuestion, ModelMismatch
from reatt_store.library import Library

QUESTION = "How long is parental leave in Norway?"
NEVER = Query(QUESTION, abstain=0.0)


@pytest.fixture
def library(archive):
    with Library.open(archive) as library:
        yield library


@pytest.fixture
def retriever(library, tiny_reatt):
    return Retriever(library, tiny_reatt, library.generation())


def questions(library, count):
    """Make up questions of words that the store holds, in any order and any form."""
    pick = Random(1)
    words = "\n".join(stored.chunk.text for stored in library.every_chunk()).split()
    starts = ("How long is", "Who", "Is", "", "does the", "東京", "49?", "\t")
    return [f"{pick.choice(starts)} {' '.join(pick.sample(words, pick.randint(1, 6)))}?" for _ in range(count)]


def test_an_answer_is_what_stands_at_its_place_in_the_document(library, retriever):
    pick, sources = Random(2), set()
    for question in questions(library, 60):
        query = replace(NEVER, question=question, top=pick.randint(1, 8), beams=pick.choice([1, 1, 2]))
        reply = ask(retriever, replace(query, max_tokens=pick.choice([1, 4, 32])))
        if reply.source is None:
            assert reply.answer in (None, "yes", "no")
            assert (reply.char_start, reply.char_end) == (None, None)
            continue
        chunk = reply.evidence[reply.source].chunk
        text = "".join(each.chunk.text for each in library.chunks_of(chunk.document_id))
        assert text[reply.char_start : reply.char_end] == reply.answer != ""
        assert chunk.chunk.char_start <= reply.char_start < reply.char_end <= chunk.chunk.char_end
        sources.add(chunk.id)
    assert len(sources) > 20


def test_an_answer_deep_in_a_document_is_placed_in_the_document(library, retriever):
    reply = ask(retriever, replace(NEVER, question="Who approves travel?", only="long.md", top=1, retriever="words"))
    [evidence] = reply.evidence
    assert evidence.chunk.chunk.char_start > 0
    text = "".join(each.chunk.text for each in library.chunks_of(evidence.chunk.document_id))
    assert text[reply.char_start : reply.char_end] == reply.answer
    assert reply.char_start >= evidence.chunk.chunk.char_start


@pytest.mark.parametrize("top", [1, 3, 8])
def test_shares_sum_to_one_over_the_evidence_in_the_order_of_its_ranks(retriever, top):
    reply = ask(retriever, replace(NEVER, top=top))
    assert sum(evidence.share for evidence in reply.evidence) == pytest.approx(1, abs=1e-5)
    assert all(0 <= evidence.share <= 1 for evidence in reply.evidence)
    assert [replace(hit, tokens=(), share=0.0, read=False) for hit in reply.evidence] == retriever.search(QUESTION, top)


@pytest.mark.parametrize("reads", [1, 3, 8, 20])
def test_what_was_not_read_says_so_and_has_no_share(retriever, reads, monkeypatch):
    monkeypatch.setattr(retriever.backbone, "reads", reads)
    evidence = ask(retriever, replace(NEVER, top=8)).evidence
    assert [each.read for each in evidence] == [number < reads for number in range(8)]
    assert all(each.share == 0 for each in evidence if not each.read)
    assert all(each.share > 0 for each in evidence if each.read)


def test_the_pairs_of_each_evidence_are_those_of_its_search(retriever):
    for evidence in ask(retriever, NEVER).evidence:
        assert list(evidence.tokens) == retriever.explain(QUESTION, evidence)
        total = sum(pair.weight for pair in evidence.tokens)
        assert total == pytest.approx(evidence.attention_score, abs=1e-4)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_below_the_threshold_there_is_no_answer_but_all_the_evidence(retriever, threshold):
    told, reply = ask(retriever, NEVER), ask(retriever, Query(QUESTION, abstain=threshold))
    assert reply.abstained == (told.confidence < threshold)
    assert (reply.confidence, reply.evidence) == (told.confidence, told.evidence)
    given = (reply.answer, reply.source, reply.char_start, reply.char_end)
    assert given == ((None,) * 4 if reply.abstained else (told.answer, told.source, told.char_start, told.char_end))


@pytest.mark.parametrize("above", [True, False])
def test_the_models_own_threshold_holds_unless_told_otherwise(library, tiny_reatt, above):
    weights = Signs(1.0, 0.0, 0.0, 0.0, 0.0)
    probe = Calibration(0.0, weights, 0.0)
    model = ReAtt(tiny_reatt.t5, tiny_reatt.tokenizer, tiny_reatt.head, tiny_reatt.device, probe)
    query = Query("What is parental leave?")  # any stretch may answer it
    sure = ask(Retriever(library, model, library.generation()), replace(query, abstain=0.0)).confidence
    model.calibration = Calibration(0.0, weights, sure + (0.01 if above else -0.01))
    reply = ask(Retriever(library, model, library.generation()), query)
    assert (reply.abstained, reply.confidence) == (above, sure)


def test_the_same_question_has_the_same_reply(library, tiny_reatt, retriever):
    for question in questions(library, 5):
        first, second = (replace(ask(retriever, replace(NEVER, question=question)), timing_ms={}) for _ in range(2))
        anew = ask(Retriever(library, tiny_reatt, library.generation()), replace(NEVER, question=question))
        assert first == second == replace(anew, timing_ms={})


def test_other_answers_and_other_evidence_have_other_ids(retriever):
    replies = [ask(retriever, replace(NEVER, top=top)) for top in (1, 2, 3)]
    assert len({reply.id for reply in replies}) == 3


def test_confidence_is_a_probability_and_agreement_is_never_negative(library, retriever):
    for question in questions(library, 20):
        reply = ask(retriever, replace(NEVER, question=question, free=len(question) % 2 == 0))
        assert 0 <= reply.confidence <= 1
        assert reply.agreement >= 0


@pytest.mark.parametrize("extreme", [-1e9, 0.0, 1e9])
def test_calibrated_confidence_stays_within_0_and_1(extreme):
    calibration = Calibration(extreme, Signs(1.0, 2.0, -1.0, 0.5, 0.1), 0.5)
    assert 0 <= confidence(Signs(-3.0, 0.5, 5.0, extreme, extreme), calibration) <= 1


def test_times_add_up(retriever):
    timing = ask(retriever, NEVER).timing_ms
    assert timing["total"] == pytest.approx(timing["search"] + timing["read"])
    assert min(timing.values()) > 0


@pytest.mark.parametrize("name", ["attention", "words", "hybrid"])
def test_every_retriever_gives_evidence_that_can_be_read(retriever, name):
    reply = ask(retriever, replace(NEVER, question="leave in Norway", retriever=name, top=4))
    assert len(reply.evidence) == 4
    assert reply.answer


def test_nothing_found_is_an_abstention_with_no_evidence(retriever):
    reply = ask(retriever, replace(NEVER, only="*.pdf"))
    assert (reply.answer, reply.abstained, reply.confidence, reply.evidence) == (None, True, 0.0, [])
    assert reply.timing_ms["total"] >= 0


def test_questions_and_stores_that_cannot_be_read_are_refused(library, retriever):
    with pytest.raises(BadQuestion):
        ask(retriever, replace(NEVER, question=" \n"))
    with pytest.raises(ModelMismatch):
        ask(Retriever(library, None, library.generation()), NEVER)


def test_a_store_that_lost_its_generation_is_told_so_also_where_words_found_something(library, tiny_reatt):
    with pytest.raises(ModelMismatch, match="no vectors"):
        ask(Retriever(library, tiny_reatt, None), replace(NEVER, retriever="words"))


def test_a_question_longer_than_the_model_reads_is_answered(retriever):
    reply = ask(retriever, replace(NEVER, question="Who approves travel in Norway? " * 200))
    assert reply.answer
    assert len(reply.evidence) == 8


def test_a_model_that_reads_one_passage_answers_from_the_first_alone(tiny_reatt):
    one = ReAtt(tiny_reatt.t5, tiny_reatt.tokenizer, tiny_reatt.head, tiny_reatt.device, reads=1)
    passages = [ChunkText("", "Ada wrote the notes."), ChunkText("", "The oven broke in May.")]
    both, alone = (one.answer("Who?", some, [1.0] * len(some), Limits()) for some in (passages, passages[:1]))
    assert (both.text, both.source) == (alone.text, alone.source)
    assert both.shares == pytest.approx((1.0, 0.0), abs=1e-5)


def test_a_prior_without_bound_reads_the_best_passage_alone_and_none_reads_all_alike(tiny_reatt):
    def model(**given: float) -> ReAtt:
        return ReAtt(tiny_reatt.t5, tiny_reatt.tokenizer, tiny_reatt.head, tiny_reatt.device, **given)

    passages = [ChunkText("", "Ada wrote the notes."), ChunkText("", "The oven broke in May.")]
    told = model(prior=1000.0).answer("Who?", passages, [1.0, 2.0], Limits())
    alone = model().answer("Who?", passages[1:], [2.0], Limits())
    assert (told.text, told.source) == (alone.text, 1)
    assert told.shares == pytest.approx((0.0, 1.0))
    level = model(prior=1000.0).answer("Who?", passages, [2.0, 2.0], Limits())
    assert level.shares == pytest.approx(model().answer("Who?", passages, [1.0, 2.0], Limits()).shares)


@settings(max_examples=10)
@given(st.floats(-5, 5), st.floats(0.1, 4))
def test_of_a_prior_only_differences_of_scores_times_its_weight_count(tiny_reatt, shift, weight):
    passages = [ChunkText("", "Ada wrote the notes."), ChunkText("", "The oven broke in May.")]
    first, second = (
        ReAtt(tiny_reatt.t5, tiny_reatt.tokenizer, tiny_reatt.head, tiny_reatt.device, prior=prior)
        .answer("Who?", passages, scores, Limits(max_tokens=1))
        .shares
        for prior, scores in [(weight, [2.0, 0.5]), (1.0, [2 * weight + shift, 0.5 * weight + shift])]
    )
    assert first == pytest.approx(second, abs=1e-4)
