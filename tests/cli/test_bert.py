"""A model with a BERT encoder and a T5 decoder, from the command line: ingest, ask, adapt, kept states, INTRA."""

import json

import jsonschema
import pytest

from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt_cli.schemas.published import json_schema
from reatt_store.library import Library
from tests.bert_made import DEEP
from tests.corpus_made import write_corpus

QUESTION = "How long is parental leave in Norway?"
TEXTS = {
    "leave.md": "# Leave\n\nParental leave in Norway is 49 weeks at full pay.\n",
    "zoe.txt": "The Caf\u00e9 of Zoe\u0308 is open at four. [SEP] Stra\u00dfe 7 \U0001f600.\n",
    "travel.txt": "Travel is approved by the head of department.\n",
}
FOLDERS = {"whole": {}, "apart and deep": {"eight_bits": True, **DEEP}}
FAST = ("--steps", "2", "--teach-at-once")


@pytest.fixture(params=FOLDERS)
def folder(request, write_bert, tmp_path):
    """Write the model; one has its embeddings in 8 bits beside the other weights, and finds above where it reads."""
    return write_bert(tmp_path / "tiny-bert", **FOLDERS[request.param])


@pytest.fixture
def corpus(home):
    for name, text in TEXTS.items():
        (home / "work" / name).write_text(text)
    return home / "work"


def told(done, schema):
    assert done.code == 0, done.err
    found = json.loads(done.out)
    jsonschema.validate(found, json_schema(schema))
    return found


@pytest.mark.parametrize("how", [(), ("--keep-states",), ("--method", "intra")])
def test_it_ingests_and_answers_with_a_stretch_of_a_document(reatt, corpus, folder, how):
    told(reatt("ingest", *how, "--model", folder, ".", "--json"), "ingest")
    for question in (QUESTION, "Who approves travel?", "Is leave 49 weeks?"):
        reply = told(reatt("ask", question, "--json", "--abstain", "never"), "ask")
        if reply["source"] is not None:
            path = reply["evidence"][reply["source"]]["path"]
            text = (corpus / path).read_text()
            assert text[reply["char_start"] : reply["char_end"]] == reply["answer"]
        assert reply["source"] is not None or reply["answer"] in ("yes", "no")
    assert told(reatt("ask", QUESTION, "--free", "--json", "--abstain", "never"), "ask")["source"] is None
    hits = told(reatt("search", "leave weeks", "--retriever", "attention", "--json", "--explain"), "search")["hits"]
    assert len(hits) == 3
    for hit in hits:
        assert sum(token["weight"] for token in hit["retrieval"]["tokens"]) == pytest.approx(
            hit["retrieval"]["attention"], abs=1e-3
        )


def test_reading_from_kept_states_says_what_reading_from_text_says(reatt, corpus, folder):
    said = []
    for number, how in enumerate(((), ("--keep-states",))):
        store = f"store{number}"
        assert reatt("ingest", "--store", store, *how, "--model", folder, ".").code == 0
        said.append(told(reatt("ask", "--store", store, QUESTION, "--json", "--abstain", "never"), "ask"))
    assert said[0]["answer"] == said[1]["answer"]
    assert said[0]["confidence"] == pytest.approx(said[1]["confidence"], abs=0.02)  # the states lie there in 8 bits


def test_the_store_keeps_all_files_of_its_model(reatt, corpus, folder):
    assert reatt("init").code == reatt("models", "add", folder, "--name", "ours").code == 0
    assert reatt("ingest", "--model", "ours", ".").code == 0
    with Library.open(corpus / ".reatt") as library:
        kept = models.find(None, corpus / "nowhere", library)
    assert {path.name for path in kept.path.iterdir()} == {path.name for path in folder.iterdir()}
    assert kept.sha256 == ModelFolder(folder).sha256


@pytest.mark.parametrize("with_questions", [False, True])
def test_it_adapts(reatt, home, folder, with_questions):
    write_corpus(home / "corpus")
    assert reatt("ingest", "--store", "store", "--model", folder, home / "corpus").code == 0
    asked = home / "qa.jsonl"
    rows = [
        {"_id": f"q{n}", "text": f"How many weeks took number {n}?", "answers": [f"{n + 3} weeks"]} for n in range(27)
    ]
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows))
    how = ("--qa", asked) if with_questions else ()
    done = told(reatt("adapt", "--store", "store", *FAST, *how, "--accept", "always", "--json"), "adapt")
    assert done["accepted"]
    with Library.open(home / "work" / "store") as library:
        adapted = models.find(None, home / "nowhere", library)
        assert models.damaged(library) == []
    model, before = models.load(adapted, "cpu"), models.load(ModelFolder(folder), "cpu")
    assert model.fingerprint() == adapted_fingerprint(home / "work" / "store")
    assert {path.name for path in adapted.path.iterdir()} == {path.name for path in folder.iterdir()}
    moved = {name for name, weight in model.t5.named_parameters() if not weight.equal(before.t5.get_parameter(name))}
    assert moved
    assert ("shared.weight" in moved) == (with_questions and not before.t5.fixed)
    assert all(name.startswith("retrieval.") for name in moved) != with_questions
    assert told(reatt("ask", "--store", "store", QUESTION, "--json", "--abstain", "never"), "ask")["answer"]


def adapted_fingerprint(store):
    with Library.open(store) as library:
        return library.generation().fingerprint


def test_its_decoder_learns_to_retrieve(reatt, home, write_bert, tmp_path):
    write_corpus(home / "corpus")
    folder = write_bert(tmp_path / "tiny-bert")
    assert reatt("ingest", "--store", "store", "--method", "intra", "--model", folder, home / "corpus").code == 0
    (home / "qa.jsonl").write_text(
        "".join(json.dumps({"_id": f"q{n}", "text": f"What took {n + 3} weeks?"}) + "\n" for n in range(27))
    )
    (home / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(f"q{n}\td{n}\t1\n" for n in range(27)))
    how = ("--qa", home / "qa.jsonl", "--qrels", home / "qrels.tsv", "--steps", "2", "--accept", "always")
    assert reatt("adapt", "--store", "store", *how).code == 0
    reply = told(reatt("ask", "--store", "store", QUESTION, "--json", "--abstain", "never"), "ask")
    assert reply["answer"]


def test_a_model_without_a_head_can_be_probed(reatt, home, write_bert, tmp_path):
    write_corpus(home / "corpus")
    assert reatt("ingest", "--store", "store", home / "corpus").code == 0
    plain = write_bert(tmp_path / "plain", retrieval=None)
    assert reatt("models", "add", plain, "--name", "plain").code == 0
    refused = reatt("ingest", "--store", "other", "--model", "plain", home / "corpus")
    assert "reatt models probe" in refused.err
    assert reatt("models", "probe", "--store", "store", "--model", "plain", "--choose").code == 0
    assert reatt("ingest", "--store", "other", "--model", "plain", home / "corpus").code == 0
