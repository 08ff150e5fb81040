"""The corpus of files: one of every sort that is read, and what attackers, disks and programs make of them.

All are made here. `sample` is one that has to be read: its citation stands in the text that comes out, on the page and
under the heading that are named. `hostile` is one that has to be refused, by the error that is named.
"""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from dataclasses import dataclass

CITED = "Parental leave is 49 weeks at full pay."
FILLER = "The garden has a fence and two plots. " * 30
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
A = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    ' xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
)
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
R = f'xmlns:r="{OFFICE}"'
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'


@dataclass(frozen=True)
class Sample:
    """A file, and what reading it must give."""

    name: str
    data: bytes
    kind: str = ""
    page: int | None = None
    heading: str | None = None
    cited: str = CITED
    error: str = ""


def zipped(parts, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, part in parts.items():
            stored = name == "mimetype"  # as EPUB demands
            archive.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_STORED if stored else method)
    return out.getvalue()


def tarred(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def relations(**targets):
    rows = "".join(
        f'<Relationship Id="{id}" Type="{OFFICE}/{what}" Target="{target}"/>' for id, (what, target) in targets.items()
    )
    return f"{HEAD}<Relationships>{rows}</Relationships>"


def paragraph(text, style=""):
    named = f'<w:pPr><w:tabs><w:tab w:val="left"/></w:tabs><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    half = len(text) // 2
    return "<w:p>{}{}</w:p>".format(named, "".join(f"<w:r><w:t>{t}</w:t></w:r>" for t in (text[:half], text[half:])))


def docx(body, head=HEAD, **more):
    styles = f'<w:styles {W}><w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style></w:styles>'
    parts = {
        "[Content_Types].xml": f"{HEAD}<Types/>",
        "_rels/.rels": relations(a=("officeDocument", "word/document.xml"), b=("core-properties", "docProps/core.xml")),
        "docProps/core.xml": f'{HEAD}<c xmlns:dc="d"><dc:title>Staff handbook</dc:title></c>',
        "word/_rels/document.xml.rels": relations(a=("styles", "styles.xml"), b=("footnotes", "footnotes.xml")),
        "word/styles.xml": styles,
        "word/document.xml": f"{head}<w:document {W}><w:body>{body}</w:body></w:document>",
    }
    return zipped({**parts, **{name.replace("__", "/") + ".xml": part for name, part in more.items()}})


def shape(text, type="body"):
    return (
        f'<p:sp><p:nvSpPr><p:nvPr><p:ph type="{type}"/></p:nvPr></p:nvSpPr>'
        f"<p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
    )


def pptx(*slides, notes=""):
    ids = "".join(f'<p:sldId id="{256 + n}" r:id="rId{n}"/>' for n in range(len(slides)))
    parts = {
        "_rels/.rels": relations(a=("officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": f"{HEAD}<p:p {A} {R}><p:sldIdLst>{ids}</p:sldIdLst></p:p>",
        "ppt/_rels/presentation.xml.rels": relations(
            **{f"rId{n}": ("slide", f"slides/{n}.xml") for n in range(len(slides))}
        ),
    }
    parts |= {f"ppt/slides/{n}.xml": f"{HEAD}<p:sld {A}>{slide}</p:sld>" for n, slide in enumerate(slides)}
    if notes:
        parts["ppt/slides/_rels/1.xml.rels"] = relations(a=("notesSlide", "../notes/n.xml"))
        parts["ppt/notes/n.xml"] = f"{HEAD}<p:n {A}>{shape(notes)}</p:n>"
    return zipped(parts)


def xlsx(rows, strings=(CITED,), missing=False):
    parts = {
        "_rels/.rels": relations(a=("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'{HEAD}<w {R}><sheets><sheet name="Empty" sheetId="1" r:id="s1"/>'
        '<sheet name="Leave" sheetId="2" r:id="s2"/></sheets></w>',
        "xl/_rels/workbook.xml.rels": relations(
            s1=("worksheet", "s1.xml"),
            s2=("worksheet", "/xl/s2.xml"),
            a=("sharedStrings", "ss.xml"),
            b=("styles", "st.xml"),
        ),
        "xl/ss.xml": f"{HEAD}<sst>{''.join(f'<si><r><t>{t}</t></r><rPh><t>x</t></rPh></si>' for t in strings)}</sst>",
        "xl/st.xml": f'{HEAD}<s><numFmts><numFmt numFmtId="170" formatCode="dd/mm/yy"/></numFmts><cellXfs>'
        '<xf numFmtId="0"/><xf numFmtId="170"/><xf numFmtId="14"/></cellXfs></s>',
        "xl/s1.xml": f"{HEAD}<s><sheetData/></s>",
        "xl/s2.xml": f"{HEAD}<s><sheetData>{rows}</sheetData></s>",
    }
    return zipped({name: part for name, part in parts.items() if not (missing and name == "xl/s2.xml")})


def rows(*lines):
    cells = [[f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in line] for line in lines]
    return "".join(f"<row>{''.join(line)}</row>" for line in cells)


def epub(*chapters, extra=None, spine=None):
    items = "".join(
        f'<item id="c{n}" href="t%20{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters))
    )
    order = "".join(f'<itemref idref="c{n}"/>' for n in (range(len(chapters)) if spine is None else spine))
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": f'{HEAD}<c><rootfiles><rootfile full-path="OEBPS/a.opf"/></rootfiles></c>',
            "OEBPS/a.opf": f'{HEAD}<package xmlns:dc="d"><dc:title>Handbook</dc:title><manifest>{items}</manifest>'
            f"<spine>{order}</spine></package>",
            **{f"OEBPS/t {n}.xhtml": chapter for n, chapter in enumerate(chapters)},
            **(extra or {}),
        }
    )


OPEN = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
    ' xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:xlink="x" xmlns:dc="d" xmlns:style="s"'
)


def opendocument(kind, body, styles="", **more):
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": f"{HEAD}<office:document-content {OPEN}>{body}</office:document-content>",
            "styles.xml": f"{HEAD}<office:document-styles {OPEN}>{styles}</office:document-styles>",
            "meta.xml": f"{HEAD}<office:m {OPEN}><dc:title>Staff handbook</dc:title></office:m>",
            **more,
        }
    )


