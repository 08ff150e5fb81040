"""Reading files again does what is needed and nothing else, and nothing is lost, whatever came in between."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from reatt import ingest as engine
from reatt.documents.reader import ReadLimits
from reatt.ingest import IngestOptions, IngestReport
from reatt.model.backbone import ChunkText
from reatt.parsers.ocr import reading as ocr
from reatt.search.retriever import Retriever
from reatt.weights import models
from reatt.weights.deferred import Deferred
from reatt_store.errors import ModelMismatch, NoSuchPath, StoreLocked
from reatt_store.library import Library, Writer

LEAVE = "Parental leave in Norway is 49 weeks at full pay.\n"
TRAVEL = "Travel is approved by the head of department.\n"


@pytest.fixture
def files(tmp_path):
    """Return a function that writes files, given as name=text or as rows of records; returns their folder."""
    folder = tmp_path / "files"

    def write(**named):
        for name, content in named.items():
            file = folder / name.replace("__", ".")
            file.parent.mkdir(exist_ok=True)
            lines = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
            file.write_text(lines)
        return folder

    return write


@pytest.fixture
def texts(tmp_path):
    """Return a function that tells what the store holds: (file, id) -> text."""

    def read():
        with Library.open(tmp_path / "store") as library:
            documents = [
                (d.document.path.rpartition("/")[2], d.document.external_id, d.id) for d in library.documents()
            ]
            return {(name, id): "".join(c.chunk.text for c in library.chunks_of(key)) for name, id, key in documents}

    return read


def counts(report: IngestReport):
    names = ("seen", "added", "changed", "unchanged", "removed", "skipped", "failed")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def state(store: Path):
    """What lies on the disk: name -> when written and bytes; the lock's own file aside."""
    found = (path for path in store.rglob("*") if path.is_file() and path.name != "lock")
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def records(*texts):
    return [{"_id": f"r{n}", "title": "T", "text": text} for n, text in enumerate(texts)]


def test_what_a_file_holds_is_compared_once_with_what_is_stored_of_it(tmp_path, ingest, monkeypatch):
    """Once for each of its documents took ten minutes for a file of 100,000."""
    file = tmp_path / "many.jsonl"
    file.write_text("".join(f'{{"_id": "d{n}", "text": "Boat {n} lies at berth {n}."}}\n' for n in range(40)))
    ingest(file)
    looked = []
    still_there = engine.problems.still_there
    monkeypatch.setattr(engine.problems, "still_there", lambda *given: looked.append(given) or still_there(*given))
    report = ingest(file)
    assert (report.unchanged, report.removed, len(looked)) == (40, 0, 1)


def test_reading_unchanged_files_again_writes_nothing(files, ingest, tmp_path):
    folder = files(leave__md=LEAVE, faq__jsonl=records(TRAVEL, "", LEAVE), bad__pdf="%PDF-1.4 not one")
    first = ingest(folder)
    before = state(tmp_path / "store")
    again = ingest(folder)
    assert state(tmp_path / "store") == before
    assert counts(first) == {"seen": 3, "added": 3, "skipped": 1, "failed": 1}
    assert counts(again) == {"seen": 3, "unchanged": 3, "skipped": 1, "failed": 1}
    assert (again.chunks, again.tokens) == (0, 0)


def test_a_changed_file_is_replaced(files, ingest, texts):
    ingest(files(leave__md=LEAVE, travel__md=TRAVEL))
    report = ingest(files(leave__md="It is 52 weeks now.\n"))
    assert counts(report) == {"seen": 2, "changed": 1, "unchanged": 1}
    assert texts() == {("leave.md", None): "It is 52 weeks now.\n", ("travel.md", None): TRAVEL}


def test_records_that_vanished_from_their_file_are_removed(files, ingest, texts):
    ingest(files(faq__jsonl=records("one", "two", "three")))
    report = ingest(files(faq__jsonl=records("one", "TWO")))
    assert counts(report) == {"seen": 1, "unchanged": 1, "changed": 1, "removed": 1}
    assert texts() == {("faq.jsonl", "r0"): "one", ("faq.jsonl", "r1"): "TWO"}


