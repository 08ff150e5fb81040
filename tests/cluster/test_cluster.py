"""Shards in processes of their own, on Ray: found together, killed in the middle of an ingest and of questions.

Without the extra `reatt[cluster]` these tests are skipped.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import pytest

from reatt.api import Store
from reatt.cluster import asking, ingesting, layout, running, serving
from reatt.ingest import IngestOptions
from reatt.search.query import Query
from reatt_store import locking
from reatt_store.errors import NoCluster, NoStore, ReattError, UsageError
from reatt_store.library import Library
from tests.hits import same
from tests.texts import LEAVE, NOUNS, TRAVEL

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="the extra reatt[cluster] is not installed")

DOCUMENTS, SHARDS = 60, 2
QUESTIONS = ("How long is parental leave in Norway?", "Who approves travel?", "harbour and telescope")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Start Ray on this machine, as `reatt cluster` does."""
    before, home = dict(os.environ), tmp_path_factory.mktemp("home")
    for name in ("DATA", "CACHE", "CONFIG"):
        os.environ[f"XDG_{name}_HOME"] = str(home / name.lower())
    try:
        with running.running(None, SHARDS + 1) as at:
            yield at
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "leave.md").write_text(LEAVE)
    (folder / "travel.txt").write_text(TRAVEL)
    for number in range(DOCUMENTS):
        words = [NOUNS[(number * 7 + i * (1 + number % 3)) % len(NOUNS)] for i in range(60)]
        (folder / f"{number}.txt").write_text(f"{number}. {' '.join(words)}.\n")
    return folder


@pytest.fixture(scope="module")
def ingested(address, corpus, tiny, tmp_path_factory):
    """Ingest the corpus, and kill the worker of the first shard that has stored something."""
    out = tmp_path_factory.mktemp("out") / "shards"
    killed = []
    killer = threading.Thread(target=kill_one, args=(layout.shards(out, SHARDS), killed))
    killer.start()
    report = ingesting.ingest([str(corpus)], out, SHARDS, IngestOptions(), lambda _: None, model=str(tiny.path))
    killer.join()
    return out, report, killed


@pytest.fixture(scope="module")
def served(ingested, tiny):
    out, _, _ = ingested
    with serving.serving(layout.stores([out]), str(tiny.path), "cpu") as members:
        yield members


@pytest.fixture
def cluster(served):
    return asking.Cluster(serving.known())


@pytest.fixture(scope="module")
def stores(ingested, tiny):
    """Open the stores of the shards as one, and each alone."""
    folders = layout.stores([ingested[0]])
    every = Store(folders[0], str(tiny.path), "cpu", folders[1:])
    alone = {str(folder): Store(folder, str(tiny.path), "cpu") for folder in folders}
    yield every, alone
    for store in (every, *alone.values()):
        store.close()


def kill_one(folders, killed):
    """Kill -9 the process that writes to one of some stores, as soon as it holds the lock and has begun."""
    until = time.monotonic() + 120
    while not killed and time.monotonic() < until:
        for folder in folders:
            holder = locking.holder(folder)
            if holder is not None and not killed:
                os.kill(holder.pid, signal.SIGKILL)
                killed.append((folder, holder.pid))
        time.sleep(0.002)


def content(folder):
    with Library.open(folder) as library:
        return sorted((stored.document.path, stored.document.digest, stored.chunks) for stored in library.documents())


def told(hits):
    """Describe hits without ids, which differ between one store and several."""
    return [(hit.path, hit.chunk.chunk.ordinal, hit.score, hit.words_score, hit.attention_score) for hit in hits]


def expected(stores, partial, query):
    """Search the stores that are not left out, as one."""
    every, alone = stores
    left = [store for folder, store in alone.items() if folder not in partial]
    return (every if len(left) == len(alone) else left[0]).search(query)


def test_an_ingest_whose_worker_was_killed_is_complete(ingested, corpus, tmp_path, ingest):
    out, report, killed = ingested
    assert len(killed) == 1
    assert report.seen == DOCUMENTS + 2
    ingest(corpus, store=tmp_path / "one")
    shards = layout.stores([out])
    assert sorted(chain.from_iterable(map(content, shards))) == content(tmp_path / "one")
    assert all(map(content, shards))
    for shard in shards:
        with Library.open(shard) as library:
            assert library.check().ok
            assert library.lacking(library.generation().id) == 0


def test_a_second_ingest_does_nothing(address, ingested, corpus, tiny):
    out, _, _ = ingested
    before = {
        shard: (content(shard), sorted(path.name for path in (shard / "segments").iterdir()))
        for shard in layout.stores([out])
    }
    report = ingesting.ingest([str(corpus)], out, SHARDS, IngestOptions(), lambda _: None, model=str(tiny.path))
    assert (report.added, report.changed, report.removed, report.tokens) == (0, 0, 0, 0)
    assert report.unchanged == DOCUMENTS + 2
    for shard, state in before.items():
        assert (content(shard), sorted(path.name for path in (shard / "segments").iterdir())) == state


def test_a_shard_that_fails_leaves_the_corpus_unfinished(address, corpus, tiny, tmp_path):
    first, _ = layout.shards(tmp_path / "out", 2)
    first.parent.mkdir()
    first.write_text("in the way")
    with pytest.raises(ReattError):
        ingesting.ingest([str(corpus)], first.parent, 2, IngestOptions(), lambda _: None, model=str(tiny.path))
    with pytest.raises(UsageError, match="has not ended"):
        layout.stores([first.parent])


