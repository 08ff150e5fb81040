"""What `make papers` rests on: every row can be run, a run that was cut ends as an undisturbed one, tables say so."""

import gzip
import json
import lzma
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.kit.kept import Enough
from bench.papers import __main__ as papers_main
from bench.papers import lessons, memory, page
from bench.papers.forms import FORMS, with_one_vector
from bench.papers.learning import shortened
from bench.papers.rows import ROWS, Memory, Setting
from bench.papers.run import Papers, execute
from bench.quality.intra_pool import FIRST, Size
from reatt.model.reatt import head_keys, head_queries, lower_half
from reatt.model.stacks.halves import alone, pad
from reatt.training.freezing import FREEZES
from reatt.training.objective import cross_document_loss, posterior
from reatt.weights import models
from reatt.weights.folder import ModelFolder

ROOMS = ("garden", "harbour", "observatory", "bakery", "library", "ferry")
SETS = sorted({part.folder for domain in lessons.DOMAINS.values() for part in (*domain.learns, *domain.judged)})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Make every set that a domain names: six passages, and who keeps the key of each room."""
    root = tmp_path_factory.mktemp("data")
    for number, name in enumerate(SETS):
        folder = root / name
        folder.mkdir(parents=True)
        keepers = [f"keeper{number}{place}" for place in range(len(ROOMS))]
        rows = list(enumerate(zip(ROOMS, keepers, strict=True)))
        told = [
            f"The key of the {room} was with {who}. {n + 3} weeks it took Anna Berg to bring it near."
            for n, (room, who) in rows
        ]
        documents = [{"_id": f"d{number}-{n}", "title": room, "text": told[n]} for n, (room, _) in rows]
        asked = [
            {"_id": f"q{number}-{n}", "text": f"Who has the key of the {room}?", "answers": [who],
             "doc_id": f"d{number}-{n}"}
            for n, (room, who) in rows
        ]  # fmt: skip
        for file, lines in (("corpus", documents), ("queries", asked)):
            with gzip.open(folder / f"{file}.jsonl.gz", "wt") as out:
                out.writelines(json.dumps(line) + "\n" for line in lines)
        judged = "".join(f"q{number}-{n}\td{number}-{n}\t1\n" for n, _ in rows)
        (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return root


@pytest.fixture
def papers(data, tmp_path, tiny_deep):
    """Name the places of a run, which begins as a tiny model."""

    def make(name="run", tell=lambda _: None):
        work = tmp_path / name
        return Papers(data, work / "work", work / "out", tmp_path, tell, tiny_deep.path)

    return make


def small(row):
    """Shorten a row to some steps of two questions."""
    stages = tuple(
        replace(stage, steps=4, plan=replace(stage.plan, batch=2, close=min(stage.plan.close, 2), micro=1))
        for stage in row.setting.stages
    )
    return replace(row, setting=replace(row.setting, stages=stages))


@pytest.fixture
def shortened_rows(monkeypatch):
    """Shorten all rows that train ReAtt."""
    for name, row in ROWS.items():
        if isinstance(row.setting, Setting):
            monkeypatch.setitem(ROWS, name, small(row))


TRAINED = [name for name, row in ROWS.items() if isinstance(row.setting, Setting)]


@pytest.mark.parametrize("name", TRAINED)
def test_every_row_that_trains_runs_and_is_judged(papers, shortened_rows, name):
    told = execute(papers(), ROWS[name], 0)
    sets = [part.folder.rpartition("/")[2] for part in lessons.DOMAINS[ROWS[name].setting.domain].judged]
    assert sorted(told["values"]) == sorted(sets)
    for values in told["values"].values():
        assert len(values["nDCG@10"]) == len(ROOMS)
        assert ROWS[name].measure in values


@pytest.mark.parametrize("calls", [1, 3, 7])
def test_a_row_that_was_cut_ends_as_an_undisturbed_one(papers, shortened_rows, calls):
    whole = execute(papers("whole"), ROWS["both-tuned"], 0)
    left = [calls]

    def tell(what):
        left[0] -= 1
        if not left[0]:
            raise Enough(what)

    with pytest.raises(Enough):
        execute(papers("cut", tell), ROWS["both-tuned"], 0)
    assert not papers("cut").record(ROWS["both-tuned"], 0).is_file()
    again = execute(papers("cut"), ROWS["both-tuned"], 0)
    assert {**again, "minutes": 0} == {**whole, "minutes": 0}


def test_a_finished_row_is_not_run_again(papers, shortened_rows):
    first = execute(papers(), ROWS["nothing-tuned"], 0)

    def never(what):
        raise AssertionError(what)

    assert execute(papers(tell=never), ROWS["nothing-tuned"], 0) == first


def test_a_model_that_others_begin_as_is_made_again_where_only_its_record_is_left(papers, shortened_rows):
    first = execute(papers(), ROWS["reader-tuned"], 0)
    shutil.rmtree(papers().work)
    papers().record(ROWS["reader-tuned"], 0).unlink()
    assert {**execute(papers(), ROWS["reader-tuned"], 0), "minutes": 0} == {**first, "minutes": 0}


@pytest.fixture
def pooled(tmp_path, write_pool, tiny, monkeypatch):
    """Name the places of a run of INTRA's rows over a small pool, with a tiny model."""
    for name in FIRST:
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        write_pool(folder)
        for old, new in (("docs.jsonl", "corpus.jsonl.gz"), ("qa.jsonl", "queries.jsonl.gz")):
            (folder / new).write_bytes(gzip.compress((folder / old).read_bytes()))
    (tmp_path / "data" / "text").mkdir()
    with lzma.open(tmp_path / "data" / "text" / "simplewiki-000.jsonl.xz", "wt") as file:
        file.write(json.dumps({"title": "Hill", "text": "The hill over the harbour is high and green. " * 40}) + "\n")
    monkeypatch.setattr(memory, "POOL", Size(7 * 48, 2))
    for name, row in ROWS.items():
        if isinstance(row.setting, Memory):
            monkeypatch.setitem(ROWS, name, replace(row, setting=replace(row.setting, steps=2)))

    def make(name="run", tell=lambda _: None):
        return Papers(tmp_path / "data", tmp_path / name, tmp_path / name / "out", tmp_path, tell, tiny.path)

    return make


