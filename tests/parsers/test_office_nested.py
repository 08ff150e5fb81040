"""Laws of what stands in an office file and is no plain paragraph: tables in cells, changes, fields, other files."""

import pytest

from reatt.parsers.office.opendocument import odt
from reatt.parsers.office.sheets import xlsx
from reatt.parsers.office.slides import pptx as read_slides
from reatt.parsers.office.word import docx as read_document
from tests.parsers.office_made import docx, p, pptx, relations, shape, zipped


def text_of(body: str, **more: str) -> str:
    return read_document(docx(body, **more)).text


def cells(*texts: str) -> str:
    return "<w:tr>" + "".join(f"<w:tc>{text if '<' in text else p(text)}</w:tc>" for text in texts) + "</w:tr>"


INNER = f"<w:tbl>{cells('summer', '30')}{cells('winter', '20')}</w:tbl>{p('')}"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (("Small", INNER), "Small\tsummer\t30\n\twinter\t20"),
        ((INNER, "Note"), "summer\t30\nwinter\t20\n\tNote"),
        (("Small", p("Fees:") + INNER, "Note"), "Small\tFees: summer\t30\n\twinter\t20\n\t\tNote"),
        ((INNER,), "summer\t30\nwinter\t20"),
    ],
)
def test_the_rows_of_a_table_in_a_cell_begin_in_the_column_of_that_cell(row: tuple[str, ...], text: str) -> None:
    body = f"<w:tbl>{cells(*row)}{cells('Large', '90')}</w:tbl>{p('After.')}"
    assert text_of(body) == f"{text}\nLarge\t90\n\nAfter."


def test_a_table_in_a_cell_of_a_text_document_keeps_its_column() -> None:
    def row(*texts: str) -> str:
        each = (text if "<" in text else f"<text:p>{text}</text:p>" for text in texts)
        return "<t:table-row>" + "".join(f"<t:table-cell>{text}</t:table-cell>" for text in each) + "</t:table-row>"

    inner = f"<t:table>{row('summer', '30')}{row('winter', '20')}</t:table>"
    body = f"<t:table>{row('Small', inner)}{row('Large', '90')}</t:table>"
    content = f"<o:c xmlns:o='o' xmlns:t='t' xmlns:text='x'>{body}</o:c>"
    assert odt(zipped({"content.xml": content})).text == "Small\tsummer\t30\n\twinter\t20\nLarge\t90"


SPACES = "xmlns:w='w' xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/relationships'"
R = "<w:r><w:t xml:space='preserve'>{}</w:t></w:r>"
ENDED = '<w:pPr><w:rPr><w:del w:id="3"/></w:rPr></w:pPr>'


TEN = "<w:del><w:r><w:delText>ten</w:delText><w:br/><w:tab/></w:r></w:del>"
MOVED = f"<w:p><w:moveFrom>{R.format('Moved.')}</w:moveFrom></w:p><w:p><w:moveTo>{R.format('Moved.')}</w:moveTo></w:p>"
WAS = "<w:rPr><w:rPrChange><w:rPr><w:vanish/></w:rPr></w:rPrChange></w:rPr>"
HIDDEN = "<w:r><w:rPr><w:vanish/></w:rPr><w:t> hidden</w:t></w:r>"
SEEN = "Seen by all."


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            f"<w:p>{R.format('It is ')}{TEN}<w:ins>{R.format('twelve')}</w:ins>{R.format(' now')}</w:p>",
            "It is twelve now",
        ),
        (f"<w:p>{ENDED}{R.format('One')}</w:p><w:p>{R.format(' and two.')}</w:p>", "One and two."),
        (f"<w:p>{ENDED}{R.format('The last one.')}</w:p>", "The last one."),
        (MOVED, "Moved."),
        (f"<w:p><w:r>{WAS}<w:t>{SEEN}</w:t></w:r></w:p>", SEEN),
        (f"<w:p>{R.format(SEEN)}{HIDDEN}{R.format(' Yes.')}</w:p>", f"{SEEN} Yes."),
        (f"<w:p><w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr>{R.format(SEEN)}</w:p>", SEEN),
        (f"<w:p><w:r><w:rPr><w:vanish w:val='0'/></w:rPr><w:t>{SEEN}</w:t></w:r></w:p>", SEEN),
        (f"<w:p>{R.format('Left')}<w:r><w:ptab/></w:r>{R.format('right')}</w:p>", "Left\tright"),
    ],
)
def test_a_text_is_read_as_it_is_after_its_changes(body: str, text: str) -> None:
    assert text_of(body) == text