def test_a_record_whose_text_is_gone_is_removed(files, ingest, texts):
    ingest(files(faq__jsonl=records("one", "two")))
    report = ingest(files(faq__jsonl=records("one", " ")))
    assert counts(report) == {"seen": 1, "unchanged": 1, "removed": 1, "skipped": 1}
    assert texts() == {("faq.jsonl", "r0"): "one"}


@pytest.mark.parametrize("content", [b"", b" \n", b"\x7fELF\0\1\2"])
def test_a_file_that_holds_no_text_any_more_is_removed(files, ingest, texts, content):
    folder = files(leave__md=LEAVE, travel__md=TRAVEL)
    ingest(folder)
    (folder / "travel.md").write_bytes(content)
    assert counts(ingest(folder)) == {"seen": 2, "unchanged": 1, "removed": 1, "skipped": 1}
    assert set(texts()) == {("leave.md", None)}


def test_a_file_that_can_no_longer_be_opened_stops_nothing(files, ingest, texts, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    folder = files(leave__md=LEAVE)
    ingest(folder)
    monkeypatch.setattr("reatt.documents.files.open", refuse, raising=False)
    monkeypatch.setattr("reatt.documents.reader._open", refuse)
    report = ingest(folder / "leave.md")
    monkeypatch.undo()
    assert (counts(report), report.problems[0].id) == ({"seen": 1, "failed": 1}, "UNREADABLE")
    assert set(texts().values()) == {LEAVE}


def test_of_a_repeated_id_the_later_line_counts_and_a_warning_says_so(files, ingest, texts):
    rows = [{"_id": "a", "text": "old"}, {"_id": "b", "text": "other"}, {"_id": "a", "text": "new"}]
    for expected in ({"seen": 1, "added": 2}, {"seen": 1, "unchanged": 2}):
        report = ingest(files(faq__jsonl=rows))
        assert counts(report) == expected
        assert ["'a' again" in warning for warning in report.warnings] == [True]
    assert texts() == {("faq.jsonl", "a"): "new", ("faq.jsonl", "b"): "other"}


def test_a_bad_file_stops_nothing_and_is_listed_until_it_is_read(files, ingest, texts, tmp_path):
    folder = files(a__md=LEAVE, b__pdf="%PDF-1.4 broken", c__jsonl='{"text":\n', z__md=TRAVEL)
    report = ingest(folder)
    assert counts(report) == {"seen": 4, "added": 2, "failed": 2}
    assert [(Path(p.path).name, p.id) for p in report.problems] == [
        ("b.pdf", "PDF_DAMAGED"),
        ("c.jsonl", "RECORD_FORMAT"),
    ]
    assert set(texts()) == {("a.md", None), ("z.md", None)}
    (folder / "b.pdf").unlink()
    assert ingest(files(c__jsonl=records("one"))).problems == []
    with Library.open(tmp_path / "store") as library:
        assert [Path(problem.path).name for problem in library.problems()] == ["b.pdf"]


def test_what_was_read_before_stays_while_its_file_is_bad(files, ingest, texts):
    ingest(files(faq__jsonl=records("one", "two")))
    report = ingest(files(faq__jsonl='{"_id": "r0", "text": "new"}\nnot JSON\n'))
    assert counts(report) == {"seen": 1, "failed": 1}
    assert set(texts().values()) == {"one", "two"}


def test_what_stands_in_an_archive_and_cannot_be_read_now_stays_in_the_store(files, ingest, texts):
    folder = files(a__md=LEAVE)

    def pack(*names):
        with zipfile.ZipFile(folder / "all.zip", "w") as archive:
            for name in names:
                archive.writestr(name, f"Members of the {name} vote in May.")

    pack("one.txt", "two.txt", "three.txt")
    ingest(folder)
    before = texts()
    packed = (folder / "all.zip").read_bytes()
    (folder / "all.zip").write_bytes(packed.replace(b"the two.txt vote", b"the two.txt vXte"))
    assert counts(ingest(folder, prune=True)) == {"seen": 2, "unchanged": 3}
    assert texts() == before
    pack("one.txt")
    assert counts(ingest(folder)) == {"seen": 2, "unchanged": 2, "removed": 2}


def test_a_message_that_cannot_be_read_now_keeps_its_document_and_those_of_the_others(files, ingest, texts):
    folder = files(a__md=LEAVE)

    def letters(**bodies):
        head = "From a@b.example Thu Jan  1 00:00:00 1970\nFrom: a@b.example\nSubject: On {0}\nMessage-ID: <{0}@b>\n"
        text = "".join(f"{head.format(name)}{body}\n\n" for name, body in bodies.items())
        (folder / "all.mbox").write_text(text)

    letters(one="\nWe vote in May.", two="\nWe meet in June.", three="\nWe rest in July.")
    ingest(folder)
    before = texts()
    letters(one="\nWe vote in May.", two="Content-Type: message/rfc822\n\n" * 3000, three="\nWe rest in July.")
    report = ingest(folder, prune=True)
    assert counts(report) == {"seen": 2, "unchanged": 3, "skipped": 1}
    assert any("message 2 cannot be read" in warning for warning in report.warnings)
    assert texts() == before
    letters(one="\nWe vote in May.", three="\nWe rest in July.")
    assert counts(ingest(folder)) == {"seen": 2, "unchanged": 3, "removed": 1}


def test_standard_input_is_read_within_the_limits_that_are_set(ingest, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LEAVE.encode() * 9)))
    report = ingest("-", limits=ReadLimits(max_bytes=100))
    assert [problem.id for problem in report.problems] == ["TOO_BIG"]


