"""The law of several stores: what they find together is what one store with all documents finds, score for score."""

import json
import os
import shutil
from pathlib import Path

import pytest

from reatt import ingest as engine
from reatt.evaluate import evaluate
from reatt.search import candidates
from reatt.search.query import Query
from reatt.search.retriever import Retriever
from reatt.weights import models
from reatt_store.clusters import kept, lists
from reatt_store.errors import ModelMismatch
from reatt_store.joined.library import JoinedLibrary
from reatt_store.library import Library
from reatt_store.selection import Selection
from reatt_store.vectors import nearest
from tests.hits import same
from tests.stores_split import split

DEV = Path(__file__).resolve().parents[3] / "shared" / "data" / "dev"
QUESTIONS = (
    "How long is parental leave in Norway?",
    "Who approves travel?",
    "telescope mirror of the observatory",
    "rye bread and salt",
    "東京?",
    "?",
)
LARGER = ("fairytaleqa_val", "nq_qed_dev", "covidqa")
WAYS = [
    ("words", "auto"),
    *(
        (retriever, search)
        for retriever in ("attention", "hybrid")
        for search in ("auto", "exact", "fast", "two-stage")
    ),
]


@pytest.fixture(scope="module")
def whole(archive):
    return archive


@pytest.fixture(scope="module", params=[2, 3, 7])
def parts(request, whole, tmp_path_factory):
    """Cut the store into several."""
    return split(whole, tmp_path_factory.mktemp("parts"), request.param)


@pytest.fixture(scope="module")
def one(whole, tiny_reatt):
    with Library.open(whole) as library:
        yield Retriever(library, tiny_reatt, library.generation())


@pytest.fixture(scope="module")
def several(parts, tiny_reatt):
    with JoinedLibrary.open(parts) as library:
        yield Retriever(library, tiny_reatt, library.generation())


def told(hits):
    """Describe hits without ids, which differ."""
    return [
        (hit.path, hit.external_id, hit.chunk.chunk.ordinal, hit.score, hit.words_score, hit.attention_score)
        for hit in hits
    ]


@pytest.mark.parametrize("only", [None, "*b.jsonl", "*.md", "nothing"])
@pytest.mark.parametrize("k", [8, 10_000])
@pytest.mark.parametrize(("retriever", "search"), WAYS)
def test_several_stores_find_what_one_finds(one, several, retriever, search, k, only):
    for question in QUESTIONS:
        query = Query(question, k, retriever, search, Selection(only=(only,)) if only else None)
        expected = one.find(query)
        assert expected or retriever == "words" or only == "nothing"
        same(told(several.find(query)), told(expected))


def test_copies_are_joined_across_stores_and_each_names_its_own(one, several, parts):
    query = Query("rye bread and salt", 400)
    for hit, other in zip(several.distinct(query), one.distinct(query), strict=True):
        same(told([hit]), told([other]))
        assert [(c.path, c.external_id) for c in hit.copies] == [(c.path, c.external_id) for c in other.copies]
        assert {hit.store, *(copy.store for copy in hit.copies)} <= set(map(str, parts))
    assert any(hit.copies for hit in several.distinct(query))


def test_an_explanation_sums_to_the_score(several):
    for hit in several.find(Query("Who approves travel?", 20, "attention")):
        pairs = several.explain("Who approves travel?", hit)
        assert sum(pair.weight for pair in pairs) == pytest.approx(hit.score, rel=1e-5)


def test_a_document_in_two_stores_is_found_once_with_both(whole, tmp_path, tiny_reatt):
    shutil.copytree(whole, tmp_path / "again")
    with JoinedLibrary.open([whole, tmp_path / "again"]) as library, Library.open(whole) as single:
        twice = Retriever(library, tiny_reatt, library.generation())
        once = Retriever(single, tiny_reatt, single.generation())
        for search in ("exact", "fast", "two-stage"):
            for only in (None, "*b.jsonl"):
                query = Query("Who approves travel?", 20, "attention", search, only)
                expected = [hit for hit in told(once.find(query)) for _ in range(2)]
                assert sorted(told(twice.find(replace_top(query, 40)))) == sorted(expected)
        for hit in twice.distinct(Query("Who approves travel?", 20)):
            stores = {hit.store, *(copy.store for copy in hit.copies)}
            assert stores == {str(whole), str(tmp_path / "again")}


def replace_top(query, top):
    return Query(query.question, top, query.retriever, query.search, query.only)


