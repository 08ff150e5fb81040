"""What is left of a file after bytes, tags and parts of it were broken is read or refused: never a crash, never a hang.

A few here, many by `make mutate COUNT=20000`. Archives are also broken inside, part by part, and packed again: broken
outside, their checksums would stop nearly all before a parser sees them.
"""

import io
import os
import random
import resource
import time
import zipfile
from collections import Counter

from reatt.documents.reader import FoundFile, ReadLimits, read
from reatt_store.errors import DocumentError

COUNT = int(os.environ.get("MUTATIONS", "60"))
SEED = int(os.environ.get("SEED", "0"))
LIMITS = ReadLimits(seconds=20, memory=700_000_000, output=20_000_000)
ODD = [b"", b"\0", b"\xff\xff\xff\xff", b"-1", b"99999999999999999999", b"1e999", b"<", b"&a;", b"]]>", b"../", b"%s"]
ODD += [b"\xed\xa0\x80", b"=?utf-8?b?/w==?=", b"--b\n", b"[" * 500, b"<p>" * 500, b'"', b"\r", b"obj<</Kids[2 0 R]>>"]


def broken(pick, data, others):
    """Break a file in one to four places."""
    for _ in range(pick.choice((1, 1, 2, 4))):
        at, to = sorted(pick.randrange(len(data) + 1) for _ in range(2))
        near = min(to, at + pick.choice((1, 2, 8, 200)))
        new = (
            pick.choice(ODD) + data[near:],
            pick.randbytes(near - at) + data[near:],
            b"",
            data[to:],
            data[at:near] * pick.choice((2, 4, 300)) + data[near:],
            pick.choice(others)[at:to] + data[to:],
        )
        data = (data[:at] + pick.choice(new))[:2_000_000]
    return data


def broken_inside(pick, data, others):
    """Break one part of an archive, or lose it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = pick.choice(sorted(parts))
    if pick.random() < 0.1:
        del parts[name]
    else:
        parts[name] = broken(pick, parts[name], others)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part)
    return out.getvalue()


def processor_seconds():
    """Count what this process and its children have worked."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def largest(whose):
    """Return the peak memory, in bytes, of this process or of the largest child that it has waited for."""
    return resource.getrusage(whose).ru_maxrss * 1024


def test_no_broken_file_stops_the_reader_takes_longer_or_more_memory_than_allowed(tmp_path, corpus, capsys):
    samples = [sample for sample in corpus if sample.data and len(sample.data) < 200_000]
    others = [sample.data for sample in samples]
    said, slowest, before = Counter(), 0.0, largest(resource.RUSAGE_CHILDREN)
    for number in range(COUNT):
        pick = random.Random(SEED * 1_000_003 + number)
        sample = pick.choice(samples)
        inside = sample.kind and zipfile.is_zipfile(io.BytesIO(sample.data)) and pick.random() < 0.8
        path = tmp_path / f"{number}-{sample.name}"
        path.write_bytes((broken_inside if inside else broken)(pick, sample.data, others))
        started, worked = time.monotonic(), processor_seconds()
        try:
            said["read" if list(read(FoundFile(path, explicit=True), LIMITS)) else "nothing"] += 1
        except DocumentError as error:
            said[error.id] += 1
        # Processor time: a busy machine may let a process wait for long. A hang would hang the test.
        assert processor_seconds() - worked < LIMITS.seconds, path
        slowest = max(slowest, time.monotonic() - started)
        path.unlink()
    assert said["read"] > COUNT / 10
    peak = largest(resource.RUSAGE_CHILDREN)
    # Other tests of this process may have had larger ones, and a fork begins as large as we are.
    assert peak <= max(before, largest(resource.RUSAGE_SELF), LIMITS.memory)
    if COUNT >= 1000:
        figures = f"slowest {slowest:.1f} s, largest child {peak / 1e6:.0f} MB"
        with capsys.disabled():
            print(f"\n{COUNT:,} files, seed {SEED}: {dict(said.most_common())}; {figures}")
