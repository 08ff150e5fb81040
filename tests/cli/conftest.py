"""A store to adapt, and a place for the sockets of `reatt serve`."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import jsonschema
import pytest

from reatt_cli.schemas import published as schemas
from tests.corpus_made import REATT, write_corpus

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def ready(model, tmp_path_factory):
    """Make a store of the corpus with the tiny model, to be copied; return its folder."""
    root = tmp_path_factory.mktemp("ready")
    command = [*REATT, "ingest", "--store", root / "store", "--model", model, write_corpus(root / "corpus")]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return root / "store"


@pytest.fixture(scope="session")
def example_store(tmp_path_factory):
    """Make a store of examples/documents with the bundled model, to be read; return its folder."""
    store = tmp_path_factory.mktemp("examples") / "store"
    command = [*REATT, "ingest", "--store", store, ROOT / "examples" / "documents"]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return store


@pytest.fixture
def records(ready, home):
    """Copy the store of the records."""
    shutil.copytree(ready, home / "store")
    return home / "store"


@pytest.fixture
def adapt(reatt, records):
    """Run `reatt adapt --json` on the store; return the exit code and the object."""

    def call(*arguments):
        done = reatt("adapt", "--store", records, "--json", *arguments)
        assert "" in (done.out, done.err)
        told = json.loads(done.out or done.err)
        jsonschema.validate(told, schemas.json_schema("adapt" if done.out else "error"))
        return done.code, told

    return call


@pytest.fixture
def runtime(home, monkeypatch):
    """Name a folder for sockets, whose paths may have 107 bytes at most."""
    folder = tempfile.mkdtemp(prefix="reatt-")
    monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
    yield Path(folder) / "reatt"
    shutil.rmtree(folder)
