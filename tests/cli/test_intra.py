"""`--method intra` on the command line: the same commands and objects, another way to find."""

import json
import shutil

import jsonschema
import pytest
import torch
from safetensors.torch import load_file, save, save_file

from reatt.model.retrieval_tokens import untrained
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt_cli.schemas import published as schemas

QUESTION = "How long is parental leave in Norway?"
MISMATCH = 13


@pytest.fixture
def decoded(reatt, home, model, monkeypatch):
    """Ingest three files for the decoder to search."""
    monkeypatch.setenv("REATT_MODEL", str(model))
    texts = {"leave.md": "Leave is 49 weeks.\n", "tea.txt": "Tea is at four.\n", "key.txt": "Ada has it.\n"}
    for name, text in texts.items():
        (home / "work" / name).write_text(text)
    reatt("init")
    assert reatt("ingest", "--method", "intra", ".").code == 0
    return home / "work"


def test_a_model_that_was_never_taught_to_ask_is_named_where_it_is_chosen(reatt, decoded):
    chosen, again, anew = (
        json.loads(reatt("ingest", *how, ".", "--json").out) for how in (("--method", "intra"), (), ("--reencode",))
    )
    for told in (chosen, anew):
        assert [notice["id"] for notice in told["notices"]] == ["UNTAUGHT"]
        assert "reatt adapt --qa" in told["warnings"][0]
    assert again["warnings"] == []
    assert reatt("ingest", "--method", "intra", ".").err.count("never trained") == 1


def test_until_its_decoder_is_taught_hybrid_search_goes_by_words(reatt, home, tiny, tmp_path):
    """What it would find counts only where retrieval tokens were written."""
    shutil.copytree(tiny.path, tmp_path / "taught")
    tokens = untrained(models.load_intra(tiny, "cpu").asker)
    save_file({"vectors": tokens.vectors, "weights": tokens.weights}, ModelFolder(tmp_path / "taught").retrieval_tokens)
    for name, text in {"a.txt": "Leave is 49 weeks.", "b.txt": "Tea is at four.", "c.txt": "Ada has it."}.items():
        (home / "work" / name).write_text(text)
    scores = {}
    for name, model in (("not", tiny.path), ("taught", tmp_path / "taught")):
        assert reatt("ingest", "--store", name, "--method", "intra", "--model", model, ".").code == 0
        found = json.loads(reatt("search", "--store", name, "Leave weeks", "--retriever", "hybrid", "--json").out)
        scores[name] = [hit["retrieval"] for hit in found["hits"]]
    assert [(hit["score"], hit["attention"], hit["tokens"]) for hit in scores["not"]] == [(1.0, None, [])]
    assert len(scores["taught"]) == 3
    assert 0 < scores["taught"][1]["score"] < 1  # neither the nearest nor the farthest


def test_an_ingest_counts_tokens_whatever_is_kept_of_them(reatt, decoded):
    (decoded / "long.txt").write_text("The harbour is open until the ice comes. " * 10)
    ways = (("--method", "intra"), ("--keep-states",), ())
    told = [
        json.loads(reatt("ingest", "--store", f"store{n}", *way, "long.txt", "--json").out)
        for n, way in enumerate(ways)
    ]
    assert len({each["tokens"] for each in told}) == 1
    assert told[0]["tokens"] > 80 > 7 * told[0]["chunks"]
    held = [json.loads(reatt("status", "--store", f"store{n}", "--json").out)["tokens"] for n in range(len(ways))]
    assert held == [each["tokens"] for each in told]


def test_search_shows_which_heads_spoke_and_their_terms_sum_to_the_score(reatt, decoded):
    found = json.loads(reatt("search", QUESTION, "--retriever", "attention", "--json", "--explain").out)
    assert len(found["hits"]) == 3
    for hit in found["hits"]:
        terms = hit["retrieval"]["tokens"]
        assert sum(term["weight"] for term in terms) == pytest.approx(hit["retrieval"]["attention"], abs=1e-3)
        assert {(term["layer"], term["head"]) for term in terms} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_what_is_shown_of_an_explanation_sums_to_the_score_too(reatt, decoded):
    shown = reatt("search", QUESTION, "--retriever", "attention", "--explain", "-k", "1").out
    title, *rows = shown.splitlines()[1:]
    assert "layer 1 head 0" in shown
    assert sum(float(row.split()[-1]) for row in rows) == pytest.approx(float(title.split()[-1]), abs=0.01)
    assert len(rows) == 13
    assert rows[-1].split()[1] == "others"


def test_one_round_shows_the_questions_words(reatt, decoded):
    done = reatt("search", QUESTION, "--retriever", "attention", "--rounds", "1", "--json", "--explain")
    assert {term["layer"] for hit in json.loads(done.out)["hits"] for term in hit["retrieval"]["tokens"]} == {None}
    assert reatt("search", QUESTION, "--retriever", "attention", "--rerank-only").code == 0


