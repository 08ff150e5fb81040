"""Laws of ingesting scanned pages: what is kept of their reading, what is named, and what is read later."""

import importlib.util
from pathlib import Path

import pytest

from reatt.parsers.ocr import reading
from reatt_store.library import Library

EXTRA = 'the extra is not installed: pip install "reatt[ocr]"'
needs_engine = pytest.mark.skipif(importlib.util.find_spec("rapidocr") is None, reason=EXTRA)
needs_pictures = pytest.mark.skipif(importlib.util.find_spec("PIL") is None, reason=EXTRA)
CHILD = """
import json, sys
asked = json.loads(sys.stdin.readline())
for number in asked["pages"]:
    page = {"page": number, "text": f"Page {number} about leave.", "confidence": 0.32 * number, "characters": 20}
    print(json.dumps(page), flush=True)
"""


@pytest.fixture
def unsure(tmp_path, monkeypatch):
    """Put an engine in place that is sure of later pages only."""
    (tmp_path / "child.py").write_text(CHILD)
    monkeypatch.setattr(reading, "SCRIPT", tmp_path / "child.py")
    monkeypatch.setattr(reading, "_NEEDED", ())


@pytest.fixture
def scan(tmp_path):
    """Write a PDF: a scanned page, a page of text, a scanned page."""
    scans = pytest.importorskip("bench.kit.scans", reason=EXTRA)
    image = scans.scanned("The ferry leaves at nine from the east quay.", scans.Look(dpi=110))
    path = tmp_path / "scan.pdf"
    path.write_bytes(scans.pdf_of([image, "Parental leave is 49 weeks at full pay, in three pieces.", image]))
    return path


def problems(store: Path) -> list[tuple[str, str]]:
    with Library.open(store) as library:
        return [(problem.id, problem.detail) for problem in library.problems()]


@needs_pictures
def test_pages_that_ocr_is_not_sure_of_are_problems_and_stored_all_the_same(scan, ingest, tmp_path, unsure):
    report = ingest(scan)
    assert report.ocr == [pytest.approx((0.32, 0.96))]
    assert problems(tmp_path / "store") == [("OCR_UNSURE", "OCR is not sure of the text: page 1, confidence 0.32")]
    with Library.open(tmp_path / "store") as library:
        assert library.status().scans.pages == 2
        assert "Page 3 about leave." in "".join(stored.chunk.text for stored in library.every_chunk())


@needs_pictures
def test_what_was_read_in_part_is_read_again_only_when_asked(scan, ingest, unsure):
    ingest(scan)
    assert ingest(scan).unchanged == 1
    assert ingest(scan, retry=True).changed == 1


@needs_engine
def test_after_the_extra_is_installed_the_missing_pages_are_read(scan, ingest, tmp_path, monkeypatch):
    with monkeypatch.context() as without:
        without.setattr(reading, "_NEEDED", ("no_such_module",))
        assert ingest(scan).added == 1
        assert problems(tmp_path / "store") == [("PDF_PICTURES", "pages without a text layer: 1, 3")]
        assert ingest(scan).unchanged == 1
    report = ingest(scan)
    assert (report.changed, len(report.ocr[0]), problems(tmp_path / "store")) == (1, 2, [])
    with Library.open(tmp_path / "store") as library:
        assert "ferry leaves at nine" in "".join(stored.chunk.text for stored in library.every_chunk())
        assert library.status().scans.confidence > 0.9
    assert ingest(scan).unchanged == 1


@needs_engine
def test_a_picture_without_text_is_passed_over_and_not_tried_again(ingest, tmp_path, monkeypatch):
    from bench.kit import scans

    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "white.png").write_bytes(scans.saved(scans.Image.new("L", (300, 200), 255), "PNG"))
    (folder / "note.txt").write_text("Tea is at four.")
    report = ingest(folder)
    assert [(Path(each.path).name, each.id) for each in report.passed_over] == [("white.png", "PICTURE_NO_TEXT")]
    monkeypatch.setattr(reading, "scan", lambda *_: pytest.fail("it is read again"))
    assert ingest(folder).passed_over == report.passed_over
    assert ingest(folder / "white.png").failed == 1


def test_without_the_extra_a_scan_is_read_once_it_is_installed(scan, ingest, tmp_path, monkeypatch, unsure):
    from bench.kit import scans

    scan.write_bytes(scans.pdf_of([scans.drawn("Tea.", scans.Look(dpi=50))] * 3))
    with monkeypatch.context() as without:
        without.setattr(reading, "_NEEDED", ("no_such_module",))
        assert [problem.id for problem in ingest(scan).problems] == ["PDF_NO_TEXT"]
        assert [problem.id for problem in ingest(scan).problems] == ["PDF_NO_TEXT"]
    assert ingest(scan).added == 1
