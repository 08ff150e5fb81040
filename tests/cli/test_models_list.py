"""models list, add, probe: as typed."""

import json

import pytest


@pytest.fixture(scope="module")
def published(tmp_path_factory, released):
    return released(tmp_path_factory.mktemp("published") / "reatt-tiny")


@pytest.fixture(scope="module")
def plain(tmp_path_factory, released):
    return released(tmp_path_factory.mktemp("plain") / "t5-tiny", retrieval_layer=None, retrieval_head=None)


@pytest.fixture
def words(home):
    """A store with enough sentences to probe with."""
    from reatt_store.library import Chunk, Document, Library

    texts = [f"Room {n} of the house on hill {n * 7} has {n + 2} windows and {n} doors." for n in range(20)]
    chunks = [Chunk(n, 0, len(text), 1, None, "", text) for n, text in enumerate(texts)]
    with Library.create(home / "work" / ".reatt") as library, library.writing() as writer:
        writer.publish([(Document("/a", None, "", "text", "00", 1, 0), chunks)], None, 0)


def listed(reatt):
    return {model["name"]: model for model in json.loads(reatt("models", "list", "--json").out)["models"]}


def test_a_published_model_is_added_and_listed(reatt, published):
    added = reatt("models", "add", published)
    assert added.code == 0
    assert added.out.startswith("reatt-tiny")
    assert listed(reatt)["reatt-tiny"]["origin"] == "added"


def test_a_model_may_be_given_another_name(reatt, published):
    assert reatt("models", "add", published, "--name", "mine").code == 0
    assert "mine" in listed(reatt)


def test_what_is_no_model_is_refused_in_one_line(reatt, home):
    done = reatt("models", "add", home)
    assert (done.code, done.out) == (14, "")
    assert "config.json is missing" in done.err


def test_an_unknown_model_is_answered_with_those_there_are(reatt, words, published):
    reatt("models", "add", published)
    done = reatt("models", "probe", "--model", "nonsense")
    assert done.code == 14
    assert "reatt-tiny" in done.err


def test_probing_names_every_head_best_first(reatt, words, plain):
    done = reatt("models", "probe", "--model", plain, "--json")
    assert done.code == 14  # a pickle: to be added first
    reatt("models", "add", plain)
    told = json.loads(reatt("models", "probe", "--model", "t5-tiny", "--json").out)
    assert (told["sentences"], told["chunks"], told["chosen"]) == (20, 20, False)
    assert len({(head["layer"], head["head"]) for head in told["heads"]}) == 16
    assert [head["mrr"] for head in told["heads"]] == sorted((head["mrr"] for head in told["heads"]), reverse=True)


def test_a_chosen_head_is_written_and_makes_the_model_usable(reatt, words, plain):
    reatt("models", "add", plain)
    told = json.loads(reatt("models", "probe", "--model", "t5-tiny", "--choose", "--json").out)
    config = json.loads((plain.parent / listed(reatt)["t5-tiny"]["path"] / "config.json").read_text())
    assert (config["retrieval_layer"], config["retrieval_head"]) == (
        told["heads"][0]["layer"],
        told["heads"][0]["head"],
    )


def test_probing_shows_the_ten_best_as_they_stand_in_the_config(reatt, words, plain):
    reatt("models", "add", plain)
    lines = reatt("models", "probe", "--model", "t5-tiny").out.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("retrieval_layer ")