BY_DECODER = "--retriever attention"
CALLS = [
    "search leave", f"search leave {BY_DECODER} --rounds 1", f"search leave {BY_DECODER} --rerank-only", "status",
    f"eval --queries q.jsonl {BY_DECODER} --rounds 1", "ask leave --ok-empty", "ingest --method intra .",
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_every_object_is_the_one_of_its_schema(call, reatt, decoded):
    (decoded / "q.jsonl").write_text(json.dumps({"_id": "1", "text": QUESTION, "answers": ["49 weeks"]}) + "\n")
    done = reatt(*call.split(), "--json")
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    jsonschema.validate(json.loads(done.out), schemas.json_schema(call.split()[0]))


def test_ask_answers_from_the_kept_states(reatt, decoded):
    told = json.loads(reatt("ask", QUESTION, "--abstain", "never", "--json").out)
    assert told["answer"]
    assert told["evidence"][told["source"]]["text"][told["char_start"] : told["char_end"]] == told["answer"]
    assert not told["warnings"]


def test_eval_measures_a_round_by_itself(reatt, decoded):
    (decoded / "q.jsonl").write_text(json.dumps({"_id": "1", "text": QUESTION, "answers": ["49 weeks"]}) + "\n")
    for extra in ((), ("--rounds", "1"), ("--rerank-only",)):
        done = reatt("eval", "--queries", "q.jsonl", "--retriever", "attention", "--json", *extra)
        assert json.loads(done.out)["answer_hit@5"] == 1


def test_a_store_goes_on_with_its_own_method(reatt, decoded):
    (decoded / "more.txt").write_text("The oven is hot.\n")
    assert reatt("ingest", ".").code == 0
    hits = json.loads(reatt("search", "oven", "--retriever", "attention", "--json").out)["hits"]
    assert len(hits) == 4


def test_another_method_is_told_what_to_type(reatt, decoded):
    refused = [reatt("ingest", "--method", "reatt", "."), reatt("adapt", "--method", "reatt", "--steps", "1")]
    assert [done.code for done in refused] == [MISMATCH] * 2
    assert all("--reencode --method reatt" in done.err for done in refused)
    assert reatt("ingest", "--reencode", "--method", "reatt", ".").code == 0
    files = ("--qa", "q.jsonl", "--qrels", "r.tsv")
    search = ("search", QUESTION, "--retriever", "attention", "--rounds", "1")
    for asked in (reatt(*search), reatt("adapt", "--method", "intra", *files)):
        assert asked.code == MISMATCH
        assert "reatt ingest --reencode --method intra" in asked.err


def test_an_answer_can_be_held_to_a_round_as_a_search_can(reatt, decoded):
    for held in (("--rounds", "1"), ("--rerank-only",)):
        extra = ("--retriever", "attention", "--json", *held)
        asked = json.loads(reatt("ask", QUESTION, "--abstain", "never", *extra).out)["evidence"]
        found = json.loads(reatt("search", QUESTION, *extra).out)["hits"]
        assert [each["retrieval"]["attention"] for each in asked] == [each["retrieval"]["attention"] for each in found]


def test_rounds_of_words_are_a_usage_error(reatt, decoded):
    assert reatt("search", QUESTION, "--rounds", "1").code == 2
    assert reatt("ask", QUESTION, "--rounds", "1").code == 2
    assert reatt("search", QUESTION, "--retriever", "attention", "--rounds", "1", "--rerank-only").code == 2


@pytest.fixture
def judged(reatt, home, tiny, write_pool, monkeypatch):
    """Ingest records for the decoder, with questions that need two of them each."""
    monkeypatch.setenv("REATT_MODEL", str(tiny.path))
    write_pool(home / "work")
    reatt("init")
    assert reatt("ingest", "--method", "intra", "docs.jsonl").code == 0
    return home / "work"


def test_adapt_learns_from_evidence_and_encodes_nothing(reatt, judged, monkeypatch):
    monkeypatch.delenv("REATT_MODEL")
    before = json.loads(reatt("search", QUESTION, "--retriever", "attention", "--json").out)
    learn = ("adapt", "--qa", "qa.jsonl", "--qrels", "qrels.tsv", "--steps", "2", "--accept", "always", "--json")
    told = json.loads(reatt(*learn).out)
    jsonschema.validate(told, schemas.json_schema("adapt"))
    assert (told["mode"], told["accepted"], told["reencoded"], told["steps"]) == ("evidence", True, 0, 2)
    assert told["before"].keys() == {"mrr@10", "ndcg@10", "hit@5", "complete@5", "em", "f1"}
    assert (judged / ".reatt" / "reports" / f"{told['run']}.html").is_file()
    after = json.loads(reatt("search", QUESTION, "--retriever", "attention", "--json").out)
    assert after["model"]["sha256"] == told["model"]["sha256"] != before["model"]["sha256"]
    assert after["model"]["generation"] == before["model"]["generation"]
    assert after["hits"][0]["retrieval"]["attention"] != before["hits"][0]["retrieval"]["attention"]
    assert json.loads(reatt("ingest", "--method", "intra", "docs.jsonl", "--json").out)["warnings"] == []
    assert reatt("models", "rollback").code == 0
    assert json.loads(reatt("search", QUESTION, "--retriever", "attention", "--json").out)["hits"] == before["hits"]


def test_a_warm_start_teaches_to_answer_first_and_encodes_nothing(reatt, judged):
    before = json.loads(reatt("status", "--json").out)
    learn = ("adapt", "--qa", "qa.jsonl", "--qrels", "qrels.tsv", "--steps", "2", "--accept", "always", "--json")
    told = json.loads(reatt(*learn, "--warm-start").out)
    jsonschema.validate(told, schemas.json_schema("adapt"))
    assert (told["reencoded"], told["steps"]) == (0, 4)
    assert [step["answer"] is None for step in told["log"]] == [False, False, True, True]
    assert json.loads(reatt("status", "--json").out)["chunks"] == before["chunks"]
    assert reatt("check").code == 0
    assert reatt("adapt", "--method", "reatt", "--warm-start").code == 2


def test_adapting_the_decoder_says_what_it_needs_and_what_it_lacks(reatt, judged):
    missing = reatt("adapt", "--steps", "1")
    assert missing.code == 2
    assert "reatt adapt --qa queries.jsonl --qrels qrels.tsv" in missing.err
    (judged / "other.tsv").write_text("q0\tnowhere\t1\n")
    files = ("--qa", "qa.jsonl", "--qrels", "other.tsv", "--steps", "1")
    assert reatt("adapt", *files).code == 2
    for option in (("--freeze", "chunks"), ("--dry-run",)):
        lacking = reatt("adapt", *files, *option)
        assert lacking.code == 2
        assert option[0] in lacking.err


def test_a_model_without_a_decoder_cannot_retrieve_with_it(reatt, home, tiny, tmp_path):
    shutil.copytree(tiny.path, tmp_path / "half")
    config = json.loads((tmp_path / "half" / "config.json").read_text())
    (tmp_path / "half" / "config.json").write_text(json.dumps({**config, "num_decoder_layers": 0}))
    weights = load_file(tmp_path / "half" / "model.safetensors")
    left = [name for name in weights if not name.startswith("decoder.block.") or "relative_attention_bias" in name]
    save_file({name: weights[name] for name in left}, tmp_path / "half" / "model.safetensors")
    (home / "work" / "a.txt").write_text("Tea is at four.")
    refused = reatt("ingest", "--method", "intra", "--model", tmp_path / "half", "a.txt")
    assert refused.code == 14
    assert "no decoder" in refused.err


def test_an_encoder_alone_is_told_from_a_damaged_copy(reatt, home, tiny, tmp_path):
    shutil.copytree(tiny.path, tmp_path / "half")
    weights = load_file(tmp_path / "half" / "model.safetensors")
    left = {name: weight for name, weight in weights.items() if not name.startswith("decoder.")}
    save_file(left, tmp_path / "half" / "model.safetensors")
    (home / "work" / "a.txt").write_text("Tea is at four.")
    for method in ("intra", "reatt"):
        refused = reatt("ingest", "--method", method, "--model", tmp_path / "half", "a.txt")
        assert refused.code == 14
        assert "an encoder alone" in refused.err
        assert "needs the decoder" in refused.err


def test_states_missing_on_disk_are_damage_that_repair_mends(reatt, decoded):
    before = reatt("search", QUESTION, "--retriever", "attention", "--json")
    [segment] = (decoded / ".reatt" / "segments").iterdir()
    segment.unlink()
    refused = reatt("ask", QUESTION)
    assert refused.code == 12
    assert "reatt check --repair" in refused.err
    assert reatt("check", "--repair").code == 0
    found = json.loads(reatt("search", QUESTION, "--retriever", "attention", "--json").out)["hits"]
    assert found == json.loads(before.out)["hits"]


def test_damaged_retrieval_tokens_are_told_by_their_file(reatt, home, tiny, tmp_path):
    shutil.copytree(tiny.path, tmp_path / "model")
    (home / "work" / "a.txt").write_text("Tea is at four.")
    for content in (b"nothing", save({"vectors": torch.zeros(4, 3), "weights": torch.zeros(2, 2)})):
        (tmp_path / "model" / "intra.safetensors").write_bytes(content)
        refused = reatt("ingest", "--method", "intra", "--model", tmp_path / "model", "a.txt")
        assert refused.code == 14
        assert "intra.safetensors is damaged" in refused.err
