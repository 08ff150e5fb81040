"""Pointing: the answer is the best stretch there is, as a look at all of them finds; the decoder can be heard, too."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reatt.model.answers.source import source_of
from reatt.model.backbone import ChunkText, Limits
from reatt.model.confidence import Calibration
from reatt.model.pointing import Pointing, best_stretches, likelihoods, logarithms, stretches
from reatt.model.reatt import ReAtt
from reatt.model.writer import written
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from tests.bert_made import write_bert_folder

QUESTION, CLOSED = "How long is leave?", "Is leave long?"
EVIDENCE = [
    ChunkText("Leave", "Parental leave in Norway is 49 weeks at full pay."),
    ChunkText("", "Travel is approved by Zoe\u0308."),
    ChunkText("Travel", "Ask the head of department."),
]
SCORES = [1.5, 1.0, 0.2]


def choosing(model, chooser, prior=0.0):
    """The same model with another way to choose."""
    return ReAtt(model.t5, model.tokenizer, model.head, model.device, prior=prior, chooser=chooser)


def every_stretch(model, evidence, longest, bias=(0.0, 0.0, 0.0)):
    """List all stretches that may be answers with their log-probability, pair by pair: as slow as it is plain."""
    reading, found = model.read(QUESTION, evidence), []
    question = len(model.tokenizer.question(QUESTION).ids)
    rows, at = [], 0
    for ids in reading.tokens:
        rows.append(range(at + question, at + question + len(ids)))
        at += question + len(ids)
    marks = reading.marks.tolist()
    width = len(marks) // 2 - 1

    def score(chunk, start, end):
        """Add a start's score, an end's, the prior of both, and how well they belong together."""
        together = math.fsum(marks[2 + r][start] * marks[2 + width + r][end] for r in range(width))
        return marks[0][start] + marks[1][end] + 2 * bias[chunk] + together

    every = [score(c, own.start - question, own.start - question) for c, own in enumerate(rows)]
    every += [score(c, n, m) for c, own in enumerate(rows) for n in own for m in range(n, own.stop)]
    everything = math.log(math.fsum(map(math.exp, every)))
    source = source_of(reading.tokens, reading.spans, [each.text for each in evidence])
    places = [
        (c, n) for c, own in enumerate(rows) for n, span in zip(own, reading.spans[c], strict=True) if span[1] > span[0]
    ]
    for first in sorted(source.begins):
        for last in range(first, min(first + longest, len(places))):
            if source.until_end[last] == 0 and places[last][0] == places[first][0]:
                (chunk, start), (_, end) = places[first], places[last]
                total = score(chunk, start, end) - everything
                text = evidence[chunk].text[source.spans[first][0] : source.spans[last][1]]
                found.append((total, chunk, text))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("longest", [1, 3, 32])
def test_the_answer_is_the_best_of_all_stretches(bert_reatt, longest):
    expected = every_stretch(bert_reatt, EVIDENCE, longest)
    model = choosing(bert_reatt, Pointing(candidates=len(expected) + 9))
    answer = model.answer(QUESTION, EVIDENCE, SCORES, Limits(longest))
    assert (answer.source, answer.text) == expected[0][1:]
    assert answer.log_probability == pytest.approx(expected[0][0], abs=1e-4)
    reading = model.read(QUESTION, EVIDENCE)
    found = model.chooser(model.t5, reading, Limits(longest), model.source(QUESTION, EVIDENCE, reading))
    assert [each.log_probability for each in found] == pytest.approx([each[0] for each in expected], abs=1e-4)


def test_retrievals_prior_lies_over_all_scores_of_a_passage(bert_reatt):
    bias = [2.0 * (score - SCORES[0]) for score in SCORES]
    expected = every_stretch(bert_reatt, EVIDENCE, 32, bias)
    answer = choosing(bert_reatt, Pointing(), prior=2.0).answer(QUESTION, EVIDENCE, SCORES, Limits())
    assert (answer.source, answer.text) == expected[0][1:]
    assert answer.log_probability == pytest.approx(expected[0][0], abs=1e-4)


def test_every_further_token_of_a_stretch_costs_what_brevity_says(bert_reatt):
    model, reading = choosing(bert_reatt, Pointing(candidates=9999)), bert_reatt.read(QUESTION, EVIDENCE)
    source = model.source(QUESTION, EVIDENCE, reading)
    free = {(h.ids, h.places): h.log_probability for h in model.chooser(model.t5, reading, Limits(), source)}
    found = Pointing(9999, brevity=0.7)(model.t5, reading, Limits(), source)
    assert len(found) == len(free)
    assert found == sorted(found, key=lambda h: -h.log_probability)
    for each in found:
        assert each.log_probability == pytest.approx(free[each.ids, each.places] - 0.7 * (len(each.ids) - 1), abs=1e-4)


def test_all_stretches_and_no_answer_share_one_distribution(bert_reatt):
    reading = bert_reatt.read(QUESTION, EVIDENCE)
    texts, null = logarithms(reading)
    assert [len(scores) for scores in texts] == [sum(end > start for start, end in spans) for spans in reading.spans]
    rest = float(1 - sum(scores.exp().sum() for scores in texts))  # marks, titles, and the null places
    assert 0 < math.exp(null) < rest < 1


def test_without_vectors_to_compare_starts_and_ends_are_independent():
    marks = torch.randn(2, 7)
    scores = stretches(marks)
    for start in range(7):
        for end in range(7):
            expected = marks[0, start] + marks[1, end] if end >= start else -math.inf
            assert scores[start, end] == expected


def test_an_answer_is_a_stretch_of_its_evidence_with_its_marks(bert_reatt):
    answer = bert_reatt.answer(QUESTION, EVIDENCE[1:2], [1.0], Limits())
    assert answer.text == EVIDENCE[1].text[slice(*answer.span)]
    assert answer.signs.null < 0


@pytest.mark.parametrize("weight", [0.5, 100.0])
def test_the_decoder_is_heard_beside_the_pointer(bert_reatt, weight):
    model = choosing(bert_reatt, Pointing(6, weight))
    reading = model.read(QUESTION, EVIDENCE)
    source = model.source(QUESTION, EVIDENCE, reading)
    best = best_stretches(source, *logarithms(reading), 32, 6)
    heard = [float(alone(model, reading, each.ids).mean()) for each in best]
    order = sorted(range(6), key=lambda n: -(best[n].log_probability + weight * heard[n]))
    found = model.chooser(model.t5, reading, Limits(), source)
    assert [each.ids for each in found] == [best[n].ids for n in order]
    assert order != list(range(6)) or weight < 1


def alone(model, reading, ids):
    """Score the tokens of an answer and its end mark one after the other, each prefix anew."""
    marks, logs = model.t5.config, []
    for at, wanted in enumerate((*ids, marks.eos_token_id)):
        cache = model.t5.remember(torch.zeros(1, 1, 32))
        cache.memory = reading.cache.memory
        states = model.t5.decode(torch.tensor([[marks.decoder_start_token_id, *ids[:at]]]), cache)
        logs.append(torch.log_softmax(model.t5.logits(states[0, -1]).float(), -1)[wanted])
    return torch.stack(logs)


def test_answers_scored_together_are_scored_as_alone(bert_reatt):
    reading = bert_reatt.read(QUESTION, EVIDENCE)
    answers = [(9, 14, 30), (51,), (7, 7, 7, 7, 8)]
    expected = [float(alone(bert_reatt, reading, ids).mean()) for ids in answers]
    assert likelihoods(bert_reatt.t5, reading.cache, answers) == pytest.approx(expected, abs=1e-5)
    assert reading.cache.past == []


def test_yes_and_no_are_ranked_by_the_decoder_and_no_stretch_is_an_answer(bert_reatt):
    model = choosing(bert_reatt, Pointing(3))
    reading = model.read(CLOSED, EVIDENCE)
    source = model.source(CLOSED, EVIDENCE, reading)
    found = model.chooser(model.t5, reading, Limits(), source)
    assert {each.ids for each in found} == {model.tokenizer.answer(word)[:-1] for word in ("yes", "no")}
    heard = [float(alone(model, reading, each.ids).mean()) for each in found]
    assert heard == sorted(heard, reverse=True)
    assert [each.mean for each in found] == pytest.approx(heard, abs=1e-5)


def test_free_answers_are_written_in_the_evidences_letters(bert_reatt):
    texts = [ChunkText("", "The Head of Travel")]
    model = choosing(bert_reatt, Pointing())
    plain = choosing(bert_reatt, written).answer(QUESTION, texts, [1.0], Limits(8, free=True))
    assert model.answer(QUESTION, texts, [1.0], Limits(8, free=True)) == plain
    assert plain.source is None


def test_evidence_without_words_has_no_answer(bert_reatt):
    answer = bert_reatt.answer(QUESTION, [ChunkText("T", "")], [1.0], Limits())
    assert (answer.text, answer.source, answer.confidence) == ("", None, 0.0)


@given(data=st.data())
def test_the_best_stretches_are_those_of_a_search_through_all(data):
    texts = data.draw(
        st.lists(st.lists(st.sampled_from(["aa", "b", "cc-d", "e."]), max_size=6).map(" ".join), max_size=3)
    )
    tokens = [[(at, at + 1) for at, letter in enumerate(text) if not letter.isspace()] for text in texts]
    source = source_of([[7] * len(spans) for spans in tokens], tokens, texts)
    count, most = len(source.ids), data.draw(st.integers(1, 4))
    dice = torch.Generator().manual_seed(data.draw(st.integers(0, 9)))
    scores = [stretches(torch.randn(4, len(spans), generator=dice)) for spans in tokens]
    whole = torch.block_diag(*scores) if scores else torch.zeros(0, 0)
    every = [
        (float(whole[first, last]), first, last)
        for first in sorted(source.begins)
        for last in range(first, min(count, first + most))
        if source.until_end[last] == 0 and source.owner[first] == source.owner[last]
    ]
    found = best_stretches(source, scores, 0.0, most, 5)
    expected = sorted(every, reverse=True)[:5]
    assert [each.log_probability for each in found] == pytest.approx([total for total, _, _ in expected], abs=1e-5)
    assert all(1 <= len(each.ids) <= most for each in found)


def test_a_model_without_a_pointer_is_written_by_its_decoder(tmp_path, tiny_reatt):
    folder = ModelFolder(write_bert_folder(tmp_path / "plain", pointer=None))
    model = models.load(folder, "cpu")
    assert model.chooser is tiny_reatt.chooser is written
    assert model.answer(QUESTION, EVIDENCE, SCORES, Limits()).signs.null == 0.0
    assert model.read(QUESTION, EVIDENCE).marks is None


def test_a_calibration_that_knows_nothing_of_the_null_places_is_as_it_was(bert_reatt):
    weights = {"log_probability": 1.2, "share": 2.8, "agreement": -0.4, "lead": 0.01, "score": 0.15}
    told = Calibration.from_json({"bias": -1.0, "weights": weights, "threshold": 0.2})
    assert told.weights.null == 0.0
    weighed = Calibration.from_json({"bias": -1.0, "weights": {**weights, "null": -0.5}, "threshold": 0.2})
    assert weighed.weights.null == -0.5


@pytest.mark.parametrize("wrong", [{"candidates": 0}, {"candidates": "x"}, {"decoder_weight": -1}])
def test_a_pointer_that_cannot_be_is_refused(tmp_path, wrong):
    folder = ModelFolder(write_bert_folder(tmp_path / "wrong", pointer=wrong))
    with pytest.raises(models.ModelError, match="expected a number from"):
        models.load(folder, "cpu")