def test_every_row_of_intra_runs_and_goes_on_where_it_was_cut(pooled):
    names = [name for name, row in ROWS.items() if isinstance(row.setting, Memory)]
    told = {name: execute(pooled(), ROWS[name], 0)["values"] for name in names}
    for name, values in told.items():
        assert values.keys() == {"2wiki_dev200", "nq_qed_dev"}
        assert all(len(each[ROWS[name].measure]) == 2 for each in values.values())

    def tell(what):
        if "learn" in what:
            raise Enough(what)

    with pytest.raises(Enough):
        execute(pooled("cut", tell), ROWS["intra"], 1)
    again, whole = (execute(pooled(name), ROWS["intra"], 1) for name in ("cut", "whole"))
    assert {**again, "minutes": 0} == {**whole, "minutes": 0}


def test_seeds_differ(papers, shortened_rows):
    for seed in (0, 1):
        execute(papers(), ROWS["reatt"], seed)
    first, second = (ModelFolder(papers().folder("reatt", seed) / "model") for seed in (0, 1))
    assert first.sha256 != second.sha256


def test_a_record_of_another_setting_is_made_again(papers, shortened_rows):
    row = ROWS["nothing-tuned"]
    first = execute(papers(), row, 0)
    other = replace(row, setting=replace(row.setting, form="block"))
    assert execute(papers(), other, 0)["setting"] != first["setting"]


def test_every_row_names_what_is_there():
    for row in ROWS.values():
        assert row.against is None or row.against in ROWS
        if isinstance(row.setting, Memory):
            assert row.setting.order in memory.ORDERS
            continue
        assert row.setting.base is None or isinstance(ROWS[row.setting.base].setting, Setting)
        assert row.setting.domain in lessons.DOMAINS
        assert row.setting.form in FORMS
        for stage in row.setting.stages:
            assert stage.lessons in lessons.LESSONS
            assert stage.teacher in lessons.TEACHERS
            assert stage.freeze in FREEZES


def test_all_rows_together_cost_at_most_a_day_of_one_core():
    starts = {row.setting.start for row in ROWS.values() if isinstance(row.setting, Setting)} - {None}
    minutes = sum(map(page.cost, ROWS.values())) + sum(start.minutes for start in starts)
    assert minutes <= 24 * 60


def test_nothing_is_learnt_from_what_is_judged():
    for domain in lessons.DOMAINS.values():
        assert all(part.folder.startswith("train/") for part in domain.learns)
    dev = {part for domain in lessons.DOMAINS.values() for part in domain.judged if part.folder.startswith("dev/")}
    assert dev.isdisjoint(part for domain in lessons.DOMAINS.values() for part in domain.learns)


