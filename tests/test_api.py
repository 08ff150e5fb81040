"""The library's door: cheap to open, and what it finds is what the rooms below find, of one state of the store."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

import reatt
from reatt import api
from reatt import ask as verb
from reatt.courses import AdaptOptions, Hooks
from reatt.ingest import IngestOptions
from reatt.places import store_folder
from reatt.search.hits import FOREIGN
from reatt.search.retriever import Retriever
from reatt_store.errors import BadQuestion, ModelMismatch, NoStore, NoSuchPath, TooFewSpans, UsageError
from reatt_store.library import Library
from tests.stores_split import split

HEAVY = {"torch", "numpy", "faiss", "transformers", "tokenizers", "safetensors", "sqlite_utils", "sqlite3", "pydantic"}
QUESTION = "How long is parental leave in Norway?"
BUDGET = 60_000  # microseconds of processor time that `import reatt` may take


@pytest.fixture
def store(archive, tiny):
    with api.Store(archive, str(tiny.path), "cpu") as store:
        yield store


@pytest.fixture
def retriever(archive, tiny_reatt):
    with Library.open(archive) as library:
        yield Retriever(library, tiny_reatt, library.generation())


def timeless(reply):
    return replace(reply, timing_ms={})


def python(program):
    return subprocess.run([sys.executable, *program], capture_output=True, text=True, check=True)


def test_importing_the_library_and_its_class_loads_nothing_heavy():
    program = "import sys; from reatt import Store; print(*{name.partition('.')[0] for name in sys.modules})"
    assert not HEAVY & set(python(["-c", program]).stdout.split())


def test_importing_the_library_costs_less_than_its_budget():
    program = "from time import process_time_ns as now; began = now(); import reatt; print((now() - began) // 1000)"
    assert min(int(python(["-c", program]).stdout) for _ in range(3)) < BUDGET


def test_every_name_of_the_library_is_there_and_no_other():
    assert all(getattr(reatt, name).__name__ == name for name in reatt.__all__)
    assert dir(reatt) == sorted(reatt.__all__)
    with pytest.raises(AttributeError, match="no attribute 'answer'"):
        _ = reatt.answer


def test_opening_makes_a_store_that_opening_again_finds(tmp_path):
    with reatt.open(tmp_path / "new" / ".reatt") as store:
        assert store.exists
        assert store.library.status().documents == 0
    with reatt.open(str(tmp_path / "new" / ".reatt")) as again:
        assert again.folder == store.folder


def test_without_a_path_it_is_the_store_that_the_command_line_finds(reatt, home, monkeypatch):
    from reatt import open as open_store  # the fixture is the command

    reatt("init")
    (home / "work" / "below").mkdir()
    monkeypatch.chdir(home / "work" / "below")
    with open_store() as store:
        assert store.folder == store_folder() == home / "work" / ".reatt"
    monkeypatch.setenv("REATT_STORE", str(home / "other"))
    with open_store() as store:
        assert store.folder == home / "other"


@pytest.mark.parametrize("question", [QUESTION, reatt.Query(QUESTION, top=3, only="*.md", abstain=0.0)])
def test_a_store_answers_what_the_verb_answers(store, retriever, question):
    query = question if isinstance(question, reatt.Query) else reatt.Query(question)
    assert timeless(store.ask(question)) == timeless(verb.ask(retriever, query))


@pytest.mark.parametrize("name", ["hybrid", "attention", "words"])
def test_a_search_gives_the_hits_of_the_retriever_each_explained(store, retriever, name):
    hits = store.search("telescope mirror", k=5, retriever=name)
    assert [replace(hit, tokens=()) for hit in hits] == retriever.search("telescope mirror", 5, name)
    assert (len(hits), hits[0].rank) == (5, 1)
    assert (hits.generation is None) == (name == "words")
    for hit in hits:
        if hit.attention_score is not None:
            assert sum(pair.weight for pair in hit.tokens) == pytest.approx(hit.attention_score, abs=1e-4)


def test_a_hit_says_where_it_stands_in_its_document(store):
    for hit in store.search("parental leave in Norway", k=20):
        text = "".join(each.chunk.text for each in store.library.chunks_of(hit.chunk.document_id))
        assert text[slice(*hit.span)] == hit.text
        assert (Path(hit.path).name, hit.page, hit.title) == (
            Path(hit.chunk.path).name, hit.chunk.chunk.page, hit.chunk.chunk.title,
        )  # fmt: skip


def test_a_question_in_a_language_that_the_model_has_not_learnt_is_searched_by_words_and_said(store, retriever):
    question = "Wie lange dauert die Elternzeit in der Firma und wer ist für die Reise da?"
    reply = store.ask(question)
    assert [warning.id for warning in reply.warnings] == ["LANGUAGE"]
    assert timeless(replace(reply, warnings=[])) == timeless(
        verb.ask(retriever, reatt.Query(question, retriever="words", abstain=FOREIGN))
    )
    assert reply.answer is None or reply.confidence >= FOREIGN
    anything = reatt.Query(question, retriever="words", abstain=0.0)
    assert timeless(replace(store.ask(replace(anything, retriever="hybrid")), warnings=[])) == timeless(
        verb.ask(retriever, anything)
    )
    insisted = store.ask(reatt.Query(question, retriever="attention"))
    assert "LANGUAGE" not in [warning.id for warning in insisted.warnings]


def test_mistakes_are_told_before_anything_is_made(tmp_path, tiny):
    store = api.Store(tmp_path / "none", str(tiny.path))
    with pytest.raises(NoSuchPath):
        store.ingest([tmp_path / "nowhere"])
    for ask in (store.ask, store.search):
        with pytest.raises(NoStore):
            ask("Why?")
    assert not store.exists
    assert not (tmp_path / "none").exists()


def test_bad_questions_and_unknown_retrievers_are_refused(store):
    with pytest.raises(BadQuestion):
        store.ask(" ")
    with pytest.raises(UsageError, match="no retriever is called magic"):
        store.search("leave", retriever="magic")


def test_what_is_ingested_is_found_with_the_model_that_encoded_it(tmp_path, tiny):
    (tmp_path / "a.md").write_text("# Leave\n\nParental leave is 49 weeks.\n")
    steps = []
    with reatt.open(tmp_path / "store", model=tiny.path, device="cpu") as store:
        report = store.ingest(tmp_path / "a.md", progress=steps.append)
        assert (report.added, steps[-1].phase) == (1, "read")
        loaded = store.retriever().backbone
        assert store.search("leave")[0].path == str(tmp_path / "a.md")
        (tmp_path / "b.md").write_text("# Tea\n\nTea is at four.\n")
        assert store.ingest([str(tmp_path)], reatt.IngestOptions(include=("*.md",))).added == 1
        assert {Path(hit.path).name for hit in store.search("tea or leave")} == {"a.md", "b.md"}
        assert store.retriever().backbone is loaded, "one model is loaded once"


def test_a_store_that_moves_to_another_model_meanwhile_is_asked_again(tmp_path, tiny, write_model, ingest, monkeypatch):
    (tmp_path / "a.md").write_text("# Leave\n\nParental leave is 49 weeks.\n")
    ingest(tmp_path / "a.md", store=tmp_path / "store")
    other, find, moved = write_model(tmp_path / "other", seed=1), Retriever.find, []

    def move_after(retriever, query):
        hits = find(retriever, query)
        if not moved:
            moved.append(threading.Thread(target=ingest, args=[tmp_path / "a.md"], kwargs={
                "store": tmp_path / "store", "model": other, "reencode": True,
            }))  # fmt: skip
            moved[0].start()
            moved[0].join(120)
        return hits

    monkeypatch.setattr(Retriever, "find", move_after)
    with reatt.open(tmp_path / "store", device="cpu") as store:
        hits = store.search("leave", retriever="attention")
        assert hits.generation == store.library.generation()
        assert hits.generation.id == 2


def test_a_store_without_vectors_is_searched_by_words_and_not_asked(tmp_path):
    with reatt.open(tmp_path / "store") as store:
        assert list(store.search("leave", retriever="words")) == []
        with pytest.raises(ModelMismatch):
            store.ask("leave?")


def test_an_evaluation_is_that_of_the_retriever(tmp_path, store, retriever):
    from reatt.evaluate import evaluate

    queries = tmp_path / "queries.jsonl"
    queries.write_text('{"_id": "q1", "text": "How long is parental leave?", "answers": ["49 weeks"]}\n')
    told = store.evaluate(queries, how=reatt.Query("", retriever="attention", search="exact"))
    assert told.metrics == evaluate(retriever, queries, None, retriever_name="attention", search="exact").metrics
    assert store.evaluate(queries, read=True).metrics["em"] in (0.0, 1.0)


def test_progress_is_written_for_a_person():
    assert str(reatt.Progress("encode", 1200, None)) == "encode 1,200"


def test_after_a_move_to_another_model_files_are_read_and_training_begins_with_that_one(tmp_path, tiny, write_model):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"Text {name} of the handbook.")
    with api.Store(tmp_path / "store", str(tiny.path), "cpu") as made:
        made.ingest(tmp_path / "a.txt")
    with api.Store(tmp_path / "store", device="cpu") as store:
        before = store.model.sha256
        with api.Store(tmp_path / "store", str(write_model(tmp_path / "other", seed=1)), "cpu") as other:
            other.ingest(tmp_path / "a.txt", IngestOptions(reencode=True))
        assert store.ingest(tmp_path / "b.txt").added == 1
        with pytest.raises(TooFewSpans):  # of the model that is current now; with the old one it would be a mismatch
            store.course(AdaptOptions(), Hooks())
        assert store.model.sha256 == store.library.generation().model_sha256 != before


@pytest.fixture
def several(archive, tiny, tmp_path):
    with reatt.open(split(archive, tmp_path, 3), model=tiny.path, device="cpu") as store:
        yield store


def test_several_stores_are_asked_as_one(store, several, tmp_path):
    query = reatt.Query(QUESTION, top=12)
    expected, found = store.search(query), several.search(query)
    assert [(hit.path, hit.external_id, hit.score, hit.span) for hit in found] == [
        (hit.path, hit.external_id, hit.score, hit.span) for hit in expected
    ]
    assert {hit.store for hit in expected} == {None}
    assert {hit.store for hit in found} <= {str(tmp_path / f"part{part}") for part in range(3)}
    one, reply = (each.ask(replace(query, abstain=0.0)) for each in (store, several))
    assert (reply.answer, reply.confidence, reply.char_start) == (one.answer, one.confidence, one.char_start)
    assert [hit.share for hit in reply.evidence] == [hit.share for hit in one.evidence]
    assert reply.evidence[0].store == str(tmp_path / "part2")


def test_several_stores_are_measured_as_one(tmp_path, store, several):
    queries = tmp_path / "queries.jsonl"
    queries.write_text('{"_id": "q1", "text": "How long is parental leave?", "answers": ["49 weeks"]}\n')
    found = [each.evaluate(queries, how=reatt.Query("", retriever="words")) for each in (store, several)]
    assert found[0].per_question == found[1].per_question


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.ingest("leave.md"),
        lambda store: store.adapt(minutes=1),
        lambda store: store.make(),
        lambda store: store.library,
    ],
)
def test_nothing_is_written_to_several_stores(several, write):
    with pytest.raises(UsageError, match="needs one store, but 3 are open"):
        write(several)


def test_several_stores_must_be_there_and_one_is_opened_as_ever(tmp_path, archive):
    with pytest.raises(NoStore, match="nowhere"):
        reatt.open([archive, tmp_path / "nowhere"])
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(UsageError, match="no store is named"):
        reatt.open([])
    (tmp_path / "link").symlink_to(archive)
    with reatt.open([archive, tmp_path / "link"]) as same, reatt.open([tmp_path / "new"]) as new:
        assert not same.several
        assert new.library.status().documents == 0


def test_several_stores_of_which_one_moves_meanwhile_are_refused_or_answer_from_one_state(several, tmp_path):
    several.search(QUESTION)
    with Library.open(tmp_path / "part1") as library, library.writing() as writer:
        writer.switch(writer.begin_generation("another", "other", "f" * 64))
    with pytest.raises(ModelMismatch, match="different models"):
        several.search(QUESTION)
