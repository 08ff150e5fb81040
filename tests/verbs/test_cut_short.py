"""A run that is cut short before any of its transactions leaves a sound store, and the next one goes on from there."""

import json
from contextlib import contextmanager

import pytest

from reatt import ingest as engine
from reatt_store.library import Library, Writer


class Killed(BaseException):
    """Stands for a process that ends in the middle."""


@contextmanager
def cut_short(method, calls):
    """Let a run go on until the writer's method was called so many times, and end it there."""
    left = [calls]

    def dies(*arguments, **options):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return whole(*arguments, **options)

    whole = getattr(Writer, method)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Writer, method, dies)
        try:
            yield
        except Killed:
            return
    pytest.fail(f"{method} was not called so often")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(engine, "BATCH_CHUNKS", 2)


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file of records, and returns its folder."""

    def records(name, *texts):
        (tmp_path / "files").mkdir(exist_ok=True)
        lines = [json.dumps({"_id": str(number), "text": text}) + "\n" for number, text in enumerate(texts)]
        (tmp_path / "files" / name).write_text("".join(lines))
        return tmp_path / "files"

    return records


def assert_sound(store, fewest, most=None):
    """Check a store that holds so many documents; return its models, and which one is in force."""
    with Library.open(store) as library:
        assert library.check().damaged == ()
        assert fewest <= library.status().documents <= (most or fewest)
        return [(made.model_name, made.current) for made in library.generations()]


STEPS = [*(("publish", calls) for calls in range(5)), ("begin_generation", 0), ("switch", 0), ("drop_generation", 0)]


@pytest.mark.parametrize(("method", "calls"), STEPS)
def test_moving_to_another_model(write, ingest, write_model, tmp_path, method, calls):
    other, folder = write_model(tmp_path / "other", seed=1), write("a.jsonl", *"abcde")
    ingest(folder)
    write("b.jsonl", *"xyz")
    with cut_short(method, calls):
        ingest(folder, model=other, reencode=True)
    left = assert_sound(tmp_path / "store", 5, 8)
    assert [current for _, current in left].count(True) == 1
    ingest(folder, model=other, reencode=True)
    assert assert_sound(tmp_path / "store", 8) == [("tiny-1", True)]


@pytest.mark.parametrize(("method", "calls"), STEPS[:3])
def test_staying_with_the_old_model_after_all(write, ingest, write_model, tmp_path, method, calls):
    folder = write("a.jsonl", *"abcde")
    ingest(folder)
    with cut_short(method, calls):
        ingest(folder, model=write_model(tmp_path / "other", seed=1), reencode=True)
    ingest(write("b.jsonl", *"xyz"))
    assert assert_sound(tmp_path / "store", 8)[0] == ("tiny-0", True)
    ingest(folder, reencode=True)
    assert assert_sound(tmp_path / "store", 8) == [("tiny-0", True)]


@pytest.mark.parametrize("calls", range(4))
def test_going_on_with_another_model_after_the_first_run(write, ingest, write_model, tmp_path, calls):
    folder = write("a.jsonl", *"abcdefg")
    with cut_short("publish", calls):
        ingest(folder)
    assert_sound(tmp_path / "store", max(0, 2 * calls - 1))
    ingest(folder, model=write_model(tmp_path / "other", seed=1), reencode=True)
    assert assert_sound(tmp_path / "store", 7) == [("tiny-1", True)]


@pytest.mark.parametrize("method", ["publish", "forget_path", "remove", "compact"])
def test_replacing_and_removing(write, ingest, tmp_path, method):
    folder = write("a.jsonl", *"abcdefg")
    ingest(folder)
    write("a.jsonl", *"abXd")
    with cut_short(method, 0):
        ingest(folder)
    assert_sound(tmp_path / "store", 4 if method == "compact" else 7)
    ingest(folder)
    assert_sound(tmp_path / "store", 4)
    with Library.open(tmp_path / "store") as library:
        assert sorted(stored.chunk.text for stored in library.every_chunk()) == ["X", "a", "b", "d"]
        assert library.live(1) is None  # what was replaced has left the disk


def test_what_was_encoded_is_not_encoded_again(archive, ingest, monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "BATCH_CHUNKS", 20)
    with cut_short("publish", 9):
        ingest(archive.parent / "corpus")
    with Library.open(tmp_path / "store") as library, Library.open(archive) as whole:
        saved = library.status().tokens
        report = ingest(archive.parent / "corpus")
        assert saved > 0
        assert saved + report.tokens == whole.status().tokens == library.status().tokens
