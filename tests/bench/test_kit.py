"""What the bench rests on: real passages, equal work on both sides, memory that is the process's own."""

import gzip
import json
import lzma
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench import intra_cost, run
from bench.kit import corpus, machine, processes, table
from bench.kit.plan import Plan
from bench.rows import ingest, search

SENTENCE = "The old observatory on the hill keeps a mirror that was ground by hand in Oslo. "


@pytest.fixture
def plan(tmp_path, tiny):
    """Plan a small run over a data folder of two articles and two questions."""
    (tmp_path / "data" / "text").mkdir(parents=True)
    rows = [{"title": f"Hill {n}", "text": (f"Hill {n} is high. " + SENTENCE) * 40} for n in range(2)]
    with lzma.open(tmp_path / "data" / "text" / "simplewiki-000.jsonl.xz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "work").mkdir()
    return Plan(tmp_path / "data", tmp_path / "work", tiny.path, rounds=1, ingest_bytes=5_000, memory_bytes=(2_000,))


def test_passages_are_whole_sentences_of_seventy_to_a_hundred_words():
    found = list(corpus.passages(corpus.Article("Hill", SENTENCE * 30)))
    assert found
    assert all(70 <= len(each.text.split()) <= 100 and each.text.endswith(".") for each in found)


def test_a_corpus_ends_at_its_size_and_is_kept(plan):
    file = corpus.write_articles(plan.data, plan.work / "a.jsonl", 5_000)
    texts = [json.loads(line)["text"] for line in file.read_text().splitlines()]
    assert sum(map(len, texts)) - len(texts[-1]) < 5_000 <= sum(map(len, texts))
    assert corpus.write_articles(plan.data, file, 1).stat().st_size == file.stat().st_size


def test_no_passage_comes_twice(plan):
    file = corpus.write_passages(plan.data, plan.work / "p.jsonl", 20)
    texts = [json.loads(line)["text"] for line in file.read_text().splitlines()]
    assert len(texts) == len(set(texts)) > 1


def test_the_pipeline_and_the_bare_loop_encode_the_same(plan):
    row = ingest.speed(plan)
    assert row.also["tokens"] > 100
    assert row.ratio > 0


def test_kept_states_begin_answers_as_text_does_and_fast_finds_what_exact_does(plan):
    file = plan.data / corpus.QUESTIONS
    file.parent.mkdir(parents=True)
    with gzip.open(file, "wt") as out:
        out.writelines(json.dumps({"text": text}) + "\n" for text in ("Who ground the mirror?", "Where is the hill?"))
    rows = list(intra_cost.measure(replace(plan, chunks=(12, 30), asked=4)))
    by_stage = {
        stage: [row for row in rows if row.stage == stage] for stage in ("first token", "bytes a token", "score")
    }
    assert [len(each) for each in by_stage.values()] == [8, 4, 8]
    assert all(row.also["same token"] == 1 for row in by_stage["first token"])
    assert [row.also["recall@10"] for row in by_stage["score"] if row.what.endswith("fast")] == [1, 1, 1, 1]
    assert by_stage["bytes a token"][1].also == by_stage["bytes a token"][3].also != {}


def test_a_process_is_not_charged_with_its_parents_memory(tmp_path):
    held = b"x" * 300_000_000
    _, peak = processes.run_for_peak([sys.executable, "-c", "pass"], tmp_path)
    assert peak < 100_000_000 < len(held)


def test_a_process_that_fails_stops_the_bench(tmp_path):
    with pytest.raises(RuntimeError, match="no such store"):
        processes.run([sys.executable, "-c", "import sys; sys.exit('no such store')"], tmp_path)


def test_processes_take_turns(tmp_path):
    log = tmp_path / "log"
    write = "import sys; open(sys.argv[1], 'a').write(sys.argv[2])"
    processes.alternate({name: [sys.executable, "-c", write, str(log), name] for name in "ab"}, 2, tmp_path)
    assert log.read_text() == "ab" * 3


def test_recall_counts_what_ties_with_the_tenth():
    best = {"q": [SimpleNamespace(score=score) for score in (3.0, 2.0, 1.0)]}
    found = [SimpleNamespace(score=score) for score in (3.0, 1.0, 0.5)]
    assert search.recall(best, lambda _: found) == pytest.approx(2 / 3)


def test_a_missed_goal_is_told_and_both_files_say_the_same(tmp_path):
    row = table.Row("ingest", "pace", "tokens/s", all=100.0, ratio=0.5, goal=table.at_least(0.5, 0.7))
    page = table.write(tmp_path, "bench", {"date": "today"}, [row], ["a note"])
    assert "| 0.50 | ≥ 0.7 **missed** |" in page.read_text()
    assert json.loads((tmp_path / "bench.json").read_text())["rows"][0]["goal"] == {"text": "≥ 0.7", "met": False}


def test_each_instruction_set_of_the_machine_has_a_run_of_its_own(monkeypatch):
    started = []
    monkeypatch.setattr(run.subprocess, "run", lambda command, env, check: started.append((command[3:], env)))
    assert run.main(["--quick", "--each-instruction-set"]) == 0
    sets = machine.instruction_sets()
    assert [command for command, _ in started] == [["--quick", "--stages", "search", "ask", "ingest"]] * len(sets)
    assert all(told.items() <= env.items() for told, (_, env) in zip(sets.values(), started, strict=True))


def test_a_table_says_which_instruction_set_it_is_of(monkeypatch):
    program = "from bench.kit import machine; print(machine.describe('cpu')['processor'])"
    for name, told in machine.instruction_sets().items():
        done = subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, **told}, capture_output=True, text=True
        )
        assert f", {name.upper()}" in done.stdout
        assert all(f" {variable}={value}" in done.stdout for variable, value in told.items())
        assert ("float32 alone" in done.stdout) >= (name in ("default", "avx2"))
        for variable, value in told.items():
            monkeypatch.setenv(variable, value)
        assert run._name(run._parser().parse_args([])) == "-".join(["bench", *[name] * bool(told)])


def test_the_command_to_repeat_a_run_is_a_make_target(monkeypatch):
    for name in machine.INSTRUCTION_SETS["default"]:
        monkeypatch.delenv(name, raising=False)
    assert machine.again("bench", ["--quick", "--model", "a b"]) == "make bench QUICK=1 ARGS=\"--model 'a b'\""
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert machine.again("bench", []) == "ATEN_CPU_CAPABILITY=avx2 make bench"
