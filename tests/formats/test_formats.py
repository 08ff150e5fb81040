"""Laws of every format: what is cited stands where the offsets say, and what is hostile is refused by name."""

import os
import re
import time
from bisect import bisect_right
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.documents.chunking import split
from reatt.documents.reader import KINDS, FoundFile, ReadLimits, read
from reatt.parsers import archives
from reatt.parsers.office.rtf import rtf
from reatt.parsers.registry import PARSERS, guarded
from reatt_store.errors import ArchiveLimit, DocumentError, NotText, ParseLimit


def parse(folder, sample, limits=None):
    path = folder / sample.name
    path.write_bytes(sample.data)
    return next(iter(read(FoundFile(path, explicit=True), limits)))


def test_a_citation_is_cut_out_of_the_text_where_its_offsets_say(tmp_path, sample):
    text = parse(tmp_path, sample)
    assert text.kind == sample.kind
    chunks = split(text, lambda piece: len(piece) // 4, 200)
    assert "".join(chunk.text for chunk in chunks) == text.text
    [cited] = [chunk for chunk in chunks if sample.cited in chunk.text] or [None]
    start = cited.char_start + cited.text.index(sample.cited)
    assert text.text[start : start + len(sample.cited)] == sample.cited
    assert cited.page == sample.page == (bisect_right(text.pages, start) or None)
    assert sample.heading is None or cited.title == sample.heading


def test_a_hostile_file_is_refused_by_name_and_fast(tmp_path, hostile):
    started = time.process_time()
    with pytest.raises(DocumentError) as caught:
        parse(tmp_path, hostile)
    assert caught.value.id == hostile.error
    assert caught.value.path == str(tmp_path / hostile.name)
    assert time.process_time() - started < 20  # a busy machine may let it wait


def test_the_corpus_has_every_kind_thirty_formats_and_150_files(corpus):
    elsewhere = {"records", "picture"}  # the latter needs an extra: tests/parsers/test_ocr.py
    assert {sample.kind for sample in corpus} - {""} == {*KINDS, "record"} - elsewhere
    assert len({sample.name.rpartition(".")[2] for sample in corpus if sample.kind}) >= 30
    assert len({sample.data for sample in corpus}) >= 150


RAW = {"text", "code", "markdown", "rst", "org", "asciidoc"}


def test_offsets_of_a_raw_format_count_the_characters_of_the_file(tmp_path, sample):
    if sample.kind in RAW and (raw := utf8(sample.data)) is not None:
        assert parse(tmp_path, sample).text == raw


def utf8(data):
    with suppress(UnicodeDecodeError):
        return data.decode("utf-8-sig") if b"\0" not in data else None


LONG = 100_000
LINES = ["# a{}b", "# {}", "title:a{}b", "a{}\n=", "* a{}b", "{}a\n---", "{}"]


@pytest.mark.parametrize("kind", sorted(RAW))
def test_no_line_however_long_takes_the_square_of_its_length(kind):
    started = time.process_time()
    for line in LINES:
        for part in " ", "#", "[", "{#", "=", ",", "`", "*", ":a", "- ":
            guarded(PARSERS[kind], f"---\n{line.format(part * LONG)}\n---\n".encode(), None)
            guarded(PARSERS[kind], f"{line.format(part * LONG)}\n".encode(), None)
    assert time.process_time() - started < 20


RTF_WORDS = r"""{ } {\fonttbl {\stylesheet {\info{\title {\*\x \s1 \f1 \fcharset128 \ansicpg0 \ansicpg932 \uc2 \uc-9
    \u-10179? \u \bin9 \bin-9 \par \cell \row \outlinelevel0 \pard \v \v0 \'8f \'8 \~ \{ \ {\footnote T heading\ 1;
    \x99999999999""".split()


@given(st.lists(st.sampled_from(RTF_WORDS), max_size=60).map(" ".join))
def test_any_words_and_groups_of_rtf_are_read_and_headings_stand_where_they_are_said_to(source):
    content = rtf(f"{{\\rtf1 {source}".encode())
    for at, heading in content.headings:
        assert " ".join(content.text[at:].split()).startswith(heading)


def test_every_heading_stands_where_it_is_said_to(tmp_path, sample):
    text = parse(tmp_path, sample)
    for at, heading in text.headings:
        lines = text.text[at : at + 4000].splitlines()[:2]  # of two lines where the first is a line of signs
        assert re.findall(r"\w+", heading)[0] in " ".join(lines)
        assert at == 0 or text.text[at - 1] in "\n\r"


def test_an_archive_that_lies_about_its_sizes_is_stopped_while_it_is_unpacked(monkeypatch, corpus):
    monkeypatch.setattr(archives, "UNPACKED", 1000)
    [sample] = [sample for sample in corpus if sample.name == "table.docx"]
    with pytest.raises(ArchiveLimit):
        archives.Archive(sample.data)
    archive = object.__new__(archives.Archive)
    archive.__dict__ |= {
        "_left": 1000,
        "_packed": len(sample.data),
        "_zip": archives.zipfile.ZipFile(archives.io.BytesIO(sample.data)),
    }
    with pytest.raises(ArchiveLimit):
        [archive.read(name) for name in archive._zip.namelist()]


def test_output_of_a_parser_is_limited(tmp_path, corpus):
    samples = {sample.name: sample for sample in corpus}
    with pytest.raises(ParseLimit, match="more than"):
        parse(tmp_path, samples["rules.docx"], ReadLimits(output=500))


@pytest.mark.parametrize("name", ["a.docx", "a.eml", "a.ipynb", "a.epub"])
def test_a_pipe_is_not_read_whatever_its_name(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(NotText, match="not a regular file"):
        list(read(FoundFile(tmp_path / name, explicit=True)))
