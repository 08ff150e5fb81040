"""Probing: the head that is made to match is found, by the very score that retrieval uses."""

import json
import random
import shutil

import pytest
import torch
from safetensors.torch import save_file

from reatt.judging import probe
from reatt.judging.probe import HeadScore, MaskedSentence, mask_sentences, rank
from reatt.model.backbone import ChunkText
from reatt.model.stacks.halves import Head, learn_apart, pad
from reatt.model.t5_names import published_weights
from reatt.weights import models
from reatt.weights.foreign import adding
from reatt.weights.t5_files import load_t5
from reatt_store.errors import ModelError, NothingFound, UsageError
from reatt_store.library import Chunk, Document, Library

LETTERS = [chr(code) for code in range(33, 127) if chr(code) not in ".!?"]
MATCHING = (1, 2)  # the layer and head whose keys are made its queries


@pytest.fixture(scope="module")
def plain(tmp_path_factory, released):
    """A plain T5 in which one head was made to match equal tokens, registered as `plain`."""
    folder = tmp_path_factory.mktemp("models")
    source = released(folder / "source", retrieval_layer=None, retrieval_head=None)
    weights = torch.load(source / "pytorch_model.bin", weights_only=True)
    attention = f"encoder.block.{MATCHING[0]}.layer.0.SelfAttention."
    rows = slice(8 * MATCHING[1], 8 * MATCHING[1] + 8)
    weights[attention + "k.weight"][rows] = weights[attention + "q.weight"][rows] * 8
    torch.save(weights, source / "pytorch_model.bin")
    return adding.add(str(source), folder / "registry", lambda _: None, "plain").folder


@pytest.fixture
def library(tmp_path):
    """A store of 24 chunks, each of three sentences in letters of its own."""
    draw = random.Random(1)
    words = [["".join(draw.choices(LETTERS[3 * i : 3 * i + 3], k=4)) for _ in range(21)] for i in range(24)]
    texts = [" ".join(" ".join(own[at : at + 7]) + "." for at in (0, 7, 14)) for own in words]
    starts = [sum(map(len, texts[:i])) for i in range(24)]
    chunks = [
        Chunk(i, start, start + len(text), 1, None, "", text)
        for i, (start, text) in enumerate(zip(starts, texts, strict=True))
    ]
    with Library.create(tmp_path / "store") as library:
        with library.writing() as writer:
            writer.publish([(Document("/a.txt", None, "", "text", "00", 1, 0), chunks)], None, 0)
        yield library


@pytest.fixture
def fresh(plain, tmp_path):
    """Register the plain T5 once more, to be changed."""
    return adding.add(str(plain.path), tmp_path / "registry", lambda _: None, "fresh").folder


def run(library, plain, **options):
    return probe.probe(library, plain, lambda _: None, device="cpu", **options)


def test_the_head_that_matches_is_named_the_best(library, plain):
    report = run(library, plain)
    assert (report.heads[0].layer, report.heads[0].number) == MATCHING
    assert report.heads[0].hit > 0.8 > 0.5 > report.heads[1].hit
    assert (report.sentences, report.chunks, len(report.heads)) == (24, 24, 16)


def test_the_same_seed_gives_the_same_numbers(library, plain):
    first, again, other = (run(library, plain, seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_a_heads_score_is_what_retrieval_scores_with_it(library, fresh):
    chosen = models.load(probe.choose(fresh, HeadScore(3, 1, 0, 0)), "cpu")
    passages = [ChunkText("", stored.chunk.text) for stored in library.every_chunk()][:3]
    expected = [(chosen.encode_question("amber dune").vectors @ code.keys.T).amax(1).mean() for code in
                chosen.encode_chunks(passages)]  # fmt: skip
    ids = [[chosen.tokenizer.question("amber dune").ids], [tokens.ids for tokens in chosen.tokenizer.chunks(passages)]]
    asked, chunks = (probe.embed(chosen.t5, rows, chosen.device) for rows in ids)
    for layer in range(3):
        asked, chunks = probe.advance(chosen.t5, layer, asked), probe.advance(chosen.t5, layer, chunks)
    found = probe.score(chosen.t5, 3, asked, chunks)[1, 0]
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-4, rtol=0)


def test_the_choice_makes_a_plain_t5_loadable(fresh):
    with pytest.raises(ModelError, match="no retrieval head"):
        models.load(fresh, "cpu")
    head = models.load(probe.choose(fresh, HeadScore(*MATCHING, 1.0, 1.0)), "cpu").head
    assert (head.layer, head.number) == MATCHING
    assert sorted(path.name for path in fresh.path.iterdir()) == [
        "config.json",
        "model.safetensors",
        "model.sha256",
        "tokenizer.json",
    ]


def test_the_choice_leaves_a_stores_copy_alone(library, fresh):
    kept = models.keep_in_store(fresh, library.folder)
    before = kept.sha256
    assert probe.choose(fresh, HeadScore(*MATCHING, 1.0, 1.0)).sha256 != before
    assert models.ModelFolder(kept.path).sha256 == before


@pytest.mark.parametrize("origin", ["bundled", "store"])
def test_what_is_not_the_users_own_is_not_changed(plain, origin):
    with pytest.raises(UsageError, match="models add"):
        probe.choose(models.ModelFolder(plain.path, origin), HeadScore(*MATCHING, 1.0, 1.0))


def test_a_model_that_finds_by_no_head_is_not_changed(fresh):
    t5 = load_t5(fresh.path)
    learn_apart(t5, Head(*MATCHING))
    save_file(dict(published_weights(t5)), fresh.path / "model.safetensors")
    with pytest.raises(UsageError, match="its own projections"):
        probe.choose(models.ModelFolder(fresh.path), HeadScore(*MATCHING, 1.0, 1.0))


def test_a_store_with_too_little_to_try_is_told(plain, tmp_path):
    with Library.create(tmp_path / "empty") as library, pytest.raises(NothingFound, match="0 usable sentences"):
        run(library, plain)


def test_a_tie_is_no_hit():
    scores = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 2.0, 1.0]]])  # (h=1, S=2, C=3)
    assert list(rank(4, scores, torch.tensor([0, 1]))) == [HeadScore(4, 0, 0.5, 0.75)]


def test_padding_changes_no_score(plain):
    t5 = load_t5(plain.path)
    asked, device = probe.embed(t5, [[5, 6, 7], [8, 9]], torch.device("cpu")), torch.device("cpu")
    together = probe.score(t5, 0, asked, probe.embed(t5, [[5, 6, 7, 8, 9], [4]], device))
    alone = probe.score(t5, 0, asked, probe.embed(t5, [[4]], device))
    torch.testing.assert_close(together[:, :, 1:], alone)
    assert pad([[4]], device).keep.all()


def test_a_masked_sentence_lacks_its_names_and_stands_in_its_chunk():
    texts = ["Short. The river Amazon flows through the north of Brazil today.", "Too short. Yes."]
    found = mask_sentences(texts, 9, random.Random(0))
    assert [sentence.chunk for sentence in found] == [0]
    before, after = (part.strip() for part in found[0].parts)
    assert before in texts[0]
    assert after in texts[0]
    assert found[0] == MaskedSentence(found[0].parts, 0)
    left = "".join(found[0].parts)
    assert ("Amazon" not in left) != ("Brazil" not in left)


def test_a_model_that_is_no_t5_is_not_probed(library, plain, tmp_path):
    shutil.copytree(plain.path, tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="bert"):
        run(library, models.ModelFolder(tmp_path))