def test_binary_files_fail_only_where_they_are_named(files, ingest):
    folder = files(a__md=LEAVE)
    (folder / "b.bin").write_bytes(b"\x7fELF\0\1\2")
    assert counts(ingest(folder)) == {"seen": 2, "added": 1, "skipped": 1}
    assert counts(ingest(folder / "b.bin")) == {"seen": 1, "failed": 1}


def test_every_file_that_is_passed_over_is_named_with_its_reason(files, ingest, tmp_path, monkeypatch):
    monkeypatch.setattr(ocr, "_NEEDED", ("no_such_module",))
    folder = files(a__md=LEAVE, empty__txt="", page__html="<script>x</script>")
    (folder / "picture.jpg").write_bytes(b"\xff\xd8\xff\0")
    (folder / "data.bin").write_bytes(bytes(range(256)))
    report = ingest(folder)
    assert counts(report) == {"seen": 5, "added": 1, "skipped": 4}
    found = {Path(problem.path).name: (problem.id, problem.detail) for problem in report.passed_over}
    assert found == {
        "data.bin": ("NOT_TEXT", "not text: NUL bytes"), "empty.txt": ("EMPTY", "empty file"),
        "page.html": ("EMPTY", "no text in the file"), "picture.jpg": ("NOT_TEXT", "a picture"),
    }  # fmt: skip
    before = state(tmp_path / "store")
    assert ingest(folder).passed_over == report.passed_over
    assert state(tmp_path / "store") == before
    (folder / "picture.jpg").unlink()
    (folder / "empty.txt").write_text(TRAVEL)
    ingest(folder)
    with Library.open(tmp_path / "store") as library:
        assert [Path(problem.path).name for problem in library.problems()] == ["data.bin", "page.html"]


def test_records_without_text_are_said(files, ingest):
    report = ingest(files(faq__jsonl=records("one", "", " ")))
    assert next(warning for warning in report.warnings if "no text" in warning).endswith(
        "2 of its documents have no text"
    )


def test_texts_without_words_are_counted_not_failed(files, ingest, texts):
    report = ingest(files(a__md="", b__txt=" \n", c__jsonl=records("", "\t", "one")))
    assert counts(report) == {"seen": 3, "added": 1, "skipped": 4}
    assert list(texts().values()) == ["one"]


