"""A T5Gemma2 from its published files to an answer: added, ingested, asked, taught; refused what it cannot do."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from reatt.search.index import AttentionIndex
from reatt.search.retriever import Retriever
from reatt.training.decoder import chunk_scores
from reatt.weights import models
from reatt_store.library import Library

QUESTION = "Which leave and telescope?"
UNUSABLE = 14
LEARN = ("adapt", "--qa", "qa.jsonl", "--qrels", "qrels.tsv", "--steps", "2", "--accept", "always", "--json")


@pytest.fixture
def pool(reatt, home, t5gemma, write_pool):
    """Ingest records for the decoder of a model that was added under a name."""
    write_pool(home / "work")
    assert reatt("models", "add", t5gemma, "--name", "gemma").code == 0
    assert reatt("init").code == 0
    done = reatt("ingest", "--method", "intra", "--model", "gemma", "docs.jsonl")
    assert done.code == 0, done.err
    return home / "work"


@pytest.fixture
def retriever(pool):
    with Library.open(pool / ".reatt") as library:
        made = library.generation()
        intra = models.load_intra(models.in_store(library, made.model_name, made.model_sha256), "cpu")
        yield Retriever(library, intra, made)


def test_it_answers_from_kept_states_and_says_where(reatt, pool):
    told = json.loads(reatt("ask", QUESTION, "--abstain", "never", "--json").out)
    assert told["model"]["name"] == "gemma"
    assert told["evidence"][told["source"]]["text"][told["char_start"] : told["char_end"]] == told["answer"] != ""


def test_the_terms_of_an_explanation_name_heads_and_sum_to_the_score(retriever):
    for hit in retriever.search(QUESTION, 3, "attention"):
        pairs = retriever.explain(QUESTION, hit)
        assert sum(pair.weight for pair in pairs) == pytest.approx(hit.score, abs=1e-3)
        assert {pair.head for pair in pairs} == {(layer, head) for layer in range(3) for head in range(4)}


def test_what_ranks_is_what_the_models_own_norms_make_of_pooled_states(retriever):
    """The store has keys at half precision, and scales beside them: the scores are those of stock keys up to that."""
    intra, chunks = retriever.backbone, list(retriever.library.every_chunk())
    before = retriever.search(QUESTION, 20, "attention", "exact", rounds=1)
    asked, found = intra.tokenizer.question(QUESTION), retriever.passages([hit.chunk for hit in before])
    words = intra.asker.embed(torch.tensor(intra.read(QUESTION, found).prompt))
    cache = intra.asker.remember(intra.context(asked, found)[0])
    queries = intra.asker.queries(torch.cat((words, intra.tokens.vectors)), cache)[:, :, len(words) :]
    expected = {}
    for chunk, code in zip(chunks, intra.encode_chunks(retriever.passages(chunks)), strict=True):
        keys = [keys[0].repeat_interleave(2, 0) for keys, _ in intra.asker.remember(code.keys[:, :32]).memory]
        expected[chunk.id] = float((queries @ torch.stack(keys).mT).amax(-1).mean())
    for search in ("exact", "fast", "two-stage"):
        hits = retriever.search(QUESTION, 48, "attention", search)
        assert {hit.chunk.id: hit.score for hit in hits} == pytest.approx(expected, abs=3e-3)


def test_what_is_learnt_from_is_what_a_search_ranks_by(retriever):
    intra, index = retriever.backbone, AttentionIndex(retriever.library, retriever.generation.id, 2048)
    hits = retriever.search(QUESTION, 12, "attention", "exact")
    keys = index.keys([hit.chunk.id for hit in hits])
    first = retriever.search(QUESTION, 20, "attention", "exact", rounds=1)
    passages = retriever.passages([hit.chunk for hit in first])
    asked = intra.tokenizer.question(QUESTION)
    asking = intra.asks(asked, intra.context(asked, passages)[0], intra.tokens)
    padded = torch.stack([keys[hit.chunk.id] for hit in hits])  # all of seven keys
    scores = chunk_scores(asking, intra.tokens.weights, padded, padded[..., 0] > -torch.inf, intra.asker.columns)
    assert scores.tolist() == pytest.approx([hit.score for hit in hits], abs=1e-3)


def test_it_learns_to_retrieve_and_nothing_is_encoded(reatt, pool):
    before = json.loads(reatt("search", QUESTION, "--retriever", "attention", "--json").out)
    done = reatt(*LEARN)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["mode"], told["accepted"], told["reencoded"], told["steps"]) == ("evidence", True, 0, 2)
    after = json.loads(reatt("search", QUESTION, "--retriever", "attention", "--json").out)
    assert after["model"]["sha256"] == told["model"]["sha256"] != before["model"]["sha256"]
    assert after["hits"][0]["retrieval"]["attention"] != before["hits"][0]["retrieval"]["attention"]


def test_a_warm_start_teaches_its_decoder_and_leaves_keys_and_states(reatt, pool, t5gemma):
    before = json.loads(reatt("status", "--json").out)
    done = reatt(*LEARN, "--warm-start")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["reencoded"], told["steps"]) == (0, 4)
    assert json.loads(reatt("status", "--json").out)["chunks"] == before["chunks"]
    found = json.loads(reatt("search", QUESTION, "--retriever", "attention", "--json").out)
    assert found["model"]["sha256"] == told["model"]["sha256"]
    with Library.open(pool / ".reatt") as library:
        made = library.generation()
        model = models.find(None, pool / "nowhere", library)
        learnt = models.load_intra(model, "cpu")
        assert learnt.fingerprint() == made.fingerprint
    parent = models.load_intra(models.ModelFolder(t5gemma), "cpu")
    old, new = parent.asker.published(), learnt.asker.published()
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert changed
    assert all(name.startswith("model.decoder.") and "k_proj" not in name for name in changed)


def test_what_its_encoder_cannot_do_is_told_with_what_its_decoder_can(reatt, home, t5gemma):
    (home / "work" / "a.txt").write_text("Tea is at four.")
    for command in (("ingest", "a.txt"), ("ingest", "--keep-states", "a.txt")):
        refused = reatt(*command, "--model", t5gemma)
        assert refused.code == UNUSABLE
        assert "--method intra" in refused.err
        assert "Traceback" not in refused.err


def test_probing_its_encoders_heads_is_refused_too(reatt, pool, t5gemma):
    refused = reatt("models", "probe", "--model", t5gemma)
    assert refused.code == UNUSABLE
    assert "--method intra" in refused.err


def broken(t5gemma, to, *, config=None, drop=None, reshape=None):
    shutil.copytree(t5gemma, to)
    if config:
        raw = json.loads((to / "config.json").read_text())
        merged = {key: {**raw[key], **new} if isinstance(new, dict) else new for key, new in config.items()}
        (to / "config.json").write_text(json.dumps({**raw, **merged}))
    for file in to.glob("*.safetensors"):
        weights = load_file(file)
        kept = {name: weight for name, weight in weights.items() if name != drop}
        save_file({n: w[:-1].clone() if n == reshape else w for n, w in kept.items()}, file)
    return to


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"drop": "model.decoder.norm.weight"}, "1 missing: stack.norm.weight"),
        ({"reshape": "model.encoder.norm.weight"}, "1 of another shape"),
        ({"config": {"encoder": {"text_config": {"hidden_size": "wide"}}}}, "hidden_size is 'wide'"),
        ({"config": {"decoder": 7}}, "does not describe a T5Gemma2"),
        ({"config": {"decoder": {"hidden_activation": "none"}}}, "does not describe a T5Gemma2"),
        ({"config": {"decoder": {"layer_types": ["full_attention"]}}}, "does not describe a T5Gemma2"),
        ({"config": {"decoder": {"num_key_value_heads": 3}}}, "key heads do not serve equally many query heads"),
        ({"config": {"decoder": {"attention_bias": True}}}, "keys have an offset"),
        ({"config": {"decoder": {"bos_token_id": 9999}}}, "bos_token_id is 9999; expected an id"),
    ],
)
def test_a_damaged_one_is_named_by_what_is_wrong(reatt, home, t5gemma, tmp_path, fault, told):
    refused = reatt("models", "add", broken(t5gemma, tmp_path / "broken", **fault))
    assert refused.code == UNUSABLE
    assert told in refused.err
    assert "Traceback" not in refused.err


def test_other_kinds_of_model_are_refused(reatt, home, t5gemma, tmp_path):
    refused = reatt("models", "add", broken(t5gemma, tmp_path / "other", config={"model_type": "gemma3"}))
    assert refused.code == UNUSABLE
    assert "reatt reads T5, T5Gemma2 and BERT-T5 models" in refused.err
