"""Which model a name means, what a store keeps of it, and what loading one refuses."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reatt.model.backbone import ChunkText
from reatt.weights import files, models
from reatt.weights.folder import ModelFolder
from reatt.weights.foreign import adding
from reatt_store.errors import DeviceError, ModelError, ModelUnsafe, UsageError
from reatt_store.library import Library


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, released):
    folder = tmp_path_factory.mktemp("models")
    return adding.add(str(released(folder / "source" / "tiny")), folder / "registry", lambda _: None).folder


@pytest.fixture
def registry(tiny, tmp_path):
    shutil.copytree(tiny.path.parent, tmp_path / "registry")
    return tmp_path / "registry"


@pytest.fixture
def library(tmp_path):
    with Library.create(tmp_path / "store") as library:
        yield library


def made_with(library, folder, fingerprint="f"):
    """Keep a model in a store and bring a generation of it into force, as an ingest does."""
    with library.writing() as writer:
        kept = models.keep_in_store(folder, library.folder)
        writer.switch(writer.begin_generation(fingerprint, folder.name, folder.sha256))
    return kept


def change(folder, **entries):
    config = json.loads((folder.path / "config.json").read_text()) | entries
    (folder.path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    return ModelFolder(folder.path)


def test_a_name_finds_a_registered_model(registry):
    found = models.find("tiny", registry, None)
    assert (found.name, found.origin, found.path) == ("tiny", "added", registry / "tiny")


def test_a_folder_finds_itself_and_takes_its_name(registry):
    found = models.find(str(registry / "tiny"), registry, None)
    assert (found.name, found.origin) == ("tiny", "folder")
    assert change(found, reatt={"name": "other"}).name == "other"


def test_a_folder_called_like_a_model_does_not_stand_in_for_it(registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(registry / "tiny", tmp_path / "tiny")
    assert models.find("tiny", registry, None).path == registry / "tiny"
    assert models.find("./tiny", registry, None).path == tmp_path / "tiny"


def test_an_unknown_name_is_answered_with_what_there_is(registry):
    with pytest.raises(ModelError, match=r"no model is called tin.*there are: .*tiny"):
        models.find("tin", registry, None)


def test_a_folder_without_a_model_is_told(registry):
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        models.find(str(registry), registry, None)


def test_half_made_and_empty_folders_have_no_name(registry):
    shutil.copytree(registry / "tiny", registry / ".part-x")
    (registry / "empty").mkdir()
    assert [found.name for found in models.installed(registry) if found.origin == "added"] == ["tiny"]


def test_no_name_means_the_stores_own_model(registry, library):
    kept = made_with(library, models.find("tiny", registry, None))
    found = models.find(None, registry, library)
    assert found == kept
    assert (found.name, found.origin) == ("tiny", "store")


def test_no_name_means_the_bundled_model_where_there_is_no_store(registry, monkeypatch):
    monkeypatch.setattr(models, "bundled", lambda: ModelFolder(registry / "tiny", "bundled", "reatt-mini"))
    assert models.find(None, registry, None).origin == "bundled"


def test_a_store_is_searched_with_its_own_model_after_an_upgrade_and_a_move(registry, library, tmp_path):
    sha256 = made_with(library, models.find("tiny", registry, None)).sha256
    shutil.rmtree(registry)
    shutil.copytree(library.folder, tmp_path / "elsewhere")
    with Library.open(tmp_path / "elsewhere") as moved:
        found = models.find(None, registry, moved)
        assert (found.path.parent, found.sha256) == (tmp_path / "elsewhere" / "models", sha256)


def test_a_stores_model_that_is_gone_is_found_among_equal_ones_else_told(registry, library):
    kept = made_with(library, models.find("tiny", registry, None))
    shutil.rmtree(kept.path)
    assert models.find(None, registry, library).path == registry / "tiny"
    shutil.rmtree(registry)
    with pytest.raises(ModelError, match="the store's own model, tiny"):
        models.find(None, registry, library)


def test_a_kept_model_is_the_same_model(registry, library):
    folder = models.find("tiny", registry, None)
    kept = models.keep_in_store(folder, library.folder)
    assert kept.sha256 == folder.sha256
    assert kept.path.name == f"tiny-{folder.sha256[:8]}"
    assert models.keep_in_store(folder, library.folder) == kept


@pytest.mark.parametrize("origin", ["bundled", "added", "folder"])
def test_a_kept_model_shares_no_file_with_another(registry, library, origin):
    folder = ModelFolder(registry / "tiny", origin, "tiny")
    kept = models.keep_in_store(folder, library.folder)
    assert {file.stat().st_ino for file in kept.files}.isdisjoint(file.stat().st_ino for file in folder.files)


def test_what_is_written_into_a_registered_config_leaves_the_store_as_it_was(registry, library):
    kept = made_with(library, models.find("tiny", registry, None))
    change(models.find("tiny", registry, None), reatt={"fusion": 0.1})
    assert models.damaged(library) == []
    assert "reatt" not in ModelFolder(kept.path).config


def test_a_disk_that_shares_no_blocks_gets_a_copy(registry, library, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(files.fcntl, "ioctl", refuse)
    folder = models.find("tiny", registry, None)
    assert models.keep_in_store(folder, library.folder).sha256 == folder.sha256


def test_a_kill_while_keeping_leaves_nothing_that_counts(registry, library, monkeypatch):
    monkeypatch.setattr(Path, "rename", lambda *_: os._exit(9))
    if (pid := os.fork()) == 0:
        models.keep_in_store(models.find("tiny", registry, None), library.folder)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    monkeypatch.undo()
    kept = models.keep_in_store(models.find("tiny", registry, None), library.folder)
    assert [path.name for path in (library.folder / "models").iterdir()] == [kept.path.name]


def test_a_strangers_model_name_does_not_lead_out_of_the_store(registry, library):
    kept = models.keep_in_store(ModelFolder(registry / "tiny", called="../../../up"), library.folder)
    assert kept.path.parent == library.folder / "models"


def test_files_among_the_models_of_a_store_stop_nobody(registry, library):
    for name in (".DS_Store", ".part-1"):
        (library.folder / "models" / name).write_text("x")
    kept = made_with(library, models.find("tiny", registry, None))
    models.drop_unused(library)
    assert [path.name for path in (library.folder / "models").iterdir()] == [kept.path.name]


def test_models_of_dropped_generations_go(registry, library):
    first = made_with(library, models.find("tiny", registry, None))
    second = made_with(library, change(models.find("tiny", registry, None), retrieval_head=1), "g")
    models.drop_unused(library)
    assert first.path.is_dir()
    with library.writing() as writer:
        writer.drop_generation(1)
    models.drop_unused(library)
    assert [path.name for path in (library.folder / "models").iterdir()] == [second.path.name]


def test_one_flipped_bit_in_a_kept_model_is_found(registry, library):
    kept = made_with(library, models.find("tiny", registry, None))
    assert models.damaged(library) == []
    weights = bytearray((kept.path / "model.safetensors").read_bytes())
    weights[-9] ^= 1
    (kept.path / "model.safetensors").write_bytes(weights)
    assert models.damaged(library) == [kept]


def test_a_model_loads_with_the_limits_and_the_head_of_its_config(registry):
    folder = change(models.find("tiny", registry, None), reatt={"question_tokens": 20, "chunk_tokens": 30})
    model = models.load(folder, "cpu")
    assert (model.head.layer, model.head.number, model.max_chunk_tokens, model.key_width) == (2, 3, 30, 8)
    assert len(model.encode_question("a" * 99).vectors) == 20
    assert len(model.encode_chunks([ChunkText("", "a" * 99)])[0].keys) == 30


def test_released_models_read_128_and_512_tokens(tiny):
    model = models.load(tiny, "cpu")
    assert (model.tokenizer.question_limit, model.tokenizer.chunk_limit) == (128, 512)


@pytest.mark.parametrize("missing", ["retrieval_layer", "retrieval_head"])
def test_a_plain_t5_says_how_to_find_its_head(registry, missing):
    folder = change(models.find("tiny", registry, None), **{missing: None})
    with pytest.raises(ModelError) as caught:
        models.load(folder, "cpu")
    assert caught.value.fix == f"reatt models probe --model {folder.path}"


@pytest.mark.parametrize(
    "entries",
    [{"retrieval_layer": 4}, {"retrieval_head": -1}, {"retrieval_head": "3"}, {"reatt": {"chunk_tokens": 0}}],
)
def test_a_config_out_of_range_is_told(registry, entries):
    with pytest.raises(ModelError, match="expected a number from"):
        models.load(change(models.find("tiny", registry, None), **entries), "cpu")


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_told(registry, file):
    (registry / "tiny" / file).unlink()
    with pytest.raises(ModelError, match=file):
        models.load(models.find("tiny", registry, None), "cpu")


def test_a_pickle_is_never_loaded(tmp_path, released):
    with pytest.raises(ModelUnsafe):
        models.load(ModelFolder(released(tmp_path / "pickled")), "cpu")


def test_a_gpu_that_is_not_there_is_an_error_and_auto_is_none(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert models.choose_device("auto") == models.choose_device("cpu") == "cpu"
    for choice in ("cuda", "cuda:0"):
        with pytest.raises(DeviceError, match="no CUDA device"):
            models.choose_device(choice)


def test_of_two_gpus_the_first_is_auto_and_the_third_is_an_error(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [models.choose_device(choice) for choice in ("auto", "cuda", "cuda:1")] == ["cuda", "cuda", "cuda:1"]
    with pytest.raises(DeviceError, match="PyTorch sees 2"):
        models.choose_device("cuda:2")


@pytest.mark.parametrize("choice", ["gpu", "cuda:", "cuda:-1", "cuda:²", "mps", ""])
def test_what_names_no_device_is_a_usage_error(choice):
    with pytest.raises(UsageError):
        models.choose_device(choice)


def test_equal_files_have_equal_hashes_and_any_change_shows(registry, tiny):
    folder = models.find("tiny", registry, None)
    assert folder.sha256 == tiny.sha256
    assert change(folder, retrieval_head=1).sha256 != tiny.sha256


def test_listing_models_loads_no_torch():
    program = "import sys; from pathlib import Path; from reatt.weights import models; models.installed(Path('.'));"
    subprocess.run([sys.executable, "-c", f"{program} assert 'torch' not in sys.modules"], check=True)