def mail(*parts, head="Subject: Leave\nFrom: Ada <ada@example.org>\n"):
    if len(parts) == 1:
        return f"{head}{parts[0]}".encode()
    body = "".join(f"--b\n{part}\n" for part in parts)
    return f"{head}MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n{body}--b--\n".encode()


def notebook(*cells, **more):
    return json.dumps({"nbformat": 4, "cells": list(cells), **more}).encode()


def cell(source, kind="markdown", **more):
    return {"cell_type": kind, "source": source, **more}


def pdf(*pages):
    """Write a PDF without a table of its objects; parsers look for them."""
    kids = " ".join(f"{10 + 2 * n} 0 R" for n in range(len(pages)))
    out = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    out += f"2 0 obj<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>endobj\n"
    out += "3 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
    for n, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        contents = f"/Contents {11 + 2 * n} 0 R/Resources<</Font<</F1 3 0 R>>>>"
        out += f"{10 + 2 * n} 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]{contents}>>endobj\n"
        out += f"{11 + 2 * n} 0 obj<</Length {len(stream)}>>stream\n{stream}\nendstream endobj\n"
    return (out + "trailer<</Root 1 0 R/Size 99>>\nstartxref\n0\n%%EOF\n").encode()


def rtf(body, end="}"):
    head = (
        r"{\rtf1\ansi\ansicpg1252\uc1{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 A;}{\f2\fcharset128 M;}}"
        r"{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 \'dcberschrift;}{\*\cs9 Letters;}}{\header \pard Page \chpgn\par}"
        r"{\info{\title Staff handbook}{\author Ada}}{\*\generator Riched20}{\colortbl;\red0\green0\blue0;}"
    )
    return (head + body.replace("CITED", CITED).replace("FILLER", FILLER) + end).encode("latin-1")


