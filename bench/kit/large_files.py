"""Large files, the same on every machine: a log, a PDF, a spreadsheet and a mailbox, of as much as is asked for."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

_NAMES = "Ada Berg Callum Reid Priya Raman Norman Pell Rosalind Moe Jonas Felder Ines Duarte Tove Lind".split()
_THINGS = (
    "lamp pump valve ledger ferry crate orrery badge kettle sledge rudder printer mast hatch boiler winch"
    " ladder beacon cabin cable drum gauge hinge jetty".split()
)
_DEEDS = "checked mended counted painted moved sold borrowed oiled weighed photographed replaced labelled".split()
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_COLUMNS = ("Item", "Keeper", "Deed", "Pieces", "Price", "Remark")


def sentence(pick: random.Random, number: int) -> str:
    """Make a sentence that is in no other place."""
    name, other = pick.choice(_NAMES), pick.choice(_NAMES)
    deed, thing = pick.choice(_DEEDS), pick.choice(_THINGS)
    return f"{name} {deed} {thing} number {number} and told {other} about the {pick.choice(_THINGS)}."


def write_log(path: Path, size: int) -> None:
    """Write a log of so many bytes, with a line for each event."""
    pick = random.Random(1)
    with open(path, "w", encoding="ascii") as file:
        written = number = 0
        while written < size:
            number += 1
            day, second = divmod(number, 86_400)
            at = (
                f"2026-{1 + day // 28:02}-{1 + day % 28:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
            )
            level = pick.choice(("INFO", "INFO", "INFO", "DEBUG", "WARNING"))
            line = (
                f"{at}Z {level} harbour.{pick.choice(_THINGS)}: {sentence(pick, number)} took={pick.randrange(999)}ms\n"
            )
            file.write(line)
            written += len(line)


def write_pdf(path: Path, pages: int) -> None:
    """Write a PDF of so many pages of text."""
    pick = random.Random(2)
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(pages))
    parts = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {pages} /MediaBox [0 0 595 842] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number in range(pages):
        drawn = _drawn(pick, number + 1)
        used = f"/Contents {5 + 2 * number} 0 R /Resources << /Font << /F1 3 0 R >> >>"
        parts += [f"<< /Type /Page /Parent 2 0 R {used} >>", f"<< /Length {len(drawn)} >> stream\n{drawn}\nendstream"]
    path.write_bytes(_pdf_file(parts))


def _drawn(pick: random.Random, number: int) -> str:
    """Write what draws a page of thirty lines."""
    lines = [f"Chapter {number}", *(sentence(pick, 100 * number + line) for line in range(30))]
    return f"BT /F1 11 Tf 15 TL 62 770 Td {' '.join(f'({line}) Tj T*' for line in lines)} ET"


def _pdf_file(parts: Sequence[str]) -> bytes:
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{part}\nendobj\n".encode("ascii")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"trailer << /Size {len(parts) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return bytes(out) + f"xref\n0 {len(parts) + 1}\n0000000000 65535 f \n{table}{end}".encode("ascii")


def write_sheet(path: Path, rows: int) -> None:
    """Write a workbook with one sheet of so many rows and six columns."""
    parts = {
        "[Content_Types].xml": f"{_HEAD}<Types/>",
        "_rels/.rels": _relation("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="Stock" sheetId="1" r:id="a"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _relation("worksheet", "sheet1.xml"),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part)
        long = zipfile.ZipInfo("xl/sheet1.xml")
        long.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(long, "w") as sheet:
            sheet.write(f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            for row in _rows(rows):
                sheet.write(row.encode())
            sheet.write(b"</sheetData></worksheet>")


def _relation(kind: str, target: str) -> str:
    return f'{_HEAD}<Relationships><Relationship Id="a" Type="{_OFFICE}/{kind}" Target="{target}"/></Relationships>'


def _rows(count: int) -> Iterator[str]:
    pick = random.Random(3)
    yield f"<row>{''.join(map(_words, _COLUMNS))}</row>"
    for number in range(1, count + 1):
        words = (f"{pick.choice(_THINGS)} {number}", pick.choice(_NAMES), pick.choice(_DEEDS))
        numbers = (f"<c><v>{each}</v></c>" for each in (pick.randrange(500), pick.randrange(9999) / 100))
        yield f"<row>{''.join(map(_words, words))}{''.join(numbers)}{_words(sentence(pick, number))}</row>"


def _words(text: str) -> str:
    return f'<c t="inlineStr"><is><t>{text}</t></is></c>'


def write_mailbox(path: Path, messages: int) -> None:
    """Write a mailbox of so many messages."""
    pick = random.Random(4)
    with open(path, "w", encoding="ascii") as file:
        for number in range(1, messages + 1):
            day = f"{1 + number % 28} Mar 2025 {number % 24:02}:{number % 60:02}:00 +0000"
            text = "\n".join(sentence(pick, 10 * number + line) for line in range(8))
            file.write(
                f"From ada@example.org Sat Mar {1 + number % 28} {number % 24:02}:{number % 60:02}:00 2025\n"
                f"From: {pick.choice(_NAMES)} <ada@example.org>\nTo: Berg <berg@example.org>\nDate: Sat, {day}\n"
                f"Subject: The {pick.choice(_THINGS)} of day {number}\nMessage-ID: <{number}@example.org>\n"
                f"Content-Type: text/plain; charset=utf-8\n\n{text}\n\n"
            )
