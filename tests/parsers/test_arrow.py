"""Laws of Parquet and Arrow files: their rows are read by the rules of JSON Lines, and refused whole."""

import datetime
import decimal
import gzip
import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reatt.documents.reader import FoundFile, ReadLimits, Text, kind_of, read, read_stdin
from reatt.parsers.pool import POOL
from reatt_store.errors import ArchiveLimit, DocumentError, LibraryMissing, NotText, ParseLimit, RecordFormat, TooBig

pa = pytest.importorskip("pyarrow")
from pyarrow import feather, ipc, parquet  # noqa: E402

LEAVE = {"_id": ["d1", "d2"], "title": ["Leave", None], "text": ["49 weeks.", "The sauna is on the roof."]}


def as_parquet(table, **options):
    out = io.BytesIO()
    parquet.write_table(table, out, **options)
    return out.getvalue()


def as_arrow(table, new=ipc.new_file, **options):
    out = io.BytesIO()
    with new(out, table.schema) as writer:
        writer.write_table(table, **options)
    return out.getvalue()


def as_stream(table, **options):
    return as_arrow(table, ipc.new_stream, **options)


def as_feather(table, compression="zstd"):
    out = io.BytesIO()
    feather.write_feather(table, out, compression=compression)
    return out.getvalue()


WAYS = [("a.parquet", as_parquet), ("a.arrow", as_arrow), ("b.arrow", as_stream), ("a.feather", as_feather)]


def read_bytes(folder: Path, name: str, data: bytes, **limits: object) -> list[Text]:
    (folder / name).write_bytes(data)
    return list(read(FoundFile(folder / name, explicit=True), ReadLimits(**limits)))


def plain(texts):
    return [(text.external_id, text.title, text.text) for text in texts]


@pytest.mark.parametrize(("name", "write"), WAYS)
def test_every_row_is_a_document(tmp_path, name, write):
    texts = read_bytes(tmp_path, name, write(pa.table({**LEAVE, "vector": [[0.5] * 4] * 2})))
    assert plain(texts) == [("d1", "Leave", "49 weeks."), ("d2", "", "The sauna is on the roof.")]
    assert {text.kind for text in texts} == {"record"}
    said = "read as text: text; not read: vector; --text-field NAME chooses"
    assert [text.warnings for text in texts] == [(said,), ()]


def test_columns_beside_the_text_are_read(tmp_path):
    table = pa.table({"user": ["Olu", "Bea"], "text": ["I have the tickets.", None], "sent": ["at noon", "at two"]})
    texts = read_bytes(tmp_path, "a.parquet", as_parquet(table))
    assert [text.text for text in texts] == ["Olu: I have the tickets.\n\nat noon", "Bea: at two"]


@pytest.mark.parametrize("name", ["a", "a.txt", "a.parquet.gz", "a.bin"])
def test_the_content_tells_the_format_and_may_be_compressed(tmp_path, name):
    data = as_parquet(pa.table(LEAVE))
    texts = read_bytes(tmp_path, name, gzip.compress(data) if name.endswith("gz") else data)
    assert [text.external_id for text in texts] == ["d1", "d2"]


@pytest.mark.parametrize("words", ["PAR1 is a protein of the cell.", "ARROW1 flew past", "PARENTS=5"])
def test_a_text_about_a_format_is_a_text(tmp_path, words):
    [text] = read_bytes(tmp_path, "a.txt", words.encode())
    assert (text.kind, text.text) == ("text", words)


def test_standard_input_is_read():
    assert plain(read_stdin(io.BytesIO(as_parquet(pa.table(LEAVE)))))[0] == ("d1", "Leave", "49 weeks.")


def in_json_lines(folder, rows, **limits):
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    return read_bytes(folder, "same.jsonl", lines.encode(), **limits)


