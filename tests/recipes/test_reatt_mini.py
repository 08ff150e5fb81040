"""What the bundled model's recipe promises before any training: pieces, windows, wiring."""

import gzip
import json
import random
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from safetensors.torch import load_file
from tokenizers import Tokenizer

from reatt.model.backbone import ChunkText
from reatt.model.reatt import ReAtt
from reatt.model.t5 import T5
from reatt.model.tokens import TextTokenizer
from recipes.reatt_mini import train
from recipes.reatt_mini.close import HEADER, Close, closest, window, word_scores
from recipes.reatt_mini.data import Draw, load, pack
from recipes.reatt_mini.losses import Marks, chosen, losses, places_read, whole, windows
from recipes.reatt_mini.start import HEAD, SHAPE, initialise
from recipes.reatt_mini.tokenizer import twins

BUNDLED = Path(__file__).parents[2] / "engine" / "reatt" / "reatt-mini" / "tokenizer.json"
PASSAGES = [
    ChunkText("Tesla", "Nikola Tesla was born in Smiljan and studied in Graz."),
    ChunkText("Debian", "Ian Murdock founded the project in August 1993."),
    ChunkText("Photosynthesis", "Chloroplasts turn light into sugar."),
]


@pytest.fixture(scope="module")
def model() -> ReAtt:
    tokenizer = TextTokenizer(BUNDLED, end=1)
    uniform = torch.full((SHAPE.vocab_size,), 1e-6)
    return ReAtt(
        initialise(0, Tokenizer.from_file(str(BUNDLED)), uniform, None).eval(), tokenizer, HEAD, torch.device("cpu")
    )


def test_a_word_has_the_same_pieces_however_it_is_capitalised():
    tokenizer = Tokenizer.from_file(str(BUNDLED))
    for words in ("Nikola Tesla met Eleanor Rigby", "Ljubljana and Kyrgyzstan", "Marbury vs Madison"):
        typed, printed = (tokenizer.encode(w, add_special_tokens=False).tokens for w in (words.lower(), words))
        assert [piece.lower() for piece in printed] == [piece.lower() for piece in typed]


@given(st.text(min_size=1))
def test_tokens_give_back_every_text(text: str):
    tokenizer = Tokenizer.from_file(str(BUNDLED))
    tokenizer.encode_special_tokens = True
    assert (
        tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids, skip_special_tokens=False) == " " + text
    )


def test_merges_that_begin_a_word_have_twins():
    assert twins(("Ġni", "k")) == [("Ġni", "k"), ("ĠNi", "k")]
    assert twins(("n", "i")) == [("n", "i")]


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return load(packed_set(tmp_path_factory.mktemp("set")))


def packed_set(folder: Path) -> Path:
    documents = [{"_id": p.title, "title": p.title, "text": " ".join([p.text] * 9)} for p in PASSAGES]
    asked = [("Tesla", "Where did Tesla study?", "Graz"), ("Debian", "Who founded it?", "Ian Murdock")]
    queries = [{"_id": q, "text": q, "doc_id": d, "answers": [a]} for d, q, a in [*asked, ("Debian", "Why?", "unsaid")]]
    for name, rows in (("corpus", documents), ("queries", queries)):
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    save_file(pack(folder, TextTokenizer(BUNDLED, end=1)), folder / "packed.safetensors")
    return folder / "packed.safetensors"


def test_only_questions_whose_answer_stands_in_their_paragraph_are_packed(packed):
    decode = TextTokenizer(BUNDLED, end=1).decode
    assert len(packed.asked) == 2
    for number, answer in enumerate(("Graz", "Ian Murdock")):
        example = packed.example(number, random.Random(0))
        assert decode(packed.chunks[example.chunk][example.starts[0] : example.ends[0] + 1]) == answer


@given(st.integers(1, 80), st.integers(0, 2**32))
def test_every_window_holds_its_answer(packed, width, seed):
    examples = [packed.example(n, random.Random(seed)) for n in (0, 1)]
    cut, uncut = windows(packed, examples, width, 1, random.Random(seed)), whole(packed, examples)
    for row in (0, 1):
        assert cut.answer(row) == uncut.answer(row)
        assert len(cut.chunks[row]) <= max(width, len(cut.answer(row))) + 1


def test_before_training_a_rare_word_finds_its_passage_without_capitals(model):
    keys = [code.keys for code in model.encode_chunks(PASSAGES)]
    for number, question in enumerate(("smiljan", "murdock", "chloroplasts")):
        vectors = model.encode_question(question).vectors
        scores = [float((vectors @ k.T).amax(1).mean()) for k in keys]
        assert scores.index(max(scores)) == number


def test_before_training_the_decoder_goes_on_with_the_text_that_it_has_begun(model):
    tokens = model.tokenizer.chunks([PASSAGES[1]])[0].ids
    reading = model.read("Who founded it?", [PASSAGES[1]])
    right = 0
    with torch.inference_mode():
        for at in range(8, 16):
            reading.cache.past = []
            states = model.t5.decode(torch.tensor([[0, tokens[at]]]), reading.cache)
            seen = model.t5.logits(states[0, -1])[list(tokens)]
            right += tokens[int(seen.argmax())] == tokens[at + 1]
    assert right >= 4  # of 8; one of 20 by chance


