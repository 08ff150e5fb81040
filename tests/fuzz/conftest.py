"""The world of the fuzzers: three stores, the files of a user, and a process that runs `reatt` in forks."""

import shutil

import pytest

from tests.corpus_made import FAST, write_corpus
from tests.fuzz.calls import CALLS, KINDS, QUESTION
from tests.fuzz.nursery import nursery

METHOD = {"intra": ["--method", "intra"]}


@pytest.fixture(scope="session")
def world(model, tmp_path_factory):
    """Make the three stores, the files of a user, and the process that runs `reatt`."""
    root = tmp_path_factory.mktemp("fuzz")
    places = {f"XDG_{name}_HOME": str(root / "home" / name.lower()) for name in ("DATA", "STATE", "CONFIG", "CACHE")}
    environment = {**places, "HOME": str(root / "home"), "OMP_NUM_THREADS": "1", "REATT_DEVICE": "cpu"}
    environment["XDG_RUNTIME_DIR"] = str(root / "run")
    (root / "home").mkdir()
    write_corpus(root / "corpus")
    with nursery(environment) as run:
        for kind in KINDS:
            store = root / "stores" / kind
            calls = [["ingest", root / "corpus", "--store", store, "--model", model, *METHOD.get(kind, ())]]
            if kind == "adapted":
                calls += [["adapt", "--store", store, *FAST, "--accept", "always"]]
            calls += [["search", QUESTION, "--store", store, "--search", "two-stage", "--retriever", "attention"]]
            ended = run(calls, root)
            assert (ended.codes, ended.status) == ([0] * len(calls), 0), ended.said
            shutil.copytree(store, root / "warm", dirs_exist_ok=True)
            run([[*call, "--store", root / "warm"] for call in CALLS], root, warm=True)
            shutil.rmtree(root / "warm")
        assert list((root / "stores" / "adapted" / "cache").iterdir())
        yield root, run
