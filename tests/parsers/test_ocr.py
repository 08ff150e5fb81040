"""Laws of reading scanned pages and pictures: the real engine in its real sandbox, on pages made from known text."""

import struct
import textwrap
import zlib
from pathlib import Path

import pytest

EXTRA = 'the extra is not installed: pip install "reatt[ocr]"'
pytest.importorskip("rapidocr", reason=EXTRA)
pytest.importorskip("onnxruntime", reason=EXTRA)

from bench.kit import scans  # noqa: E402
from bench.ocr import right_share  # noqa: E402
from reatt.documents.reader import FoundFile, ReadLimits, Text, read  # noqa: E402
from reatt.parsers.ocr import reading  # noqa: E402
from reatt_store.errors import DocumentError, PdfNoText, PictureNoText  # noqa: E402

LIMITS = ReadLimits(seconds=300)  # a busy machine takes its time
FERRY = textwrap.dedent("""\
    The ferry to Skerry Island

    The Margaret Rose sails from the east quay of Aldermere from Easter to
    the last Sunday of October. The crossing takes 35 minutes.""")
ORRERY = textwrap.dedent("""\
    This orrery was built in 1794 by Jonas Felder, a clockmaker of Basel.
    A crank of ivory moves six planets; the museum paid 300 francs.""")
LEAVE = textwrap.dedent("""\
    Each parent may take 26 weeks on full pay, in at most three pieces,
    before the child's second birthday. A lost card costs 20 euros (T-7).""")


TEA = "Tea is served at four o'clock in the room beside the pier."


def parse(folder: Path, name: str, file: bytes, limits: ReadLimits = LIMITS) -> Text:
    path = folder / name
    path.write_bytes(file)
    [text] = read(FoundFile(path, explicit=True), limits)
    return text


def pages(text: Text) -> list[str]:
    ends = [*text.pages[1:], len(text.text)]
    return [text.text[start:end].strip() for start, end in zip(text.pages, ends, strict=True)]


def test_only_the_pages_without_text_are_read_by_ocr_each_in_its_place(tmp_path):
    texts = (FERRY, ORRERY, LEAVE)
    scanned = [scans.scanned(text, scans.Look(font, 150)) for text, font in zip(texts, scans.FONTS, strict=True)]
    asked = []
    limits = ReadLimits(seconds=300, on_page=lambda done, total: asked.append((done, total)))
    text = parse(tmp_path, "mixed.pdf", scans.pdf_of([scanned[0], TEA, *scanned[1:]]), limits)
    found = pages(text)
    assert found[1] == TEA
    shares = [right_share(text, found[at]) for text, at in zip(texts, (0, 2, 3), strict=True)]
    assert min(shares) >= 0.98
    assert (len(text.ocr), min(text.ocr) > 0.9, text.warnings) == (3, True, ())
    counted = [each for each in dict.fromkeys(asked) if each[1]]
    assert counted[-4:] == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(("turned", "name"), [(90, "a.png"), (180, "a.jpeg"), (-90, "a.png")])
def test_a_picture_is_read_whichever_way_it_lies(turned, name, tmp_path):
    image = scans.scanned(FERRY, scans.Look(dpi=150)).rotate(turned, expand=True)
    text = parse(tmp_path, name, scans.saved(image, name[2:].upper()))
    assert right_share(FERRY, text.text) >= 0.98
    assert (text.kind, text.pages, len(text.ocr)) == ("picture", (0,), 1)


def test_each_picture_of_a_tiff_file_is_a_page(tmp_path):
    first, second = (scans.drawn(text, scans.Look(dpi=150)).convert("1") for text in (FERRY, LEAVE))
    file = scans.saved(first, "TIFF", compression="group4", save_all=True, append_images=[second])
    found = pages(parse(tmp_path, "fax.tif", file))
    assert [right_share(text, page) >= 0.98 for text, page in zip((FERRY, LEAVE), found, strict=True)] == [True] * 2


@pytest.mark.parametrize("mode", ["RGBA", "P", "I;16", "CMYK"])
def test_colours_of_every_kind_are_read(mode, tmp_path):
    image = scans.drawn(LEAVE, scans.Look(dpi=110)).crop((0, 0, 909, 200))
    if mode == "I;16":
        image = image.point(lambda value: value * 200, "I").convert("I;16")
    elif mode == "RGBA":  # black letters on nothing
        image = scans.Image.merge("RGBA", [image.point(lambda _: 0)] * 3 + [image.point(lambda value: 255 - value)])
    file = scans.saved(image if mode in ("RGBA", "I;16") else image.convert(mode), "TIFF")
    assert right_share(LEAVE, parse(tmp_path, "a.tiff", file).text) >= 0.97


def test_a_picture_without_text_is_a_problem_and_no_empty_document(tmp_path):
    with pytest.raises(PictureNoText, match="finds no text"):
        parse(tmp_path, "white.png", scans.saved(scans.Image.new("L", (400, 300), 255), "PNG"))


def test_scans_without_text_are_a_problem(tmp_path):
    with pytest.raises(PdfNoText, match="OCR finds none"):
        parse(tmp_path, "white.pdf", scans.pdf_of([scans.Image.new("L", (400, 300), 255)]))


def png_of(width: int, height: int) -> bytes:
    """Make a PNG file that claims a size, and has a few bytes of data."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    sums = (struct.pack(">I", zlib.crc32(name + data)) for name, data in parts)
    chunks = (struct.pack(">I", len(data)) + name + data + end for (name, data), end in zip(parts, sums, strict=True))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_picture_that_would_fill_the_memory_is_refused_by_its_size(tmp_path):
    with pytest.raises(DocumentError, match="60,000 x 60,000 pixels; at most 120,000,000"):
        parse(tmp_path, "bomb.png", png_of(60_000, 60_000))


def test_a_page_with_such_a_picture_is_named_and_the_others_are_read(tmp_path):
    bomb = scans.pdf_of([scans.drawn(LEAVE, scans.Look(dpi=100)), FERRY])
    width = scans.drawn(LEAVE, scans.Look(dpi=100)).width
    bomb = bomb.replace(b"/Width %d /Height " % width, b"/Width 900000 /Height ")
    text = parse(tmp_path, "bomb.pdf", bomb)
    assert "Margaret Rose" in text.text
    assert [warning.id for warning in text.warnings if hasattr(warning, "id")] == ["OCR_UNREAD"]
    assert "OCR cannot read page 1: a picture of 900,000 x" in " ".join(text.warnings)


@pytest.mark.parametrize("file", [b"\x89PNG\r\n", b"\xff\xd8\xff\0", b"II*\0\x08\0\0\0\xff\xff", png_of(300, 300)[:60]])
def test_a_damaged_picture_is_a_problem_that_says_so(file, tmp_path):
    with pytest.raises(DocumentError, match=r"cannot be read|OCR cannot read"):
        parse(tmp_path, "a.png", file)


def test_what_the_engine_prints_is_no_answer_and_it_starts_offline(tmp_path, capfd):
    image = scans.drawn(LEAVE, scans.Look(dpi=100)).crop((0, 0, 826, 160))
    with open(tmp_path / "a.png", "w+b") as file:
        file.write(scans.saved(image, "PNG"))
        file.flush()
        found = reading.scan("picture", file.fileno(), LIMITS)
    assert (list(found.pages), found.failed, found.error) == ([1], {}, "")
    assert capfd.readouterr() == ("", "")