def test_the_same_text_is_encoded_once(files, ingest, tmp_path):
    first = ingest(files(a__jsonl=records("leave in Norway", "rye bread")))
    report = ingest(files(b__jsonl=records("rye bread", "leave in Norway", "rye bread \n")))
    assert first.tokens > 0
    assert (report.chunks, report.tokens) == (3, 0)
    with Library.open(tmp_path / "store") as library:
        assert library.status().tokens == first.tokens
        [segment] = library.segments(1)
        assert len(segment.digests) == 2


def test_what_was_replaced_leaves_the_disk(files, ingest, tmp_path):
    first = ingest(files(a__md=LEAVE, b__md="Quixotic zephyrs."))
    ingest(files(a__md=TRAVEL, b__md="None."))
    assert not any(b"uixotic" in content for _, content in state(tmp_path / "store").values())
    with Library.open(tmp_path / "store") as library:
        assert (library.live(1), first.generation) == (None, 1)


def found(store, model, search="exact"):
    """What a few questions find, as places in texts: equal for equal stores."""
    with Library.open(store) as library:
        retriever = Retriever(library, model, library.generation())
        asked = ("leave in Norway", "who bakes rye bread", "travel", "49")
        return [
            {(hit.chunk.path, hit.chunk.external_id, hit.chunk.chunk.char_start): pytest.approx(hit.score, rel=1e-3)
             for hit in retriever.search(question, 10**6, "hybrid", search)}
            for question in asked
        ]  # fmt: skip


def test_the_order_of_files_changes_no_search_result(archive, ingest, tiny_reatt, tmp_path):
    corpus = archive.parent / "corpus"
    names = sorted(corpus.iterdir(), reverse=True)
    for name in names:
        ingest(name)
    assert found(tmp_path / "store", tiny_reatt) == found(archive, tiny_reatt)


def test_small_batches_change_no_search_result(archive, ingest, tiny_reatt, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "BATCH_CHUNKS", 20)
    report = ingest(archive.parent / "corpus")
    with Library.open(tmp_path / "store") as library, Library.open(archive) as whole:
        assert report.tokens == library.status().tokens == whole.status().tokens
        assert len(library.segments(1)) > 15
        assert library.check().ok
    assert found(tmp_path / "store", tiny_reatt) == found(archive, tiny_reatt)


def test_prune_removes_what_is_gone_below_the_paths_given_and_nothing_else(files, ingest, texts, tmp_path):
    folder = files(a__md=LEAVE, b__md=TRAVEL, c__jsonl=records("one", "two"))
    (tmp_path / "files2").mkdir()
    (tmp_path / "files2" / "d.md").write_text("elsewhere")
    ingest(folder, tmp_path / "files2")
    for name in (folder / "b.md", folder / "c.jsonl", tmp_path / "files2" / "d.md"):
        name.unlink()
    assert counts(ingest(folder)) == {"seen": 1, "unchanged": 1}
    assert counts(ingest(folder, prune=True)) == {"seen": 1, "unchanged": 1, "removed": 3}
    assert set(texts()) == {("a.md", None), ("d.md", None)}


def test_a_path_that_is_not_there_is_named_before_anything_is_read(files, ingest, texts):
    with pytest.raises(NoSuchPath):
        ingest(files(a__md=LEAVE), "nowhere")
    assert texts() == {}


def test_another_model_is_refused_and_changes_nothing(files, ingest, write_model, tmp_path):
    folder = files(a__md=LEAVE)
    ingest(folder)
    before = state(tmp_path / "store")
    with pytest.raises(ModelMismatch, match="tiny-0"):
        ingest(folder, model=write_model(tmp_path / "other", seed=1))
    assert state(tmp_path / "store") == before


