"""Every command works where there is no network and looks for none: it makes no socket but this machine's own."""

import json
import shutil
import subprocess
import sys
import tempfile

import pytest
import typer

from reatt_cli.app import app

# Run commands in a namespace without interfaces; say how each ended, and which sockets of networks were made.
PROGRAM = """
import contextlib, errno, io, json, os, socket, sys
try:
    socket.create_connection(("127.0.0.1", 9))
except OSError as error:
    assert error.errno == errno.ENETUNREACH, error
made, codes = [], {}
def hear(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        made.append(event)
    elif event == "socket.__new__" and arguments[1] != socket.AF_UNIX:
        made.append(str(arguments[1]))
sys.addaudithook(hear)
socket.socket(socket.AF_INET).close()
assert made.pop()  # it does hear
from reatt_cli.app import run
for call in json.load(sys.stdin):
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        code = run(call.split())
    codes[call] = [code, told.getvalue()]
print(json.dumps([codes, made]))
"""
CALLS = [
    "init", "ingest r.jsonl", "status", "list", "search leave", "ask leave --abstain never", "report answer.json",
    "export keys.parquet",
    "show D-1", "check", "doctor", "config", "schema ask", "completion bash", "models list", "serve --idle 0.01",
    "mcp --print-config zed",
    "models add {model} --name mine", "models probe --sentences 10", "eval --queries q.jsonl --read",
    "adapt --steps 1 --teach-at-once --accept always", "models rollback", "models use tiny-adapted", "remove D-1",
]  # fmt: skip


def commands(group=None, before=""):
    group = group or typer.main.get_command(app)
    for name, each in group.commands.items():
        yield from commands(each, f"{before}{name} ") if hasattr(each, "commands") else [before + name]


@pytest.fixture
def offline(home, monkeypatch):
    """Return a function that runs the program without a network."""
    if subprocess.run(["unshare", "--map-root-user", "--net", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a network namespace")
    sockets = tempfile.mkdtemp(prefix="reatt-")
    monkeypatch.setenv("XDG_RUNTIME_DIR", sockets)

    def run(calls):
        command = ["unshare", "--map-root-user", "--net", sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, input=json.dumps(calls), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    yield run
    shutil.rmtree(sockets)


def write_records(file):
    """Write what there is enough in to learn from."""
    about = "The dome of Ada Berg was painted in {}. It took {} weeks to bring it to Oslo."
    texts = [about.format(1900 + n, n + 3) for n in range(60)]
    rows = [{"_id": str(n), "title": f"Number {n}", "text": text} for n, text in enumerate(texts)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_every_command_works_without_a_network_and_looks_for_none(offline, home, reatt, library, model):
    write_records(home / "work" / "r.jsonl")
    (home / "work" / "answer.json").write_text(reatt("ask", "leave", "--json").out)
    (home / "work" / "q.jsonl").write_text('{"_id": "q1", "text": "parental leave", "answers": ["49 weeks"]}\n')
    codes, made = offline([call.format(model=model) for call in CALLS])
    assert {call: told for call, told in codes.items() if told[0]} == {}
    assert made == []


def test_to_add_a_model_by_its_name_without_a_network_is_one_line_that_says_what_to_do(offline):
    codes, _ = offline(["models add a/model"])
    [[code, told]] = codes.values()
    assert (code, told.count("\n"), told.startswith("reatt: ")) == (14, 1, True)


def test_no_command_is_left_out():
    """A cluster's processes talk over a network: tests/cluster sees to it that it is this machine's own."""
    apart = {"cluster ingest", "cluster serve"}
    assert {name for name in commands() if not any(call.startswith(name) for call in CALLS)} == apart
