"""A store that changes is searched as it is: what was removed never comes back, and no hit is lost meanwhile."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from reatt.ingest import IngestOptions, ingest
from reatt.search import maxsim
from reatt.search.shards import load
from reatt.weights import models
from reatt_store.errors import ModelMismatch
from reatt_store.library import Library
from tests.older import with_float16


@pytest.mark.parametrize("retriever_name", ["attention", "words", "hybrid"])
@pytest.mark.parametrize("search", ["exact", "fast", "two-stage"])
def test_removed_documents_never_come_back(open_store, copy, retriever_name, search):
    retriever = open_store(copy)
    before = retriever.search("travel in Norway", 10, retriever_name, search)
    gone = {hit.chunk.document_id for hit in before[:5]}
    with retriever.library.writing() as writer:
        writer.remove(gone)
    for searcher in (retriever, open_store(copy)):
        after = searcher.search("travel in Norway", 10**6, retriever_name, search)
        assert gone.isdisjoint(hit.chunk.document_id for hit in after)
        assert len(after) >= 5


@pytest.mark.parametrize("search", ["exact", "fast", "two-stage"])
def test_a_compacted_store_is_searched_as_before(open_store, copy, search):
    retriever = open_store(copy)
    with retriever.library.writing() as writer:
        writer.remove([hit.chunk.document_id for hit in retriever.search("rye bread", 9, "attention", search)])
        expected = [(h.chunk.id, h.score) for h in retriever.search("rye bread", 9, "hybrid", search)]
        writer.compact()
    for searcher in (retriever, open_store(copy)):
        found = [
            (h.chunk.id, pytest.approx(h.score, abs=1e-5)) for h in searcher.search("rye bread", 9, "hybrid", search)
        ]
        assert found == expected


@pytest.mark.parametrize("search", ["exact", "fast", "two-stage"])
def test_a_store_compacted_during_a_search_loses_no_hit(open_store, copy, monkeypatch, search):
    retriever, other = open_store(copy), open_store(copy)
    expected = [hit.chunk.id for hit in retriever.search("rye bread", 9, "attention", search)]
    others = {found.document_id for found in other.library.every_chunk()}
    others -= {found.document_id for found in other.library.chunks(expected)}
    ids_of = retriever.library.chunk_ids

    def compact_first(*given):
        with other.library.writing() as writer:
            writer.remove(others)
            writer.compact()
        return ids_of(*given)

    monkeypatch.setattr(retriever.library, "chunk_ids", compact_first)
    assert [hit.chunk.id for hit in retriever.search("rye bread", 9, "attention", search)] == expected


def test_a_store_with_keys_in_float16_is_searched_by_them_added_to_and_compacted(
    open_store, copy, tiny, tiny_reatt, tmp_path
):
    with Library.open(copy) as library:
        texts = {each.chunk.digest: (each.chunk.title, each.chunk.text) for each in library.every_chunk()}
        [*segments] = library.segments(library.generation().id)
    noise = np.random.default_rng(0)
    keys = {}
    for segment in segments:
        for digest, own in zip(segment.digests, np.split(segment.keys(), segment.offsets[1:-1]), strict=True):
            keys[digest.tobytes()] = own + 0.1 * noise.standard_normal(own.shape)
    assert keys.keys() == texts.keys()
    queries = tiny_reatt.encode_question("rye bread")

    def expected(digest):
        half = keys[digest].astype(np.float16)
        codes = np.zeros(half.shape, np.int8)
        alone = SimpleNamespace(
            id=0, half=half, codes=codes, scales=np.ones(len(half), np.float32), offsets=[0, len(half)]
        )
        return float(maxsim.exact(queries, [load(alone)])[0][0])

    def agree(search):
        hits = open_store(with_float16(copy, keys) if search == "exact" else copy).search(
            "rye bread", 9, "attention", search
        )
        assert [hit.score for hit in hits] == pytest.approx(
            [expected(hit.chunk.chunk.digest) for hit in hits], abs=1e-5
        )
        return [hit.chunk.id for hit in hits]

    found = agree("exact")
    assert agree("fast") == found
    (tmp_path / "new.md").write_text("A new text about rye bread.\n")
    with Library.open(copy) as library:
        ingest(library, tiny_reatt, tiny, [str(tmp_path / "new.md")], IngestOptions(), lambda _: None)
        kept = [segment.half is not None for segment in library.segments(library.generation().id)]
        assert {True, False} == set(kept)
        [new] = [each for each in library.every_chunk() if each.path.endswith("new.md")]
        assert [id for id in _found(open_store(copy)) if id != new.id][:8] == found[:8]
        with library.writing() as writer:
            writer.remove([new.document_id])
            writer.compact()
        assert library.check().ok
    assert agree("fast") == found


def _found(retriever):
    return [hit.chunk.id for hit in retriever.search("rye bread", 9, "attention", "fast")]


def test_vectors_of_another_model_are_refused(open_store, archive, write_model, tmp_path):
    other = models.load(models.ModelFolder(write_model(tmp_path / "other", seed=1)), "cpu")
    with pytest.raises(ModelMismatch, match="tiny-0"):
        open_store(archive, other)


def test_a_store_that_moves_to_another_model_meanwhile_says_so(open_store, copy, ingest, write_model, tmp_path):
    retriever = open_store(copy)
    (tmp_path / "new.txt").write_text("Something new.")
    ingest(tmp_path / "new.txt", store=copy, model=write_model(tmp_path / "other", seed=1), reencode=True)
    with pytest.raises(ModelMismatch, match="another model"):
        retriever.search("leave", 3)


@pytest.mark.parametrize("retriever_name", ["attention", "words", "hybrid"])
@pytest.mark.parametrize("search", ["exact", "fast", "two-stage", "auto"])
def test_an_empty_store_has_no_hits(open_store, ingest, tmp_path, retriever_name, search):
    (tmp_path / "one.jsonl").write_text(json.dumps({"_id": "1", "text": ""}))
    ingest(tmp_path / "one.jsonl")
    assert open_store(tmp_path / "store").search("leave", 3, retriever_name, search) == []