@pytest.mark.parametrize("covered", [3, 1, 0])
def test_clusters_of_several_stores_find_as_those_of_one(whole, tmp_path, tiny_reatt, monkeypatch, covered):
    monkeypatch.setattr(kept, "FIRST", 50)
    monkeypatch.setattr(kept, "BEHIND", 10)
    monkeypatch.setattr(lists, "PER_ROOT", 2)
    monkeypatch.setattr(candidates, "CANDIDATES", 10**6)
    [whole] = split(whole, tmp_path / "one", 1)
    folders = split(whole, tmp_path, 3)
    for folder in folders[covered:]:
        for file in (folder / "cache").iterdir():
            file.unlink()  # as if it had been damaged: a search scans what no cluster covers
    with Library.open(whole) as single, JoinedLibrary.open(folders) as library:
        one = Retriever(single, tiny_reatt, single.generation())
        several = Retriever(library, tiny_reatt, library.generation())
        assert [len(each.all_clusters(each.generation().id)) for each in (single, library)] == [1, covered]
        for question in QUESTIONS:
            for search in ("auto", "clusters"):
                query = Query(question, 20, "hybrid", search)
                same(told(several.find(query)), told(one.find(query)))


def test_token_indexes_of_the_stores_are_asked_together(parts, one, several, tiny_reatt, monkeypatch):
    built = []
    monkeypatch.setattr(nearest, "FLAT_LIMIT", 10)
    monkeypatch.setattr(nearest, "_PROBED", 1)
    monkeypatch.setitem(nearest._BUILDERS, "ivf", lambda segments: built.append(1) or nearest._ivf(segments))
    for _ in range(2):
        with JoinedLibrary.open(parts) as library:
            fresh = Retriever(library, tiny_reatt, library.generation())
            for question in QUESTIONS:
                query = Query(question, 8, "attention", "two-stage")
                same(told(fresh.find(query)), told(one.find(query)))
    assert len(built) == len(parts)  # the second time from the stores' own caches


def test_what_a_writer_changes_in_one_store_is_seen(whole, tmp_path, tiny_reatt):
    folders = split(whole, tmp_path, 2)
    with JoinedLibrary.open(folders) as library:
        retriever, query = Retriever(library, tiny_reatt, library.generation()), Query("Who approves travel?", 9)
        before = retriever.find(query)
        gone = before[0]
        with Library.open(Path(gone.store)) as other, other.writing() as writer:
            writer.remove([int(gone.chunk.document_name[2:])])
            writer.compact()
        after = retriever.find(query)
        assert gone.chunk.document_id not in {hit.chunk.document_id for hit in after}
        assert len(after) == 9


def test_a_store_that_moves_to_another_model_is_refused(whole, tmp_path, tiny_reatt, write_model):
    folders = split(whole, tmp_path, 2)
    with JoinedLibrary.open(folders) as library:
        retriever = Retriever(library, tiny_reatt, library.generation())
        with library.libraries[1].writing() as writer:
            writer.switch(writer.begin_generation("another", "other", "f" * 64))
        with pytest.raises(ModelMismatch, match="different models"):
            retriever.find(Query("Who approves travel?"))


@pytest.mark.skipif(not DEV.is_dir(), reason="the development sets are not here")
@pytest.mark.parametrize(
    "name", ["limit_small", *(pytest.param(name, marks=[pytest.mark.slow, pytest.mark.timeout(0)]) for name in LARGER)]
)
def test_the_law_holds_on_development_questions(name, tmp_path):
    """Ask as many questions of a development set as QUESTIONS says, with the bundled model."""
    import gzip

    limit, bundled = int(os.environ.get("QUESTIONS", "8")), models.bundled()
    backbone = models.load(bundled, "cpu")
    records = tmp_path / "corpus.jsonl"
    records.write_bytes(gzip.decompress((DEV / name / "corpus.jsonl.gz").read_bytes()))
    with Library.create(tmp_path / "one") as library:
        engine.ingest(library, backbone, bundled, [str(records)], engine.IngestOptions(), lambda _: None)
    lines = gzip.decompress((DEV / name / "queries.jsonl.gz").read_bytes()).decode().splitlines()
    asked = [json.loads(line)["text"] for line in lines[:: max(1, len(lines) // limit)]]
    with Library.open(tmp_path / "one") as single:
        one = Retriever(single, backbone, single.generation(), named=0.8)
        for count in (2, 3, 7):
            with JoinedLibrary.open(split(tmp_path / "one", tmp_path / str(count), count)) as library:
                several = Retriever(library, backbone, library.generation(), named=0.8)
                for question in asked:
                    for retriever, search in WAYS:
                        query = Query(question, 20, retriever, search)
                        same(told(several.find(query)), told(one.find(query)))
                measured = [evaluate(each, DEV / name / "queries.jsonl.gz", DEV / name / "qrels.tsv", limit=limit)
                            for each in (one, several)]  # fmt: skip
                assert measured[0].per_question == measured[1].per_question
