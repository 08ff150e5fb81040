"""Write documents/observatory/telescope.pdf, the manual of a telescope that does not exist, from telescope.txt.

A PDF by hand, without a library, so that the example stays small and its text can be changed: objects, a table of their
offsets, a trailer. A form feed in the text begins a page. Nothing is compressed: the same text gives the same bytes.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

SOURCE = Path(__file__).parent / "telescope.txt"
TARGET = Path(__file__).parent / "documents" / "observatory" / "telescope.pdf"
TITLE = "Corvus 150: owner's manual"
LINE_CHARACTERS = 88


def lines_of(page: str) -> list[str]:
    """Wrap a page's paragraphs; headings keep their mark and empty lines stand between paragraphs."""
    lines: list[str] = []
    for paragraph in page.strip().split("\n\n"):
        lines += [*textwrap.wrap(paragraph, LINE_CHARACTERS), ""]
    return lines


def drawing(page: str, number: int) -> bytes:
    """Turn a page into PDF's drawing commands: a font, a position, then line after line."""
    commands = ["BT", "15 TL", "60 770 Td"]
    for line in lines_of(page):
        heading = line.startswith("# ")
        escaped = line.removeprefix("# ").replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        commands += ["/F2 13 Tf" if heading else "/F1 11 Tf", f"({escaped}) Tj", "T*"]
    commands += ["ET", "BT", "/F1 9 Tf", "290 40 Td", f"({number}) Tj", "ET"]
    return "\n".join(commands).encode("cp1252")


def document(pages: list[str]) -> bytes:
    """Put the objects together: catalogue, page tree, two fonts, description, then two objects for each page."""
    first_page = 6
    kids = " ".join(f"{first_page + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
        f"<< /Title ({TITLE}) >>".encode(),
    ]
    for i, page in enumerate(pages):
        stream = drawing(page, i + 1)
        fonts = "/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >>"
        contents = f"/Contents {first_page + 2 * i + 1} 0 R"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] {fonts} {contents} >>".encode(),
            f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream",
        ]
    return assembled(objects)


def assembled(objects: list[bytes]) -> bytes:
    """Number the objects and add the table of their offsets, which readers jump to from the end of the file."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(out)


if __name__ == "__main__":
    TARGET.write_bytes(document(SOURCE.read_text(encoding="utf-8").split("\f")))
