"""Whatever the folder of a model holds: an exit code of the table, soon, in little memory, and nothing outside changes.

A few here, many by `make fuzz-models COUNT=5000`. Findings are printed with the seed and number that make them again.
"""

import os
import shutil

import pytest

from tests.fuzz.laws import findings
from tests.fuzz.model_damage import damaged
from tests.fuzz.nursery import nursery

COUNT = int(os.environ.get("MODELS", "40"))
QUESTION = "Who built the orrery?"
TEXTS = {"a.md": "The orrery was built in 1794 by Jonas Felder.", "b.md": "The ferry sails at nine from the quay."}
# A model of the store is damaged where it lies; one that is named lies in a folder of a stranger.
OWN = [["status"], ["models"], ["ask", QUESTION, "--ok-empty"], ["ask", QUESTION, "--json", "--ok-empty", "--explain"]]
NAMED = [
    ["ask", QUESTION, "--model", "theirs", "--ok-empty"],
    ["models", "add", "theirs", "--name", "new"],
    ["models"],
    ["ingest", "docs", "--store", "other", "--model", "theirs"],
    ["ask", QUESTION, "--store", "other", "--ok-empty", "--json"],
    ["status", "--store", "other"],
]
EXPECTED = {"docs", "theirs", ".reatt", "other"}


@pytest.fixture(scope="module")
def strangers(model, bert, write_bert, tmp_path_factory):
    """Make three models with a store for each, and the process that runs `reatt`."""
    root = tmp_path_factory.mktemp("fuzz")
    places = {f"XDG_{name}_HOME": str(root / "home" / name.lower()) for name in ("DATA", "STATE", "CONFIG", "CACHE")}
    environment = {**places, "HOME": str(root / "home"), "OMP_NUM_THREADS": "1", "REATT_DEVICE": "cpu"}
    environment["XDG_RUNTIME_DIR"] = str(root / "run")
    for folder in ("home", "docs", "models"):
        (root / folder).mkdir()
    for name, text in TEXTS.items():
        (root / "docs" / name).write_text(text)
    for kind, made in {"t5": model, "bert": bert, "eight": write_bert(root / "made", eight_bits=True)}.items():
        shutil.copytree(made, root / "models" / kind)
    with nursery(environment) as run:
        for kind in ("t5", "bert", "eight"):
            store, named = root / "stores" / kind, root / "models" / kind
            calls = [["ingest", root / "docs", "--store", store, "--model", named]]
            calls += [["ask", QUESTION, "--store", store, "--ok-empty"], ["models", "add", named, "--name", kind]]
            run(calls if kind == "t5" else calls[:1], root, warm=True)
        assert sorted(path.name for path in (root / "home" / "data" / "reatt" / "models").iterdir()) == ["t5"]
        yield root, run


def prepare(pick, where, stores):
    """Put a damaged model where a command finds it; return the calls, and what was damaged."""
    kind = pick.choice(("t5", "bert", "eight"))
    shutil.copytree(stores / kind, where / "work" / ".reatt")
    shutil.copytree(stores.parent / "docs", where / "work" / "docs")
    if pick.random() < 0.3:
        [kept] = (where / "work" / ".reatt" / "models").iterdir()
        return OWN, f"{kind} in a store: {damaged(pick, kept, where / 'mine')}"
    theirs = shutil.copytree(stores.parent / "models" / kind, where / "work" / "theirs")
    return NAMED, f"{kind}: {damaged(pick, theirs, where / 'mine')}"


def test_no_model_makes_a_command_fail_otherwise_than_the_table_says(strangers, capsys):
    assert findings(strangers, COUNT, prepare, EXPECTED, capsys) == []
