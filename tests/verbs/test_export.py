"""Laws of the exported file: whoever reads it with numpy finds what search by attention finds, with the same scores."""

import json
import os
import re
import stat
from pathlib import Path

import numpy as np
import pytest

import reatt
from reatt.export import FORMAT, export
from reatt.search.query import Query
from reatt_store.errors import UsageError
from reatt_store.library import Library
from reatt_store.opening import PASSING
from reatt_store.selection import Selection

parquet = pytest.importorskip("pyarrow.parquet")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
QUESTIONS = ("How long is parental leave?", "When is tea?", "Who approves trips?")


def keys_of(row, form, width):
    """Read the keys (n, d) of a row, as docs/scale.md has it."""
    if form == "float16":
        return np.frombuffer(row["keys"], "<f2").reshape(-1, width).astype(np.float32)
    codes = np.frombuffer(row["codes"], np.int8).reshape(-1, width)
    return codes * np.array(row["scales"], np.float32)[:, None]


def ranked(file, form, vectors, weights):
    """Score every row by MaxSim and return chunk and score, best first."""
    table = parquet.read_table(file)
    width = json.loads(table.schema.metadata[b"reatt"])["width"]
    found = [
        (row["chunk"], float(weights @ (vectors @ keys_of(row, form, width).T).max(axis=1)))
        for row in table.to_pylist()
    ]
    return sorted(found, key=lambda each: -each[1])


@pytest.fixture
def filled(library):
    with Library.open(library) as opened:
        yield opened


@pytest.mark.parametrize(("form", "tolerance"), [("float16", 1e-3), ("int8", 0.02)])
def test_maxsim_in_numpy_ranks_as_exact_search_does(library, filled, tmp_path, form, tolerance):
    done = export(filled, tmp_path / "keys.parquet", form)
    assert done.chunks == filled.status().chunks > 2
    with reatt.open(library) as store:
        for question in QUESTIONS:
            queries = store.queries(question)
            ours = ranked(tmp_path / "keys.parquet", form, queries.vectors.numpy(), queries.weights.numpy())
            hits = store.search(Query(question, done.chunks, "attention", "exact"))
            theirs = [(f"C-{hit.chunk.id}", hit.score) for hit in hits]
            largest = max(abs(score) for _, score in theirs)
            assert dict(ours) == pytest.approx(dict(theirs), abs=tolerance * max(largest, 1))
            if form == "float16":
                assert [chunk for chunk, _ in ours] == [chunk for chunk, _ in theirs]


def test_the_lines_of_the_page_find_the_same(library, filled, tmp_path, monkeypatch):
    [example] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    export(filled, tmp_path / "keys.parquet")
    monkeypatch.chdir(tmp_path)
    with reatt.open(library) as store:
        names = {"store": store}
        exec(compile(example, str(PAGE), "exec"), names)
        hits = store.search(Query("How long is parental leave?", 99, "attention", "exact"))
    assert max(names["scores"], key=names["scores"].get) == f"C-{hits[0].chunk.id}"
    assert len(names["scores"]) == filled.status().chunks


def test_a_row_says_where_its_passage_is_and_the_file_what_made_the_keys(filled, tmp_path):
    done = export(filled, tmp_path / "keys.parquet")
    table = parquet.read_table(tmp_path / "keys.parquet")
    about = json.loads(table.schema.metadata[b"reatt"])
    made = filled.generation()
    assert (about["format"], about["fingerprint"], about["width"]) == (FORMAT, made.fingerprint, done.width)
    rows = {row["chunk"]: row for row in table.to_pylist()}
    for stored in filled.every_chunk():
        row = rows.pop(f"C-{stored.id}")
        assert (row["path"], row["text"], row["char_end"]) == (stored.path, stored.chunk.text, stored.chunk.char_end)
        assert len(row["scales"]) == row["key_count"] == len(row["codes"]) / done.width
    assert rows == {}


def test_texts_that_share_their_keys_have_a_row_each(reatt, library, home, tmp_path):
    (home / "work" / "again").mkdir()
    (home / "work" / "again" / "leave.md").write_text((home / "work" / "leave.md").read_text())
    assert reatt("ingest", "again").code == 0
    with Library.open(library) as opened:
        done = export(opened, tmp_path / "keys.parquet")
        assert done.chunks == opened.status().chunks
    rows = parquet.read_table(tmp_path / "keys.parquet").to_pylist()
    assert len({row["chunk"] for row in rows}) == done.chunks > len({row["codes"] for row in rows})


def test_only_chosen_documents_are_written(filled, tmp_path):
    export(filled, tmp_path / "keys.parquet", among=Selection(kinds=("markdown",)))
    assert {row["path"].rpartition("/")[2] for row in parquet.read_table(tmp_path / "keys.parquet").to_pylist()} == {
        "leave.md"
    }


def test_what_was_removed_is_not_exported(reatt, library, tmp_path):
    assert reatt("remove", "leave.md").code == 0
    with Library.open(library) as opened:
        export(opened, tmp_path / "keys.parquet")
    assert "49" not in str(parquet.read_table(tmp_path / "keys.parquet").column("text").to_pylist())


def test_a_failure_leaves_the_file_that_was_there(filled, tmp_path):
    (tmp_path / "keys.parquet").write_text("mine")

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(filled, tmp_path / "keys.parquet", on_progress=stop)
    assert [(file.name, file.read_text()) for file in tmp_path.glob("*keys*")] == [("keys.parquet", "mine")]
    assert unfinished(tmp_path) == []


def test_the_file_is_its_owners_alone_and_follows_no_link(filled, tmp_path):
    """The attack: a neighbour lays a link where the unfinished file will be, and reads or chooses what is written."""
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / f".keys.parquet.{os.getpid()}").symlink_to(tmp_path / "theirs")
    (tmp_path / "keys.parquet").symlink_to(tmp_path / "theirs")
    modes = []
    export(filled, tmp_path / "keys.parquet", on_progress=lambda _: modes.extend(unfinished(tmp_path)))
    assert modes
    assert {*modes, stat.S_IMODE((tmp_path / "keys.parquet").lstat().st_mode)} == {0o600}
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert unfinished(tmp_path) == []
    assert parquet.read_table(tmp_path / "keys.parquet").num_rows == filled.status().chunks


def unfinished(folder):
    """Return the modes of the files that are not finished."""
    return [stat.S_IMODE(file.lstat().st_mode) for file in folder.glob(f"{PASSING}*")]


def test_a_store_without_keys_is_refused(store, tmp_path):
    with Library.open(store) as empty, pytest.raises(UsageError, match="holds no keys"):
        export(empty, tmp_path / "keys.parquet")


def test_the_command_says_what_it_wrote(reatt, library, home):
    done = reatt("export", "keys.parquet", "--json")
    told = json.loads(done.out)
    assert (done.code, told["schema"], told["form"]) == (0, "reatt.export/1", "int8")
    assert told["bytes"] == (home / "work" / "keys.parquet").stat().st_size
    assert reatt("export", "more").code == 2