def record(row, seed, values):
    setting = ROWS[row].plain if row in ROWS else None
    return {"row": row, "seed": seed, "minutes": 3.0, "setting": setting, "values": {"dev": {"nDCG@10": values}}}


@pytest.fixture
def finished(tmp_path):
    """Write records of two rows, of which one is worse on every question."""
    out = tmp_path / "results"
    out.mkdir()
    for name, values in (("reatt", [0.9, 0.8, 0.7, 0.9]), ("no-cross-document", [0.5, 0.4, 0.3, 0.6])):
        for seed in (0, 1):
            (out / f"{name}-{seed}.json").write_text(json.dumps(record(name, seed, values)))
    return out


def test_tables_come_from_the_files_of_finished_rows(finished, tmp_path):
    text = tmp_path / "papers.md"
    text.write_text(f"# Title\n\nBefore.\n\n{page.BEGIN}\noutdated\n{page.END}\n\nAfter.\n")
    page.rewrite(text, finished)
    written = text.read_text()
    assert written.startswith("# Title\n\nBefore.")
    assert written.endswith("After.\n")
    assert "outdated" not in written
    (line,) = [line for line in written.splitlines() if "| `no-cross-document` |" in line]
    assert "0.450 (2 of 3 seeds)" in line
    assert "-0.375 [" in line
    assert line.endswith("| holds |")
    (missing,) = [line for line in written.splitlines() if "| `no-in-batch` |" in line]
    assert "not yet run (3 x" in missing
    page.rewrite(text, finished)
    assert text.read_text() == written


def test_pairs_are_of_the_seeds_that_both_have():
    mine = [record("a", seed, [1.0, 0.0]) for seed in (0, 1)]
    theirs = [record("b", 1, [0.5, 0.5]), record("b", 2, [0.0, 0.0])]
    assert page.paired(mine, theirs, "nDCG@10") == {"dev": [0.5, -0.5]}
    assert page.paired(mine, [record("b", 2, [0.0, 0.0])], "nDCG@10") == {}


def test_the_page_of_the_repository_says_what_the_files_say(tmp_path):
    root = Path(__file__).parents[2]
    mine = tmp_path / "papers.md"
    mine.write_text((root / "docs" / "papers.md").read_text())
    page.rewrite(mine, root / "bench" / "results" / "papers")
    assert mine.read_text() == (root / "docs" / "papers.md").read_text()


def test_an_unknown_row_is_named(capsys):
    assert papers_main.main(["--rows", "reatt,nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_the_posterior_is_the_target_whose_gradient_is_that_of_the_marginal_likelihood():
    torch.manual_seed(0)
    scores = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    likelihood = torch.rand(3, 5, dtype=torch.float64)
    marginal = -(scores.softmax(1) * likelihood).sum(1).log().mean()
    (wanted,) = torch.autograd.grad(marginal, scores)
    shares = likelihood / likelihood.sum(1, keepdim=True)
    (found,) = torch.autograd.grad(cross_document_loss(scores, posterior(scores, shares)), scores)
    assert torch.allclose(found, wanted, atol=1e-12)


def test_one_vector_scores_by_the_means_of_states_and_reads_as_before(data, tiny_deep):
    model = shortened(models.load(tiny_deep, "cpu"))
    part = lessons.load(data, lessons.Part(SETS[0]))
    model = FORMS["top"](model, part)
    one = with_one_vector(model)
    ids = pad([[2, 20, 30, 40, 3], [2, 21, 3]], model.device)
    lower = lower_half(model.t5, model.head.layer, ids)
    states, means = (alone(each.t5, each.head, lower) for each in (model, one))
    mean = states.values[1][:3].mean(0)
    assert torch.allclose(means.values[1], mean.expand_as(means.values[1]), atol=1e-5)
    keys, queries = head_keys(one.t5, one.head, means.values), head_queries(one.t5, one.head, means.values)
    assert torch.allclose(keys[0], keys[0][:1].expand_as(keys[0]), atol=1e-5)
    assert torch.allclose(queries[0], queries[0][:1].expand_as(queries[0]), atol=1e-4)
    passages = list(part.corpus.passages[:2])
    read = [each.read("Who has the key?", passages).cache.memory[0][0] for each in (model, one)]
    assert torch.equal(*read)
