"""Laws of reading JSON Lines in BEIR form."""

import gzip
import io
import json
import lzma
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reatt.documents.reader import FoundFile, ReadLimits, Text, read, read_stdin
from reatt_store.errors import RecordFormat, TooBig


def read_bytes(folder: Path, name: str, data: bytes, limits: ReadLimits | None = None) -> list[Text]:
    (folder / name).write_bytes(data)
    return list(read(FoundFile(folder / name, explicit=True), limits))


def lines(*records: object) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


LEAVE = {"_id": "d1", "title": "Leave", "text": "49 weeks."}


@pytest.mark.parametrize(
    ("name", "pack"), [("a.jsonl", bytes), ("a.jsonl.gz", gzip.compress), ("a.jsonl.xz", lzma.compress)]
)
def test_every_line_is_a_document(tmp_path: Path, name: str, pack: type[bytes]) -> None:
    texts = read_bytes(tmp_path, name, pack(lines(LEAVE, {"_id": 2, "text": ""}) + b"\n\n" + lines({"text": "x"})))
    assert [(text.external_id, text.title, text.text) for text in texts] == [
        ("d1", "Leave", "49 weeks."),
        ("2", "", ""),
        ("5", "", "x"),
    ]
    assert {text.kind for text in texts} == {"record"}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"_id": [], "text": ""}', "neither"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_wrong_line_is_named_before_any_record_is_given(tmp_path: Path, line: bytes, what: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(LEAVE) + line + b"\n")
    texts = read(FoundFile(tmp_path / "a.jsonl", explicit=True))
    with pytest.raises(RecordFormat, match=r"a\.jsonl:2: .*" + what):
        next(texts)


@pytest.mark.parametrize(
    ("other", "text"), [({"_id": "a"}, ""), ({"text": 1}, "1"), ({"text": "x", "title": 3}, "x\n\ntitle: 3")]
)
def test_a_line_of_another_form_costs_no_other_line(tmp_path: Path, other: object, text: str) -> None:
    texts = read_bytes(tmp_path, "a.jsonl", lines(LEAVE, other))
    assert [(each.title, each.text) for each in texts] == [("Leave", "49 weeks."), ("", text)]


def test_a_repeated_id_gives_its_last_line_and_a_warning(tmp_path: Path) -> None:
    again = [{**LEAVE, "text": text} for text in ("old", "newer", "newest")]
    texts = read_bytes(tmp_path, "a.jsonl", lines(again[0], {"_id": "d2", "text": "x"}, again[1], again[2]))
    assert [(text.external_id, text.text) for text in texts] == [("d2", "x"), ("d1", "newest")]
    assert texts[1].warnings == ("a.jsonl:4: _id 'd1' again; it replaces line 3",)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.text(max_size=3)), min_size=1, max_size=12))
@settings(deadline=None)
def test_records_are_those_of_a_dictionary_by_id(records: list[tuple[str, str]]) -> None:
    stream = io.BytesIO(lines(*({"_id": key, "text": text} for key, text in records)))
    read_back = {text.external_id: text.text for text in read_stdin(stream, "records")}
    assert read_back == dict(records)


def test_a_record_has_a_digest_of_its_own_line(tmp_path: Path) -> None:
    one, two = read_bytes(tmp_path, "a.jsonl", lines(LEAVE, {**LEAVE, "_id": "d2"}))
    [alone] = read_bytes(tmp_path, "b.jsonl", lines(LEAVE))
    assert one.digest == alone.digest != two.digest


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_cut_off_archive_is_said(tmp_path: Path, pack: type[bytes]) -> None:
    packed = pack(lines(*[{**LEAVE, "_id": i} for i in range(999)]))
    with pytest.raises(RecordFormat, match="cut off"):
        read_bytes(tmp_path, "a.jsonl.gz", packed[: len(packed) // 2])


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    bomb = gzip.compress(b" " * 30_000_000)
    with pytest.raises(TooBig, match=r"a\.jsonl\.gz:1"):
        read_bytes(tmp_path, "a.jsonl.gz", bomb, ReadLimits(max_bytes=1_000_000))
