"""How well PDFs are read: words apart, columns in order, seconds a page, for pypdf, pdfium and reatt.

    python -m bench.quality.pdfs [--work DIR] [--pages 20]

The PDFs are those of some Debian packages, which `apt-get download` fetches into the work folder; none is committed.
Columns are judged on pairs of lines of these files that follow each other in a column, and on pages made here whose
text is known.
"""

from __future__ import annotations

import argparse
import gzip
import io
import logging
import random
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pypdf
import pypdfium2  # type: ignore[import-untyped]

from reatt.parsers.pdf.child import read
from reatt.parsers.pdf.lines import join_cut_words, said_once

PACKAGES = (
    "developers-reference debian-reference-en maint-guide debmake-doc gnuplot-doc libmpfr-doc r-cran-zoo r-cran-lme4"
    " r-cran-mvtnorm r-cran-multcomp r-cran-coin r-cran-party r-cran-sandwich r-cran-lmtest r-cran-survival"
    " asymptote-doc dynare-doc gri-pdf-doc auctex pstoedit python-reportlab-doc hmmer-doc r-cran-vcd r-cran-pscl"
    " r-cran-flexmix bash-doc zsh-doc ddd-doc xfig-doc graphviz-doc"
).split()
SMALLEST = 60_000  # bytes; smaller ones are manual pages of a page or two
LONG = re.compile(r"[^\W\d_]{17,}")
WORD = re.compile(r"[^\W\d_]+")
# The end of a line in a column of these files, and the beginning of the next one.
FOLLOWING = {
    "tex-ref.pdf": [
        ("(starred versions", "are not available in all modes"), ("Run a command on the buffer", "C-c C-b"),
        ("may be toggled and", "are indicated in the mode line"), ("Find documentation", "C-c ?"),
    ],
    "asyRefCard.pdf": [
        ('import "filename" as name', "import filename as module name"), ("comparisons", "== != > >="),
        ("structure member operator", "name.member"), ("boolean (true or false)", "bool"),
    ],
}  # fmt: skip
PROSE = (
    "The harbour master keeps the tide tables of the town and opens the gate at seven. Stalls on the fish market cost"
    " thirty crowns a day, and the fee is paid to the clerk at the weigh house. Boats longer than nine metres pay"
    " twice and need a pilot from the outer buoy to the inner mole at night. The mole was rebuilt after the storm."
).split()
Engine = Callable[[bytes, int], list[str]]


def with_pypdf(data: bytes, pages: int) -> list[str]:
    """Read as pypdf does."""
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages[:pages]]


def with_pdfium(data: bytes, pages: int) -> list[str]:
    """Read as pdfium does, in the order of its own."""
    document = pypdfium2.PdfDocument(data)
    return [document[at].get_textpage().get_text_range() for at in range(min(pages, len(document)))]


def with_reatt(data: bytes, pages: int) -> list[str]:
    """Read as an ingest does."""
    found: list[str] = []
    for message in read(io.BytesIO(data), [""]):
        if "page" in message:
            found.append(message.get("text", ""))
        if len(found) == pages:
            break
    return said_once(join_cut_words(found))


ENGINES: dict[str, Engine] = {"pypdf": with_pypdf, "pdfium": with_pdfium, "reatt": with_reatt}


def fetched(work: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the PDFs of the packages, each once."""
    work.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        if not list(work.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "download", "-qq", package], cwd=work, check=False, stderr=subprocess.DEVNULL)
        for file in work.glob(f"{package}_*.deb"):
            subprocess.run(["dpkg", "-x", file, work / package], check=True)
    seen = set()
    for path in sorted(work.glob("*/usr/**/*.pdf*")):
        if path.is_symlink() or path.stat().st_size < SMALLEST or path.name in seen:
            continue
        seen.add(path.name)
        data = path.read_bytes()
        yield path.name.removesuffix(".gz"), gzip.decompress(data) if path.suffix == ".gz" else data


def made(draw: random.Random) -> tuple[bytes, list[str]]:
    """Make a page of two or three columns; return it and its words in order."""
    columns, gutter, shown, words = draw.choice((2, 2, 3)), draw.uniform(12, 30), [], list[str]()
    width = (500 - gutter * (columns - 1)) / columns
    for column in range(columns):
        left, top = 50 + column * (width + gutter), 720 - draw.choice((0, 0, 4, 17))
        start, count = draw.randrange(len(PROSE)), round(width / 30)
        for line in range(draw.randrange(8, 30)):
            some = [PROSE[(start + line * count + at) % len(PROSE)] for at in range(count)]
            words += some
            shown.append((" ".join(some), left, top - 12 * line))
    draw.shuffle(shown) if draw.random() < 0.5 else shown.sort(key=lambda row: -row[2])
    text = " ".join(f"BT /F1 8 Tf {x:.1f} {y:.1f} Td ({line}) Tj ET" for line, x, y in shown)
    return page(text.encode()), words


def page(stream: bytes) -> bytes:
    """Write a PDF of one page."""
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    return (
        b"%PDF-1.4\n"
        + b"".join(b"%d 0 obj\n%s\nendobj\n" % row for row in enumerate(bodies, 1))
        + (b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n0\n%%EOF\n")
    )


def follows(text: str, pair: tuple[str, str]) -> bool:
    """Return whether two lines stand one right after the other."""
    flat = " ".join(text.split())
    at = flat.find(pair[0])
    return at >= 0 and flat[at + len(pair[0]) :].lstrip(" .").startswith(pair[1])


def figures(engine: Engine, files: Sequence[tuple[str, bytes]], pages: int) -> str:
    """Measure one engine."""
    long = words = read_pages = right = judged = failed = 0
    started = time.process_time()
    for name, data in files:
        try:
            found = engine(data, pages)
        except Exception:  # whatever a parser raises
            failed += 1
            continue
        read_pages += len(found)
        text = "\n".join(found)
        words, long = words + len(WORD.findall(text)), long + len(LONG.findall(text))
        for pair in FOLLOWING.get(name, ()):
            judged, right = judged + 1, right + follows(text, pair)
    spent = time.process_time() - started
    rows = [made(random.Random(seed)) for seed in range(40)]
    whole = sum("".join(engine(data, 1)).split() == told for data, told in rows)
    return (
        f"{10_000 * long / words:6.1f} | {right}/{judged} | {whole}/{len(rows)} | {spent / read_pages:.3f}"
        f" | {read_pages:,} | {failed}"
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, default=Path(".work/pdfs"))
    parser.add_argument("--pages", type=int, default=20)
    given = parser.parse_args()
    logging.disable()  # pypdf complains of every file
    files = list(fetched(given.work))
    print(f"{len(files)} PDFs, at most {given.pages} pages of each\n")
    print("| engine | words of 17 letters or more, of 10,000 | pairs of lines | pages made | s/page | pages | failed |")
    print("|---|---|---|---|---|---|---|")
    for name, engine in ENGINES.items():
        print(f"| {name} | {figures(engine, files, given.pages)} |", flush=True)


if __name__ == "__main__":
    main()
