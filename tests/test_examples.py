"""The scripts and documents in examples/, run as a reader of the README would run them."""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.sh"))
NO_PDF = b"%PDF-1.4\nthis is where the file was cut off"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Make an environment in which `reatt` is what this interpreter runs, and the store is a new one."""
    folder = tmp_path_factory.mktemp("examples")
    command = folder / "bin" / "reatt"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from reatt_cli.app import main; main()" "$@"\n')
    command.chmod(0o755)
    today = folder / "bin" / "date"
    today.write_text("#!/bin/sh\necho 7\n")  # every night is a Sunday's: nothing is left out
    today.chmod(0o755)
    path = os.pathsep.join([str(command.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {
        **os.environ,
        "PATH": path,
        "HOME": str(folder),
        "REATT_STORE": str(folder / "store"),
        "OMP_NUM_THREADS": "1",
    }


def run(world, *command, cwd=None):
    return subprocess.run([str(part) for part in command], env=world, cwd=cwd, capture_output=True, text=True)


@pytest.fixture(scope="module")
def filled(world):
    """Ingest the example documents once, by the nightly script itself."""
    done = run(world, EXAMPLES / "nightly.sh", EXAMPLES / "documents")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return world


def test_a_quiet_night_prints_nothing_and_reads_every_kind(filled):
    listed = json.loads(run(filled, "reatt", "list", "--json").stdout)
    kinds = {Path(document["path"]).suffix for document in listed["documents"]}
    assert kinds == {".md", ".html", ".txt", ".pdf", ".py", ".jsonl"}


def test_on_sundays_the_nightly_script_tells_of_damage(filled, tmp_path):
    shutil.copytree(filled["REATT_STORE"], tmp_path / "store")
    segment = next((tmp_path / "store" / "segments").iterdir())
    segment.write_bytes(segment.read_bytes()[:-1] + b"?")
    done = run({**filled, "REATT_STORE": str(tmp_path / "store")}, EXAMPLES / "nightly.sh", EXAMPLES / "documents")
    assert (done.returncode, done.stdout) == (12, "")
    assert "damaged" in done.stderr


def test_the_nightly_script_goes_on_after_a_bad_file_and_names_it(world, tmp_path):
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "broken.pdf").write_bytes(NO_PDF)
    (tmp_path / "papers" / "good.md").write_text("# Tea\n\nThe kettle is descaled on the first Monday of the month.\n")
    here = {**world, "REATT_STORE": str(tmp_path / "store")}
    done = run(here, EXAMPLES / "nightly.sh", tmp_path / "papers")
    assert done.returncode == 0, done.stderr
    assert "broken.pdf" in done.stdout
    assert "good.md" in run(here, "reatt", "list").stdout


def test_the_nightly_script_leaves_a_store_that_is_being_written_to_alone(filled):
    from reatt_store.library import Library

    with Library.open(Path(filled["REATT_STORE"])).writing():
        done = run(filled, EXAMPLES / "nightly.sh", EXAMPLES / "documents")
    assert done.returncode == 0
    assert "another ingest is running" in done.stderr


def test_the_nightly_script_passes_a_real_failure_on(world, tmp_path):
    done = run(world, EXAMPLES / "nightly.sh", tmp_path / "nowhere")
    assert done.returncode == 2
    assert "nowhere" in done.stderr


def test_batch_answers_every_question_in_order(filled, tmp_path):
    done = run(filled, EXAMPLES / "batch.sh", EXAMPLES / "questions.txt", "answers.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    replies = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [reply["question"] for reply in replies] == (EXAMPLES / "questions.txt").read_text().splitlines()
    assert done.stdout.startswith(f"{len(replies)} questions, ")


def test_batch_leaves_no_half_list_when_it_fails(world, tmp_path):
    here = {**world, "REATT_STORE": str(tmp_path / "none")}
    done = run(here, EXAMPLES / "batch.sh", EXAMPLES / "questions.txt", "answers.jsonl", cwd=tmp_path)
    assert done.returncode == 10
    assert list(tmp_path.iterdir()) == []


def test_evaluate_compares_the_retrievers_on_the_small_set(world):
    done = run(world, EXAMPLES / "evaluate.sh")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^== (.*)$", done.stdout, re.MULTILINE) == ["words", "attention", "hybrid, and its answers"]


def test_evaluate_says_what_a_folder_lacks(world, tmp_path):
    done = run(world, EXAMPLES / "evaluate.sh", tmp_path)
    assert done.returncode == 2
    assert "corpus.jsonl" in done.stderr


def test_the_small_set_judges_only_what_it_holds():
    beir = EXAMPLES / "beir"
    documents = {r["_id"]: r for r in map(json.loads, (beir / "corpus.jsonl").read_text().splitlines())}
    queries = {r["_id"]: r for r in map(json.loads, (beir / "queries.jsonl").read_text().splitlines())}
    judged = [line.split("\t") for line in (beir / "qrels" / "test.tsv").read_text().splitlines()[1:]]
    assert {query for query, _, _ in judged} == set(queries)
    for query, document, _ in judged:
        assert any(answer in documents[document]["text"] for answer in queries[query]["answers"])


def test_the_manual_is_what_its_generator_writes(tmp_path):
    shutil.copy(EXAMPLES / "telescope.txt", tmp_path)
    shutil.copy(EXAMPLES / "make_pdf.py", tmp_path)
    (tmp_path / "documents" / "observatory").mkdir(parents=True)
    subprocess.run([sys.executable, tmp_path / "make_pdf.py"], check=True)
    name = "documents/observatory/telescope.pdf"
    assert filecmp.cmp(tmp_path / name, EXAMPLES / name, shallow=False)


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / ".ci" / "run", ROOT / ".ci" / "smoke"], ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script):
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    checked = subprocess.run(["shellcheck", script], capture_output=True, text=True)
    assert checked.stdout == ""
