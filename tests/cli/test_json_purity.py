"""Every command, whatever becomes of it: stdout is one valid object or nothing, stderr nothing or one valid error."""

import json
import os
import signal
import threading
import time
from contextlib import contextmanager, suppress

import jsonschema
import pytest
import typer

from reatt_cli.app import app
from reatt_cli.output import Output
from reatt_cli.schemas import published as schemas

QUERIES = '{"_id": "q1", "text": "parental leave", "answers": ["49 weeks"]}\n'
THINGS = "dome lens mirror fence oven ferry garden".split()
PEOPLE = ("Ada Berg", "Ole Dahl", "Kari Lund", "Eva Holm")
# command -> ways it ends: exit code and arguments. What reads files can do so partly, what searches can find nothing.
CASES = {
    "ingest": {"ok": (0, "leave.md"), "partial": (3, "leave.md bad.pdf"), "fail": (2, "nowhere"),
               "empty": (0, "blank.txt"), "planned": (0, "--dry-run .")},
    "search": {"ok": (0, "leave"), "fail": (14, "leave --model nothing"), "empty": (4, "--retriever words zzz")},
    "ask": {"ok": (0, "leave --abstain never"), "fail": (2, "leave --abstain often"),
            "empty": (4, "leave --only *.none")},
    "adapt": {"planned": (0, "--dry-run --steps 1 RECORDS"), "fail": (2, ""), "empty": (10, "--store nowhere")},
    "eval": {"ok": (0, "--queries q.jsonl"), "fail": (2, "--queries bad.pdf"),
             "empty": (10, "--queries q.jsonl --store no")},
    "cluster ingest": {"fail": (2, "leave.md --shards 2 --out shards --store nowhere")},
    "cluster serve": {"fail": (2, "shards --store nowhere")},
    "list": {"ok": (0, ""), "fail": (10, "--store nowhere"), "empty": (0, "--only *.none")},
    "show": {"ok": (0, "D-1"), "fail": (2, "D-99"), "empty": (2, "")},
    "remove": {"ok": (0, "D-1"), "fail": (2, "D-1 nothing"), "planned": (0, "--dry-run *")},
    "status": {"ok": (0, ""), "fail": (10, "--store nowhere")},
    "check": {"ok": (0, ""), "fail": (10, "--store nowhere")},
    "init": {"ok": (0, "elsewhere"), "fail": (22, "--store leave.md/store"), "empty": (0, "")},
    "models list": {"ok": (0, ""), "fail": (2, "--nonsense")},
    "models add": {"ok": (0, "MODEL --name mine"), "fail": (14, "more")},
    "models use": {"ok": (0, "tiny"), "fail": (14, "nothing")},
    "models rollback": {"fail": (2, "")},
    "models probe": {"ok": (0, "RECORDS"), "fail": (2, "")},
    "serve": {"empty": (0, "--stop"), "fail": (10, "--store nowhere")},
    "mcp": {"ok": (0, "--print-config zed"), "fail": (2, "--print-config emacs"), "empty": (2, "")},
    "schema": {"ok": (0, ""), "fail": (2, "nothing")},
    "doctor": {"ok": (0, ""), "fail": (2, "--nonsense")},
    "config": {"ok": (0, "path"), "fail": (2, "nonsense")},
    "report": {"ok": (0, "answer.json"), "fail": (2, "R-9")},
    "export": {"ok": (0, "keys.parquet"), "fail": (10, "keys.parquet --store nowhere")},
    "completion": {"ok": (0, "zsh"), "fail": (2, "tcsh")},
}  # fmt: skip
ENDS = [(name, end, *case) for name, ends in CASES.items() for end, case in ends.items()]