def field(code: str, result: str) -> str:
    marks = [f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end")]
    return f"{marks[0]}<w:r><w:instrText> {code} </w:instrText></w:r>{marks[1]}{R.format(result)}{marks[2]}"


@pytest.mark.parametrize(
    "code", ["DATE", "REF _a", "PAGEREF _a", "NUMPAGES", "SEQ Figure", "HYPERLINK x", "MERGEFIELD n"]
)
def test_the_results_of_fields_in_the_text_are_read(code: str) -> None:
    assert text_of(f"<w:p>{R.format('See ')}{field(code, '7')}{R.format(' there.')}</w:p>") == "See 7 there."


@pytest.mark.parametrize(
    ("before", "kept"), [("Page ", ""), ("Seite ", ""), ("Harbour office, ", "\n\nHarbour office, ")]
)
def test_a_footer_that_says_more_than_the_page_is_read(before: str, kept: str) -> None:
    assert text_of(p("Body."), footer1=f"<w:p>{R.format(before)}{field('PAGE', '3')}</w:p>") == f"Body.{kept}"


def test_letters_behind_the_page_are_read_once() -> None:
    mark = "<w:p><w:r><w:pict><v:textpath xmlns:v='v' string='DRAFT'/></w:pict></w:r></w:p>"
    assert text_of(p("Body."), header1=mark, header2=mark) == "DRAFT\n\nBody."


@pytest.mark.parametrize(
    ("name", "inserted"),
    [
        ("chunk.html", "<html><body><p>From <b>another</b> file.</p></body></html>"),
        ("chunk.htm", "<p>From <b>another</b> file.</p>"),
        ("chunk.rtf", r"{\rtf1\ansi From \b another\b0  file.}"),
        ("chunk.txt", "From another file.\r\n"),
        ("chunk.docx", docx(p("From another file."))),
        ("chunk.mht", "From: a@b.c\r\nSubject: x\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
         "Content-Type: text/html\r\n\r\n<p>From <b>another</b> file.</p>"),
    ],
)  # fmt: skip
def test_a_file_that_was_put_into_a_document_is_read_in_its_place(name: str, inserted: str | bytes) -> None:
    body = f'{p("Before.")}<w:altChunk r:id="r0"/>{p("After.")}'
    made = zipped({
        "_rels/.rels": relations(("officeDocument", "word/document.xml")),
        "word/document.xml": f"<w:d {SPACES}>{body}</w:d>",
        "word/_rels/document.xml.rels": relations(("aFChunk", name)),
        f"word/{name}": inserted,
    })  # fmt: skip
    text = read_document(made).text
    assert text.startswith("Before.\n\n")
    assert "From another file." in text
    assert text.endswith("\n\nAfter.")


def test_documents_in_documents_end() -> None:
    body = 'Deep.<w:altChunk r:id="r0"/>'
    inner = docx(p("Deepest."))
    for _ in range(9):
        inner = zipped({
            "_rels/.rels": relations(("officeDocument", "word/document.xml")),
            "word/document.xml": f"<w:d {SPACES}>{p('Deep.')}{body}</w:d>",
            "word/_rels/document.xml.rels": relations(("aFChunk", "chunk.docx")),
            "word/chunk.docx": inner,
        })  # fmt: skip
    assert read_document(inner).text.count("Deep.") == 4


def test_grouped_shapes_of_slides_are_read() -> None:
    group = f"<p:grpSp><p:nvGrpSpPr/>{shape('Inner')}<p:grpSp>{shape('Deeper')}</p:grpSp></p:grpSp>"
    assert read_slides(pptx(shape("Title", "title") + group)).text == "Title\n\nInner\n\nDeeper"


def sheet(beside: str, **drawn: str) -> bytes:
    spaces = "xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/relationships' xmlns:a='a'"
    row = '<sheetData><row r="1"><c r="A1" t="str"><v>Fees</v></c></row></sheetData>'
    return zipped({
        "_rels/.rels": relations(("officeDocument", "xl/w.xml")),
        "xl/w.xml": f"<w {spaces}><sheets><sheet name='S' r:id='r0'/></sheets></w>",
        "xl/_rels/w.xml.rels": relations(("worksheet", "s.xml")),
        "xl/s.xml": f"<s {spaces}>{row}{beside}</s>",
        "xl/_rels/s.xml.rels": relations(("drawing", "d.xml")),
        "xl/d.xml": "<d/>",
        "xl/_rels/d.xml.rels": relations(*((name, f"{name}.xml") for name in drawn)),
        **{f"xl/{name}.xml": f"<x {spaces}>{part}</x>" for name, part in drawn.items()},
    })  # fmt: skip


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        ("<oddHeader>&amp;CHarbour office &amp;P</oddHeader>", "S\nFees\n\nHarbour office"),
        ("<oddHeader>&amp;CPage &amp;P of &amp;N</oddHeader>", "S\nFees"),
        (
            "<oddHeader>Wick</oddHeader><evenHeader>Wick</evenHeader><firstFooter>Draft</firstFooter>",
            "S\nFees\n\nWick\nDraft",
        ),
    ],
)
def test_what_is_printed_around_a_sheet_is_read_once_without_numbers(printed: str, text: str) -> None:
    assert xlsx(sheet(f"<headerFooter>{printed}</headerFooter>")).text == text


def test_the_words_of_a_diagram_on_a_sheet_are_read() -> None:
    words = "<a:p><a:r><a:t>Plan</a:t></a:r></a:p><a:p><a:r><a:t>Build</a:t></a:r></a:p>"
    assert xlsx(sheet("", diagramData=words)).text == "S\nFees\n\nPlan\nBuild"