HTML = f"<html><body><h1>Rules</h1><p>{FILLER}</p><h2>Leave</h2><p>{CITED}</p><p>{FILLER}</p></body></html>"
RST = f"=====\nRules\n=====\n\n{FILLER}\n\nLeave\n-----\n{CITED}\n\n{FILLER}\n"
MD = f"# Rules\n\n{FILLER}\n\n## Leave\n{CITED}\n\n{FILLER}\n"
CSV = "name,rule,note\n" + "".join(f"Ada {n},the rule,x\n" for n in range(90)) + f"leave,{CITED},y\n"
ADOC = f"= Rules\nAda Pell\n\n{FILLER}\n\n----\n== no\n----\n\n== Leave\n{CITED}\n\n=== Travel\n{FILLER}\n"
ORG = f"#+TITLE: Rules\n\n{FILLER}\n\n* TODO Leave :hr:norway:\n{CITED}\n\n** Travel\n{FILLER}\n"
TABLE = "<w:tbl><w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr></w:tbl>"
BODY = paragraph("Leave", "berschrift1") + paragraph(CITED) + paragraph(FILLER)
DOCX = docx(paragraph("Rules", "berschrift1") + paragraph(FILLER) + BODY)
RTF = rtf(r"\pard FILLER\par\pard\s1 Leave\par\pard CITED\par FILLER\par")
XLSX = xlsx(rows(("name", "rule"), *[("Ada", FILLER[:60])] * 40) + '<row><c t="s"><v>0</v></c></row>')
EPUB = epub(HTML.replace(CITED, "no").replace("Leave", "Travel"), HTML)
PPTX = pptx(shape("Rules", "title") + shape(FILLER), shape("Leave", "ctrTitle") + shape(CITED), notes="Smile.")
ODT = opendocument(
    "text", f"<text:h>Rules</text:h><text:p>{FILLER}</text:p><text:h>Leave</text:h><text:p>{CITED}</text:p>"
)
SLIDE = "<draw:page><draw:frame><text:p>{}</text:p></draw:frame></draw:page>"
ODP = opendocument("presentation", SLIDE.format(FILLER) + SLIDE.format(CITED))
CELL = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
ODS = opendocument(
    "spreadsheet",
    '<table:table table:name="Leave">'
    + "".join(
        f"<table:table-row>{CELL.format(name)}{CELL.format(rule)}</table:table-row>"
        for name, rule in (("name", "rule"), ("Ada", CITED))
    )
    + "</table:table>",
)
MAIL = mail(f"Content-Type: text/plain; charset=utf-8\n\n{FILLER}\n\n{CITED}\n")
NOTEBOOK = notebook(cell("# Rules\n" + FILLER), cell(["\n\n## Leave\r\n", CITED]), cell("x = 1", "code"))
PDF = pdf(FILLER[:70], CITED, FILLER[:70])

CHAT = "".join(json.dumps({"user": "ravi", "ts": 1714564800 + n, "message": said}) + "\n" for n, said in
               enumerate((CITED, FILLER)))  # fmt: skip