CHAT = [
    {"ts": 1714564800, "user": "ravi", "message": "Who has the key of the boat house?", "ctx": {"host": "db-3"}},
    {"ts": 1714564860, "user": "ingrid", "message": "It hangs behind the door.", "ctx": {"host": "db-4"}},
]
TALK = [
    {"id": "t1", "messages": [{"role": "user", "content": "When is high tide?"}, {"role": "ai", "content": "At 9."}]}
]


@pytest.mark.parametrize(("name", "write"), WAYS[:2])
@pytest.mark.parametrize(
    ("rows", "limits"),
    [
        (CHAT, {}),
        (CHAT, {"fields": ("host",)}),
        (CHAT, {"fields": ("ctx.host", "user")}),
        (CHAT, {"fields": ("message",), "id_field": "ts"}),
        (CHAT, {"fields": ("message",), "id_field": "ctx.host"}),
        (TALK, {}),
        (TALK, {"fields": ("content",)}),
        (TALK, {"fields": ("messages.content",), "id_field": "id"}),
    ],
)
def test_the_fields_are_those_of_the_same_json_lines(tmp_path, name, write, rows, limits):
    texts = read_bytes(tmp_path, name, write(pa.Table.from_pylist(rows)), **limits)
    same = in_json_lines(tmp_path, rows, **limits)
    assert plain(texts) == plain(same)
    if not limits:  # chosen columns are all that is read of a table, so the others cannot be listed
        assert [text.warnings for text in texts] == [text.warnings for text in same]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.text(max_size=3).filter(lambda text: text.isprintable()))))
@settings(deadline=None, max_examples=30)
def test_a_repeated_id_gives_its_last_row(pairs):
    table = pa.table(
        {"_id": pa.array([key for key, _ in pairs], pa.string()), "text": pa.array([t for _, t in pairs], pa.string())}
    )
    assert {text.external_id: text.text for text in read_stdin(io.BytesIO(as_parquet(table)))} == dict(pairs)


def test_a_repeated_id_is_said(tmp_path):
    texts = read_bytes(
        tmp_path, "a.parquet", as_parquet(pa.table({"key": ["a", "a"], "text": ["old", "new"]})), id_field="key"
    )
    assert [(text.text, text.warnings) for text in texts] == [
        ("new", ("a.parquet:2: key 'a' again; it replaces row 1",))
    ]


def test_times_numbers_and_categories_are_words(tmp_path):
    oslo = pa.array([datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)], pa.timestamp("ns", "Europe/Oslo"))
    table = pa.table(
        {
            "note": ["The ferry leaves from the north quay."],
            "when": oslo,
            "day": [datetime.date(2024, 5, 1)],
            "far": pa.array([2**62], pa.int64()).cast(pa.timestamp("s")),
            "price": [decimal.Decimal("12.50")],
            "place": pa.array(["Oslo"]).dictionary_encode(),
            "more": pa.array([[("line", 3)]], pa.map_(pa.string(), pa.int32())),
            "whole": pa.array([True]),
        }
    )
    [text] = read_bytes(tmp_path, "a.arrow", as_arrow(table))
    assert text.text.splitlines() == [
        "The ferry leaves from the north quay.",
        "",
        "when: 2024-05-01 12:00:00Z; day: 2024-05-01; price: 12.50; place: Oslo; whole: true",
        "",
        "line: 3",
    ]


def test_what_is_no_words_is_left_out_and_said(tmp_path):
    table = pa.table({"words": ["two words"], "vector": [[0.5, 1.0]], "image": [{"bytes": b"\x89PNG", "path": "a"}]})
    [text] = read_bytes(tmp_path, "a.parquet", as_parquet(table))
    assert text.text == "two words"
    assert "not read: vector, image" in text.warnings[0]


def test_a_column_of_bytes_is_read_if_it_is_text(tmp_path):
    table = pa.table({"body": [b"49 weeks."], "text": [None]})
    assert [text.text for text in read_bytes(tmp_path, "a.parquet", as_parquet(table), fields=("body",))] == [
        "49 weeks."
    ]
    with pytest.raises(RecordFormat, match="column body holds bytes"):
        read_bytes(tmp_path, "a.parquet", as_parquet(pa.table({"body": [b"\xff"]})), fields=("body",))


