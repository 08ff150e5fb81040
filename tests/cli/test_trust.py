"""A store that is found, not named, is used only if nobody else could have made it, changed it or put it there."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from reatt.places import store_folder, stranger, trust_list, trusted
from reatt_store.errors import StoreUntrusted

ROOT = os.getuid() == 0
NOBODY = 65534
AS_ROOT = pytest.mark.skipif(not ROOT, reason="only root can give a file away")


@pytest.fixture
def found(home, store):
    """Enter a folder below a store's, with nothing above that is closed to others."""
    with tempfile.TemporaryDirectory(dir="/tmp") as top:
        place = Path(top).resolve() / "work"
        shutil.copytree(store, place / ".reatt")
        (place / "below").mkdir()
        for folder in (place.parent, place, place / ".reatt"):
            folder.chmod(0o755)
        os.chdir(place / "below")
        yield place / ".reatt"
        os.chdir(home)


def refused(reatt, *calls):
    for call in calls or ("list", "status", "search x --retriever words", "remove D-1", "ask x", "check"):
        done = reatt(*call.split(), "--json")
        assert (done.code, done.out, json.loads(done.err)["id"]) == (12, "", "STORE_UNTRUSTED"), call
        assert "reatt config trust" in json.loads(done.err)["fix"]


def test_a_store_of_ones_own_is_used(found, reatt):
    assert stranger(found) is None
    assert reatt("list").code == 0


@AS_ROOT
def test_a_store_of_another_user_receives_nothing(found, reatt, home):
    (home / "private.md").write_text("My password for the bank is hunter2.\n")
    for path in (found, *found.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    refused(reatt)
    refused(reatt, f"ingest {home}/private.md")
    assert b"hunter2" not in (found / "reatt.db").read_bytes()


@AS_ROOT
@pytest.mark.parametrize("place", ["reatt.db", "segments", "..", "../.."])
def test_a_part_or_a_folder_above_that_another_user_owns_is_enough(found, reatt, place):
    os.chown(found / place, NOBODY, NOBODY)
    refused(reatt, "list")


@AS_ROOT
def test_whoever_called_sudo_is_no_stranger(found, monkeypatch):
    os.chown(found, NOBODY, NOBODY)
    monkeypatch.setenv("SUDO_UID", str(NOBODY))
    assert stranger(found) is None
    monkeypatch.setenv("SUDO_UID", "no number")
    assert stranger(found) is not None


@pytest.mark.parametrize("place", [".", "reatt.db", "segments", ".."])
def test_a_store_that_others_can_write_to_is_not_used(found, reatt, place):
    (found / place).chmod(0o777)
    refused(reatt, "list")


def test_in_a_folder_with_the_sticky_bit_others_cannot_rename_what_is_ours(found, reatt):
    found.parent.chmod(0o1777)
    assert reatt("list").code == 0
    found.chmod(0o1777)
    refused(reatt, "list")


def test_what_lies_below_a_closed_folder_is_closed(found, reatt):
    for path in (found, found.parent, found / "reatt.db"):
        path.chmod(0o777)
    found.parent.parent.chmod(0o700)
    assert reatt("list").code == 0


def test_the_group_of_this_user_alone_is_nobody_else(found, reatt):
    found.chmod(0o775)
    assert reatt("list").code == 0
    if ROOT:
        os.chown(found, 0, NOBODY)
        refused(reatt, "list")


def test_a_store_that_is_named_is_used_whoever_owns_it(found, reatt, monkeypatch):
    found.chmod(0o777)
    assert reatt("list", "--store", found).code == 0
    monkeypatch.setenv("REATT_STORE", str(found))
    assert reatt("list").code == 0


@pytest.mark.parametrize("named", ["..", "../.reatt"])
def test_a_store_that_is_trusted_is_used(found, reatt, named):
    found.chmod(0o777)
    assert reatt("config", "trust", named).code == 0
    assert reatt("config", "trust", named).code == 0  # once is enough
    assert (reatt("list").code, trusted(), trust_list().stat().st_mode & 0o777) == (0, [str(found)], 0o600)
    assert json.loads(reatt("config", "--json").out)["trusted"] == [str(found)]


def test_trust_is_for_one_store_by_its_real_path(found, reatt, home):
    found.chmod(0o777)
    (home / "other").mkdir()
    shutil.copytree(found, home / "other" / ".reatt")
    (home / "other" / ".reatt").chmod(0o777)
    assert reatt("config", "trust", home / "other").code == 0
    refused(reatt, "list")
    (home / "way").symlink_to(home / "other")
    assert store_folder(start=home / "way") == home / "way" / ".reatt"


@pytest.mark.parametrize("call", ["config trust", "config trust nowhere", "config show .."])
def test_trust_needs_a_folder_that_has_a_store(found, reatt, call):
    assert reatt(*call.split()).code == 2


def test_the_settings_of_an_untrusted_store_count_for_nothing(found, reatt):
    (found / "config.toml").write_text("[ask]\ntop = 77\n")
    found.chmod(0o777)
    told = {row["name"]: row["value"] for row in json.loads(reatt("config", "--json").out)["settings"]}
    assert told["ask.top"] != 77
    assert reatt("list", "--help").code == 0
    assert reatt("values", "id", "D-").out == ""


def test_the_library_refuses_as_the_command_line_does(found):
    import reatt

    found.chmod(0o777)
    with pytest.raises(StoreUntrusted):
        reatt.open()
    reatt.open(found).close()


def test_a_list_of_trust_that_is_a_pipe_or_missing_trusts_nobody(found):
    assert trusted() == []
    trust_list().parent.mkdir(parents=True)
    os.mkfifo(trust_list())
    assert trusted() == []


@pytest.mark.skipif(not ROOT or shutil.which("setpriv") is None, reason="needs two users")
def test_two_real_users_cannot_read_what_the_other_ingests(found):
    """The attack: a store above, of a user who waits for what others write into it."""
    for path in (found, *found.rglob("*")):
        os.chown(path, 12345, 12345)
        path.chmod(0o777)
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-m", "reatt_cli", "ingest", "."]
    Path("s.md").write_text("My password for the bank is hunter2.\n")
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, b"hunter2" in (found / "reatt.db").read_bytes()) == (12, False)


@AS_ROOT
def test_one_that_cannot_be_read_is_not_to_be_trusted_but_made_readable(found):
    found.chmod(0o700)
    script = """
import os
from reatt.places import store_folder, trusted
from reatt_store.errors import StoreUntrusted
trusted()  # what is imported on the way may lie where another user cannot read
os.setuid(65534)
try:
    store_folder()
except StoreUntrusted as error:
    print(error.fix)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "let its owner make it readable for you; or name a store with --store\n"
