"""models list and add: names for models, from folders; nothing is fetched here."""

import json

import pytest


def test_a_folder_is_added_and_then_found_by_its_name(reatt, home, model):
    done = reatt("models", "add", model, "--name", "mine")
    assert done.code == 0
    assert done.out.split()[:2] == ["mine", "added"]
    (home / "work" / "a.md").write_text("Tea is at four.\n")
    assert reatt("ingest", "a.md", "--model", "mine").code == 0
    assert "mine, generation 1" in reatt("status").out


def test_adding_gives_the_model_that_is_then_listed(reatt, model):
    added = json.loads(reatt("models", "add", "--json", model, "--name", "mine").out)["models"]
    assert [each for each in json.loads(reatt("models", "--json").out)["models"] if each["name"] == "mine"] == added


def test_the_model_of_the_store_is_listed_first(reatt, library):
    listed = json.loads(reatt("models", "--json").out)["models"]
    assert listed[0]["sha256"] == json.loads(reatt("ask", "--json", "--ok-empty", "Why?").out)["model"]["sha256"]


@pytest.mark.parametrize("source", ["nowhere", "./nowhere"])
def test_what_is_neither_a_folder_nor_a_hub_name_is_a_usage_error(source, reatt):
    done = reatt("models", "add", source)
    assert (done.code, done.out) == (2, "")


def test_a_folder_without_a_model_is_told(reatt, home):
    assert reatt("models", "add", ".").code == 14


def test_models_alone_lists_and_takes_options(reatt, home):
    assert reatt("models").out == reatt("models", "list").out
    assert reatt("models", "--json").out == reatt("models", "list", "--json").out
