"""A checkpoint is read within limits: whatever is wrong with it is told, and nothing of it is continued."""

import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from reatt.training import checkpoints
from reatt_store.errors import UsageError

TENSORS = {"model.a": torch.ones(2, 3), "selector.b": torch.ones(4), "close": torch.zeros(1, 2, dtype=torch.int64)}


@pytest.fixture
def saved(tmp_path):
    """Save a checkpoint; return its own folder."""
    checkpoints.save(tmp_path, 3, checkpoints.Checkpoint(TENSORS, {"done": 3}))
    return tmp_path / "step-00000003"


def test_what_was_saved_is_loaded(saved):
    found = checkpoints.load(saved.parent)
    assert found.state == {"done": 3}
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in TENSORS.items())


def pipe(file):
    file.unlink()
    os.mkfifo(file)


def link(file):
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


@pytest.mark.parametrize("name", [checkpoints.STATE, checkpoints.WEIGHTS])
@pytest.mark.parametrize(
    "break_it",
    [
        pipe,
        lambda file: file.unlink(),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(b"[" * 100_000),
        lambda file: os.truncate(file, 1 << 40),
        lambda file: file.write_bytes(b""),
    ],
)
def test_a_file_that_is_none_is_told(saved, name, break_it):
    break_it(saved / name)
    with pytest.raises(UsageError, match="cannot be read") as caught:
        checkpoints.load(saved.parent)
    assert caught.value.fix == "run the command without --resume"


def test_a_state_is_never_read_through_a_link(saved):
    link(saved / checkpoints.STATE)
    with pytest.raises(UsageError, match="cannot be read"):
        checkpoints.load(saved.parent)


@pytest.mark.parametrize("state", ["[]", "3", '{"spent": NaN}', '{"done": 1e999}', '{"done": ' + "9" * 400 + "}"])
def test_a_state_that_is_none_is_told(saved, state):
    (saved / checkpoints.STATE).write_text(state)
    with pytest.raises(UsageError, match="cannot be read"):
        checkpoints.load(saved.parent)


def test_weights_that_are_no_numbers_are_told(saved):
    weights = load_file(saved / checkpoints.WEIGHTS)
    weights["model.a"][1, 1] = torch.nan
    save_file(weights, saved / checkpoints.WEIGHTS)
    with pytest.raises(UsageError, match=r"model\.a is not finite"):
        checkpoints.load(saved.parent)


@pytest.mark.parametrize("change", [{"model.a": torch.ones(3, 2)}, {"model.a": None}, {"other": torch.ones(1)}])
def test_tensors_of_another_model_do_not_fit(saved, change):
    tensors = {name: tensor for name, tensor in {**TENSORS, **change}.items() if tensor is not None}
    shapes = {name: tuple(tensor.shape) for name, tensor in TENSORS.items()}
    with pytest.raises(UsageError, match="1 of its tensors do not fit"):
        checkpoints.require_shapes(checkpoints.Checkpoint(tensors, {}), shapes, {}, saved)
    checkpoints.require_shapes(checkpoints.Checkpoint(TENSORS, {}), shapes, {"more": (1,)}, saved)
