"""Pages that look scanned, made from known text: three fonts, two resolutions, skewed, with grain and JPEG's blocks.

pdfium draws them with the fonts that it brings, so every machine makes the same pages.
"""

from __future__ import annotations

import io
import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

DOCUMENTS = Path(__file__).resolve().parents[2] / "examples" / "documents"
SOURCES = (
    "club/ferry.md", "handbook/leave.md", "handbook/security.md", "handbook/travel.md", "allotment-minutes.md",
    "kitchen-rye-bread.txt", "observatory/museum.jsonl",
)  # fmt: skip
FONTS = ("Helvetica", "Times-Roman", "Courier")
RESOLUTIONS = (150, 200)  # dots per inch
SKEW = 2.0  # degrees
COUNT = 20
_COLUMNS = 72  # characters of a line
_A4 = (595, 842)  # points
_GRAIN = 12  # standard deviation of the brightness, of 255
_QUALITY = 75  # of JPEG


@dataclass(frozen=True)
class Look:
    """How a page is set and scanned."""

    font: str = "Helvetica"
    dpi: int = 200
    skew: float = SKEW
    size: float = 11  # points

    @property
    def name(self) -> str:
        """What it is called in a table."""
        return f"{self.font}, {self.dpi} dpi"


LOOKS = tuple(Look(font, dpi) for dpi in RESOLUTIONS for font in FONTS)


def texts(count: int = COUNT) -> list[str]:
    """Return the example documents, without their marks, as pages of about equal length, in lines."""
    paragraphs = [paragraph for source in SOURCES for paragraph in _paragraphs(DOCUMENTS / source)]
    total, pages, sofar = sum(map(len, paragraphs)), [list[str]() for _ in range(count)], 0
    for paragraph in paragraphs:
        pages[min(count - 1, sofar * count // total)].append(textwrap.fill(paragraph, _COLUMNS))
        sofar += len(paragraph)
    return ["\n\n".join(page) for page in pages]


def _paragraphs(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        text = "\n\n".join("{title}. {text}".format(**json.loads(line)) for line in text.splitlines())
    plain = re.sub(r"[*_`]|^[#>|-]+ *", "", text, flags=re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n|\n(?=\d+\. )", plain):
        if "|" not in paragraph and paragraph.strip():
            yield " ".join(paragraph.encode("cp1252", "replace").decode("cp1252").split())


def scanned(text: str, look: Look, seed: int = 0) -> Image.Image:
    """Set a text on an A4 page and scan it: grey, skewed, with grain."""
    image = drawn(text, look).rotate(look.skew, resample=Image.Resampling.BICUBIC, fillcolor=255)
    grain = np.random.default_rng(seed).normal(0, _GRAIN, image.size[::-1])
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def drawn(text: str, look: Look) -> Image.Image:
    """Draw a text on an A4 page."""
    import pypdfium2  # type: ignore[import-untyped]

    page: Any = pypdfium2.PdfDocument(_pdf([_set(text, look)], look.font.encode()))[0]
    image: Image.Image = page.render(scale=look.dpi / 72).to_pil()
    return image.convert("L")


def _set(text: str, look: Look) -> bytes:
    lines = [re.sub(rb"([\\()])", rb"\\\1", line.encode("cp1252", "replace")) for line in text.split("\n")]
    start = b"BT /F1 %g Tf %g TL 62 770 Td\n" % (look.size, look.size * 1.35)
    return start + b"".join(b"(%s) Tj T*\n" % line for line in lines) + b"ET"


def pdf_of(images: Sequence[Image.Image | str]) -> bytes:
    """Make a PDF of scans, one on each page; a text in place of a scan gives a page with a text layer."""
    return _pdf([each if isinstance(each, Image.Image) else _set(each, Look()) for each in images], b"Helvetica")


def _pdf(pages: Sequence[Image.Image | bytes], font: bytes) -> bytes:
    width, height = _A4
    kids = b" ".join(b"%d 0 R" % (4 + 3 * number) for number in range(len(pages)))
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d /MediaBox [0 0 %d %d] >>" % (kids, len(pages), width, height),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>" % font,
    ]
    for number, page in enumerate(pages):
        content = page if isinstance(page, bytes) else b"q %d 0 0 %d 0 0 cm /Im Do Q" % (width, height)
        parts += [
            b"<< /Type /Page /Parent 2 0 R /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> "
            b"/XObject << /Im %d 0 R >> >> >>" % (5 + 3 * number, 6 + 3 * number),
            b"<< /Length %d >> stream\n%s\nendstream" % (len(content), content),
            b"null" if isinstance(page, bytes) else _image(page),
        ]
    return _file(parts)


def _image(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY)
    head = (
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8"
        % image.size
    )
    return head + b" /Filter /DCTDecode /Length %d >> stream\n%s\nendstream" % (out.tell(), out.getvalue())


def _file(parts: Sequence[bytes]) -> bytes:
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, len(out))
    return bytes(out + b"xref\n0 %d\n0000000000 65535 f \n%s%s" % (len(parts) + 1, table, end))


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    """Return an image as the bytes of a file."""
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()
