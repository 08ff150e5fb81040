"""What `make eval-mini` rests on: the questions of the baselines, gold chunks that hold answers, honest intervals."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import mini
from bench.kit.kept import Enough, Kept
from bench.kit.plan import Plan
from bench.parts import confidence, intra, kinds, page, reading, scorer, speed, tables
from bench.parts.confidence import Said
from bench.parts.minilm import MiniLM
from bench.parts.page import Bar
from bench.parts.run import Subject
from bench.parts.ways import ByModel
from bench.quality import mini_reading, mini_sets
from bench.quality.intra_pool import Size
from reatt import evaluate
from reatt.documents.files import found_in, steady
from reatt.documents.reader import ReadLimits
from reatt.judging import metrics
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.lessons.judged import Question
from reatt.model.backbone import ChunkText, Queries
from tests.recipes.conftest import write_work

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
ROOMS = ("garden", "harbour", "observatory", "bakery", "library", "ferry")
NAMES = ("squad11_dev13", "nq_qed_dev")


@pytest.fixture
def data(tmp_path):
    """Make two sets of six documents of two paragraphs; the second tells who keeps the key."""
    for prefix, name in zip("ab", NAMES, strict=True):
        folder = tmp_path / "data" / "dev" / name
        folder.mkdir(parents=True)
        first = [f"The {room} {prefix} is old. " * 30 for room in ROOMS]
        second = [f"The key of the {room} is with {prefix}{room}keeper." for room in ROOMS]
        documents = [
            {"_id": f"d{n}", "title": room, "text": f"{first[n]}\n\n{second[n]}"} for n, room in enumerate(ROOMS)
        ]
        asked = [
            {"_id": f"q{n}", "text": f"Who keeps the {room}?", "answers": [f"{prefix}{room}keeper"]}
            for n, room in enumerate(ROOMS)
        ]
        for file, rows in (("corpus", documents), ("queries", asked)):
            with gzip.open(folder / f"{file}.jsonl.gz", "wt") as lines:
                lines.writelines(json.dumps(row) + "\n" for row in rows)
        judged = "".join(f"q{n}\td{n}\t1\n" for n in range(len(ROOMS)))
        (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return tmp_path / "data"


@pytest.fixture
def run(data, tmp_path, write_model):
    """Measure a tiny random model on both sets; return what the JSON file says, and the page."""

    def call(*more, code=0):
        model = write_model(tmp_path / "tiny", chunk_tokens=64)
        places = ["--data", data, "--work", tmp_path / "work", "--out", tmp_path / "out", "--model", model]
        places += ["--minilm", tmp_path / "minilm"]
        assert mini.main([*map(str, places), "--sets", ",".join(NAMES), *map(str, more)]) == code
        return json.loads((tmp_path / "out" / "mini.json").read_text()), (tmp_path / "out" / "mini.md").read_text()

    return call


def test_every_table_has_a_row_of_each_set_and_both_files_say_the_same(run):
    said, page = run("--parts", "finding,reading", "--read", 2)
    ranked = said["tables"]["nDCG@10"]
    assert [row["set"].split(" ")[0] for row in ranked] == [*NAMES, "mean", "mean"]
    assert ranked[-2]["words"] == pytest.approx(np.mean([row["words"] for row in ranked[:2]]), abs=1e-4)
    assert ranked[-1]["words"] == ranked[0]["words"]  # without the set that was perhaps seen
    assert f"| {ranked[-2]['words']:.3f} |" in page
    read = said["tables"]["reading a gold chunk"]
    assert [(row["set"], row["questions"]) for row in read] == [(NAMES[0], 2), (NAMES[1], 2), ("mean", 4)]


def test_a_part_that_is_run_again_leaves_the_others_on_the_page(run, tmp_path):
    first, _ = run("--parts", "reading", "--read", 1)
    both, _ = run("--parts", "finding")
    assert set(both["tables"]) > set(first["tables"])
    assert both["tables"]["reading a gold chunk"] == first["tables"]["reading a gold chunk"]
    assert list(both["head"]) == ["finding", "reading"]


def test_a_run_whose_time_is_over_says_so_and_goes_on(run, tmp_path):
    run("--parts", "finding", "--minutes", "0", code=3)
    assert not (tmp_path / "out" / "mini").exists()
    said, _ = run("--parts", "finding")
    assert len(said["tables"]["nDCG@10"]) == len(NAMES) + 2


def test_a_twin_gets_a_column_and_rows_of_its_own(run, tmp_path, write_model):
    other = write_model(tmp_path / "other", seed=1, chunk_tokens=64)
    said, _ = run("--parts", "finding,reading", "--beside", f"twin={other}", "--read", 2, "--read-beside", 1)
    assert list(said["tables"]["nDCG@10"][0])[-3:] == ["twin", "attention", "hybrid"]
    read = said["tables"]["reading a gold chunk"]
    assert {(row["model"], row["questions"]) for row in read[:-1]} == {
        ("reatt-mini", 2),
        ("reatt-mini", 4),
        ("twin", 1),
    }


def test_intras_pool_is_encoded_in_shards_and_goes_on(data, tmp_path, write_model, monkeypatch):
    monkeypatch.setattr(intra, "SHARD", 5)
    model = write_model(tmp_path / "tiny", chunk_tokens=64)
    subject = Subject("tiny", Plan(data, tmp_path / "work", model))
    (tmp_path / "work").mkdir()
    documents = [{"_id": f"s:{n}", "title": room, "text": f"The {room} is old. " * 40} for n, room in enumerate(ROOMS)]
    (tmp_path / "work" / "pool-6.jsonl").write_text("".join(json.dumps(each) + "\n" for each in documents))
    told = []

    def stop(what):
        told.append(what)
        if len(told) == 2:
            raise Enough(what)

    with pytest.raises(Enough):
        intra.Shards(subject, Size(6), stop).files  # noqa: B018
    (first,) = (tmp_path / "work" / "pool-6").rglob("*.safetensors")
    made = first.stat().st_mtime_ns
    shards = intra.Shards(subject, Size(6), lambda _: None)
    assert len(shards.files) == 2
    assert first.stat().st_mtime_ns == made
    assert set(shards.corpus.names) == {f"s:{n}" for n in range(len(ROOMS))}
    for asked, found in zip(ROOMS, shards.find([f"The {room} is old." for room in ROOMS]), strict=True):
        queries = shards.model.rounds[0].ask(f"The {asked} is old.", ())
        keys = [code.keys for code in shards.model.encode_chunks(shards.corpus.passages)]
        wanted = [(queries.vectors @ each.T).amax(1) @ queries.weights for each in keys]
        least = sorted(wanted, reverse=True)[2]
        assert all(wanted[number] >= least - 0.05 * abs(least) for number in found[:3])  # keys are kept in 16 bits


def test_evidence_is_complete_where_texts_of_all_its_documents_are_found():
    passages = tuple(ChunkText("", text) for text in ("a", "b", "c", "a"))
    corpus = Corpus((0, 1, 2, 3), passages, ("g",) * 4, (0, 1, 2, 3), ("d0", "d1", "d2", "d3"), (0, 1, 2, 0))
    example = Example(("q",), ("x",), "g", 0, "evidence", (3, 1))
    assert intra.judge(corpus, example, [0, 2, 1]) == 1.0  # the first text is that of the fourth, too
    assert intra.judge(corpus, example, [0, 2]) == 0.0


def test_the_wheel_is_weighed_without_the_bundled_model_and_caches():
    files = [file for package in speed.PACKAGES for file in (speed.ROOT / package).rglob("*.py")]
    assert sum(file.stat().st_size for file in files) <= speed.wheel_bytes(speed.ROOT) < 6_000_000


def test_a_process_of_its_own_times_answers(data, tmp_path, write_model, capsys):
    model = write_model(tmp_path / "tiny", chunk_tokens=64)
    places = ["--data", data, "--work", tmp_path / "work", "--model", model]
    speed.main(["answer", *map(str, places)])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0 < told["search"] + told["read"] <= 2 * told["total"]


def test_confidence_and_teachers_are_asked_of_every_set(run):
    said, _ = run("--parts", "confidence,teacher", "--doubt", 2, "--teach", 3)
    assert [row["own"] for row in said["tables"]["confidence"]] == [2, 2, 4]
    assert [row["questions"] for row in said["tables"]["teacher_hit@1"]] == [3, 3, 6]
    assert {row["figure"].split(",")[0] for row in said["tables"]["what was asked for"]} >= {"confidence"}


def test_table_questions_are_asked_of_all_documents_and_of_their_own(run):
    said, _ = run("--parts", "tables", "--tables", 10)
    rows = said["tables"]["tables and settings"]
    assert [(row["documents"], row["questions"]) for row in rows[-1:]] == [("all", 10)]
    assert sum(row["questions"] for row in rows[:-1]) == 10


def test_minilm_stands_beside_where_it_was_fetched(run, tmp_path):
    write_work(tmp_path / "minilm")
    said, _ = run("--parts", "finding")
    assert {"MiniLM", "MiniLM tokens"} <= set(said["tables"]["nDCG@10"][0])
    assert said["tables"]["nDCG@10 less that of MiniLM tokens"][-1]["attention"].keys() == {"value", "low", "high"}


def test_texts_are_encoded_alike_alone_and_among_others(tmp_path):
    encoder = MiniLM(write_work(tmp_path / "minilm"))
    texts = ["travel", "the leave of the travel is old " * 9, "leave"]
    for text, among in zip(texts, encoder.encode(texts), strict=True):
        (alone,) = encoder.encode([text])
        assert alone.shape == among.shape
        assert (alone - among).abs().max() < 0.05 * alone.abs().max()  # products of bfloat16 where there are any


def test_all_ways_rank_as_the_product_does(data, tmp_path, write_model):
    plan = Plan(data, tmp_path / "work", write_model(tmp_path / "tiny", chunk_tokens=64))
    judged = mini_sets.load(data, mini_sets.SETS[0], None, every=True)
    retriever = mini_sets.open_store(plan, plan.backbone(), judged)
    for question, ranked in zip(judged.asked, ByModel(lambda: retriever)(judged.asked), strict=True):
        for way, names in ranked.items():
            hits = retriever.search(question.text, 100, way, "exact")
            assert names == list(dict.fromkeys(hit.external_id for hit in hits))[:10], way
    retriever.library.close()


def test_scores_are_those_of_equation_1(tmp_path):
    torch.manual_seed(0)
    chunks = [torch.randn(n, 8) for n in (3, 1, 40_000, 5)]
    asked = [Queries.mean(torch.randn(n, 8)) for n in (2, 7)]
    found = scorer.scores(scorer.Keys.of(chunks), asked)
    for row, queries in zip(found, asked, strict=True):
        wanted = [(queries.vectors @ keys.T).amax(1).mean() for keys in chunks]
        assert row == pytest.approx(np.array(wanted), abs=1e-4)
        assert scorer.best(row, 3).tolist() == np.argsort(-row, kind="stable")[:3].tolist()


def test_the_gold_chunk_is_the_one_that_holds_the_answer(data, tmp_path, write_model):
    judged = mini_sets.load(data, mini_sets.SETS[0], None)
    plan = Plan(data, tmp_path / "work", write_model(tmp_path / "tiny", chunk_tokens=64))
    retriever = mini_sets.open_store(plan, plan.backbone(), judged)
    corpus = Corpus.of(retriever.library)
    assert len(corpus.ids) > 2 * len(ROOMS)
    for question in judged.asked:
        (numbers,) = mini_reading.gold_numbers(corpus, judged, question)
        assert all(question.answers[0] in corpus.passages[n].text for n in numbers)
    retriever.library.close()


def test_figures_of_other_questions_are_not_put_beside_ours(data):
    known = {name: {"bm25": {"queries": 6}, "minilm": {"ndcg@10": 0.5}} for name in NAMES}
    (data / "dev" / "baselines.json").write_text(json.dumps(known))
    sets = [mini_sets.load(data, dev, limit) for dev, limit in zip(mini_sets.SETS[:2], (None, 4), strict=True)]
    assert list(mini_sets.published(data, sets)) == ["squad11_dev13"]


def test_sets_count_alike_in_the_interval_of_a_mean_whatever_their_size():
    small, large = [0.0, 1.0] * 10, [0.0] * 1000
    low, high = page.mean_interval([small, large])
    alone = metrics.interval(small)
    assert (low, high) == pytest.approx((alone[0] / 2, alone[1] / 2), abs=0.03)


def test_bm25s_here_is_the_one_of_the_baselines(tmp_path):
    if not (DATA / "dev" / "baselines.json").is_file():
        pytest.skip(f"the data folder is not here: {DATA}")
    judged = mini_sets.load(DATA, next(dev for dev in mini_sets.SETS if dev.name == "2wiki_dev200"), None)
    there = mini_sets.published(DATA, [judged])[judged.name]["bm25"]
    done = evaluate.evaluate(mini_sets.Bm25s(judged.corpus), judged.write_queries(tmp_path), judged.qrels)
    assert {name: round(done.metrics[name], 3) for name in ("ndcg@10", "hit@1", "hit@5")} == {
        name: pytest.approx(there[name], abs=0.001) for name in ("ndcg@10", "hit@1", "hit@5")
    }


def test_what_is_kept_is_not_asked_again_even_after_a_kill(tmp_path):
    kept, asked = Kept(tmp_path / "known" / "a.jsonl"), []

    def make(items):
        for item in items:
            asked.append(item)
            yield {"doubled": 2 * item}

    def stop(what):
        if len(asked) == 2:
            raise Enough(what)

    items = {"one": 1, "two": 2, "three": 3}
    with pytest.raises(Enough):
        kept.fill(items, make, stop)
    with open(kept.file, "a") as file:
        file.write('{"id": "three", "doub')  # a line that a kill has cut short
    found = kept.fill(items, make, lambda _: None)
    assert [record["doubled"] for record in found.values()] == [2, 4, 6]
    assert asked == [1, 2, 3]


def question(text, *answers):
    return Question(text, text, answers)


def test_kinds_of_questions_are_told_by_the_names_in_them():
    known = {
        "Which film came out first, Dawn or The Long Day?": ("Dawn", kinds.COMPARISON),
        "Was Ann Lee or Bo Ray born first?": ("Bo Ray", kinds.COMPARISON),
        "Are Ann Lee and Bo Ray of the same country?": ("no", kinds.YES_NO),
        "Where was the director of Dawn or Dusk born?": ("Oslo", kinds.HOPS),
    }
    for text, (answer, kind) in known.items():
        assert kinds.kind(question(text, answer)) == kind, text


def test_a_chooser_learns_habits_of_the_question_alone():
    habits = [question(f"Who was born later, A{n} or B{n}?", f"B{n}") for n in range(20)]
    habits += [question(f"Who was born first, A{n} or B{n}?", f"A{n}") for n in range(20)]
    choose = kinds.fitted(habits)
    assert choose("Who was born later, Xu or Yi?") == "Yi"
    assert choose("Who was born first, Xu or Yi?") == kinds.first_named("Who was born first, Xu or Yi?") == "Xu"


def test_always_saying_no_is_half_right_however_rare_yes_is():
    asked = [question("a", "yes"), *(question(f"b{n}", "no") for n in range(9))]
    assert page.mean(reading.balanced(asked, ["No."] * 10)) == 0.5
    assert page.mean(reading.balanced(asked, ["maybe"] * 10)) == 0.0


def test_every_table_answer_stands_in_the_document_as_the_parsers_read_it():
    asked = tables.questions()
    texts = {}
    for found in found_in([str(tables.FOLDER / "documents")], (), ()):
        (text,) = steady(found, ReadLimits())
        texts[found.path.name] = text.text
    assert len(asked) == 150
    assert {each.document for each in asked.values()} == texts.keys()
    for each in asked.values():
        assert all(answer in texts[each.document] for answer in each.question.answers), each


def said(confidence, own, right, answer="x"):
    return Said.of({"confidence": confidence, "em": float(right), "f1": 0.4, "answer": answer}, own=own)


def test_what_is_shown_is_judged_over_own_and_foreign_questions():
    told = [said(0.9, True, True), said(0.8, True, False), said(0.7, False, True), said(0.2, True, True)]
    assert [each.confidence for each in confidence.shown(told, 0.5)] == [0.9, 0.8, 0.7]
    assert confidence.share_right([told[:2], told[2:]], 0.5).value == pytest.approx(1 / 3)
    assert confidence.share_right([told], 0.95) is None
    assert confidence.auroc(told) == pytest.approx(2 / 3)
    assert confidence.shown([said(0.9, True, True, answer="")], 0.5) == []


def test_what_was_asked_for_says_by_how_much_it_was_missed():
    assert Bar("a", 0.5, 0.4, 0.75).row() == ["a", 0.5, "\u2265 0.4", "met", "\u2265 0.75", "**missed** by 0.25"]
    assert Bar("b", 58.0, 56.0, None, most=True).row() == ["b", 58.0, "\u2264 56", "**missed** by 2", None, None]