def test_reencoding_moves_everything_to_the_new_model(archive, files, ingest, write_model, tmp_path):
    other = write_model(tmp_path / "other", seed=1)
    ingest(archive.parent / "corpus")
    folder = files(new__md="Something new about leave.")
    report = ingest(folder, model=other, reencode=True)
    ingest(archive.parent / "corpus", folder, store=tmp_path / "fresh", model=other)
    with Library.open(tmp_path / "store") as library, Library.open(tmp_path / "fresh") as fresh:
        assert library.check().damaged == ()
        assert [(g.id, g.model_name, g.current) for g in library.generations()] == [(2, "tiny-1", True)]
        assert library.status().tokens == fresh.status().tokens == report.tokens
        assert [path.name[:6] for path in (library.folder / "models").iterdir()] == ["tiny-1"]
    moved = models.load(models.ModelFolder(other), "cpu")
    assert found(tmp_path / "store", moved) == found(tmp_path / "fresh", moved)


def test_a_huge_document_is_sent_in_segments_and_appears_whole(ingest, monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "BATCH_CHUNKS", 5)
    sent, publish = [], Writer.publish

    def spy(self, documents, segment, *more):
        sent.append((len(documents), len(segment.digests) if segment else 0))
        publish(self, documents, segment, *more)

    monkeypatch.setattr(Writer, "publish", spy)
    (tmp_path / "huge.txt").write_text("\n\n".join(f"Rule {n} of the club. " for n in range(500)))
    report = ingest(tmp_path / "huge.txt")
    assert [documents for documents, _ in sent] == [0] * (len(sent) - 1) + [1]
    assert max(chunks for _, chunks in sent) <= 5
    assert sum(chunks for _, chunks in sent) == report.chunks > 9


@pytest.mark.parametrize("limit", [80, 96, 160])
def test_no_chunk_is_above_the_models_limit_and_no_text_is_cut_off(files, ingest, write_model, tmp_path, limit):
    model = write_model(tmp_path / "narrow", chunk_tokens=limit)
    text = "# " + "東京" * 40 + "\n\n" + "internationalisation" * 40 + "\n\n" + LEAVE * 30 + "東京は日本の首都です" * 30
    ingest(files(a__md=text), model=model)
    backbone = models.load(models.ModelFolder(model), "cpu")
    with Library.open(tmp_path / "store") as library:
        for stored in library.every_chunk():
            [read] = backbone.tokenizer.chunks([ChunkText(stored.chunk.title, stored.chunk.text)])
            assert len(read.ids) <= limit
            assert max(end for _, end in read.spans) == len(stored.chunk.text.rstrip())


def test_stored_documents_are_the_files_texts(archive):
    with Library.open(archive) as library:
        for stored in library.documents():
            chunks = [each.chunk for each in library.chunks_of(stored.id)]
            text = "".join(chunk.text for chunk in chunks)
            assert all(text[chunk.char_start : chunk.char_end] == chunk.text for chunk in chunks)
            if stored.document.external_id is None:
                assert text == Path(stored.document.path).read_bytes().decode()


def test_a_second_writer_is_refused_at_once(files, ingest, tmp_path):
    folder = files(a__md=LEAVE)
    ingest(folder)
    with Library.open(tmp_path / "store") as library, library.writing(), pytest.raises(StoreLocked):
        ingest(folder)


def test_progress_only_grows(archive, tiny, tiny_reatt, tmp_path):
    told = []
    with Library.create(tmp_path / "store") as library:
        engine.ingest(library, tiny_reatt, tiny, [str(archive.parent / "corpus")], IngestOptions(), told.append)
    done = [step.done for step in told]
    assert done == sorted(done)
    assert set(done) == set(range(5))
    assert {step.total for step in told} == {4}


def test_a_model_that_would_make_other_keys_than_before_encodes_nothing(archive, tiny_reatt):
    with Library.open(archive) as library:
        made = replace(library.generation(), fingerprint="of an earlier version")
    deferred = Deferred(made, lambda: tiny_reatt)
    assert (deferred.fingerprint(), deferred.method) == (made.fingerprint, "reatt")
    with pytest.raises(ModelMismatch, match="tiny-0"):
        deferred.encode_chunks([])
