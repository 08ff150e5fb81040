"""The way to multiply is chosen by what the processor has, and no choice changes what is found.

Each instruction set that this machine has is tried in a process of its own: PyTorch looks once.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
FORCED = {
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "default": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "oneDNN alone": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "its own": {},
}
TIE = 1e-3  # scores this near are equal

CHOICE = """
import json, torch
from reatt.model import processor
from reatt.search import maxsim
cpu = torch.device("cpu")
print(json.dumps([maxsim._ENGINES["cpu"].fast.__name__, processor.multiplies_bfloat16(cpu)]))
"""
SEARCH = """
import json, sys
from pathlib import Path
from reatt.weights.models import bundled, load
from reatt.search.retriever import Retriever
from reatt_store.library import Library
with Library.open(Path(sys.argv[1])) as library:
    retriever = Retriever(library, load(bundled(), "cpu"), library.generation())
    ways = [("attention", "auto"), ("attention", "exact"), ("attention", "two-stage"), ("hybrid", "auto")]
    found = [[(hit.chunk.id, hit.score) for hit in retriever.search(question, 10, *way)]
             for question in json.loads(sys.argv[2]) for way in ways]
print(json.dumps(found))
"""


def under(name, program, *arguments):
    """Run a program under an instruction set; return what it prints."""
    own = {key: value for key, value in os.environ.items() if key not in FORCED["avx2"]}
    command = [sys.executable, "-c", program, *arguments]
    return json.loads(subprocess.run(command, env=own | FORCED[name], stdout=subprocess.PIPE, check=True).stdout)


def flags():
    """Name what the system says the processor has."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return set(next(line for line in lines if line.startswith("flags")).split())


@pytest.mark.parametrize("name", ["avx2", "default", "oneDNN alone"])
def test_without_avx512_products_are_of_float32(name):
    assert under(name, CHOICE) == ["_float32", False]


@pytest.mark.skipif(platform.system() != "Linux" or platform.machine() != "x86_64", reason="asks Linux on x86-64")
def test_the_processors_own_products_of_small_numbers_are_used():
    way = "_int8" if "avx512_vnni" in flags() else "_float32"
    assert under("its own", CHOICE) == [way, "avx512_bf16" in flags()]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Read the examples with the bundled model."""
    folder = tmp_path_factory.mktemp("examples") / "store"
    command = [sys.executable, "-m", "reatt_cli.app", "ingest", "--store", str(folder), str(EXAMPLES / "documents")]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return folder


def same_ranking(found, others):
    """Say whether two rankings are the same, but for what ties: with each other, or with what comes after the last."""
    theirs, least = dict(others), found[-1][1] + 2 * TIE
    ranks = all(abs(a - b) <= TIE for (_, a), (_, b) in zip(found, others, strict=True))
    return ranks and all(abs(theirs[c] - score) <= TIE if c in theirs else score <= least for c, score in found)


@pytest.mark.parametrize("name", ["avx2", "default"])
def test_every_instruction_set_finds_the_same(name, store):
    questions = json.dumps((EXAMPLES / "questions.txt").read_text().splitlines()[:6])
    own, forced = (under(each, SEARCH, str(store), questions) for each in ("its own", name))
    assert len(own) == len(forced) == 24
    assert all(len(ranking) == 10 for ranking in own)
    assert all(same_ranking(ranking, other) for ranking, other in zip(own, forced, strict=True))


def test_a_ranking_in_another_order_is_not_the_same():
    ranking = [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert same_ranking(ranking, [(1, 3.0004), (2, 2.0), (4, 1.0)])
    assert not same_ranking(ranking, [(2, 3.0), (1, 2.0), (3, 1.0)])
    assert not same_ranking(ranking, [(1, 3.0), (4, 2.0), (3, 1.0)])
    assert not same_ranking(ranking, [(1, 3.1), (2, 2.0), (3, 1.0)])
