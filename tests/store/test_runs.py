"""Laws of runs and models in a store: a run is a row, a model comes into force by one transaction, others wait."""

import numpy as np
import pytest

from reatt_store.errors import NoSuchId
from reatt_store.library import Chunk, Document, Library
from reatt_store.records import Outcome
from reatt_store.vectors.segments import draft

BETTER = Outcome({"ndcg@10": 0.4}, {"ndcg@10": 0.5}, True, "nDCG@10 rose", "bb")


def chunks(*texts):
    return [Chunk(i, 0, len(text), 1, None, "", text) for i, text in enumerate(texts)]


def publish(writer, generation, name, *texts):
    made = chunks(*texts)
    vectors = draft([chunk.digest for chunk in made], [np.ones((2, 4), np.float32) for _ in made])
    writer.publish([(Document(f"/{name}", None, "", "text", "", 1, 0), made)] if name else [], vectors, generation)


@pytest.fixture
def library(tmp_path):
    """A store of two texts, encoded by model `aa` and, not yet in force, by `bb`."""
    with Library.create(tmp_path / "store") as library:
        with library.writing() as writer:
            first = writer.begin_generation("print-1", "mini", "aa")
            publish(writer, first, "doc", "x", "y")
            writer.switch(first)
            publish(writer, writer.begin_generation("print-2", "adapted", "bb"), None, "x", "y")
        yield library


def in_force(library):
    return [(model.name, model.generation) for model in library.models() if model.current]


def adapt(library, outcome=BETTER, generation=2):
    with library.writing() as writer:
        run = writer.begin_run("unlabelled", {"steps": 3})
        writer.end_run(run, outcome, generation, "adapted")
    return run


def test_a_run_that_was_killed_has_no_end(library):
    with library.writing() as writer:
        run = writer.begin_run("unlabelled", {"steps": 3, "rate": 5e-5})
    found = library.run(run)
    assert (found.mode, found.settings, found.parent_sha256) == ("unlabelled", {"steps": 3, "rate": 5e-5}, "aa")
    assert (found.ended_at, found.outcome) == (None, None)


def test_a_run_says_what_it_gave_and_its_model_is_in_force(library):
    run = adapt(library)
    assert library.run(run).outcome == BETTER
    assert in_force(library) == [("adapted", 2)]
    assert library.generation().model_sha256 == "bb"


def test_a_refused_run_leaves_the_model_in_force(library):
    refused = Outcome({"f1": 0.4}, {"f1": 0.3}, False, "F1 fell", None)
    run = adapt(library, refused, generation=None)
    assert library.run(run).outcome == refused
    assert in_force(library) == [("mini", 1)]


def test_a_run_and_its_switch_happen_together_or_not_at_all(library):
    with library.writing() as writer:
        publish(writer, 1, "late", "z")  # which generation 2 has not encoded
    with pytest.raises(ValueError, match="no vectors"):
        adapt(library)
    assert library.runs()[-1].outcome is None
    assert in_force(library) == [("mini", 1)]


def test_a_run_ends_once(library):
    run = adapt(library)
    with library.writing() as writer:
        writer.end_run(run, Outcome({}, {}, True, "again", "cc"), 1, "other")
    assert library.run(run).outcome == BETTER
    assert in_force(library) == [("adapted", 2)]


def test_an_earlier_model_comes_back_whole(library):
    adapt(library)
    with library.writing() as writer:
        writer.use(1)
    assert in_force(library) == [("mini", 1)]
    assert library.generation().fingerprint == "print-1"
    assert [model.name for model in library.models()] == ["mini", "adapted"]


def test_a_model_whose_vectors_are_not_complete_does_not_come_back(library):
    adapt(library)
    with library.writing() as writer:
        publish(writer, 2, "late", "z")
        with pytest.raises(ValueError, match="1 chunks"):
            writer.use(1)
    assert (library.lacking(1), library.lacking(2)) == (1, 0)
    assert in_force(library) == [("adapted", 2)]


def test_models_of_one_fingerprint_share_vectors_and_each_can_be_in_force(library):
    reader_only = Outcome({"f1": 0.4}, {"f1": 0.5}, True, "F1 rose", "cc")
    adapt(library, reader_only, generation=1)
    assert library.generation().model_sha256 == "cc"
    assert in_force(library) == [("adapted", 1)]
    with library.writing() as writer:
        writer.use(1)
    assert library.generation().model_sha256 == "aa"


def test_a_forgotten_model_takes_vectors_along_that_no_other_reads(library):
    adapt(library, Outcome({}, {}, True, "", "cc"), generation=1)
    adapt(library)
    with library.writing() as writer:
        writer.forget_model(1)
        assert [made.id for made in library.generations()] == [1, 2]
        writer.forget_model(2)
    assert [made.id for made in library.generations()] == [2]
    assert library.check().ok


def test_the_model_in_force_is_never_forgotten(library):
    with library.writing() as writer, pytest.raises(ValueError, match="in force"):
        writer.forget_model(1)


def test_an_unknown_run_is_said_to_be_unknown(library):
    with pytest.raises(NoSuchId, match="R-9"):
        library.run(9)
