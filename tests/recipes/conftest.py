"""A tiny pretrained encoder and two tiny sets, packed as the recipe packs them."""

import gzip
import json
import shutil

import pytest
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

from reatt.model.stacks.names import published_name
from recipes.reatt_mini import data, shape, train
from recipes.reatt_mini.data import SETS as REAL
from recipes.reatt_mini.data import Source
from recipes.reatt_mini.losses import Learner
from tests.bert_made import bert_config, write_word_pieces

LAYER = 2
NAMES = ("amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "heron")
SETS = {"one": Source(0.7, 3, 2), "two": Source(0.3, 2, 1, read=False)}
KINDS = ("river", "tower", "melody")


def write_set(folder, name):
    """Write a set of eight articles of three chunks each; every chunk says when one thing was found, and where."""
    folder.mkdir(parents=True)
    corpus, queries = [], []
    for number, thing in enumerate(NAMES):
        for part, kind in enumerate(KINDS):
            place, year = NAMES[(number + part + 3) % 8], 1900 + 3 * number + part
            text = f"The {kind} of {thing} was found in {year} near {place}. It is {'very ' * (9 * part)}old."
            corpus.append({"_id": f"{name}-{number}-{part}", "title": thing, "text": text})
            for what, answer in (("when", str(year)), ("where", place)):
                query = {"_id": f"{what}-{number}-{part}", "text": f"{what} was the {kind} of {thing} found?"}
                queries.append(query | {"answers": [answer], "doc_id": corpus[-1]["_id"]})
    for file, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{file}.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return folder


def write_work(folder, seed=0):
    """Write config, tokenizer and a random encoder of two blocks, which `fetch` would."""
    folder.mkdir(parents=True)
    config = bert_config(write_word_pieces(folder / "tokenizer.json"))
    config["retrieval"] = {"width": 12, "unit_keys": True}
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(seed)
    weights = {}
    for name, weight in shape.empty(folder).state_dict().items():
        ours = name.removeprefix("encoder.")
        if name == "shared.weight" or (name.startswith("encoder.") and not ours.startswith(f"blocks.{LAYER}.")):
            published = published_name(name, gated=True).removeprefix("bert.")
            weights[published] = torch.randn_like(weight) * 0.1 + ("norm.weight" in name)
    save_file(weights, folder / shape.ENCODER)
    return folder


@pytest.fixture(scope="session")
def sets_folder(tmp_path_factory):
    """Name the folder of two sets."""
    folder = tmp_path_factory.mktemp("sets")
    for name in ("one", "two"):
        write_set(folder / "train" / name, name)
    return folder


@pytest.fixture(scope="session")
def work(tmp_path_factory, sets_folder):
    """Name a folder in which training can begin."""
    folder = write_work(tmp_path_factory.mktemp("recipe") / "work")
    tokenizer = data.training_tokenizer(folder)
    for name, source in SETS.items():
        save_arrays(data.pack(sets_folder / "train" / name, source, tokenizer), folder / f"{name}.safetensors")
    return folder


@pytest.fixture(scope="session")
def sets(work):
    """Load both sets."""
    return {name: (data.load(work / f"{name}.safetensors"), source) for name, source in SETS.items()}


def fresh(work):
    """Begin a model whose retrieval has learnt nothing."""
    torch.manual_seed(3)
    learner = Learner(shape.pretrained(work, LAYER), LAYER, LAYER)
    shape.find_by_components(learner.t5, torch.randn(200, 32))
    return learner


def run(work, folder, *steps, more=()):
    """Train in a copy of the folder, interrupted after some steps."""
    shutil.copytree(work, folder)
    for count, stop in steps:
        train.main(["--out", str(folder), "--steps", str(count), "--budget", "900", "--until", str(stop), *more])
    return folder


@pytest.fixture
def small(monkeypatch):
    """Train on the two tiny sets."""
    monkeypatch.setattr(train, "SETS", SETS)
    assert set(REAL).isdisjoint(SETS)
