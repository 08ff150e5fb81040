"""`ingest --keep-states`: reading begins where encoding apart ended, and no chunk is encoded again."""

from dataclasses import replace

import pytest
import torch

from reatt.ask import ask
from reatt.model.backbone import ChunkText, Limits
from reatt.search.query import Query
from reatt.search.retriever import Retriever
from reatt.weights import models
from reatt_store.errors import ModelMismatch
from reatt_store.library import Library

QUESTION = "Who approves travel?"
TEXTS = ("Travel is approved by the head of department.", "Bread.", "Parental leave in Norway is 49 weeks at full pay.")


@pytest.fixture(scope="module")
def keeping(stacked):
    return models.load_for("reatt-states", stacked, "cpu")


@pytest.fixture(scope="module")
def passages(keeping):
    texts = [ChunkText("T", text) for text in TEXTS]
    return [replace(t, memory=c.memory) for t, c in zip(texts, keeping.encode_chunks(texts), strict=True)]


def test_reading_from_kept_states_is_reading_from_text(keeping, passages):
    texts = [replace(passage, memory=None) for passage in passages]
    whole = keeping.read(QUESTION, texts)
    for some in (passages, [texts[0], passages[1], texts[2]]):
        part = keeping.read(QUESTION, some)
        assert torch.equal(part.owner, whole.owner)
        for ours, theirs in zip(part.cache.memory, whole.cache.memory, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    said = [keeping.answer(QUESTION, some, [1.0] * 3, Limits(free=True)) for some in (passages, texts)]
    assert said[0].text == said[1].text
    assert said[0].shares == pytest.approx(said[1].shares, abs=1e-5)


@pytest.fixture
def kept(stacked, keeping, tmp_path):
    """Ingest the texts with their states, the one way in that the command line has."""
    from reatt import ingest

    for number, text in enumerate(TEXTS):
        (tmp_path / f"{number}.txt").write_text(text)
    with Library.create(tmp_path / "store") as library:
        paths = [str(tmp_path / f"{number}.txt") for number in range(3)]
        ingest.ingest(library, keeping, stacked, paths, ingest.IngestOptions(), lambda _: None)
        yield library


def test_a_store_that_keeps_states_encodes_nothing_but_the_question(kept, keeping, monkeypatch):
    rows, embed = [], keeping.t5.embed
    monkeypatch.setattr(keeping.t5, "embed", lambda ids: rows.append(len(ids)) or embed(ids))
    reply = ask(Retriever(kept, keeping, kept.generation()), Query(QUESTION, retriever="attention", abstain=0.0))
    assert rows == [1, 1]  # to search, and to read
    assert len(reply.evidence) == 3


def test_eight_bits_move_the_attention_by_a_hundredth_at_most(kept, keeping):
    passages = Retriever(kept, keeping, kept.generation()).passages(list(kept.every_chunk()))
    texts = [replace(passage, memory=None) for passage in passages]
    one, other = (keeping.shares(keeping.read(QUESTION, some)).tolist() for some in (passages, texts))
    assert one == pytest.approx(other, abs=0.01)


def test_the_keys_are_those_of_a_store_without_states(kept, keeping, stacked):
    plain = models.load(stacked, "cpu")
    assert keeping.fingerprint() == plain.fingerprint()
    Retriever(kept, plain, kept.generation()).search(QUESTION, 3, "attention")


def test_a_store_without_states_says_how_to_get_them(reatt, library):
    refused = reatt("ingest", "--keep-states", "leave.md")
    assert refused.code == ModelMismatch.exit_code
    assert "reatt ingest --reencode --keep-states" in refused.err
    before = reatt("ask", "How long is leave?", "--json", "--abstain", "never")
    assert reatt("ingest", "--reencode", "--keep-states", "leave.md").code == 0
    assert reatt("ingest", "leave.md", "travel.txt").code == 0  # goes on as it is
    with Library.open(library) as opened:
        assert [(made.method, made.current) for made in opened.generations()] == [("reatt-states", True)]
        assert all(segment.memory is not None for segment in opened.segments(opened.generation().id))
    assert reatt("ask", "How long is leave?", "--json", "--abstain", "never").code == before.code