SRT = f"1\r\n00:00:01,000 --> 00:00:03,000\r\n{FILLER}\r\n\r\n2\r\n00:09:01,000 --> 00:09:03,000\r\n" + "\r\n".join(
    (CITED[:17], CITED[18:], "")
)
VTT = f"WEBVTT\n\nNOTE x\n\n00:00.000 --> 00:01.000\n<v Ada>{FILLER}\n\n1:00:00.000 --> 1:00:01.000\n<i>{CITED}</i>\n"
EVENT = (
    f"BEGIN:VEVENT\r\nSUMMARY:Leave\r\nDTSTART:20240501\r\nDESCRIPTION:{CITED[:9]}\r\n {CITED[9:]}\r\nEND:VEVENT\r\n"
)
ICS = f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Rules\r\nDESCRIPTION:{FILLER}\r\nEND:VEVENT\r\n"
ICS += f"{EVENT}END:VCALENDAR\r\n"
VCF = f"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Leave\r\nNOTE:{CITED}\r\nEND:VCARD\r\n"
OLD_VCF = VCF.replace("NOTE:", "NOTE;ENCODING=QUOTED-PRINTABLE:").replace("49", "=34=\r\n=39")
TEX = r"\documentclass{article}\title{Rules}\begin{document}\maketitle " + FILLER + "\n\\section{Leave} % here\n"
TEX += CITED.replace("weeks", r"\emph{weeks}") + "\n\n" + FILLER + r"\end{document}"
BIB = f"@book{{a, title={{Rules}}, note={{{FILLER}}}}}\n@misc{{b, title={{Leave}}, abstract={{{CITED}}}}}\n"
MAN = f".TH RULES 7\n.SH RULES\n{FILLER}\n.SH LEAVE\nParental leave\n.B is\n49 \\fIweeks\\fR at full pay.\n"
MAN += f".PP\n{FILLER}\n"
MDOC = f".Dd May 1, 2024\n.Dt RULES 7\n.Sh RULES\n{FILLER}\n.Sh LEAVE\n{CITED}\n.Pp\n{FILLER}\n"
SAMPLES = [
    Sample("plain.txt", f"{FILLER}\n\n{CITED}".encode(), "text"),
    Sample("bom.txt", f"{FILLER}\n\n{CITED}".encode("utf-8-sig"), "text"),
    Sample("utf16.txt", f"{FILLER}\n\n{CITED}".encode("utf-16"), "text"),
    Sample("utf16le-unmarked.txt", f"{FILLER}\n\n{CITED}".encode("utf-16-le"), "text"),
    Sample("utf32.txt", f"{FILLER}\n\n{CITED}".encode("utf-32"), "text"),
    Sample("cp1252.txt", f"café – {CITED}".encode("cp1252"), "text", cited=f"café – {CITED}"),
    Sample("koi8.txt", ("Отпуск длится сорок девять недель. " * 20).encode("koi8-r"), "text", cited="сорок девять"),
    Sample("sjis.txt", ("育児休暇は四十九週間です。" * 20).encode("shift-jis"), "text", cited="四十九週間"),
    Sample("crlf.md", MD.replace("\n", "\r\n").encode(), "markdown", heading="Leave"),
    Sample("rules.md", MD.encode(), "markdown", heading="Leave"),
    Sample("rules.rst", RST.encode(), "rst", heading="Leave"),
    Sample("crlf.rst", RST.replace("\n", "\r\n").encode(), "rst", heading="Leave"),
    Sample("rules.adoc", ADOC.encode(), "asciidoc", heading="Leave"),
    Sample("crlf.asciidoc", ADOC.replace("\n", "\r\n").encode(), "asciidoc", heading="Leave"),
    Sample("rules.org", ORG.encode(), "org", heading="Leave"),
    Sample("crlf.org", ORG.replace("\n", "\r\n").encode(), "org", heading="Leave"),
    Sample("name.txt", b"N\bNA\bA_\bM_\bE\n  " + CITED.encode(), "terminal", cited="NAME\n  Parental"),
    Sample("colours.log", f"\x1b[1;31mERROR\x1b[0m {CITED}".encode(), "terminal", cited=f"ERROR {CITED}"),
    Sample("crash.log", f"{FILLER}\n".encode() + bytes(500) + CITED.encode(), "text"),
    Sample("chat.jsonl", CHAT.encode(), "record"),
    Sample("chat.ndjson.gz", gzip.compress(CHAT.encode()), "record"),
    Sample("log.jsonl", json.dumps({"level": "info", "msg": CITED}).encode(), "record"),
    Sample("talk.srt", SRT.encode(), "subtitles", heading="0:09:01"),
    Sample("latin.srt", (SRT.replace("\r", "") + "élan").encode("cp1252"), "subtitles", heading="0:09:01"),
    Sample("talk.vtt", VTT.encode("utf-8-sig"), "subtitles", heading="1:00:00"),
    Sample("unnamed-talk", VTT.encode(), "subtitles", heading="1:00:00"),
    Sample("rules.ics", ICS.encode(), "calendar", heading="Leave"),
    Sample("event.ics", f"BEGIN:VCALENDAR\r\n{EVENT}".encode(), "calendar", heading="Leave"),
    Sample("invitation", ICS.replace("\r", "").encode("utf-8-sig"), "calendar", heading="Leave"),
    Sample("ada.vcf", VCF.encode(), "contacts", heading="Leave"),
    Sample("old.vcf", OLD_VCF.replace("4.0", "2.1").encode(), "contacts", heading="Leave"),
    Sample("all.vcard", (VCF * 3).replace("\r", "").encode("utf-16"), "contacts", heading="Leave"),
    Sample("rules.tex", TEX.encode(), "latex", heading="Leave"),
    Sample("latin.tex", TEX.replace("% here", "é").encode("cp1252"), "latex", heading="Leave"),
    Sample("unnamed-tex", TEX.replace("\n", "\r\n").encode(), "latex", heading="Leave"),
    Sample("rules.bib", BIB.encode(), "bibtex"),
    Sample("short.bib", f'@string{{x = "{CITED}"}} @misc(a, note = x)'.encode(), "bibtex"),
    Sample("rules.7", MAN.encode(), "man", heading="LEAVE"),
    Sample("rules.7.gz", gzip.compress(MAN.encode()), "man", heading="LEAVE"),
    Sample("rules.mdoc", MDOC.encode(), "man", heading="LEAVE"),
    Sample("columns.tsv", CSV.replace(",", "\t").encode(), "csv", heading="name, rule, note"),
    Sample("page.xhtml", f'{HEAD}<html xmlns="http://www.w3.org/1999/xhtml"><head><script/></head>{HTML[6:]}'.encode(),
           "html", heading="Leave"),
    Sample("prices.html", f"<h1>Leave</h1><table><tr><td>a<td>b<tr><td><td>{CITED}</table>".encode(), "html",
           heading="Leave", cited=f"\t{CITED}"),
    Sample("inbox.mbox", b"From a@b Wed May  1 10:00:00 2024\n" + MAIL, "mail"),
    Sample("page.mhtml", mail("Content-Type: text/html\n\n<p>x</p>", f"Content-Type: text/html\n\n{HTML}"), "mail",
           heading="Leave"),
    Sample("ada.emlx", str(len(MAIL)).encode() + b"\n" + MAIL + b"<plist/>", "mail"),
    Sample("handbook.tar.xz", lzma.compress(tarred({"rules.tex": TEX.encode()})), "latex", heading="Leave"),
    Sample("talks.zip", zipped({"a/talk.srt": SRT}), "subtitles", heading="0:09:01"),
    Sample("dates.ics.bz2", bz2.compress(ICS.encode()), "calendar", heading="Leave"),
    Sample("main.rs", f"// {CITED}\nfn main() {{}}\n".encode(), "code", cited=f"// {CITED}"),
    Sample("settings.toml", f'rule = "{CITED}"\n'.encode(), "code"),
    Sample("rules.ndjson", CHAT.replace("message", "text").encode(), "record"),
    Sample("rules.txt.gz", gzip.compress(f"{FILLER}\n\n{CITED}".encode()), "text"),
    Sample("rules.md.xz", lzma.compress(MD.encode()), "markdown", heading="Leave"),
    Sample("rules.pdf.bz2", bz2.compress(PDF), "pdf", page=2),
    Sample("handbook.zip", zipped({"rules/rules.docx": DOCX}), "docx", heading="Leave"),
    Sample("handbook.tar.gz", gzip.compress(tarred({"rules.pdf": PDF})), "pdf", page=2),
    Sample("rules.py", f"def f():\n    return {CITED!r}\n".encode(), "code"),
    Sample("rules.html", HTML.encode(), "html", heading="Leave"),
    Sample("large.html", HTML.encode() + b" " * 70_000, "html", heading="Leave"),
    Sample("page", HTML.encode(), "html", heading="Leave"),
    Sample("latin.xhtml", f'<?xml version="1.0" encoding="iso-8859-2"?><p>łąka {CITED}</p>'.encode("iso-8859-2"),
           "html", cited="łąka"),
    Sample("rules.csv", CSV.encode(), "csv", heading="name, rule, note"),
    Sample("leave.tsv", CSV.replace(",", "\t").encode("utf-16"), "csv", heading="name, rule, note"),
    Sample("numbers.csv", f"1,2\n3,{CITED}\n".encode(), "csv"),
    Sample("records.jsonl", json.dumps({"_id": "a", "text": CITED}).encode(), "record"),
    Sample("records.jsonl.gz", gzip.compress(json.dumps({"_id": "a", "text": CITED}).encode()), "record"),
    Sample("rules.pdf", PDF, "pdf", page=2),
    Sample("no-name", PDF, "pdf", page=2),
    Sample("rules.docx", DOCX, "docx", heading="Leave"),
    Sample("renamed.txt", DOCX, "docx", heading="Leave"),
    Sample("table.docx", docx(TABLE.format(paragraph("Leave"), paragraph(CITED))), "docx", cited=f"Leave\t{CITED}"),
    Sample("notes.docx", docx(BODY, word__footnotes=f"<w:f {W}>{paragraph('See the law.')}</w:f>"),
           "docx", cited="See the law."),
    Sample("box.docx", docx(f"<w:p><w:r><w:t>Out</w:t>{paragraph(CITED)}</w:r></w:p>"), "docx"),
    Sample(
        "level.docx",
        docx(
            paragraph(FILLER)
            + f'<w:p><w:pPr><w:outlineLvl w:val="1"/></w:pPr><w:r><w:t>Leave</w:t></w:r></w:p>{paragraph(CITED)}'
        ),
        "docx",
        heading="Leave",
    ),
    Sample("rules.pptx", PPTX, "pptx", page=2, heading="Leave"),
    Sample("spoken.pptx", PPTX, "pptx", page=2, cited="Smile."),
    Sample("rules.xlsx", XLSX, "xlsx", page=2, heading="Leave: name, rule"),
    Sample("dates.xlsx", xlsx('<row><c s="1"><v>45306</v></c><c s="2"><v>45306.5</v></c><c><v>45306</v></c></row>'),
           "xlsx", page=2, cited="2024-01-15\t2024-01-15 12:00\t45306"),
    Sample("kinds.xlsx", xlsx('<row><c t="b"><v>1</v></c><c t="str"><v>sum</v></c><c s="1"><v>1e300</v></c></row>'),
           "xlsx", page=2, cited="TRUE\tsum\t1e300"),
    Sample("rules.odt", ODT, "odt", heading="Leave"),
    Sample("unnamed-text", ODT, "odt", heading="Leave"),
    Sample("rules.odp", ODP, "odp", page=2),
    Sample("rules.ods", ODS, "ods", page=1, heading="Leave: name, rule"),
    Sample("rules.rtf", RTF, "rtf", heading="Leave"),
    Sample("letter.doc", RTF, "rtf", heading="Leave"),
    Sample("long.rtf", RTF.replace(b"\\pard", b"{\\pict " + b"00" * 40_000 + b"}\\pard", 1), "rtf", heading="Leave"),
    Sample("signs.rtf", rtf(r"caf\'e9 \u8211\'96 \{49\} weeks\~long\par"), "rtf", cited="café – {49} weeks\u00a0long"),
    Sample("faces.rtf", rtf(r"{\uc2\u-10179 ab\u-8704 cd} full pay\par"), "rtf", cited="\U0001f600 full pay"),
    Sample("cyrillic.rtf", rtf(r"{\f1 \'ce\'f2\'ef\'f3\'f1\'ea} leave\par"), "rtf", cited="Отпуск leave"),
    Sample("kanji.rtf", rtf(r"{\f2 \'8fT\'8a\'d4} weeks\par"), "rtf", cited="週間 weeks"),
    Sample("table.rtf", rtf(r"\trowd\intbl Leave\cell CITED\cell\row\pard Then\par"), "rtf", cited=f"Leave\t{CITED}"),
    Sample("notes.rtf", rtf(r"Leave{\super\chftn}{\footnote CITED} is.\par"), "rtf", cited=f"[1] is.\n\n[1] {CITED}"),
    Sample("box.rtf", rtf(r"{\shp{\*\shpinst\shpleft0{\shptxt CITED\par}}}Out\par"), "rtf"),
    Sample("link.rtf", rtf(r"{\v no}{\field{\*\fldinst no}{\fldrslt CITED}}\bin3 }}} x"), "rtf", cited=f"{CITED} x"),
    Sample("cut.rtf", rtf(r"CITED\par {\b and", end=""), "rtf"),
    Sample("rules.epub", EPUB, "epub", heading="Leave"),
    Sample("unnamed.bin", EPUB, "epub", heading="Leave"),
    Sample("gaps.epub", epub(HTML, spine=(0, 0, 7)), "epub", heading="Leave"),
    Sample("rules.eml", MAIL, "mail"),
    Sample("subject.eml", mail(f"Content-Type: text/plain\n\n{CITED}", head="Subject: =?utf-8?b?w4TDtg==?=\n"),
           "mail", cited="Subject: Äö"),
    Sample("raw.eml", "Subject: Müße\n\nx".encode(), "mail", cited="Subject: Müße"),
    Sample("charset.eml", "Subject: =?¼tf-8?q?Leave?=\n\nx".encode(), "mail", cited="=?¼tf-8?q?Leave?="),
    Sample("both.eml", mail(f"Content-Type: text/plain\n\n{CITED}\n", "Content-Type: text/html\n\n<p>no</p>"), "mail"),
    Sample("web.eml", mail(f"Content-Type: text/html\n\n{HTML}"), "mail", heading="Leave"),
    Sample("iso2022.eml", b"Content-Type: text/plain; charset=iso-2022-jp\n\n" + "四十九週間".encode("iso-2022-jp"),
           "mail", cited="四十九週間"),
    Sample("attached.eml", mail("Content-Type: text/plain\n\nx\n", 'Content-Type: a/pdf; name="a.pdf"\n\n%PDF\n'),
           "mail", cited="Attachment: a.pdf"),
    Sample("rules.ipynb", NOTEBOOK, "notebook", heading="Leave"),
    Sample("output.ipynb", notebook(cell("1", "code", outputs=[{"text": [CITED]}, {"data": {"image/png": "AAAA"}}])),
           "notebook"),
    Sample("error.ipynb", notebook(cell("1", "code", outputs=[{"output_type": "error", "evalue": CITED}])), "notebook"),
    Sample("three.ipynb", json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": CITED}]}]}).encode(),
           "notebook"),
]  # fmt: skip