@pytest.mark.parametrize("retriever", ["words", "attention", "hybrid"])
def test_shards_find_and_answer_what_their_stores_as_one_do(cluster, stores, retriever):
    for question in QUESTIONS:
        query = Query(question, 20, retriever)
        found = cluster.search(query)
        assert found.partial == ()
        same(told(found.value), told(stores[0].search(query)))
        assert found.root == stores[0].view.root()
        if retriever != "words":
            reply, other = cluster.ask(query).value, stores[0].ask(query)
            assert (reply.answer, reply.mode, len(reply.quotes)) == (other.answer, other.mode, len(other.quotes))
            assert reply.confidence == pytest.approx(other.confidence, rel=1e-3)  # the number of threads differs


def test_figures_are_those_of_the_stores_as_one(cluster, stores, corpus, tmp_path):
    queries = [{"_id": str(number), "text": question} for number, question in enumerate(QUESTIONS)]
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in queries))
    relevant = enumerate(("leave.md", "travel.txt", "3.txt"))
    rows = "".join(f"{number}\t{corpus / name}\t1\n" for number, name in relevant)
    (tmp_path / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}")
    files = tmp_path / "queries.jsonl", tmp_path / "qrels.tsv"
    measured = cluster.evaluate(*files, Query(""), read=False, limit=None, progress=lambda _: None)
    assert measured.partial == ()
    assert measured.value.metrics == stores[0].evaluate(*files).metrics


def test_a_killed_shard_is_missing_and_said_so_and_comes_back(cluster, served, stores):
    import ray

    query = Query(QUESTIONS[0], 20)
    shard = served[1]
    kinds = set()
    os.kill(pid_of(shard), signal.SIGKILL)
    until = time.monotonic() + 240
    while time.monotonic() < until:
        found = cluster.search(query)
        assert found.partial in ((), (shard.folder,))
        same(told(found.value), told(expected(stores, found.partial, query)))
        assert {hit.store for hit in found.value}.isdisjoint(found.partial)
        kinds.add(found.partial)
        if found.partial == () and (shard.folder,) in kinds:
            break
    assert kinds == {(), (shard.folder,)}
    assert ray.get(shard.handle.alive.options(concurrency_group="watch").remote())


def pid_of(member):
    """Find the process of a shard: the one that has its store open."""
    return next(pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if holds(pid, member.folder))


def holds(pid, folder):
    try:
        opened = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return False
    return pid != os.getpid() and os.path.realpath(f"{folder}/reatt.db") in opened


def test_the_command_asks_a_cluster(address, served, stores, corpus):
    def call(*arguments):
        made = [sys.executable, "-m", "reatt_cli", *map(str, arguments), "--json"]
        done = subprocess.run(made, capture_output=True, text=True, cwd=corpus, check=False)
        return done.returncode, json.loads(done.stdout or done.stderr)

    code, said = call("search", QUESTIONS[0], "-k", 3, "--cluster", address)
    assert (code, said["partial"]) == (0, [])
    assert [os.path.join(said["root"], hit["path"]) for hit in said["hits"]] == [
        hit.path for hit in stores[0].search(Query(QUESTIONS[0], 3))
    ]


def test_only_one_set_of_shards_is_served(address, served, stores):
    with pytest.raises(UsageError, match="already"), serving.serving([stores[0].folder], None, "cpu"):
        pass


def test_ray_hears_this_machine_alone(address):
    """Every socket that listens, of Ray and of its workers, is on 127.0.0.1; and nobody enters without the token."""
    assert address.startswith("127.0.0.1:")
    assert listening() <= {"0100007F", "0000000000000000FFFF00000100007F"}
    token = os.environ["RAY_AUTH_TOKEN_PATH"]
    assert os.stat(token).st_mode & 0o777 == 0o600
    program = f"import ray; ray.init(address={address!r}, logging_level='error')"
    stranger = {**os.environ, "RAY_AUTH_TOKEN": "0" * 64}
    del stranger["RAY_AUTH_TOKEN_PATH"]
    done = subprocess.run([sys.executable, "-c", program], env=stranger, capture_output=True, text=True, check=False)
    assert done.returncode != 0


def listening():
    """Return the addresses, in hexadecimal, where this process and all below it listen."""
    ours, found = {f"socket:[{inode}]" for pid in below(os.getpid()) for inode in sockets(pid)}, set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in ours:
                found.add(fields[1].partition(":")[0])
    assert found
    return found


def sockets(pid):
    try:
        links = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return []
    return [link[8:-1] for link in links if link.startswith("socket:[")]


def below(pid):
    """Yield a process and its descendants."""
    yield pid
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            children = Path(f"/proc/{pid}/task/{task}/children").read_text().split()
        except OSError:
            children = []
        for child in children:
            yield from below(int(child))


def test_mistakes_are_told_before_anything_is_started(reatt, home, monkeypatch):
    (home / "work" / "a.txt").write_text("Tea is at four.\n")
    for arguments, code, said in (
        (("ask", "who?", "--cluster", "127.0.0.1:1"), NoCluster.exit_code, "no cluster answers"),
        (("ask", "who?", "--cluster", "nowhere"), 2, "HOST:PORT"),
        (("cluster", "ingest", "-", "--shards", "2", "--out", "out"), 2, "standard input"),
        (("cluster", "ingest", "missing", "--shards", "2", "--out", "out"), 2, "no such file"),
        (("cluster", "serve", "missing"), NoStore.exit_code, "no store"),
    ):
        done = reatt(*arguments)
        assert done.code == code, (arguments, done.err)
        assert said in done.err
    assert not (home / "work" / "out").exists()
