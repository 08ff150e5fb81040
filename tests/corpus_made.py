"""A small corpus to adapt to, and what a store shows of a run."""

import json
import random
import sys

from reatt.weights import models
from reatt_store.library import Library

REATT = [sys.executable, "-m", "reatt_cli.app"]
FAST = ("--steps", "2", "--teach-at-once", "--freeze", "reader")  # retrieval with keys of its own
QUICK = ("--steps", "2")  # the question's side, from stored keys
THINGS = "dome lens mirror fence oven ferry harbour garden notebook comet".split()
PEOPLE = "Ada Berg,Ole Dahl,Kari Lund,Nils Moen,Eva Holm".split(",")


def write_corpus(folder):
    """Write 27 records of two sentences, in each a name and a number."""
    pick, rows = random.Random(0), []
    for n in range(27):
        thing, other, who = pick.choice(THINGS), pick.choice(THINGS), pick.choice(PEOPLE)
        text = f"The {thing} of {who} was painted in {1900 + n} near the {other} of Oslo. "
        text += f"It took {n + 3} weeks to bring the {other} from Norway to the {pick.choice(THINGS)}."
        rows.append({"_id": f"d{n}", "title": f"Number {n}", "text": text})
    folder.mkdir()
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def state(store):
    """What a search depends on: the generation in force and its model."""
    with Library.open(store) as library:
        assert library.check().damaged == ()
        assert models.damaged(library) == []
        made = library.generation()
        return made.id, made.fingerprint, made.model_sha256


def left_over(store):
    """Folders and models that a finished run must not leave."""
    return [path.name for path in store.iterdir() if path.name.startswith("training")]
