"""ingest, search, ask, eval: from files to a cited answer, with a tiny random model that knows nothing."""

import io
import json
import os
import subprocess
import sys

import pytest

from reatt_cli.schemas import published as schemas

PROGRAM = [sys.executable, "-m", "reatt_cli.app"]


def told(done):
    assert done.err == ""
    return json.loads(done.out)


def stdin(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_ingest_says_what_it_did_and_what_comes_next(reatt, home, model):
    (home / "work" / "a.md").write_text("# Tea\n\nTea is at four.\n")
    done = reatt("ingest", "a.md", "--model", model)
    assert done.code == 0
    assert done.out.startswith("added 1 document; 1 passage")
    assert done.err.endswith('(new)\nnext: reatt ask "…"\n')


def test_ask_finds_what_ingest_stored_wherever_that_was(reatt, home, model):
    (home / "work" / "a.md").write_text("Tea is at four.\n")
    assert reatt("ingest", "a.md", "--model", model).code == 0
    assert (home / "home" / "data" / "reatt" / "default" / "reatt.db").exists()
    assert told(reatt("search", "--json", "--retriever", "words", "tea"))["hits"][0]["text"] == "Tea is at four.\n"


def test_what_has_not_changed_is_skipped_and_what_has_is_replaced(reatt, library, home):
    (home / "work" / "leave.md").write_text("Parental leave is 50 weeks.\n")
    files = told(reatt("ingest", "--json", "."))["files"]
    assert (files["changed"], files["unchanged"], files["added"]) == (1, 2, 0)
    assert "50 weeks" in reatt("search", "--retriever", "words", "parental").out


def test_one_bad_file_is_told_and_does_not_stop_the_others(reatt, home, model):
    (home / "work" / "bad.pdf").write_bytes(b"%PDF-1.4\ncut off")
    (home / "work" / "good.md").write_text("Tea is at four.\n")
    done = reatt("ingest", ".", "--model", model)
    assert done.code == 3
    assert done.out.startswith("added 1 document")
    assert "1 file not read:\n  bad.pdf   " in done.err
    assert "bad.pdf" in reatt("status", "--problems").out


@pytest.mark.parametrize("arguments", ["nowhere.md", "*.docx", "--max-file-size x .", "--password-file nowhere ."])
def test_a_mistake_in_the_command_makes_no_store(arguments, reatt, home, model):
    done = reatt("ingest", "--model", model, *arguments.split())
    assert (done.code, done.out) == (2, "")
    assert not (home / "home").exists()


def test_a_file_above_the_limit_is_left_out(reatt, home, model):
    (home / "work" / "big.txt").write_text("word " * 1000)
    done = reatt("ingest", "--json", "big.txt", "--max-file-size", "4K", "--model", model)
    assert (done.code, json.loads(done.out)["problems"][0]["id"]) == (3, "TOO_BIG")


def test_ingest_reads_standard_input(reatt, home, model, monkeypatch):
    stdin(monkeypatch, "Tea is at four.\n")
    assert told(reatt("ingest", "--json", "-", "--model", model))["files"]["added"] == 1


def test_a_model_that_is_not_there_is_told_and_no_store_is_made(reatt, home):
    (home / "work" / "a.md").write_text("Tea is at four.\n")
    done = reatt("ingest", ".", "--model", "nothing")
    assert (done.code, done.out) == (14, "")
    assert not (home / "home").exists()


def test_another_model_than_the_stores_is_refused(reatt, library, model, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    other = shutil.copytree(model, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    save_file({name: weight * 1.5 for name, weight in weights.items()}, other / "model.safetensors")
    assert reatt("search", "leave", "--model", other).code == 13
    assert reatt("search", "leave", "--model", other, "--retriever", "words").code == 0


@pytest.mark.parametrize("retriever", ["words", "attention", "hybrid"])
@pytest.mark.parametrize("how", ["auto", "exact", "fast", "two-stage"])
def test_every_way_to_search_gives_a_valid_object(retriever, how, reatt, library):
    call = ("search", "--json", "--explain", "--retriever", retriever, "--search", how)
    found = told(reatt(*call, "parental leave", "-k", "2"))
    assert [hit["retrieval"]["rank"] for hit in found["hits"]] == list(range(1, len(found["hits"]) + 1))
    for hit in found["hits"]:
        tokens = [token["weight"] for token in hit["retrieval"]["tokens"]]
        assert sum(tokens) == pytest.approx(hit["retrieval"]["attention"] or sum(tokens), abs=1e-2)


def test_only_keeps_to_some_documents(reatt, library):
    found = told(reatt("search", "--json", "--only", "*.txt", "leave travel tea"))
    assert {os.path.basename(hit["path"]) for hit in found["hits"]} == {"travel.txt", "tea.txt"}


@pytest.mark.parametrize(("options", "code"), [([], 4), (["--ok-empty"], 0)])
def test_no_hit_is_4_unless_that_is_fine(options, code, reatt, library):
    done = reatt("search", "--retriever", "words", "zzz", *options)
    assert (done.code, done.out) == (code, "")


def test_an_answer_is_a_span_of_its_document(reatt, library):
    reply = told(reatt("ask", "--json", "--abstain", "never", "How long is parental leave?"))
    chunk = reply["evidence"][reply["source"]]
    start, end = reply["char_start"] - chunk["char_start"], reply["char_end"] - chunk["char_start"]
    assert chunk["text"][start:end] == reply["answer"]
    assert sum(each["attribution"]["share"] for each in reply["evidence"]) == pytest.approx(1)


@pytest.mark.parametrize(("options", "code"), [([], 4), (["--ok-empty"], 0)])
def test_abstaining_is_4_unless_that_is_fine_and_shows_passages(options, code, reatt, library):
    done = reatt("ask", "Why?", "--abstain", "1", *options)
    assert done.code == code
    assert done.out.startswith("no confident answer")
    assert len(done.out.splitlines()) == 4


def test_many_questions_are_answered_in_order_with_one_model(reatt, library, monkeypatch):
    stdin(monkeypatch, "Why?\n\nWhen is tea?\r\nWhere?")
    done = reatt("ask", "-", "--jsonl")
    assert (done.code, done.err) == (0, "")
    replies = [json.loads(line) for line in done.out.splitlines()]
    assert [reply["question"] for reply in replies] == ["Why?", "When is tea?", "Where?"]
    assert {reply["schema"] for reply in replies} == {"reatt.ask/2"}


def test_many_questions_for_people_repeat_each(reatt, library, monkeypatch):
    stdin(monkeypatch, "Why?\nWhen?\n")
    out = reatt("ask", "-").out
    assert [line for line in out.splitlines() if line.startswith("? ")] == ["? Why?", "? When?"]


def test_a_line_that_is_no_text_does_not_end_the_others(reatt, library, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9?\nWhy?\n"), encoding="utf-8"))
    done = reatt("ask", "-", "--jsonl")
    assert [json.loads(line)["question"] for line in done.out.splitlines()] == ["caf\ufffd?", "Why?"]
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("command", ["search leave --retriever words --only", "list --only", "remove"])
def test_a_pattern_that_is_no_text_is_a_usage_error(reatt, store, command):
    done = reatt(*command.split(), "\udcff*")
    assert (done.code, done.err.count("\n")) == (2, 2)
    assert "reatt: not UTF-8: " in done.err


def test_a_blank_question_is_a_usage_error(reatt, library):
    assert reatt("ask", " ").code == 2


def test_a_person_without_a_question_is_prompted(library, monkeypatch):
    import pexpect

    session = pexpect.spawn(PROGRAM[0], [*PROGRAM[1:], "ask"], encoding="utf-8", timeout=None, dimensions=(24, 100))
    session.expect(r"\? ")
    session.sendline("When is tea?")
    session.expect(r"confidence|no confident answer")
    session.expect(r"\? ")
    session.sendeof()
    session.expect(pexpect.EOF)
    session.close()
    assert session.exitstatus == 0


def prompted(*lines, options=()):
    """Type questions at the prompt; return what is shown."""
    import pexpect

    command = [*PROGRAM[1:], "ask", "--retriever", "words", *options]
    session = pexpect.spawn(PROGRAM[0], command, encoding="utf-8", timeout=None, dimensions=(24, 100))
    shown = ""
    for line in lines:
        session.expect(r"\r?\n?\? $")
        shown += session.before
        session.sendline(line)
        session.expect(r"confidence \d\.\d\d")
        shown += session.before
    session.expect(r"\r?\n?\? $")
    session.sendeof()
    session.expect(pexpect.EOF)
    session.close()
    return shown


def test_at_the_prompt_a_question_may_lean_on_the_one_before(library):
    shown = prompted("When is tea in Oslo?", "and in Bergen?", "When is parental leave?")
    assert shown.count("asked as: ") == 1
    assert "asked as: When is tea in Bergen?" in shown


def test_without_context_every_question_stands_alone(library):
    assert "asked as" not in prompted("When is tea in Oslo?", "and in Bergen?", options=["--no-context"])


def test_questions_from_a_pipe_never_lean_on_each_other(reatt, library, monkeypatch):
    stdin(monkeypatch, "When is tea in Oslo?\nand in Bergen?\n")
    done = reatt("ask", "-", "--jsonl", "--retriever", "words")
    assert [json.loads(line)["question"] for line in done.out.splitlines()] == [
        "When is tea in Oslo?",
        "and in Bergen?",
    ]


@pytest.mark.parametrize(
    ("question", "options", "mode"),
    [
        ("When is tea?", [], "span"), ("Why is tea at four?", [], "sentence"), ("Is tea at four?", [], "yes-no"),
        ("Which weeks?", [], "list"), ("When is tea?", ["--answer", "sentence"], "sentence"),
        ("Why is tea at four?", ["--answer", "span"], "span"), ("Is tea at four?", ["--answer", "span"], "yes-no"),
        ("When is tea?", ["--free"], "free"),
    ],
)  # fmt: skip
def test_json_says_how_a_question_was_answered_and_quotes_exactly(reatt, library, question, options, mode):
    reply = told(reatt("ask", "--json", "--abstain", "never", *options, question))
    assert reply["mode"] == mode
    assert reply["why"]
    for quote in reply["quotes"]:
        passage = reply["evidence"][quote["source"]]
        start = passage["char_start"]
        assert passage["text"][quote["char_start"] - start : quote["char_end"] - start] == quote["text"] != ""
    if mode in ("span", "list", "sentence"):
        assert reply["answer"] == reply["quotes"][0]["text"]
    assert (mode == "free") == (reply["quotes"] == [])


def test_own_words_cannot_be_quoted(reatt, library):
    done = reatt("ask", "--free", "--answer", "sentence", "When is tea?")
    assert (done.code, done.err.count("\n")) == (2, 2)
    assert "--free" in done.err


@pytest.fixture
def judged(home):
    (home / "work" / "queries.jsonl").write_text(
        '{"_id": "q1", "text": "parental leave", "answers": ["49 weeks"]}\n'
        '{"_id": "q2", "text": "tea", "answers": ["x"]}\n'
    )
    leave, tea = home / "work" / "leave.md", home / "work" / "more" / "tea.txt"
    (home / "work" / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\nq1\t{leave}\t1\nq2\t{tea}\t1\n")
    return ["--queries", "queries.jsonl", "--qrels", "qrels.tsv"]


def test_eval_measures_what_the_files_allow(reatt, library, judged):
    report = told(reatt("eval", "--json", *judged, "--retriever", "words"))
    assert (report["hit@1"], report["mrr@10"], report["answer_hit@1"], report["em"]) == (1.0, 1.0, 0.5, None)
    assert set(report["ci95"]) == {name for name, value in report.items() if isinstance(value, float)} - {"seconds"}


def test_eval_reads_when_asked(reatt, library, judged):
    report = told(reatt("eval", "--json", *judged, "--read", "--limit", "1"))
    assert report["queries"] == 1
    assert report["em"] is not None


def test_eval_for_people_names_measures_with_their_intervals(reatt, library, judged):
    done = reatt("eval", *judged, "--retriever", "words")
    assert done.out.splitlines()[0].split() == ["hit@1", "1.0000", "[1.0000,", "1.0000]"]
    assert "2 questions" in done.err


def test_every_measure_of_the_engine_is_in_the_schema():
    from reatt.evaluate import MEASURES

    assert set(MEASURES) <= set(schemas.json_schema("eval")["properties"])


def test_a_bad_queries_file_is_told_by_line_and_field(reatt, library, judged, home):
    (home / "work" / "queries.jsonl").write_text('{"_id": "q1"}\n')
    done = reatt("eval", *judged)
    assert (done.code, done.out) == (2, "")
    assert "queries.jsonl:1: text: missing" in done.err


def test_verbose_says_what_the_run_took(reatt, library):
    assert "MB of memory" in reatt("search", "-v", "--retriever", "words", "tea").err


def test_interrupting_an_ingest_leaves_a_whole_store(home, model, monkeypatch):
    for number in range(400):
        (home / "work" / f"{number}.txt").write_text(f"Note {number} says {number * 7}. " * 40)
    child = subprocess.Popen(
        [*PROGRAM, "ingest", ".", "--store", "s", "--model", str(model), "--progress", "json"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in child.stderr:
        if line.startswith("{") and json.loads(line)["done"] >= 5:
            break
    child.send_signal(2)
    _, err = child.communicate()
    assert child.returncode == 130
    assert "Ctrl-C again to stop now" in err
    assert "Traceback" not in err
    assert subprocess.run([*PROGRAM, "check", "--store", "s"], capture_output=True).returncode == 0


@pytest.mark.parametrize("command", ["ask", "search"])
def test_an_empty_question_is_refused_before_a_model_is_loaded(reatt, library, monkeypatch, command):
    monkeypatch.setenv("REATT_MODEL", "/nowhere")
    done = reatt(command, "  ")
    assert (done.code, done.err) == (2, f'reatt: the question is empty   try: reatt {command} "QUESTION"\n')


def test_a_pattern_that_no_document_matches_is_named(reatt, library):
    assert "no document matches --only *.docx\n" in reatt("search", "leave", "--only", "*.docx").err
    assert "no document matches" not in reatt("search", "zebra", "--retriever", "words").err


def test_what_to_do_next_names_the_store_that_was_named(reatt, home, model):
    (home / "work" / "a.md").write_text("Tea is at four.\n")
    (home / "work" / "b.bin").write_bytes(bytes(range(256)))
    done = reatt("ingest", ".", "--store", "my store", "--model", model)
    assert done.err.endswith(
        "1 file skipped: empty, or of a format that is not read; see: reatt status --store 'my store' --problems\n"
        "next: reatt ask --store 'my store' \"…\"\n"
    )


def test_a_store_where_none_can_be_is_one_clear_line(reatt, home, model):
    (home / "work" / "a.md").write_text("Tea is at four.\n")
    done = reatt("ingest", "a.md", "--store", "a.md/store", "--model", model)
    assert done.code == 22
    assert "cannot create a store in" in done.err
