"""Laws of the processes that encode: equal keys however many there are, and none is left behind, whoever dies."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from reatt.ingest import IngestOptions, ingest
from reatt.model.backbone import ChunkText
from reatt.search.workers import Workers, codes, packed
from reatt_store.errors import ModelMismatch, OutOfMemory
from reatt_store.library import Library

WORDS = "leave Norway weeks pay travel head telescope mirror garden rye bread oven water plot key Ada Oslo 49".split()


@pytest.fixture
def corpus(tmp_path):
    rows = []
    for number in range(900):
        draw = random.Random(number)
        rows.append({"_id": str(number), "title": draw.choice(WORDS), "text": " ".join(draw.choices(WORDS, k=9))})
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "records.jsonl"


@pytest.fixture
def groups():
    draw = random.Random(0)
    return [[ChunkText(draw.choice(WORDS), " ".join(draw.choices(WORDS, k=n + 3))) for _ in range(4)] for n in range(9)]


def filled(folder, tiny, tiny_reatt, corpus, workers):
    with Library.create(folder) as library:
        report = ingest(library, tiny_reatt, tiny, [str(corpus)], IngestOptions(workers=workers), lambda _: None)
        generation = library.generation()
        keys = {}
        for segment in library.segments(generation.id):
            for position, digest in enumerate(segment.digests):
                rows = slice(*segment.offsets[position : position + 2])
                keys[digest.tobytes()] = segment.keys(rows), segment.codes[rows].copy()
        assert library.check().damaged == ()
        return generation.fingerprint, report.tokens, keys


def test_keys_and_fingerprint_are_equal_however_many_encode(tmp_path, tiny, tiny_reatt, corpus):
    """Segments end where the clock says, so keys are compared by their texts; a sum's last bit depends on threads."""
    first, *others = [filled(tmp_path / f"{n}", tiny, tiny_reatt, corpus, n) for n in (1, 2, 3)]
    for other in others:
        assert other[:2] == first[:2]
        assert other[2].keys() == first[2].keys()
        for digest, (keys, ints) in first[2].items():
            np.testing.assert_allclose(other[2][digest][0].astype(float), keys.astype(float), rtol=2e-2, atol=2e-2)
            assert np.abs(other[2][digest][1].astype(int) - ints).max() <= 1


def test_every_group_is_encoded_once_as_this_process_does(tiny, tiny_reatt, groups):
    with Workers(tiny, tiny_reatt, 2) as workers:
        for _ in range(2):
            found = dict(workers.encode(groups))
            assert sorted(found) == list(range(len(groups)))
            for number, group in enumerate(groups):
                for ours, theirs in zip(tiny_reatt.encode_chunks(group), found[number], strict=True):
                    np.testing.assert_allclose(theirs.keys.numpy(), ours.keys.numpy(), rtol=1e-4, atol=1e-5)
        processes = [worker.process for worker in workers.running]
        assert len(processes) == 2
    assert all(process.poll() is not None for process in processes)


def test_what_is_sent_is_what_comes(tiny_reatt, groups):
    sent = tiny_reatt.encode_chunks(groups[0])
    for ours, theirs in zip(sent, codes(*packed(sent)), strict=True):
        assert (ours.keys == theirs.keys).all()
        assert theirs.memory is None


def test_a_worker_that_is_killed_is_replaced_and_its_group_encoded_again(tiny, tiny_reatt, groups):
    with Workers(tiny, tiny_reatt, 2) as workers:
        found = {}
        for number, done in workers.encode(groups):
            if not found:
                victim = next(worker for worker in workers.running if worker.group is not None)
                victim.process.kill()
            assert number not in found
            found[number] = done
        assert sorted(found) == list(range(len(groups)))
        assert victim not in workers.running


def test_a_group_that_workers_die_of_is_an_error_that_says_what_to_do(tiny, tiny_reatt, groups, monkeypatch):
    begun = []

    def killed(self, number, group):
        self.group = number
        begun.append(self)
        self.process.kill()

    monkeypatch.setattr("reatt.search.workers.Worker.ask", killed)
    with Workers(tiny, tiny_reatt, 1) as workers, pytest.raises(OutOfMemory) as caught:
        list(workers.encode(groups[:1]))
    assert "fewer --workers" in caught.value.fix
    assert len(begun) == 2
    assert all(worker.process.poll() is not None for worker in begun)


def test_a_model_that_makes_other_keys_is_refused(tiny, tiny_reatt, groups):
    workers = Workers(tiny, tiny_reatt, 1)
    workers._told["fingerprint"] = "another"
    with workers, pytest.raises(ModelMismatch):
        list(workers.encode(groups))
    assert workers.running == []


def children(pid):
    """List the processes that another one has started, parsers and encoders alike."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def alive(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_whatever_ends_the_ingest_ends_its_workers_and_the_same_command_goes_on(home, tiny, corpus, sent, code):
    command = [sys.executable, "-m", "reatt_cli.app", "ingest", "--workers", "2", "--store", str(home / "store")]
    command += ["--model", str(tiny.path), str(corpus)]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    started, deadline = [], time.monotonic() + 300
    while run.poll() is None and time.monotonic() < deadline:
        started = [pid for pid in children(run.pid) if b"worker.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        if len(started) == 2:
            break
        time.sleep(0.01)
    assert len(started) == 2
    os.kill(run.pid, sent)
    assert run.wait(300) == code
    while any(map(alive, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in started if alive(pid)] == []
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    with Library.open(home / "store") as library:
        assert library.check().damaged == ()
        assert (library.status().documents, library.status().pending) == (900, 0)