@given(st.integers(20, 300), st.integers(1, 120), st.integers(0, 299), st.integers(0, 15), st.integers(0, 2**32))
def test_what_is_read_of_a_chunk_holds_its_beginning_the_answer_and_the_end(length, width, first, more, seed):
    last = min(first + more, length - 2)
    span = (min(first, last), last)
    kept = window(length, width, span, random.Random(seed))
    assert kept == tuple(sorted(set(kept)))
    assert {*range(min(HEADER, length)), *range(span[0], last + 1), length - 1} <= set(kept)
    assert len(kept) <= HEADER + max(width, last - span[0] + 1) + 1
    assert len(window(length, width, None, random.Random(seed))) >= min(length, width + 1)


def test_words_are_scored_as_bm25_scores_them():
    questions, chunks, rarity = [(5, 7, 7), (9,)], [(5, 5, 6, 1), (7, 8, 1), (4, 1)], torch.arange(10.0)
    mean = sum(map(len, chunks)) / 3
    found = word_scores(questions, chunks, rarity)
    for q, asked in enumerate(questions):
        for c, ids in enumerate(chunks):
            room = 0.9 * (0.6 + 0.4 * len(ids) / mean)
            expected = sum(float(rarity[t]) * ids.count(t) * 1.9 / (ids.count(t) + room) for t in asked)
            assert float(found[q, c]) == pytest.approx(expected)


def test_a_question_is_read_with_its_own_chunk_first_and_then_the_best_of_the_others():
    scores = torch.tensor([[0.0, 3.0, 2.0, 1.0], [9.0, 1.0, 2.0, 3.0]])
    assert closest(scores, [2, 0], [3, 2]) == [[2, 1, 3], [0, 3]]
    assert closest(scores, [3, 0], [1, 1]) == [[3], [0]]


def untrained(seed: int) -> tuple[T5, Marks]:
    uniform = torch.full((SHAPE.vocab_size,), 1e-6)
    return initialise(seed, Tokenizer.from_file(str(BUNDLED)), uniform, None), Marks(SHAPE.d_model)


@pytest.mark.parametrize("close", [(), (Close(1.0, 2),), (Close(1.0, 2, 8, 20),)])
def test_every_loss_reaches_the_weights(packed, close):
    t5, marks = untrained(1)
    _, examples = next(Draw(2, 1, 1).batches([(packed, 1.0)], 0))
    found = losses(t5, HEAD, marks, whole(packed, examples), close, torch.ones(SHAPE.vocab_size))
    for loss in (found.retrieval, found.marks, found.pointer, found.answer):
        (gradient,) = torch.autograd.grad(loss, t5.shared.weight, retain_graph=True)
        assert gradient.abs().sum() > 0


def test_the_twin_learns_retrieval_from_its_reader_and_never_the_reader_from_retrieval(packed):
    t5, marks = untrained(1)
    _, examples = next(Draw(2, 1, 1).batches([(packed, 1.0)], 0))
    batch, rarity = whole(packed, examples), torch.ones(SHAPE.vocab_size)
    found = losses(t5, HEAD, marks, batch, (Close(1.0, 2),), rarity, from_reader=True)
    found.retrieval.backward()
    head = t5.encoder.layers()[HEAD.layer].attention.k.weight.grad
    assert head is not None
    assert head.abs().sum() > 0
    assert all(p.grad is None for p in t5.decoder.parameters())
    alone = losses(t5, HEAD, marks, batch, (), rarity, from_reader=True)
    assert alone.retrieval.item() == 0  # one chunk compares nothing


def test_the_answer_is_marked_where_the_memory_holds_it(packed):
    _, examples = next(Draw(2, 1, 1).batches([(packed, 1.0)], 0))
    batch = whole(packed, examples)
    for row, (own, _) in enumerate(chosen(batch, (Close(1.0, 2, 8, 20),), torch.zeros(2, 2))):
        ids = (*batch.questions[row][:-1], *(batch.chunks[own.chunk][at] for at in own.kept))
        for start, end in places_read(batch, row, own):
            assert ids[start : end + 1] == batch.answer(row)


def training(work, steps):
    """Train some steps on a set of two questions; return the folder."""
    work.mkdir()
    shutil.copy(BUNDLED, work / "tokenizer.json")
    made = packed_set(work)
    for name in train.STAGES["windows"].sets:
        shutil.copy(made, work / f"{name}.safetensors")
    train.main(["--out", str(work), "--stage", "windows", "--steps", str(steps)])
    return work


def test_the_same_seed_and_steps_train_the_same_weights(tmp_path):
    first, second = (load_file(training(tmp_path / run, 2) / "checkpoint.safetensors") for run in ("first", "second"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("half", [True, False])
def test_a_step_is_in_bfloat16_where_the_processor_multiplies_it(half, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(train, "multiplies_bfloat16", lambda device: half)
    monkeypatch.setattr(train, "losses", lambda *given: seen.append(torch.is_autocast_enabled("cpu")) or losses(*given))
    training(tmp_path / "run", 1)
    assert seen == [half]
