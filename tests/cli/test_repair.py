"""`reatt check --repair`: after any damage a store finds what it found before, or says what it cannot bring back."""

import json
import shutil

import pytest


@pytest.fixture
def store(home, ingest):
    (home / "work" / "leave.md").write_text("# Leave\n\nParental leave in Norway is 49 weeks at full pay.\n")
    (home / "work" / "rye.md").write_text("# Bread\n\nRye bread bakes for 50 minutes.\n")
    ingest(home / "work", store=home / "work" / ".reatt")
    return home / "work" / ".reatt"


def repaired(reatt):
    done = reatt("check", "--repair", "--json")
    told = json.loads(done.out)
    return done.code, {part["what"] for part in told["repaired"]}, {part["id"] for part in told["damaged"]}


def hits(reatt):
    return [hit["chunk"] for hit in json.loads(reatt("search", "--json", "leave in Norway").out)["hits"]]


def test_damaged_vectors_are_made_from_the_stored_text(reatt, store):
    before = hits(reatt)
    (segment,) = (store / "segments").iterdir()
    segment.write_bytes(segment.read_bytes()[:-1])
    assert "reatt check --repair" in reatt("search", "leave").err
    assert repaired(reatt) == (0, {"segment"}, set())
    assert hits(reatt) == before


def test_a_damaged_text_is_read_again_from_its_file(reatt, store):
    database = store / "reatt.db"
    database.write_bytes(database.read_bytes().replace(b"49 weeks at full", b"94 weeks at full"))
    code, made_good, left = repaired(reatt)
    assert (code, "document" in made_good, left) == (0, True, set())
    assert "49 weeks at full" in reatt("show", "D-1").out


def test_a_damaged_text_whose_file_is_gone_stays_and_is_named(reatt, store):
    (store.parent / "leave.md").unlink()
    database = store / "reatt.db"
    database.write_bytes(database.read_bytes().replace(b"49 weeks at full", b"94 weeks at full"))
    assert repaired(reatt)[::2] == (12, {"D-1"})
    assert "94 weeks at full" in reatt("show", "D-1").out
    done = reatt("check", "--repair")
    assert "reatt remove" in done.err


def test_a_damaged_model_is_replaced_by_the_installed_one(reatt, store, tiny, home):
    shutil.copytree(tiny.path, home / "home" / "data" / "reatt" / "models" / "tiny")
    (config,) = store.glob("models/*/config.json")
    config.write_text(config.read_text() + " ")
    assert repaired(reatt) == (0, {"model"}, set())
    assert hits(reatt)


def test_a_sound_store_is_not_touched(reatt, store):
    before = (store / "reatt.db").stat().st_mtime_ns
    done = reatt("check", "--repair")
    assert (done.code, done.out.startswith("ok; ")) == (0, True)
    assert (store / "reatt.db").stat().st_mtime_ns == before
