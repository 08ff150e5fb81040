"""What else may be the answer is told with every answer: the best stretches, and where the answer probably stands."""

import math

import pytest
import torch

from reatt.model.backbone import ChunkText, Limits
from reatt.model.pointing import Pointing, best_stretches, logarithms
from reatt.model.reatt import ReAtt
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from tests.bert_made import write_bert_folder

QUESTION = "How long is leave?"
EVIDENCE = [
    ChunkText("Leave", "Parental leave in Norway is 49 weeks at full pay."),
    ChunkText("", "Travel is approved by Zoe\u0308."),
    ChunkText("Travel", "Ask the head of department."),
]
SCORES = [1.5, 1.0, 0.2]


@pytest.fixture(scope="module")
def pointing(tmp_path_factory):
    """Load a tiny model with a pointer."""
    model = models.load(ModelFolder(write_bert_folder(tmp_path_factory.mktemp("bert") / "model")), "cpu")
    return ReAtt(model.t5, model.tokenizer, model.head, model.device, chooser=Pointing())


def test_the_answers_own_stretch_comes_first_and_the_others_in_the_order_of_their_probability(pointing):
    told = pointing.answer(QUESTION, EVIDENCE, SCORES, Limits())
    first, *others = told.stretches
    assert (first.source, first.span, first.log_probability) == (told.source, told.span, told.log_probability)
    assert others == sorted(others, key=lambda each: -each.log_probability)
    assert len({(each.source, each.span) for each in told.stretches}) == len(told.stretches)


def test_the_stretches_are_the_best_that_are_allowed(pointing):
    told = pointing.answer(QUESTION, EVIDENCE, SCORES, Limits(4))
    reading = pointing.read(QUESTION, EVIDENCE, SCORES)
    best = best_stretches(pointing.source(QUESTION, EVIDENCE, reading), *logarithms(reading), 4, 5)
    found = sorted((each.log_probability for each in told.stretches), reverse=True)
    assert found[:5] == pytest.approx([each.log_probability for each in best], abs=1e-5)
    assert all(EVIDENCE[each.source].text[slice(*each.span)].strip() for each in told.stretches)


def test_the_weights_are_how_probably_the_answer_begins_and_ends_at_each_token(pointing):
    told = pointing.answer(QUESTION, EVIDENCE, SCORES, Limits())
    texts, _ = logarithms(pointing.read(QUESTION, EVIDENCE, SCORES))
    for weights, scores in zip(told.weights, texts, strict=True):
        assert sum(weight for _, weight in weights) == pytest.approx(float(scores.exp().sum()), abs=1e-5)
        first = (scores[0].exp().sum() + scores[:, 0].exp().sum()) / 2
        assert weights[0][1] == pytest.approx(float(first), abs=1e-6)
    for weights, passage in zip(told.weights, EVIDENCE, strict=True):
        assert "".join(passage.text[slice(*span)] for span, _ in weights).replace(" ", "") == passage.text.replace(
            " ", ""
        )


def test_without_a_pointer_the_weights_are_the_decoders_attention(tiny_reatt):
    told = tiny_reatt.answer(QUESTION, EVIDENCE, SCORES, Limits())
    assert [(each.source, each.span) for each in told.stretches] == [(told.source, told.span)]
    for weights, share in zip(told.weights, told.shares, strict=True):
        held = sum(weight for _, weight in weights)
        assert 0 < held < share  # the rest lies on the question, the title and marks
        assert all(start < end for (start, end), _ in weights)


def test_yes_and_no_have_no_stretch_but_weights(pointing):
    told = pointing.answer("Is leave long?", EVIDENCE, SCORES, Limits())
    assert told.text in ("yes", "no")
    assert told.source is None
    assert sum(weight for each in told.weights for _, weight in each) > 0
    assert math.isfinite(told.stretches[0].log_probability)


def test_to_an_answer_in_other_words_nothing_is_added(pointing, tiny_reatt):
    for model in (pointing, tiny_reatt):
        told = model.answer(QUESTION, EVIDENCE, SCORES, Limits(4, free=True))
        assert (told.stretches, told.weights) == ((), ())


def test_what_was_not_read_has_no_weights(pointing):
    with torch.inference_mode():
        model = ReAtt(pointing.t5, pointing.tokenizer, pointing.head, pointing.device, reads=2, chooser=Pointing())
    assert len(model.answer(QUESTION, EVIDENCE, SCORES, Limits()).weights) == 2
