"""serve: the answers of a cold command, from a process that trusts its own user alone and only what is in force."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest

from reatt import ask as verb
from reatt.search.query import Query
from reatt_cli.output import Output
from reatt_cli.schemas import published as schemas
from reatt_cli.serving import server, warm
from tests.served import asked, served

PROGRAM = [sys.executable, "-m", "reatt_cli.app"]


@contextmanager
def process(store):
    """Serve a store from a process of its own."""
    started = subprocess.Popen([*PROGRAM, "serve", "--store", store, "--json"], stdout=subprocess.PIPE, text=True)
    try:
        yield started, json.loads(started.stdout.readline())
    finally:
        started.kill()
        started.communicate()


def timeless(done):
    assert done.err == ""
    return {name: value for name, value in json.loads(done.out).items() if name != "timing_ms"}


@pytest.mark.parametrize(
    "call",
    [
        "ask --abstain never",
        "ask -k 2 --beams 2 --free --max-tokens 4",
        "search",
        "search --retriever words --only *.md",
    ],
)
def test_a_warm_process_gives_what_a_cold_command_gives(call, reatt, library, runtime):
    with served(library, model=os.environ["REATT_MODEL"]):
        said = reatt(*call.split(), "How long is parental leave?")
        found = timeless(reatt(*call.split(), "How long is parental leave?", "--json"))
    assert "(warm)" in said.err
    assert found == timeless(reatt(*call.split(), "How long is parental leave?", "--json", "--cold"))
    assert said.out == reatt(*call.split(), "How long is parental leave?").out


def test_whoever_asks_a_warm_process_loads_neither_torch_nor_numpy(library, runtime):
    program = (
        "import sys; before = set(sys.modules); from reatt_cli.app import run; run(sys.argv[1:]);"
        "print(*set(sys.modules) - before, file=sys.stderr)"  # what measures the coverage has loaded some before
    )
    with served(library, model=os.environ["REATT_MODEL"]):
        done = subprocess.run([sys.executable, "-c", program, "ask", "When?"], capture_output=True, text=True)
    assert "(warm)" in done.stderr
    door = {"reatt", *(f"reatt.{name}" for name in ("api", "opened", "places", "progress", "search", "search.query"))}
    loaded = set(done.stderr.splitlines()[-1].split()) - door
    assert not {"reatt_cli.schemas", "sqlite3"} & loaded
    assert not {name.partition(".")[0] for name in loaded} & {
        "torch", "numpy", "faiss", "tokenizers", "safetensors", "reatt",
    }  # fmt: skip


def test_many_questions_are_answered_by_a_warm_process(reatt, library, runtime, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Why?\nWhen is tea?\n")))
    with served(library, model=os.environ["REATT_MODEL"]):
        done = reatt("ask", "-")
    assert done.err.count("(warm)") == 2
    assert done.out.count("? ") >= 2


def test_killed_in_the_middle_the_same_question_is_answered_cold_and_said(library, runtime):
    with process(library) as (server, told):
        assert (told["state"], told["pid"]) == ("ready", server.pid)
        server.send_signal(signal.SIGSTOP)  # it has the question, and will never answer
        client = subprocess.Popen(
            [*PROGRAM, "ask", "When is tea?", "--ok-empty", "--json"], stdout=subprocess.PIPE, text=True
        )
        while Path("/proc/net/unix").read_text().count(told["socket"]) < 2:  # it listens; the second one has connected
            assert client.poll() is None
            time.sleep(0.05)
        server.kill()
        reply = json.loads(client.communicate()[0])
    assert client.returncode == 0
    assert reply["evidence"]
    assert reply["warnings"] == [
        "reatt serve stopped during the question; the model was loaded instead (to restart it: reatt serve)"
    ]


def test_a_question_for_another_model_is_answered_cold_and_said(reatt, library, runtime):
    with served(library):
        done = reatt("search", "tea")
    assert done.code == 0
    assert "reatt serve cannot answer this: it uses another model" in done.err


def reencode(library, folder):
    """Move a store over to another model."""
    from reatt import ingest
    from reatt.weights import models
    from reatt_store.library import Library

    model = models.ModelFolder(folder)
    options = ingest.IngestOptions(reencode=True)
    with Library.open(library) as store:
        what = (store, models.load(model, "cpu"), model, [str(library.parent / "leave.md")], options)
        ingest.ingest(*what, lambda _: None)


def test_after_a_switch_nothing_comes_from_the_generation_before(
    reatt, library, runtime, write_model, tmp_path, monkeypatch
):
    monkeypatch.delenv("REATT_MODEL")
    with served(library):
        before = timeless(reatt("ask", "When is tea?", "--json"))["model"]
        reencode(library, write_model(tmp_path / "other", seed=3))
        after = timeless(reatt("ask", "When is tea?", "--json"))
        assert after == timeless(reatt("ask", "When is tea?", "--json", "--cold"))
    assert (before["generation"], after["model"]["generation"]) == (1, 2)


def test_a_switch_while_it_answers_makes_it_answer_again(reatt, library, runtime, write_model, tmp_path, monkeypatch):
    monkeypatch.delenv("REATT_MODEL")
    ask, answered = verb.ask, []

    def switching(retriever, query):
        told = ask(retriever, query)
        if not answered:
            reencode(library, write_model(tmp_path / "other", seed=3))
        answered.append(told.generation.id)
        return told

    monkeypatch.setattr(verb, "ask", switching)
    with served(library):
        assert asked(library)["result"]["model"]["generation"] == 2
    assert answered == [1, 2]


def test_a_store_in_the_place_of_another_is_the_one_that_answers(reatt, library, runtime):
    with served(library, model=os.environ["REATT_MODEL"]):
        assert len(timeless(reatt("search", "tea", "--json"))["hits"]) == 3
        shutil.rmtree(library)
        assert reatt("search", "tea").code == 10
        reatt("init")
        reatt("ingest", "leave.md")
        assert len(timeless(reatt("search", "tea", "--json"))["hits"]) == 1


def test_what_has_been_ingested_since_is_found(reatt, library, runtime):
    with served(library, model=os.environ["REATT_MODEL"]):
        reatt("search", "tea")
        (library.parent / "new.txt").write_text("Zebras graze.\n")
        reatt("ingest", "new.txt")
        assert timeless(reatt("search", "zebras", "-k", "1", "--json", "--retriever", "words"))["hits"]


def test_an_error_and_an_empty_result_are_told_as_a_cold_command_tells_them(reatt, library, runtime):
    calls = [("search", "tea", "--only", "\udcff*"), ("search", "tea", "--only", "*.docx")]
    with served(library, model=os.environ["REATT_MODEL"]):
        warmed = [reatt(*call) for call in calls]
    for call, found in zip(calls, warmed, strict=True):
        told = reatt(*call)
        assert (found.code, found.out) == (told.code, told.out)
        assert found.err.splitlines()[-1] == told.err.splitlines()[-1]


def test_what_a_question_is_warned_of_is_told_by_who_asked(reatt, library, runtime):
    question = "tea " * 300  # more than the model reads
    with served(library, model=os.environ["REATT_MODEL"]):
        said, told = reatt("search", question), json.loads(reatt("search", question, "--json").out)
    assert said.err.count("warning: the question is too long") == len(told["warnings"]) == 1


def test_it_ends_when_nothing_is_asked(library, runtime):
    with served(library, idle=0.2) as thread:
        thread.join()
        assert not thread.is_alive()
        assert not warm.place(library).socket.exists()


def test_stop_ends_it_and_a_second_one_is_not_started(reatt, library, runtime):
    with served(library) as thread:
        assert json.loads(reatt("serve", "--json").out)["state"] == "already"
        assert json.loads(reatt("serve", "--stop", "--json").out)["state"] == "stopped"
        thread.join()
        assert not thread.is_alive()
    assert json.loads(reatt("serve", "--stop", "--json").out)["state"] == "none"


def test_ctrl_c_ends_it_with_130_and_takes_the_socket_away(reatt, library, runtime, monkeypatch):
    where, record = warm.place(library).socket, Output.record

    def tell_and_press(out, told):
        record(out, told)
        assert where.exists()
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Output, "record", tell_and_press)
    done = reatt("serve", "--json")
    assert (done.code, done.err, done.out.count("\n"), where.exists()) == (130, "", 1, False)
    jsonschema.validate(json.loads(done.out), schemas.json_schema("serve"))


def test_serve_without_a_store_says_so_and_leaves_nothing(reatt, runtime):
    assert reatt("serve").code == 10
    assert not runtime.exists()


def test_a_question_that_nobody_waits_for_any_more_is_not_answered(library, runtime, monkeypatch):
    where, answered, model = warm.place(library), [], os.environ["REATT_MODEL"]
    begun, given_up, reply = threading.Event(), threading.Event(), server.Warm.reply

    def reply_late(self, told):
        answered.append(told["query"]["question"])
        begun.set()
        assert given_up.wait(60)
        return reply(self, told)

    def sent(connection, question):
        warm.send(connection, warm.request(library, model, "auto", "search", Query(question)))

    monkeypatch.setattr(server.Warm, "reply", reply_late)
    with (
        served(library, model=model),
        warm._connected(where) as first,
        warm._connected(where) as second,
        warm._connected(where) as third,
    ):
        sent(first, "answered")
        assert begun.wait(60)
        sent(second, "given up")
        second.shutdown(socket.SHUT_RDWR)
        sent(third, "waited for")
        given_up.set()
        for connection in (first, third):
            assert warm.receive(connection, time.monotonic() + 60)["result"]
    assert answered == ["answered", "waited for"]
