"""A model is verified when it is loaded: what is loaded has the hash that was recorded, and is finite and fitting."""

import hashlib
import json
import math
import os
import shutil
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from reatt.weights import files, models, stacks
from reatt.weights.folder import RECORD, ModelFolder, record
from reatt_store.errors import ModelError
from reatt_store.library import Library

WEIGHTS = "model.safetensors"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(model, tmp_path):
    """A model of a stranger, with no hash that anybody recorded."""
    shutil.copytree(model, tmp_path / "theirs")
    return ModelFolder(tmp_path / "theirs")


@pytest.fixture
def added(model, tmp_path):
    shutil.copytree(model, tmp_path / "registry" / "tiny")
    record(ModelFolder(tmp_path / "registry" / "tiny"))
    return ModelFolder(tmp_path / "registry" / "tiny", "added", "tiny")


@pytest.fixture
def kept(folder, tmp_path):
    """The same model as a store keeps it."""
    with Library.create(tmp_path / "store") as library, library.writing() as writer:
        kept = models.keep_in_store(folder, library.folder)
        writer.switch(writer.begin_generation("f", folder.name, folder.sha256))
        yield kept


def flip(file, at=-9, bit=1):
    """Flip a bit as a disk or a person does, in a file of its own."""
    content = bytearray(file.read_bytes())
    content[at] ^= bit
    file.unlink()
    file.write_bytes(content)


def set_weight(folder, name, value):
    weights = load_file(folder / WEIGHTS)
    weights[name].view(-1)[-1] = value
    save_file(weights, folder / WEIGHTS)


@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json"])
@pytest.mark.parametrize("load", [models.load, models.load_intra])
def test_one_flipped_bit_of_a_stores_model_is_told_and_not_loaded(kept, name, load):
    flip(kept.path / name)
    with pytest.raises(ModelError, match="not those that the store was made with") as caught:
        load(kept, "cpu")
    assert caught.value.fix == "reatt check --repair"


