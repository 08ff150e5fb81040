"""INTRA in a store: states are kept, asked in two rounds and read from; no method asks another's vectors."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reatt import ingest as engine
from reatt.ask import ask
from reatt.model.backbone import ChunkText
from reatt.search.index import AttentionIndex
from reatt.search.query import Query
from reatt.search.retriever import Retriever
from reatt.weights import models
from reatt_store.errors import ModelMismatch, StoreDamaged, UsageError
from reatt_store.joined.library import JoinedLibrary
from reatt_store.library import Library
from reatt_store.selection import EVERYTHING
from tests.stores_split import split

QUESTION = "Who is the head of the travel department?"
NOUNS = "leave Norway weeks pay travel head department telescope mirror garden rye bread oven water plot".split()


def write_rows(file: Path) -> Path:
    pairs = [(a, b) for a in NOUNS for b in NOUNS[:2] if a != b]
    rows = [{"_id": str(i), "title": a, "text": f"The {a} of the {b} is {i}."} for i, (a, b) in enumerate(pairs)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def intra(tiny):
    return models.load_intra(tiny, "cpu")


@pytest.fixture(scope="module")
def store(tiny, intra, tmp_path_factory):
    folder = tmp_path_factory.mktemp("intra")
    with Library.create(folder / "store") as library:
        paths = [str(write_rows(folder / "rows.jsonl"))]
        engine.ingest(library, intra, tiny, paths, engine.IngestOptions(), lambda _: None)
    return folder / "store"


@pytest.fixture
def retriever(store, intra):
    with Library.open(store) as library:
        yield Retriever(library, intra, library.generation())


@pytest.fixture
def scores(retriever):
    """Score every chunk by texts encoded here, without store or index: queries -> chunk id -> score."""
    chunks = list(retriever.library.every_chunk())
    coded = retriever.backbone.encode_chunks([ChunkText(each.chunk.title, each.chunk.text) for each in chunks])

    def of(queries):
        best = [(queries.vectors @ code.keys.T).amax(1) @ queries.weights for code in coded]
        return {stored.id: float(score) for stored, score in zip(chunks, best, strict=True)}

    return of


@pytest.mark.parametrize("rounds", [1, 2])
def test_several_stores_find_and_answer_as_one(store, intra, retriever, tmp_path, rounds):
    with JoinedLibrary.open(split(store, tmp_path, 3)) as library:
        several = Retriever(library, intra, library.generation())
        query = Query(QUESTION, 8, "attention", rounds=rounds, abstain=0.0)
        found = [[(hit.path, hit.external_id, hit.score) for hit in each.find(query)] for each in (retriever, several)]
        assert found[0] == found[1]
        replies = [ask(each, query) for each in (retriever, several)]
        assert replies[0].answer == replies[1].answer
        assert [hit.share for hit in replies[0].evidence] == [hit.share for hit in replies[1].evidence]


def test_states_come_back_from_the_store_within_half_a_step_of_eight_bits(retriever):
    chunks = list(retriever.library.every_chunk())
    for kept in retriever.passages(chunks):
        fresh = retriever.backbone.encode_chunks([ChunkText(kept.title, kept.text)])[0].memory
        step = fresh.abs().amax(1, keepdim=True) / 127
        assert ((kept.memory - fresh).abs() <= 0.51 * step + 1e-4).all()


def test_the_last_round_scores_every_chunk_and_leaves_a_place_to_the_first(retriever, scores):
    first, later = retriever.backbone.rounds
    early = scores(first.ask(QUESTION, ()))
    order = sorted(early, key=lambda id: -early[id])
    found = retriever.passages(retriever.library.chunks(order[: later.feed]))
    late = scores(later.ask(QUESTION, found))
    best = sorted(late, key=lambda id: -late[id])[:4]
    hits = retriever.search(QUESTION, 5, "attention", "exact")
    assert [hit.chunk.id for hit in hits] == [*best, next(id for id in order if id not in best)]
    assert [hit.score for hit in hits] == pytest.approx([late[hit.chunk.id] for hit in hits], abs=1e-3)


def test_candidates_from_an_index_are_scored_exactly_and_lose_nothing_here(retriever):
    """Above attention.FAST_LIMIT chunks `auto` is two-stage: nearest keys of each query, then whole chunks."""
    exact, *others = (retriever.search(QUESTION, 8, "attention", way) for way in ("exact", "fast", "two-stage"))
    for hits in others:
        assert [hit.chunk.id for hit in hits] == [hit.chunk.id for hit in exact]
        assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in exact], abs=1e-3)


def test_an_index_is_asked_by_the_sum_of_what_each_head_asks(retriever):
    first = retriever.search(QUESTION, 20, "attention", "exact", rounds=1)
    unlike = retriever.backbone.rounds[1].ask(QUESTION, retriever.passages([hit.chunk for hit in first]))
    assert unlike.runs == (64,) * 4
    sums = unlike.vectors.view(4, 64, -1).sum(1)  # of a random model; taught ones are more alike
    queries = replace(unlike, vectors=unlike.vectors + 0.1 * sums.repeat_interleave(64, 0))
    index = AttentionIndex(retriever.library, retriever.generation.id, token_candidates=1)
    keys = index.keys([stored.id for stored in retriever.library.every_chunk()])
    nearest = {max(keys, key=lambda chunk, each=each: float((keys[chunk] @ each).max())) for each in sums}
    assert {chunk for chunk, _ in index.search(queries, 50, "two-stage", EVERYTHING)} == nearest


def test_one_round_is_the_encoders_order_and_reranking_keeps_its_chunks(retriever, scores):
    early = scores(retriever.backbone.rounds[0].ask(QUESTION, ()))
    order = sorted(early, key=lambda id: -early[id])
    assert [h.chunk.id for h in retriever.search(QUESTION, 6, "attention", "exact", rounds=1)] == order[:6]
    reranked = retriever.search(QUESTION, 50, "attention", "exact", rerank=True)
    assert {hit.chunk.id for hit in reranked} == set(order[:20])
    assert [hit.score for hit in reranked] == sorted((hit.score for hit in reranked), reverse=True)


def test_the_terms_of_an_explanation_name_heads_and_sum_to_the_score(retriever):
    hits = retriever.search(QUESTION, 3, "attention")
    for hit in hits:
        pairs = retriever.explain(QUESTION, hit)
        assert sum(pair.weight for pair in pairs) == pytest.approx(hit.score, abs=1e-3)
        assert {pair.head for pair in pairs} == {(layer, head) for layer in range(2) for head in range(2)}
        assert all(pair.question_span == (0, len(QUESTION)) for pair in pairs)


def test_asking_encodes_no_chunk(retriever, monkeypatch):
    seen = []
    encode = retriever.backbone.encode
    monkeypatch.setattr(retriever.backbone, "encode", lambda texts: seen.extend(texts) or encode(texts))
    reply = ask(retriever, Query(QUESTION, retriever="attention", abstain=0.0))
    assert {text.ids for text in seen} == {retriever.backbone.tokenizer.question(QUESTION).ids}
    assert reply.answer
    assert sum(each.share for each in reply.evidence) == pytest.approx(1)
    assert [each.read for each in reply.evidence] == [True] * 5 + [False] * 3


def test_a_store_made_for_one_method_is_no_store_of_the_other(store, tiny, tiny_reatt, intra, tmp_path, ingest):
    with Library.open(store) as library, pytest.raises(ModelMismatch, match="for intra, not for reatt"):
        engine.ingest(library, tiny_reatt, tiny, [str(store.parent)], engine.IngestOptions(), lambda _: None)
    (tmp_path / "a.txt").write_text("Tea is at four.")
    ingest(tmp_path / "a.txt")
    with Library.open(tmp_path / "store") as library:
        plain = Retriever(library, tiny_reatt, library.generation())
        for asked in ({"rounds": 1}, {"rerank": True}):
            with pytest.raises(ModelMismatch, match="one round") as refused:
                plain.search(QUESTION, 5, "attention", **asked)
            assert "--method intra" in refused.value.fix


def test_rounds_are_about_attention(retriever):
    with pytest.raises(UsageError, match="need search by attention"):
        retriever.search(QUESTION, 5, "words", rounds=1)
    with pytest.raises(UsageError, match="second round"):
        retriever.search(QUESTION, 5, "attention", rounds=1, rerank=True)


def test_compacting_keeps_the_states_of_what_stays(store, retriever):
    chunks = list(retriever.library.every_chunk())
    before = retriever.passages(chunks)
    with Library.open(store) as library, library.writing() as writer:
        writer.remove([chunks[3].document_id])
        writer.compact()
    with Library.open(store) as library:
        again = Retriever(library, retriever.backbone, library.generation())
        left = list(library.every_chunk())
        kept = dict(zip([each.id for each in chunks], before, strict=True))
        assert len(left) == len(chunks) - 1
        assert all(torch.equal(p.memory, kept[c.id].memory) for p, c in zip(again.passages(left), left, strict=True))


def test_evidence_without_states_is_damage(retriever):
    passages = [replace(each, memory=None) for each in retriever.passages(list(retriever.library.every_chunk())[:2])]
    with pytest.raises(StoreDamaged, match="states of some passages are missing"):
        retriever.backbone.read(QUESTION, passages)
