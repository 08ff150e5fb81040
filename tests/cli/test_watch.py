"""ingest --watch: what changes is read again, by a real process that ends by Ctrl-C."""

import signal
import subprocess
import sys

import pytest

PROGRAM = [sys.executable, "-m", "reatt_cli.app"]


def test_what_changes_is_read_and_the_store_itself_is_no_change(home, model):
    pytest.importorskip("watchfiles")
    (home / "work" / "a.txt").write_text("Tea is at four.\n")
    command = [*PROGRAM, "ingest", ".", "--watch", "--model", str(model), "--store", ".reatt"]
    watching = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert watching.stdout.readline().startswith("added 1 document")
    (home / "work" / "b.txt").write_text("Rye bread is at five.\n")
    assert watching.stdout.readline().startswith("added 1 document, unchanged 1 document")
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate()
    assert (watching.returncode, out) == (130, "")
    assert "b.txt changed" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [((".", "--json"), "does not end"), (("nowhere",), "cannot be watched"), (("-",), "cannot be")],
)
def test_what_cannot_be_watched_is_refused_before_anything_is_read(arguments, why, reatt, home):
    done = reatt("ingest", *arguments, "--watch")
    assert (done.code, done.out, why in done.err) == (2, "", True)


def test_without_the_library_it_says_what_to_install(reatt, home, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert 'pip install "reatt[watch]"' in reatt("ingest", ".", "--watch").err