def test_a_bit_flipped_in_place_with_the_old_time_is_found(kept):
    models.load(kept, "cpu")
    file = kept.path / WEIGHTS
    before = file.stat()
    with open(file, "r+b") as stream:
        stream.seek(-9, os.SEEK_END)
        byte = stream.read(1)[0]
        stream.seek(-9, os.SEEK_END)
        stream.write(bytes([byte ^ 4]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ModelError, match="not those that the store was made with"):
        models.load(kept, "cpu")


def test_another_sound_model_in_the_place_of_the_stores_own_is_told(kept, write_model, tmp_path):
    other = write_model(tmp_path / "other", seed=3)
    for file in kept.path.iterdir():
        shutil.copyfile(other / file.name, file)
    with pytest.raises(ModelError, match="not those that the store was made with"):
        models.load(kept, "cpu")


def test_a_changed_config_of_a_stores_model_is_told(kept):
    config = json.loads((kept.path / "config.json").read_text())
    (kept.path / "config.json").write_text(json.dumps({**config, "retrieval_head": 1}))
    with pytest.raises(ModelError, match="not those that the store was made with"):
        models.load(kept, "cpu")


@pytest.mark.parametrize("origin", ["added", "bundled"])
def test_a_bit_flipped_in_an_installed_model_is_told(added, origin):
    flip(added.path / WEIGHTS)
    with pytest.raises(ModelError, match="damaged or changed"):
        models.load(ModelFolder(added.path, origin, "tiny"), "cpu")


def test_the_bundled_model_is_the_one_that_was_recorded():
    assert models.bundled().recorded == models.bundled().sha256


def test_the_files_of_a_store_are_its_own(added, tmp_path):
    (tmp_path / "store" / "models").mkdir(parents=True)
    kept = models.keep_in_store(added, tmp_path / "store")
    assert all(file.stat().st_nlink == 1 for file in kept.files)
    flip(added.path / WEIGHTS)
    assert ModelFolder(kept.path).sha256 == kept.made_with
    models.load(kept, "cpu")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
def test_a_weight_that_is_no_number_or_absurd_is_named(folder, value):
    set_weight(folder.path, "encoder.final_layer_norm.weight", value)
    with pytest.raises(ModelError, match=r"encoder.final_layer_norm.weight is not finite"):
        models.load(folder, "cpu")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_what_is_no_number_is_found_in_every_type(folder, kind):
    weights = {name: weight.to(kind) for name, weight in load_file(folder.path / WEIGHTS).items()}
    weights["shared.weight"][3, 4] = math.nan
    save_file(weights, folder.path / WEIGHTS)
    with pytest.raises(ModelError, match=r"shared.weight is not finite"):
        models.load(folder, "cpu")


def test_scales_of_eight_bit_embeddings_are_finite_too(write_bert, tmp_path):
    made = write_bert(tmp_path / "bert", eight_bits=True)
    words = load_file(made / "embeddings.safetensors")
    words["word_embeddings.scale"][5] = math.inf
    save_file(words, made / "embeddings.safetensors")
    with pytest.raises(ModelError, match=r"word_embeddings.scale is not finite"):
        models.load(ModelFolder(made), "cpu")


def test_a_store_that_recorded_a_model_with_no_numbers_is_refused_all_the_same(folder, tmp_path):
    set_weight(folder.path, "shared.weight", math.nan)
    with pytest.raises(ModelError, match="not finite"):
        models.load(ModelFolder(folder.path, "store", "evil", folder.sha256), "cpu")


def test_a_token_without_an_embedding_is_told(bert, tmp_path):
    folder = ModelFolder(shutil.copytree(bert, tmp_path / "bert"))
    raw = json.loads((folder.path / "tokenizer.json").read_text())
    word = next(reversed(raw["model"]["vocab"]))
    for said, vocabulary in [
        ("has the id 5000", {**raw["model"]["vocab"], word: 5000}),
        ("tokens, the model", raw["model"]["vocab"] | {f"word{n}": len(raw["model"]["vocab"]) + n for n in range(9)}),
    ]:
        changed = {**raw, "model": {**raw["model"], "vocab": vocabulary}}
        (folder.path / "tokenizer.json").write_text(json.dumps(changed))
        with pytest.raises(ModelError, match=said):
            models.load(ModelFolder(folder.path), "cpu")


def settle(folder):
    """Let the last change of a model's files be long ago, as far as a program can tell."""
    time.sleep(files.SETTLED + 0.1)


def test_an_unchanged_model_is_not_read_again_and_a_changed_one_is(folder, monkeypatch):
    settle(folder)
    first, read = folder.sha256, []
    real = files.hashlib.file_digest
    monkeypatch.setattr(files.hashlib, "file_digest", lambda *what: read.append(what) or real(*what))
    assert ModelFolder(folder.path).sha256 == first
    assert read == []
    flip(folder.path / WEIGHTS)
    assert ModelFolder(folder.path).sha256 != first
    assert len(read) == 1


def test_a_check_reads_every_file_whatever_is_remembered(kept, tmp_path):
    old = hashlib.sha256((kept.path / WEIGHTS).read_bytes()).hexdigest()
    flip(kept.path / WEIGHTS)
    memory = {"format": files.FORMAT, "files": {files.identities([kept.path / WEIGHTS])[0]: old}, "sound": []}
    (tmp_path / "cache" / "reatt").mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache" / "reatt" / files.MEMORY).write_text(json.dumps(memory))
    assert ModelFolder(kept.path).sha256 == kept.made_with  # as if the disk had changed a bit and told nobody
    with Library.open(tmp_path / "store") as library:
        assert models.damaged(library) == [kept]


@pytest.mark.parametrize(
    "said",
    [
        "", "[]", "{", '{"format": 1, "files": [], "sound": []}', '{"format": 1, "files": {"a": "b"}, "sound": []}',
        '{"format": 0, "files": {}, "sound": []}', '{"format": 1, "files": {}, "sound": [[]]}', "[" * 9000,
    ],
)  # fmt: skip
def test_a_memory_that_is_none_is_forgotten(folder, tmp_path, said):
    (tmp_path / "cache" / "reatt").mkdir(parents=True)
    (tmp_path / "cache" / "reatt" / files.MEMORY).write_text(said)
    models.load(folder, "cpu")
    assert json.loads((tmp_path / "cache" / "reatt" / files.MEMORY).read_text())["sound"] == [folder.sha256]


def test_where_nothing_can_be_remembered_models_are_loaded_all_the_same(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    models.load(folder, "cpu")


def test_a_model_that_changes_while_it_is_read_is_refused(folder, monkeypatch):
    def load(path, dtype, real=stacks.load_stack):
        flip(folder.path / "tokenizer.json", bit=0)
        return real(path, dtype)

    monkeypatch.setattr(stacks, "load_stack", load)
    with pytest.raises(ModelError, match="changed while it was read"):
        models.load(folder, "cpu")


def test_the_record_of_a_changed_head_is_new(added):
    from reatt.judging.probe import HeadScore, choose

    before = added.recorded
    chosen = choose(added, HeadScore(0, 1, 1.0, 1.0))
    assert chosen.recorded == chosen.sha256 != before
    assert (chosen.path / RECORD).is_file()
    assert models.load(chosen, "cpu").head.number == 1