@pytest.fixture
def here(home, library, model, reatt):
    """Return what fills in the words of a call: MODEL a folder, RECORDS nothing, but for sixty records more."""
    (home / "work" / "bad.pdf").write_bytes(b"%PDF-1.4\ncut off")
    (home / "work" / "blank.txt").write_bytes(b"")
    (home / "work" / "q.jsonl").write_text(QUERIES)

    def words(arguments):
        if "RECORDS" in arguments:
            texts = [
                f"The {THINGS[n % 7]} of {PEOPLE[n % 4]} was painted in {1900 + n} near the {THINGS[n % 5]} of Oslo. "
                f"It took {n + 3} weeks to bring the {THINGS[n % 6]} of {PEOPLE[n % 3]} from Norway."
                for n in range(60)
            ]
            rows = [{"_id": str(n), "title": f"Number {n}", "text": text} for n, text in enumerate(texts)]
            (home / "work" / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            assert reatt("ingest", "r.jsonl").code == 0
        if "answer.json" in arguments:
            (home / "work" / "answer.json").write_text(reatt("ask", "leave", "--json").out)
        return arguments.replace("MODEL", str(model)).replace("RECORDS", "").split()

    return words


def commands(group=None, before=""):
    """Name every command there is, as one types it."""
    group = group or typer.main.get_command(app)
    for name, each in group.commands.items():
        yield from commands(each, f"{before}{name} ") if hasattr(each, "commands") else [before + name]


def is_pure(done):
    """Check both streams of a run under --json; return the object, if there is one."""
    assert "" in (done.out, done.err)
    if done.out + done.err == "":
        return None
    assert (done.out + done.err).count("\n") == 1
    told = json.loads(done.out or done.err, parse_constant=pytest.fail)
    name = told["schema"].removeprefix("reatt.").partition("/")[0]
    assert (name == "error") == bool(done.err)
    jsonschema.validate(told, schemas.json_schema(name))
    return told


@pytest.mark.parametrize(("name", "end", "code", "arguments"), ENDS, ids=[f"{name}-{end}" for name, end, *_ in ENDS])
def test_every_end_of_every_command_is_pure(name, end, code, arguments, here, reatt):
    done = reatt(*name.split(), *here(arguments), "--json")
    assert done.code == code, done.err
    assert is_pure(done) is not None


# Of every command the call that does most: the one that goes well, or else the first.
CALLS = [(name, ends.get("ok", next(iter(ends.values())))[1]) for name, ends in CASES.items()]
BUG, INTERRUPTED = 70, 130


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=CASES)
def test_every_command_is_pure_where_there_is_nothing(name, arguments, here, reatt):
    words = here(arguments)
    reatt("init", "--store", "empty")
    for store in ("empty", "nowhere"):
        done = reatt(*name.split(), *words, "--store", store, "--json")
        assert is_pure(done) is not None
        assert done.code != BUG


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=CASES)
def test_ctrl_c_at_the_last_moment_leaves_both_streams_empty(name, arguments, here, reatt, monkeypatch):
    words, reached = here(arguments), []
    monkeypatch.setattr(Output, "record", lambda *_: (reached.append(1), os.kill(os.getpid(), signal.SIGINT)))
    done = reatt(*name.split(), *words, "--json")
    assert not reached or (done.code, done.out, done.err) == (INTERRUPTED, "", "")
    silent = ("models rollback", "schema", "cluster ingest", "cluster serve")  # no model, a text, a mistake
    assert reached or name in silent


@contextmanager
def ctrl_c(after):
    """Press Ctrl-C some seconds from now, unless what is run has ended."""
    running = [True]

    def press(*_):
        if running[0]:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, press)
    timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        running[0] = False
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGINT, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it may hit hypothesis's own hooks
@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=CASES)
def test_ctrl_c_at_any_moment_leaves_a_whole_object_or_none(name, arguments, here, reatt):
    call = [*name.split(), *here(arguments), "--json"]
    started = time.monotonic()
    reatt(*call)
    took = time.monotonic() - started
    for share in (0.2, 0.7):
        with suppress(KeyboardInterrupt), ctrl_c(share * took):
            done = reatt(*call)
            assert is_pure(done) is not None or done.code == INTERRUPTED
            assert done.code != BUG


def test_no_command_is_left_out():
    assert set(commands()) == set(CASES)