def test_a_missing_text_is_an_empty_one(tmp_path):
    texts = read_bytes(tmp_path, "a.parquet", as_parquet(pa.table({"text": ["a", None], "_id": [None, "x"]})))
    assert plain(texts) == [("1", "", "a"), ("x", "", "")]


def test_a_row_has_a_digest_of_its_own(tmp_path):
    one, two = read_bytes(tmp_path, "a.parquet", as_parquet(pa.table(LEAVE)))
    assert [one.digest] == [read_bytes(tmp_path, "b.arrow", as_arrow(pa.table(LEAVE).slice(0, 1)))[0].digest]
    assert one.digest != two.digest


@pytest.mark.parametrize(
    ("columns", "limits", "said"),
    [
        ({"text": ["a"], "_id": [1.5]}, {}, '"_id" is neither'),
        ({"text": ["a", "b"], "key": ["x", None]}, {"id_field": "key"}, 'a.parquet:2: no "key"'),
        ({"text": ["a"]}, {"id_field": "key"}, 'no "key"'),
        ({"a": [1]}, {}, 'no "text", and no field with words'),
        ({"a": ["two words"]}, {"fields": ("b",)}, "no row has the field 'b'"),
    ],
)
def test_rows_that_cannot_be_read_are_named_before_any_record_is_given(tmp_path, columns, limits, said):
    (tmp_path / "a.parquet").write_bytes(as_parquet(pa.table(columns)))
    with pytest.raises(RecordFormat) as caught:
        next(read(FoundFile(tmp_path / "a.parquet", explicit=True), ReadLimits(**limits)))
    assert said in caught.value.message


def test_a_row_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(TooBig, match=r"a\.parquet:2"):
        read_bytes(tmp_path, "a.parquet", as_parquet(pa.table({"text": ["a", "b" * 9999]})), max_bytes=5000)


@pytest.mark.parametrize(("name", "write"), WAYS)
def test_a_table_without_rows_has_no_documents(tmp_path, name, write):
    assert read_bytes(tmp_path, name, write(pa.table({"text": pa.array([], pa.string())}))) == []


@pytest.mark.parametrize(("name", "write"), WAYS)
def test_a_damaged_file_is_refused_or_read_but_never_more(tmp_path, name, write):
    """A flipped bit may change a letter; nothing may crash this process or pass for a bug of ours."""
    rows = {"_id": [str(at) for at in range(300)], "text": [f"Row {at} of a table." for at in range(300)]}
    whole, draw = write(pa.table(rows)), random.Random(7)
    for turn in range(25):
        data = bytearray(whole)
        if turn < 5:
            del data[draw.randrange(len(data)) :]
        for _ in range(draw.choice((1, 3, 30))):
            if data:
                data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        try:
            assert len(read_bytes(tmp_path, name, bytes(data), seconds=20)) <= 300
        except (DocumentError, NotText):
            continue


def test_what_is_cut_off_is_said(tmp_path):
    with pytest.raises(RecordFormat, match="cannot be read as a table"):
        read_bytes(tmp_path, "a.parquet", as_parquet(pa.table(LEAVE))[:-9])


def test_a_table_that_unpacks_to_many_times_its_size_is_refused(tmp_path):
    bomb = as_parquet(pa.table({"text": ["word " * 20_000] * 1000}))
    assert len(bomb) < 200_000
    with pytest.raises(ArchiveLimit):
        read_bytes(tmp_path, "a.parquet", bomb)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a program is read from /proc")