BILLION = "<!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]>"
OUTSIDE = "<!DOCTYPE l [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
DRM = "<e><CipherReference URI='OEBPS/t%200.xhtml'/></e>"
HOSTILE = [
    Sample("bomb.docx", docx(paragraph("a" * 60_000_000)), error="ARCHIVE_LIMIT"),
    Sample("many.docx", zipped({str(n): b"" for n in range(10_001)}), error="ARCHIVE_LIMIT"),
    Sample("bomb.epub", epub("<p>" + " " * 60_000_000), error="ARCHIVE_LIMIT"),
    Sample("bomb.xlsx", xlsx(rows(["a" * 60_000_000])), error="ARCHIVE_LIMIT"),
    Sample("lies.docx", DOCX.replace(b"\x50\x4b\x01\x02", b"\x50\x4b\x01\x03"), error="UNREADABLE"),
    Sample("laughs.docx", docx("<w:p><w:r><w:t>&b;</w:t></w:r></w:p>", head=HEAD + BILLION), error="UNREADABLE"),
    Sample("outside.docx", docx("<w:p><w:r><w:t>&a;</w:t></w:r></w:p>", head=HEAD + OUTSIDE), error="UNREADABLE"),
    Sample("broken.docx", docx("<w:p>"), error="UNREADABLE"),
    Sample("half.docx", DOCX[: len(DOCX) // 2], error="UNREADABLE"),
    Sample("other.docx", zipped({"a.txt": "x"}), error="UNREADABLE"),
    Sample("empty.docx", docx(""), error="EMPTY"),
    Sample("missing.xlsx", xlsx("", missing=True), error="UNREADABLE"),
    Sample("empty.xlsx", xlsx(""), error="EMPTY"),
    Sample("half.pptx", PPTX[: len(PPTX) // 2], error="UNREADABLE"),
    Sample("none.pptx", pptx(), error="EMPTY"),
    Sample("locked.epub", epub(HTML, extra={"META-INF/encryption.xml": DRM}), error="UNREADABLE"),
    Sample(
        "away.epub",
        zipped({"META-INF/container.xml": "<c><rootfile full-path='../../../etc/passwd'/></c>"}),
        error="UNREADABLE",
    ),
    Sample("silent.srt", b"1\n00:00:01,000 --> 00:00:02,000\n\n", error="EMPTY"),
    Sample("notes.vtt", b"WEBVTT\n\nNOTE " + b"x" * 999, error="EMPTY"),
    Sample("zones.ics", b"BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:a\nEND:VTIMEZONE\nEND:VCALENDAR\n", error="EMPTY"),
    Sample("bare.vcf", b"BEGIN:VCARD\nPHOTO:data:image/png;base64,AAAA\nEND:VCARD\n", error="EMPTY"),
    Sample("remarks.tex", b"% nothing\n\\usepackage{x}\n", error="EMPTY"),
    Sample("remarks.bib", b"@comment{a}\n", error="EMPTY"),
    Sample("elsewhere.man", b".so man1/rules.1\n", error="EMPTY"),
    Sample("numbers.jsonl", b'{"a": 1, "b": [2.5]}\n' * 99, error="RECORD_FORMAT"),
    Sample("cut.vtt.gz", gzip.compress(VTT.encode())[:-9], error="UNREADABLE"),
    Sample("nul.tex", TEX.encode() + b"a\0" * 5000, error="NOT_TEXT"),
    Sample("bomb.tex.gz", gzip.compress(b"{" * 60_000_000), error="ARCHIVE_LIMIT"),
    Sample("empty.odt", opendocument("text", ""), error="EMPTY"),
    Sample("half.odt", ODT[: len(ODT) // 2], error="UNREADABLE"),
    Sample("bomb.ods", opendocument("spreadsheet", "<table:table>" + " " * 60_000_000), error="ARCHIVE_LIMIT"),
    Sample("empty.rtf", rtf(""), error="EMPTY"),
    Sample("old.wri", b"\x31\xbe\0\0" + bytes(600), error="NOT_TEXT"),
    Sample("archive.zip", zipped({"a.bin": b"\0\1\2" * 99, "b.zip": zipped({"a.bin": b"\0\1\2" * 99})}), error="EMPTY"),
    Sample("program.jar", zipped({"a.txt": CITED}), error="NOT_TEXT"),
    Sample("bomb.zip", zipped({"a.txt": "a" * 60_000_000}), error="ARCHIVE_LIMIT"),
    Sample("bomb.txt.gz", gzip.compress(b"a" * 60_000_000), error="ARCHIVE_LIMIT"),
    Sample("cut.txt.gz", gzip.compress(CITED.encode())[:-9], error="UNREADABLE"),
    Sample("packed.gz", gzip.compress(gzip.compress(gzip.compress(CITED.encode()))), error="NOT_TEXT"),
    Sample("old.doc", b"\xd0\xcf\x11\xe0" + bytes(600), error="NOT_TEXT"),
    Sample("deep.ipynb", b"[" * 60_000, error="PARSE_LIMIT"),
    Sample("deeper.ipynb", b"[" * 900_000, error="PARSE_LIMIT"),
    Sample("list.ipynb", b"[1]", error="UNREADABLE"),
    Sample("cut.ipynb", NOTEBOOK[:-9], error="UNREADABLE"),
    Sample("none.ipynb", notebook(), error="EMPTY"),
    Sample("bare.pdf", b"%PDF-1.7\n%%EOF", error="PDF_DAMAGED"),
    Sample("blank.pdf", pdf("", ""), error="PDF_NO_TEXT"),
    Sample("nul.csv", b"a,b\0\n", error="NOT_TEXT"),
    Sample("blank.rst", b" \n\n", error="EMPTY"),
    Sample("cut.jsonl.gz", gzip.compress(b'{"text": "a"}')[:-9], error="RECORD_FORMAT"),
]


def pytest_generate_tests(metafunc):
    for fixture, corpus in (("sample", SAMPLES), ("hostile", HOSTILE)):
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, corpus, ids=lambda sample: sample.name)
    if "corpus" in metafunc.fixturenames:
        metafunc.parametrize("corpus", [SAMPLES + HOSTILE], ids=["all"])
