"""Laws of an ingest that was stopped: what it encoded waits for its document, whatever is ingested next."""

import pytest

from reatt import ingest as engine
from reatt import progress
from reatt_store.library import Library, Writer

LONG = "".join(f"Entry {n}. The keeper mended lamp number {n} and was paid {n % 9} crowns.\n\n" for n in range(60))


class Stop(Exception):
    """Stands for Ctrl-C or a kill."""


@pytest.fixture
def stopped(tmp_path, ingest, monkeypatch):
    """Stop the ingest of a long file after three batches; return the folder, and how many chunks are encoded."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "long.txt").write_text(LONG)
    (folder / "short.txt").write_text("The gate is red.\n")
    ingest(folder / "short.txt")
    monkeypatch.setattr(engine, "BATCH_CHUNKS", 5)
    done, publish = [], Writer.publish

    def limited(self, *given):
        publish(self, *given)
        done.append(given)
        if len(done) == 3:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "publish", limited)
        with pytest.raises(Stop):
            ingest(folder / "long.txt")
    return folder, encoded(tmp_path / "store")


def encoded(store):
    with Library.open(store) as library:
        generation = library.generation()
        return sum(len(segment.digests) for segment in library.segments(generation.id))


def add_another(folder, ingest):
    (folder / "other.txt").write_text("The pier is long.\n")
    ingest(folder / "other.txt")


def change_one(folder, ingest):
    (folder / "short.txt").write_text("The gate is blue now.\n")
    ingest(folder / "short.txt")


def remove_one(folder, ingest):
    (folder / "short.txt").unlink()
    ingest(folder, prune=True, exclude=("long.txt",))


def read_nothing_new(folder, ingest):
    ingest(folder / "short.txt")


@pytest.mark.parametrize("then", [add_another, change_one, remove_one, read_nothing_new])
def test_what_was_encoded_before_the_stop_survives_the_next_ingest(tmp_path, ingest, stopped, then):
    folder, before = stopped
    assert before >= 16
    (folder / "kept.txt").write_text("A file that stays.\n")
    ingest(folder / "kept.txt")
    then(folder, ingest)
    report = ingest(folder / "long.txt")
    whole = ingest(folder / "long.txt", store=tmp_path / "fresh")
    assert report.added == 1
    assert report.tokens < whole.tokens * 0.9, (report.tokens, whole.tokens)
    with Library.open(tmp_path / "store") as library:
        assert library.problems() == []


def test_the_file_is_named_until_it_is_read_or_gone(tmp_path, ingest, stopped):
    folder, _ = stopped
    with Library.open(tmp_path / "store") as library:
        [problem] = library.problems()
        assert (problem.path, problem.id) == (str(folder / "long.txt"), "INTERRUPTED")
    (folder / "long.txt").unlink()
    ingest(folder)
    with Library.open(tmp_path / "store") as library:
        assert library.problems() == []


def test_texts_that_were_replaced_leave_the_disk_although_others_wait(tmp_path, ingest, stopped):
    folder, before = stopped
    change_one(folder, ingest)
    assert encoded(tmp_path / "store") == before  # one came, one went


def told_of(text, library, tiny, tiny_reatt, folder, on_progress):
    (folder / "long.txt").write_text(text)
    return engine.ingest(library, tiny_reatt, tiny, [str(folder / "long.txt")], engine.IngestOptions(), on_progress)


def test_a_long_text_tells_which_share_of_it_is_done(tmp_path, tiny, tiny_reatt, monkeypatch):
    monkeypatch.setattr(engine, "BATCH_CHUNKS", 5)
    notes = []
    with Library.create(tmp_path / "store") as library:
        told_of(LONG, library, tiny, tiny_reatt, tmp_path, lambda step: notes.append(step.note))
    shares = [int(note.partition(", ")[2].split("%")[0]) for note in notes if "% of the text" in note]
    assert shares == sorted(shares)
    assert len(set(shares)) >= 3


def test_a_stop_while_a_long_document_is_written_undoes_that_and_keeps_its_vectors(
    tmp_path, tiny, tiny_reatt, monkeypatch
):
    """A log of 200 MB has 200,000 passages; to write their rows takes a minute."""
    monkeypatch.setattr(engine, "BATCH_CHUNKS", 2)
    monkeypatch.setattr(progress, "_MOMENT", 0)
    writing, publish = [], Writer.publish

    def announced(self, documents, *given):
        if documents:
            writing.append(len(documents[0][1]))
        publish(self, documents, *given)

    def stop(step):
        if writing:
            raise Stop

    monkeypatch.setattr(Writer, "publish", announced)
    with Library.create(tmp_path / "store") as library, pytest.raises(Stop):
        told_of(LONG, library, tiny, tiny_reatt, tmp_path, stop)
    assert encoded(tmp_path / "store") == writing[0]
    with Library.open(tmp_path / "store") as library:
        assert (library.status().documents, library.status().chunks) == (0, 0)
        assert library.check().ok
    writing.clear()
    with Library.open(tmp_path / "store") as library:
        report = told_of(LONG, library, tiny, tiny_reatt, tmp_path, lambda _: None)
        assert (report.added, report.tokens) == (1, 0)
