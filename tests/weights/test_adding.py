"""`models add`: a published pickle becomes safetensors once, and nothing half-done ever has a name."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
import torch

from reatt.model.t5_names import our_name, published_name
from reatt.weights.folder import ModelFolder
from reatt.weights.foreign import adding, convert
from reatt.weights.foreign.hub_child import wanted
from reatt.weights.models import installed, load
from reatt.weights.t5_files import load_t5
from reatt_store.errors import DiskFull, ModelError, ModelUnsafe, NoSuchPath, UsageError

FILES = ["config.json", "model.safetensors", "model.sha256", "tokenizer.json"]


@pytest.fixture(scope="module")
def source(tmp_path_factory, released):
    return released(tmp_path_factory.mktemp("hub") / "reatt-tiny")


def add(source, registry, name=None):
    steps = []
    return adding.add(str(source), registry, steps.append, name), steps


def copy_of(source, folder, **files):
    """Copy a model folder, with some of its files replaced."""
    folder.mkdir(exist_ok=True)
    for file in source.iterdir():
        (folder / file.name).write_bytes(files.get(file.stem, file.read_bytes()))
    return folder


def test_a_released_pickle_becomes_the_same_model(source, tmp_path):
    added, _ = add(source, tmp_path)
    weights = load_t5(added.folder.path).state_dict()
    pickled = torch.load(source / "pytorch_model.bin", weights_only=True)
    assert sorted(file.name for file in added.folder.path.iterdir()) == FILES
    assert added.left_out == ()
    assert all(torch.equal(weight, pickled[published_name(name, gated=True)]) for name, weight in weights.items())


def test_an_added_model_has_its_folders_name_and_its_retrieval_head(source, tmp_path):
    added, _ = add(source, tmp_path)
    assert added.folder in installed(tmp_path)
    assert added.folder.name == "reatt-tiny"
    head = load(added.folder, "cpu").head
    assert (head.layer, head.number) == (2, 3)


def test_shards_of_a_pickle_become_the_same_model(source, tmp_path):
    sharded = copy_of(source, tmp_path / "sharded")
    weights = torch.load(sharded / "pytorch_model.bin", weights_only=True)
    (sharded / "pytorch_model.bin").unlink()
    table = {name: f"pytorch_model-0000{i % 2}-of-2.bin" for i, name in enumerate(weights)}
    for file in set(table.values()):
        torch.save({name: weights[name] for name in table if table[name] == file}, sharded / file)
    (sharded / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": table}))
    single, both = add(source, tmp_path / "models")[0], add(sharded, tmp_path / "models")[0]
    pairs = zip(load_t5(single.folder.path).parameters(), load_t5(both.folder.path).parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_weights_from_training_are_left_out_by_name(source, tmp_path):
    folder = copy_of(source, tmp_path / "trained")
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.save(weights | {"encoder.head_weights": torch.ones(4)}, folder / "pytorch_model.bin")
    assert add(folder, tmp_path / "models")[0].left_out == ("encoder.head_weights",)


def test_a_tied_head_that_shares_memory_is_written_once(source, tmp_path):
    folder = copy_of(source, tmp_path / "tied")
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.save(weights | {"lm_head.weight": weights["shared.weight"]}, folder / "pytorch_model.bin")
    t5 = load_t5(add(folder, tmp_path / "models")[0].folder.path)
    assert t5.lm_head.weight is t5.shared.weight


def test_a_pickle_of_before_torch_1_6_is_read(source, tmp_path):
    folder = copy_of(source, tmp_path / "old")
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.save(weights, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    assert load_t5(add(folder, tmp_path / "models")[0].folder.path).config.d_model == 32


class Mischief:
    def __reduce__(self):
        return os.mkdir, ("mischief",)


def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = pickled(source, tmp_path / "evil", other=Mischief())
    with pytest.raises(ModelUnsafe, match="more than weights"):
        add(folder, tmp_path / "models")
    assert not (tmp_path / "mischief").exists()


def pickled(source, folder, **weights):
    """Copy a model, with other weights in its pickle."""
    copy_of(source, folder)
    torch.save(torch.load(folder / "pytorch_model.bin", weights_only=True) | weights, folder / "pytorch_model.bin")
    return folder


@pytest.mark.parametrize(
    "weight",
    [
        torch.zeros(1).as_strided((100, 32), (0, 0)),
        torch.zeros(100, 1).expand(100, 32),
        torch.eye(100, 32).to_sparse(),
        torch.zeros(100, 32, device="meta"),
        torch.zeros(100, 32, dtype=torch.complex64),
        torch.zeros(100, 32, dtype=torch.int8),
    ],
    ids=["view", "expanded", "sparse", "meta", "complex", "whole"],
)
def test_a_weight_that_is_more_than_its_bytes_is_refused(source, tmp_path, weight):
    folder = pickled(source, tmp_path / "evil", **{"shared.weight": weight})
    with pytest.raises(ModelUnsafe, match=r"shared\.weight is no plain table|damaged"):
        convert.convert(folder, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("shape", [(40000, 10000), (100, 33), (100,), ()])
def test_shapes_in_a_pickle_are_compared_before_anything_is_written(source, tmp_path, shape):
    weight = torch.zeros(1).expand(shape) if shape == (40000, 10000) else torch.zeros(shape)
    folder = pickled(source, tmp_path / "large", **{"shared.weight": weight})
    with pytest.raises(ModelError, match=r"shared\.weight"):
        convert.convert(folder, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(
    "body", ["import os; os.abort()", "print('no JSON', flush=True)", "pass", "import time; time.sleep(600)"]
)
def test_a_child_that_dies_leaves_nothing(source, tmp_path, monkeypatch, body):
    (tmp_path / "child.py").write_text(f"import sys; sys.stdin.readline(); {body}\n")
    monkeypatch.setattr(adding, "SCRIPT", tmp_path / "child.py")
    monkeypatch.setattr(adding, "SECONDS", 5.0)
    with pytest.raises(ModelError, match="cannot be read as a model"):
        add(source, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_child_may_not_fill_memory_or_disk():
    program = """if True:
        import resource, sys
        from reatt.parsers.confined import limit, limit_data
        limit(resource.RLIM_INFINITY, 60, 1000)
        limit_data(200_000_000)
        with open(sys.argv[1], "wb") as file:
            file.write(bytes(1000))
        try:
            with open(sys.argv[1], "ab") as file:
                file.write(bytes(1000))
        except OSError:
            print("disk", flush=True)
        try:
            bytearray(500_000_000)
        except MemoryError:
            print("memory")
    """
    with tempfile.NamedTemporaryFile() as file:
        run = subprocess.run([sys.executable, "-c", program, file.name], capture_output=True, text=True, check=True)
    assert run.stdout == "disk\nmemory\n"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"pytorch_model": b""}, "weights; the files have"),
        ({"pytorch_model": b"PK\x03\x04 and no more"}, "weights; the files have"),
        ({"config": b'{"model_type": "t5"}'}, "does not describe a T5"),
        ({"tokenizer": b"{}"}, "cannot read"),
    ],
)
def test_what_cannot_be_loaded_gets_no_name(source, tmp_path, files, said):
    with pytest.raises(ModelError, match=said):
        add(copy_of(source, tmp_path / "broken", **files), tmp_path / "models")
    assert not any((tmp_path / "models").glob("*"))


def test_a_tokenizer_larger_than_the_embedding_is_refused(source, tmp_path, released):
    small = released(tmp_path / "small", vocab_size=50)
    with pytest.raises(ModelError, match=r"tokenizer\.json has 99 tokens, the model 50"):
        add(small, tmp_path / "models")


def test_a_failed_second_try_leaves_the_first_model(source, tmp_path):
    added, _ = add(source, tmp_path / "models")
    before = added.folder.sha256
    with pytest.raises(ModelError):
        add(copy_of(source, tmp_path / "reatt-tiny", pytorch_model=b"cut"), tmp_path / "models")
    assert ModelFolder(added.folder.path).sha256 == before


def test_the_same_name_again_replaces_the_model(source, tmp_path):
    add(source, tmp_path)
    again, _ = add(source, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["reatt-tiny"]
    assert load_t5(again.folder.path).config.num_layers == 4


def test_without_room_nothing_is_begun(source, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DiskFull):
        add(source, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_sentencepiece_model_alone_says_what_to_install(source, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    folder = copy_of(source, tmp_path / "old")
    (folder / "tokenizer.json").rename(folder / "spiece.model")
    (tmp_path / "part").mkdir()
    with pytest.raises(ModelError) as caught:
        convert.assemble(folder, tmp_path / "part", lambda _: None)
    assert caught.value.fix == "pip install 'reatt[hub]'"


@pytest.mark.parametrize("name", ["reatt-mini", "../up", ".hidden", "a/b", "a b", ""])
def test_a_name_is_one_plain_word_and_never_the_bundled_models(source, tmp_path, name):
    with pytest.raises(UsageError):
        add(source, tmp_path, name or "-")


@pytest.mark.parametrize("source", ["nowhere", "/nowhere/at/all", "a/../b", "a/b/c"])
def test_what_is_neither_folder_nor_hub_name_is_told(tmp_path, source):
    with pytest.raises(NoSuchPath):
        add(source, tmp_path)


def test_safetensors_are_fetched_rather_than_a_pickle():
    there = ["README.md", "pytorch_model.bin", "model.safetensors", "config.json", "tokenizer.json", "tf_model.h5"]
    assert wanted(there) == ["config.json", "tokenizer.json", "model.safetensors"]
    assert wanted(["config.json", "pytorch_model.bin", "spiece.model"])[1:] == ["spiece.model", "pytorch_model.bin"]


def test_a_model_that_changes_after_it_was_added_is_told(source, tmp_path):
    added, _ = add(source, tmp_path)
    assert added.folder.recorded == added.folder.sha256
    text = (added.folder.path / "config.json").read_text()
    (added.folder.path / "config.json").write_text(text.replace('"retrieval_head": 3', '"retrieval_head": 1'))
    with pytest.raises(ModelError, match="not those that were added"):
        load(ModelFolder(added.folder.path, "added", "reatt-tiny"), "cpu")


@pytest.fixture
def hub(source, monkeypatch):
    """Serve a model as the hub does, on this machine."""

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, body):
            if self.path.startswith("/api/models/lab/reatt-tiny"):
                files = [{"rfilename": file.name, "size": file.stat().st_size} for file in source.iterdir()]
                content = json.dumps({"id": "lab/reatt-tiny", "sha": "a" * 40, "siblings": files}).encode()
            elif self.path.startswith("/lab/reatt-tiny/resolve/"):
                content = (source / self.path.rpartition("/")[2]).read_bytes()
            else:
                self.send_response(403 if "gated" in self.path else 404)
                self.send_header("X-Error-Code", "GatedRepo" if "gated" in self.path else "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            for key, value in {
                "X-Repo-Commit": "a" * 40,
                "ETag": f'"{len(content)}"',
                "Accept-Ranges": "bytes",
            }.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # as the command line sets it for all other commands
    yield server
    server.shutdown()


def test_a_hub_model_is_downloaded_and_added(hub, source, tmp_path):
    added, steps = add("lab/reatt-tiny", tmp_path)
    assert added.folder.sha256 == add(source, tmp_path, "by-hand")[0].folder.sha256
    assert {step.phase for step in steps} == {"download", "copy", "check"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["by-hand", "reatt-tiny"]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc")
def test_a_download_ends_with_the_process_that_started_it(tmp_path, monkeypatch):
    program = (
        "import sys; from pathlib import Path; from reatt.weights.foreign.adding import download\n"
        "download('lab/reatt-tiny', Path(sys.argv[1]), print)"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes the request and never answers
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with subprocess.Popen([sys.executable, "-c", program, tmp_path]) as parent:
            asking, _ = silent.accept()
            parent.kill()
        with asking:
            asking.settimeout(60)
            while asking.recv(1 << 16):  # until the child, and its end of the connection, are no more
                pass


def test_an_unknown_hub_name_is_told(hub, tmp_path):
    with pytest.raises(ModelError, match="cannot download lab/nothing"):
        add("lab/nothing", tmp_path)


def test_a_licence_that_was_not_accepted_is_told_with_where_to_accept_it(hub, tmp_path):
    with pytest.raises(ModelError, match="accepted its licence") as caught:
        add("lab/gated@main", tmp_path)
    assert caught.value.fix == "do so on https://huggingface.co/lab/gated, then: hf auth login"


def test_a_download_that_does_not_fit_is_stopped(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(adding.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(DiskFull, match="no room"):
        add("lab/reatt-tiny", tmp_path)


def test_our_names_leave_no_published_weight_behind(source):
    names = torch.load(source / "pytorch_model.bin", weights_only=True)
    assert [name for name in names if not convert.REDUNDANT.match(name) and ".block." in our_name(name)] == []
