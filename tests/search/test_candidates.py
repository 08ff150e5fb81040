"""Clusters decide which chunks are looked at, never a score; without them a search is slower, not wrong."""

import os
import random
import signal
import statistics
import time

import numpy as np
import pytest
import torch

from reatt.model.backbone import Queries
from reatt.search import candidates
from reatt.search.index import AttentionIndex
from reatt_store.clusters import entries, kept, lists
from reatt_store.clusters.entries import STEP
from reatt_store.clusters.means import Means, train
from reatt_store.errors import StoreDamaged
from reatt_store.library import Chunk, Document, Library
from reatt_store.selection import Selection
from reatt_store.vectors import arrays
from reatt_store.vectors.segments import draft, quantise

WIDTH, TOPICS = 16, 40
KILLS = max(1, int(os.environ.get("KILLS", "3000")) // 30)


def slow(value):
    return pytest.param(value, marks=[pytest.mark.slow, pytest.mark.timeout(0)])


def reach(monkeypatch, probes):
    """Set how many lists a search reads, whatever the lengths of keys are."""
    for name in ("EVEN", "UNEVEN"):
        monkeypatch.setattr(candidates, name, candidates.Reach(probes, 1))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Let small stores have clusters, of which a search looks at few."""
    monkeypatch.setattr(kept, "FIRST", 100)
    monkeypatch.setattr(kept, "BEHIND", 30)
    monkeypatch.setattr(lists, "PER_ROOT", 2)
    reach(monkeypatch, 6)
    monkeypatch.setattr(candidates, "CANDIDATES", 60)
    monkeypatch.setattr(candidates, "PER_RESULT", 2)


@pytest.fixture
def all_probed(monkeypatch):
    reach(monkeypatch, 10**6)
    monkeypatch.setattr(candidates, "CANDIDATES", 10**6)


def vectors(pick, count):
    """Draw vectors near topics, of uneven lengths."""
    topics = np.random.default_rng(0).standard_normal((TOPICS, WIDTH))
    near = topics[pick.integers(TOPICS, size=count)] + 0.6 * pick.standard_normal((count, WIDTH))
    return (near * pick.uniform(0.5, 2, (count, 1))).astype(np.float32)


def questions(count=10):
    pick = np.random.default_rng(99)
    return [Queries(torch.from_numpy(vectors(pick, 5)), torch.full((5,), 0.2), ((0, 0),) * 5) for _ in range(count)]


def publish(library, seed, chunks=150, documents=5):
    """Publish documents of chunks with random keys; some have none."""
    pick = np.random.default_rng(seed)
    texts = [Chunk(i, 0, 1, 1, None, str(seed), str(i)) for i in range(chunks)]
    keys = [vectors(pick, count) for count in pick.integers(0, 12, chunks)]
    each = chunks // documents
    named = [(Document(f"/{seed}/{n}.md", None, "", "text", "", 1, 0), texts[n * each : (n + 1) * each])
             for n in range(documents)]  # fmt: skip
    with library.writing() as writer:
        generation = writer.begin_generation("print", "mini", "aa")
        writer.publish(named, draft([text.digest for text in texts], keys), generation)
        writer.switch(generation)


@pytest.fixture
def library(tmp_path):
    with Library.create(tmp_path / "store") as library:
        for seed in range(4):
            publish(library, seed)
        yield library


def best(library, search, k=10, asked=None, among=None):
    index = AttentionIndex(library, 1, 2048)
    chosen = {} if among is None else {"among": among}
    return [index.search(each, k, search, **chosen) for each in asked or questions()]


def ids(found):
    return [[chunk for chunk, _ in each] for each in found]


def recall(library, asked):
    exact, found = (ids(best(library, search, asked=asked)) for search in ("exact", "clusters"))
    return statistics.fmean(len(set(one) & set(other)) / 10 for one, other in zip(exact, found, strict=True))


def clusters(library):
    return next((library.folder / "cache").glob("*.clusters"))


def test_a_candidates_score_is_that_of_exact_search(library):
    every = [dict(each) for each in best(library, "exact", 10**6)]
    for exact, found in zip(every, best(library, "clusters"), strict=True):
        assert len(found) == 10
        for chunk, score in found:
            assert score == pytest.approx(exact[chunk], abs=1e-5)


def test_few_keys_are_read_and_most_of_the_best_are_found(library, monkeypatch):
    read = []
    among = candidates.find
    monkeypatch.setattr(candidates, "find", lambda *given: read.append(among(*given)) or read[-1])
    assert recall(library, questions(40)) > 0.9
    assert {len(each.segments) for each in read} == {60}  # of 600 chunks


def even(lengths):
    """Cluster keys of such lengths, and say whether they count as equally long."""
    pick = np.random.default_rng(0)
    keys = pick.standard_normal((len(lengths), WIDTH))
    keys *= lengths[:, None] / np.linalg.norm(keys, axis=1, keepdims=True)
    means = train(quantise(keys.astype(np.float32)), 60)
    return lists.Clusters(means, 1, 0, *(np.zeros(0, np.int64),) * 4).even


def test_more_is_read_where_keys_are_not_equally_long(library, monkeypatch):
    draw = np.random.default_rng(1)
    assert even(np.ones(3000))
    assert even(7 * draw.uniform(0.98, 1.02, 3000))
    assert not even(draw.uniform(0.5, 2, 3000))
    assert not even(np.exp(draw.standard_normal(3000)))
    read = []
    monkeypatch.setattr(
        candidates, "estimates", lambda *given, of=candidates.estimates: read.append(given[2]) or of(*given)
    )
    monkeypatch.setattr(candidates, "UNEVEN", candidates.Reach(9, 1))
    best(library, "clusters")
    assert set(read) == {9}


@pytest.mark.usefixtures("all_probed")
def test_with_every_list_probed_the_best_are_those_of_exact_search(library):
    assert ids(best(library, "clusters")) == ids(best(library, "exact"))


@pytest.mark.usefixtures("all_probed")
def test_what_is_added_is_found_and_what_is_removed_is_gone_at_once(library):
    before = clusters(library)
    publish(library, 7, 20)  # fewer than a writer covers
    assert clusters(library) == before
    assert ids(best(library, "clusters")) == ids(best(library, "exact"))
    gone = {document.id for document in library.documents() if document.document.path.endswith("0.md")}
    with library.writing() as writer:
        writer.remove(gone)
    assert ids(best(library, "clusters")) == ids(best(library, "exact"))
    left = {chunk.id for chunk in library.every_chunk()}
    assert {chunk for each in ids(best(library, "clusters", 10**6)) for chunk in each} <= left


@pytest.mark.usefixtures("all_probed")
def test_removing_keeps_the_lists_of_what_stays_though_segments_are_written_anew(library, monkeypatch):
    before = library.clusters(1)
    with library.writing() as writer:
        writer.remove([document.id for document in library.documents()][::4])
        writer.compact()
        monkeypatch.setattr("reatt_store.clusters.means.nearest", lambda *_: pytest.fail("assigned anew"))
    after = library.clusters(1)
    assert set(after.segments[:, 0]).isdisjoint(before.segments[:, 0])
    np.testing.assert_array_equal(after.means.fine, before.means.fine)
    assert ids(best(library, "clusters")) == ids(best(library, "exact"))


def test_selected_documents_alone_are_searched(library):
    for among in (Selection(only=("*/1.md",)), Selection(without=("*/1.md",))):
        allowed = {chunk for each in ids(best(library, "exact", 10**6, among=among)) for chunk in each}
        for found in ids(best(library, "clusters", among=among)):
            assert len(found) == 10
            assert set(found) <= allowed


def test_a_few_selected_documents_are_searched_whole(library):
    among = Selection(only=("/1/1.md",))
    assert ids(best(library, "clusters", among=among)) == ids(best(library, "exact", among=among))


def test_a_small_store_has_no_clusters(tmp_path):
    with Library.create(tmp_path / "small") as library:
        publish(library, 1, 90)
        assert library.clusters(1) is None
        assert best(library, "auto") == best(library, "fast")


@pytest.mark.parametrize("rounds", [4, slow(20)])
def test_rounds_of_adding_and_removing_cost_no_recall(library, rounds):
    asked = questions(100)
    for number in range(rounds):
        documents = [document.id for document in library.documents()]
        with library.writing() as writer:
            writer.remove(random.Random(number).sample(documents, len(documents) // 10))
            writer.compact()
        publish(library, 100 + number, 60, 2)
    kept_up = recall(library, asked)
    clusters(library).unlink()
    with library.writing():
        pass  # which makes them anew
    assert kept_up >= recall(library, asked) - 0.005


@pytest.mark.parametrize("damage", ["missing", "short", "flipped", "hollow"])
def test_damaged_clusters_cost_time_alone_until_the_next_writer(library, damage):
    path = clusters(library)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    new = {"short": content[:-9], "flipped": content, "hollow": bytes(len(content))}
    path.unlink() if damage == "missing" else path.write_bytes(new[damage])
    assert library.clusters(1) is None
    assert best(library, "auto") == best(library, "clusters") == best(library, "fast")
    with library.writing():
        pass
    assert library.clusters(1) is not None
    assert list((library.folder / "tmp").iterdir()) == []


def train_in_a_fork(folder, after):
    """Bring clusters up to date in a fork that is killed after some seconds; return whether the kill came in time."""
    child = os.fork()
    if not child:
        try:
            with Library.open(folder) as library, library.writing():
                pass
        finally:
            os._exit(0)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


@pytest.mark.usefixtures("all_probed")
@pytest.mark.parametrize("kills", [12, slow(KILLS)])
def test_a_kill_while_clusters_are_trained_changes_no_answer(kills, library):
    exact = ids(best(library, "exact"))
    clusters(library).unlink()
    started = time.monotonic()
    with library.writing():
        pass
    takes, pick, in_time = time.monotonic() - started, random.Random(0), 0
    for _ in range(kills):
        for path in (library.folder / "cache").iterdir():
            path.unlink()
        in_time += train_in_a_fork(library.folder, pick.uniform(0, takes))
        assert ids(best(library, "clusters")) == exact
    assert library.check().damaged == ()
    print(f"\n{in_time} of {kills} kills came in time; ten best of every question equal after each")
    assert in_time


def test_the_nearest_of_each_row_are_found_through_the_best_blocks():
    products = torch.from_numpy(np.random.default_rng(3).standard_normal((3, 200)).astype(np.float32))
    for count in (1, 7, 150, 500):
        values, places = candidates.nearest(products, count)
        expected = np.sort(products.numpy(), axis=1)[:, ::-1][:, :count]
        np.testing.assert_array_equal(-np.sort(-values, axis=1), expected)
        np.testing.assert_array_equal(np.take_along_axis(products.numpy(), places, 1), values)


def test_check_names_damaged_clusters_and_a_writer_makes_them_anew(library):
    path = clusters(library)
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    assert [damage.what for damage in library.check().damaged] == ["clusters"]
    with library.writing():
        pass
    assert library.check().damaged == ()


def test_a_file_that_a_stranger_made_is_refused_for_what_it_claims(library):
    made = library.clusters(1)
    assert made is not None
    named = kept._arrays(made) | {"entries": made.entries}
    wrong = {
        "starts": made.starts[::-1], "first": made.means.first * 0, "spread": made.means.spread[1:],
        "entries": made.entries[:, 1:], "segments": made.segments * 2, "trained": np.zeros(0, np.int64),
    }  # fmt: skip
    for name, array in wrong.items():
        path = library.folder / "tmp" / name
        size, _ = arrays.write(path, kept.FORMAT, kept._LAYOUT, named | {name: array})
        with pytest.raises(StoreDamaged):
            kept._read(path, size)


@pytest.mark.parametrize("width", [1, 4, 6, 8, 30, 64])  # entries of odd and of even numbers of bytes
def test_entries_code_keys_to_within_half_a_step(width):
    means = Means(
        np.zeros((1, width), np.float32), np.array([0, 1]), np.ones((1, width), np.float32), np.ones(1, np.float32)
    )
    keys = 1 + np.random.default_rng(0).uniform(-2, 2, (50, width)).astype(np.float32) * STEP
    made = entries.encoded(keys, np.zeros(50, np.int64), np.arange(50) * 10**7, means)
    assert made.shape == (50, entries.width(width))
    np.testing.assert_array_equal(entries.owners(made), np.arange(50) * 10**7)
    units = entries.ordered(np.eye(width, dtype=np.float32))
    near = 1 + entries.decoded(made) @ units.T * STEP / 2
    assert np.abs(near - keys).max() <= STEP / 2 + 1e-5
