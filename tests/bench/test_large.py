"""Laws of the bench of large files: they are the same on every machine, and all of each is read."""

import doctest
import json
import subprocess
import sys

import pytest

from bench import large
from bench.kit import large_files
from reatt.documents.reader import FoundFile, read

SMALL = {"large.log": 4000, "large.pdf": 3, "large.xlsx": 20, "large.mbox": 5}
KINDS = {"large.log": "text", "large.pdf": "pdf", "large.xlsx": "xlsx", "large.mbox": "mail"}


@pytest.mark.parametrize("kind", large.KINDS, ids=lambda kind: kind.name)
def test_a_file_is_the_same_whenever_it_is_made_and_is_read_to_its_end(kind, tmp_path):
    for name in ("one", "other"):
        kind.write(tmp_path / name, SMALL[kind.name])
    path = (tmp_path / "one").rename(tmp_path / kind.name)
    assert path.read_bytes() == (tmp_path / "other").read_bytes()
    texts = list(read(FoundFile(path, explicit=True)))
    assert {text.kind for text in texts} == {KINDS[kind.name]}
    assert len(texts) == (5 if kind.name == "large.mbox" else 1)
    assert "told" in texts[-1].text[-100:]


def test_a_file_is_read_whole_without_a_model(tmp_path):
    large_files.write_mailbox(tmp_path / "a.mbox", 3)
    command = [sys.executable, "-m", "bench.kit.whole", str(tmp_path / "a.mbox"), str(tmp_path / "store")]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (found["documents"], found["chunks"], found["problems"]) == (3, 3, [])
    assert found["peak"] > found["before"] > 0
    assert found["child"] > 0


def test_examples_of_the_bench():
    assert doctest.testmod(large).failed == 0
