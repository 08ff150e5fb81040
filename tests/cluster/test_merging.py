"""The law of shards: what they find together is what their stores, searched as one, find, score for score.

Here the shards are objects of this process, so that every way to search is tried; `test_cluster.py` has real processes.
"""

import pytest

from reatt import ask as verb
from reatt.cluster import asking
from reatt.cluster.fleet import Fleet
from reatt.cluster.remote import Shards
from reatt.cluster.shard import Shard
from reatt.search.query import Query
from reatt.search.retriever import Retriever
from reatt_store.errors import ModelMismatch
from reatt_store.joined.library import JoinedLibrary
from reatt_store.selection import Selection
from tests.hits import same
from tests.stores_split import split

QUESTIONS = ("How long is parental leave in Norway?", "Who approves travel?", "rye bread and salt", "東京?", "?")
WAYS = [
    ("words", "auto"),
    *(
        (retriever, search)
        for retriever in ("attention", "hybrid")
        for search in ("auto", "exact", "fast", "two-stage")
    ),
]


class Near(Fleet):
    """A fleet of shards in this process."""

    def _heard(self, calls):
        return calls.items()


class Handle:
    """Calls a shard of this process as Ray calls one of another."""

    def __init__(self, shard):
        self.number, self.folder, self.handle = 0, "", self
        self.call, self.model = Remote(shard.call), Remote(shard.model)


class Remote:
    def __init__(self, method):
        self.remote = method

    def options(self, **_):
        return self


def fleet_of(folders, model):
    """Return shards, as a question has them."""
    members = []
    for number, folder in enumerate(folders):
        handle = Handle(Shard(str(folder), str(model.path), "cpu"))
        handle.number = number
        members.append(handle)
    states = Near(members, {}).every("state")
    made = {number: state.generation.id if state.generation else None for number, state in states.items()}
    return Shards(Near(members, made), states)


@pytest.fixture(scope="module")
def parts(archive, tmp_path_factory):
    return split(archive, tmp_path_factory.mktemp("parts"), 3)


@pytest.fixture(scope="module")
def shards(parts, tiny):
    return fleet_of(parts, tiny)


@pytest.fixture(scope="module")
def joined(parts, tiny_reatt):
    with JoinedLibrary.open(parts) as library:
        yield Retriever(library, tiny_reatt, library.generation())


def told(hits):
    return [
        (hit.chunk, hit.score, hit.words_score, hit.attention_score, [copy.id for copy in hit.copies]) for hit in hits
    ]


@pytest.mark.parametrize("only", [None, "*b.jsonl", "nothing"])
@pytest.mark.parametrize("k", [8, 10_000])
@pytest.mark.parametrize(("retriever", "search"), WAYS)
def test_shards_find_what_their_stores_as_one_find(shards, joined, retriever, search, k, only):
    for question in QUESTIONS:
        query = Query(question, k, retriever, search, Selection(only=(only,)) if only else None)
        same(told(asking._retriever(shards, True).find(query)), told(joined.find(query)))


def test_copies_are_joined_across_shards(shards, joined):
    query = Query("rye bread and salt", 400)
    found = asking._retriever(shards, True).distinct(query)
    same(told(found), told(joined.distinct(query)))
    assert any({copy.store for copy in hit.copies} - {hit.store} for hit in found)


def test_shards_answer_what_their_stores_as_one_answer(shards, joined):
    for question in QUESTIONS[:4]:
        query = Query(question, abstain=0.0)
        ours, expected = (verb.ask(each, query) for each in (asking._retriever(shards, True), joined))
        assert (ours.answer, ours.confidence, ours.quotes) == (expected.answer, expected.confidence, expected.quotes)
        assert [hit.tokens for hit in ours.evidence] == [hit.tokens for hit in expected.evidence]
        assert [hit.share for hit in ours.evidence] == [hit.share for hit in expected.evidence]


def test_without_a_shard_the_others_are_the_whole(parts, tiny, tiny_reatt):
    few = fleet_of(parts[1:], tiny)
    with JoinedLibrary.open(parts[1:]) as library:
        expected = Retriever(library, tiny_reatt, library.generation())
        for question in QUESTIONS:
            query = Query(question, 20)
            same(told(asking._retriever(few, True).find(query)), told(expected.find(query)))


def test_stores_of_different_models_are_refused(parts, tmp_path, ingest, tiny, write_model):
    (tmp_path / "a.txt").write_text("The ferry leaves at nine.\n")
    ingest(tmp_path / "a.txt", store=tmp_path / "other", model=write_model(tmp_path / "model", seed=7))
    shards = fleet_of(parts[:1], tiny)
    other = Shard(str(tmp_path / "other"), None, "cpu")
    with pytest.raises(ModelMismatch):
        Shards(shards.fleet, {**shards.states, 1: other.state()}).generation()


def test_a_call_for_another_generation_is_not_answered(parts, tiny):
    shard = Shard(str(parts[0]), str(tiny.path), "cpu")
    state = shard.state()
    assert shard.call(state.generation.id, "chunks", [1])[0] == "told"
    assert shard.call(state.generation.id + 1, "chunks", [1]) == ("moved", None)
    assert shard.call(0, "chunks", [1])[0] == "told"
