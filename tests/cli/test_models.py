"""models use, rollback and list: a store goes back and forth between its models, whole, and says what it cannot do."""

import json

import jsonschema
import pytest

from reatt import ingest
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt_cli.schemas import published as schemas
from reatt_store.library import Library, Writer
from reatt_store.records import Outcome


@pytest.fixture
def adapted(library, write_model, home):
    """Adapt a store twice: first reader and retriever, then again; both models are there beside the first one."""
    for seed in (1, 2):
        adapt(library, ModelFolder(write_model(home / f"learnt-{seed}", seed=seed), called=f"learnt-{seed}"))
    return library


def adapt(store, folder, complete=True):
    """Bring a model into force as an accepted run does; not `complete` leaves it as a killed one would."""
    backbone = models.load(folder, "cpu")
    with Library(store) as library, library.writing() as writer:
        models.keep_in_store(folder, store)
        generation = writer.begin_generation(backbone.fingerprint(), folder.name, folder.sha256)
        run = writer.begin_run("masked", {})
        if complete:
            ingest.complete(library, writer, backbone, generation, lambda _: None)
            writer.end_run(run, Outcome({}, {}, True, "better", folder.sha256), generation, folder.name)


def told(reatt, *arguments):
    done = reatt("models", *arguments, "--json")
    assert (done.code, done.err) == (0, "")
    jsonschema.validate(json.loads(done.out), schemas.json_schema("models"))
    return json.loads(done.out)["models"]


def in_force(reatt):
    return [model["name"] for model in told(reatt, "list") if model["in_force"]]


def found(reatt):
    done = reatt("search", "leave in Norway", "--retriever", "attention", "--json")
    assert done.code == 0, done.err
    return [(hit["path"], hit["retrieval"]["score"]) for hit in json.loads(done.out)["hits"]]


@pytest.fixture(autouse=True)
def _with_the_stores_own_model(library, monkeypatch):
    monkeypatch.delenv("REATT_MODEL")


def test_the_models_of_a_store_come_first_the_one_in_force_before_the_latest(reatt, adapted):
    listed = [(m["name"], m["origin"], m["in_force"]) for m in told(reatt, "list") if m["generation"]]
    assert listed == [("learnt-2", "store", True), ("learnt-1", "store", False), ("tiny", "store", False)]
    assert "in force" in reatt("models").out.splitlines()[0]


def test_rolling_back_goes_one_model_at_a_time_and_ends(reatt, adapted):
    assert [told(reatt, "rollback")[0]["name"] for _ in range(2)] == ["learnt-1", "tiny"]
    done = reatt("models", "rollback")
    assert (done.code, in_force(reatt)) == (2, ["tiny"])
    assert "no earlier model" in done.err


def test_a_model_answers_after_its_return_as_it_did_before(reatt, library, write_model, home):
    first = found(reatt)
    adapt(library, ModelFolder(write_model(home / "learnt", seed=1), called="learnt"))
    second = found(reatt)
    assert second != first
    told(reatt, "rollback")
    assert found(reatt) == first
    told(reatt, "use", "learnt")
    assert found(reatt) == second


def test_a_model_is_used_by_name_or_by_the_start_of_its_hash(reatt, adapted):
    sha256 = next(model["sha256"] for model in told(reatt, "list") if model["name"] == "tiny")
    assert told(reatt, "use", "learnt-1")[0]["in_force"]
    assert told(reatt, "use", sha256[:6])[0]["name"] == "tiny"
    assert in_force(reatt) == ["tiny"]


def test_what_was_added_meanwhile_is_found_by_an_earlier_model_too(reatt, adapted, home):
    (home / "work" / "new.txt").write_text("The ferry leaves Oslo at noon.\n")
    assert reatt("ingest", "new.txt").code == 0
    done = reatt("models", "rollback")
    assert (done.code, in_force(reatt)) == (0, ["learnt-1"])
    assert "encoded for documents added since" in done.err
    assert any(path.endswith("new.txt") for path, _ in found(reatt))
    assert reatt("check").code == 0


def test_an_ingest_keeps_earlier_models(reatt, adapted, home):
    (home / "work" / "leave.md").write_text("Parental leave is 50 weeks.\n")
    assert reatt("ingest", "leave.md").code == 0
    assert [model["name"] for model in told(reatt, "list") if model["generation"]] == ["learnt-2", "learnt-1", "tiny"]


def test_a_store_that_moves_to_another_model_keeps_no_earlier_one(reatt, adapted, write_model, home):
    other = write_model(home / "other", seed=5)
    assert reatt("ingest", "--reencode", "--model", other, "leave.md").code == 0
    assert [model["generation"] is not None for model in told(reatt, "list")].count(True) == 1
    assert len(list((adapted / "models").iterdir())) == 1


def test_a_store_moves_to_another_model_without_its_files(reatt, write_model, home):
    other = write_model(home / "other", seed=5)
    (home / "work" / "leave.md").write_text("Parental leave is 50 weeks.\n")
    assert reatt("ingest", "leave.md").code == 0
    (home / "work" / "leave.md").unlink()
    refused = reatt("search", "leave", "--model", other)
    assert (refused.code, "reatt ingest --reencode" in refused.err) == (13, True)
    assert reatt("ingest", "--reencode", "--model", other).code == 0
    assert reatt("search", "leave", "--model", other, "--retriever", "attention").code == 0
    assert (reatt("ingest", "--store", "nowhere", "--reencode").code, (home / "work" / "nowhere").exists()) == (
        10,
        False,
    )


def test_a_model_that_was_never_accepted_is_not_there(reatt, adapted, write_model, home):
    adapt(adapted, ModelFolder(write_model(home / "half", seed=9), called="half"), complete=False)
    assert in_force(reatt) == ["learnt-2"]
    assert reatt("models", "use", "half").code == 14


def test_an_unknown_model_is_answered_with_those_that_the_store_keeps(reatt, adapted):
    done = reatt("models", "use", "nonsense")
    assert (done.code, done.out) == (14, "")
    assert all(name in done.err for name in ("learnt-1", "learnt-2", "tiny"))


def test_a_name_of_two_models_is_not_guessed(reatt, library, write_model, home):
    for seed in (1, 2):
        adapt(library, ModelFolder(write_model(home / f"m{seed}", seed=seed), called="learnt"))
    done = reatt("models", "use", "learnt")
    assert done.code == 2
    assert "by its hash" in done.err


def test_a_model_whose_files_were_touched_does_not_come_back(reatt, adapted):
    [folder] = (adapted / "models").glob("learnt-1-*")
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert reatt("models", "use", "learnt-1").code == 14
    assert in_force(reatt) == ["learnt-2"]


def test_while_another_process_writes_nothing_is_switched(reatt, adapted):
    with Library(adapted) as library, library.writing():
        assert reatt("models", "rollback").code == 11
    assert in_force(reatt) == ["learnt-2"]


@pytest.mark.parametrize("step", ["publish", "use"])
def test_a_rollback_that_is_cut_short_leaves_the_store_as_it_was(step, reatt, adapted, home, monkeypatch):
    (home / "work" / "new.txt").write_text("The ferry leaves Oslo at noon.\n")
    assert reatt("ingest", "new.txt").code == 0
    before = found(reatt)
    with monkeypatch.context() as patch:
        patch.setattr(Writer, step, interrupted)
        assert reatt("models", "rollback").code == 130
    assert (in_force(reatt), found(reatt)) == (["learnt-2"], before)
    assert reatt("check").code == 0
    assert told(reatt, "rollback")[0]["name"] == "learnt-1"


def interrupted(*_):
    raise KeyboardInterrupt
