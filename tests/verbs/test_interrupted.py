"""Laws of an ingest that was stopped: what it encoded waits for its document, whatever is ingested next."""

import pytest

from reatt import ingest as engine
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
