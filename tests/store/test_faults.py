"""A store stays sound whatever the disk does: kills at every change and in recovery, power cuts, full and bad disks.

Each run prints how many states it tried (`-s` shows it). The long forms try all of them: `make crashes`.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

FAULTS = Path(__file__).parents[1] / "faults"
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    built = tmp_path_factory.mktemp("faults") / "faults.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", built, FAULTS / "faults.c", "-ldl"]
    subprocess.run(command, check=True)
    return built


@pytest.fixture
def folder():
    memory = Path("/dev/shm")  # a sync there takes no time
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield name


def driven(library, folder, mode, number):
    command = [sys.executable, FAULTS / "driver.py", library, folder, mode, str(number)]
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    print(f"\n{mode}: {told['tried']} states of a run of {told['changes']} changes, {len(told['wrong'])} wrong")
    return told


def slow(value):
    return pytest.param(value, marks=[pytest.mark.slow, pytest.mark.timeout(7200)])


@pytest.mark.parametrize("stride", [97, slow(1)])
def test_a_kill_at_any_change_and_again_in_recovery(library, folder, stride):
    told = driven(library, folder, "crash", stride)
    assert told["wrong"] == []
    assert told["tried"] > told["changes"] / stride  # some recoveries had changes to be killed at


@pytest.mark.parametrize("runs", [40, slow(3000)])
def test_a_power_cut_leaves_the_state_before_or_after_and_takes_no_promise_back(library, folder, runs):
    told = driven(library, folder, "power", runs)
    assert (told["tried"], told["wrong"]) == (runs, [])


@pytest.mark.parametrize("stride", [53, slow(1)])
@pytest.mark.parametrize("stays", [0, 1])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_change_that_fails_is_told_and_leaves_the_state_before_or_after(library, folder, error, stays, stride):
    told = driven(library, folder, f"errno-{error}-{stays}", stride)
    assert told["wrong"] == []
    assert sum(told["told"].values()) > 0.8 * told["tried"]
    if error == errno.ENOSPC:  # of a quota, SQLite says only that it cannot write
        assert told["told"].get("DiskFull", 0) > 0.8 * sum(told["told"].values())