def test_a_large_value_that_many_rows_refer_to_is_read_once(tmp_path):
    """The attack: a small file whose rows all refer to one value, which was listed anew for each."""
    value = pa.array(["word " * 4_000_000])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), value)
    (tmp_path / "a.arrow").write_bytes(as_feather(pa.table({"text": column})))
    # The program's own peak: ru_maxrss would begin with that of the process which started it.
    code = """
import sys
from reatt.parsers.records.arrow import read_arrow
from reatt_store.errors import ArchiveLimit
try:
    with open(sys.argv[1], "rb") as file:
        list(read_arrow(file, "a.arrow", 1 << 30))
except ArchiveLimit:
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.arrow")], capture_output=True, text=True, check=True
    )
    assert 0 < int(done.stdout) < 600_000  # kB


@pytest.mark.parametrize("kind", [pa.string(), pa.binary(), pa.large_string()])
def test_the_values_of_a_dictionary_come_in_the_order_of_the_rows(tmp_path, kind):
    texts = [f"text {number % 7}" if number % 5 else None for number in range(1000)]
    table = pa.table(
        {"_id": [str(number) for number in range(1000)], "text": pa.array(texts, kind).dictionary_encode()}
    )
    for number, text in enumerate(read_bytes(tmp_path, "a.arrow", as_arrow(table))):
        assert (text.external_id, text.text) == (str(number), texts[number] or "")


def test_a_batch_that_needs_too_much_memory_is_refused(tmp_path):
    bomb = as_feather(pa.table({"text": ["\0" * 900_000_000]}))
    assert len(bomb) < 1_000_000
    with pytest.raises((ParseLimit, RecordFormat)):
        read_bytes(tmp_path, "a.feather", bomb, memory=1 << 29)


@pytest.mark.parametrize("write", [as_parquet, lambda table: as_arrow(table, max_chunksize=1000)])
def test_memory_does_not_grow_with_the_file(tmp_path, write):
    """The child may map little more than it needs to begin with, whatever the length of the file."""
    draw = random.Random(0)
    words = [f"{draw.getrandbits(40):x}" for _ in range(5000)]
    table = pa.table({"text": [" ".join(draw.choices(words, k=300)) for _ in range(15_000)]})
    (tmp_path / "a.parquet").write_bytes(write(table))
    POOL.close()
    assert (tmp_path / "a.parquet").stat().st_size > 40_000_000
    found = read(FoundFile(tmp_path / "a.parquet", explicit=True), ReadLimits(memory=360 << 20))
    assert sum(1 for _ in found) == 15_000


def test_without_the_library_it_is_said_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "pyarrow.py").write_text("raise ModuleNotFoundError('pyarrow')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    POOL.close()
    try:
        with pytest.raises(LibraryMissing) as caught:
            read_bytes(tmp_path, "a.parquet", as_parquet(pa.table(LEAVE)))
    finally:
        POOL.close()
    assert caught.value.fix == 'pip install "reatt[parquet]"'


def test_an_extension_type_is_read_as_what_it_is_stored_as_and_nothing_is_unpickled(tmp_path):
    mark = tmp_path / "unpickled"
    payload = f"cposix\nsystem\n(S'touch {mark}'\ntR.".encode()
    meta = {"ARROW:extension:name": b"arrow.py_extension_type", "ARROW:extension:metadata": payload}
    schema = pa.schema([pa.field("text", pa.string(), metadata=meta)])
    for name, write in (("a.parquet", as_parquet), ("a.arrow", as_arrow)):
        texts = read_bytes(tmp_path, name, write(pa.table({"text": ["words"]}, schema=schema)))
        assert [text.text for text in texts] == ["words"]
    assert not os.path.exists(mark)


def test_the_first_version_of_feather_is_refused_with_a_way_out(tmp_path):
    with pytest.raises(NotText) as caught:
        read_bytes(tmp_path, "a.feather", b"FEA1\0\0\0\0" * 9)
    assert caught.value.fix == "convert it: pyarrow.feather.write_feather"


def test_the_kind_needs_only_the_head(tmp_path):
    (tmp_path / "a").write_bytes(as_parquet(pa.table(LEAVE)))
    with open(tmp_path / "a", "rb") as file:
        assert kind_of(file, "a") == "arrow"
