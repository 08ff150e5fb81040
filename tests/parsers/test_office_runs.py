"""Laws of what stands within a paragraph of an Office file: formulas, fields, styles, signs, letters apart."""

import doctest

import pytest

from reatt.parsers.office import escapes, page_numbers, symbols
from reatt.parsers.office.slides import pptx as read_slides
from reatt.parsers.office.word import docx as read_document
from tests.parsers.office_made import docx, p, pptx


def text_of(body: str, **more: str) -> str:
    return read_document(docx(body, **more)).text


def run(text: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t xml:space='preserve'>{text}</w:t></w:r>"


def m(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


SUM = f"<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub>{m('i=1')}</m:sub><m:sup>{m('n')}</m:sup><m:e>{m('i')}"
CELLS = [f"<m:mr><m:e>{m(left)}</m:e><m:e>{m(right)}</m:e></m:mr>" for left, right in ("12", "34")]


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (f"<m:f><m:num>{m('a+b')}</m:num><m:den>{m('2')}</m:den></m:f>", "(a+b)/2"),
        (f"<m:d><m:dPr/><m:e>{m('a+b')}</m:e></m:d>", "(a+b)"),
        (f"<m:d><m:dPr><m:begChr m:val='['/><m:endChr m:val=')'/></m:dPr><m:e>{m('0')}</m:e><m:e>{m('1')}</m:e></m:d>",
         "[0|1)"),
        (f"<m:rad><m:radPr><m:degHide m:val='1'/></m:radPr><m:deg/><m:e>{m('x+1')}</m:e></m:rad>", "√(x+1)"),
        (f"<m:rad><m:deg>{m('3')}</m:deg><m:e>{m('x')}</m:e></m:rad>", "3√x"),
        (f"{SUM}</m:e></m:nary>", "∑_(i=1)^n i"),
        (f"<m:m>{''.join(CELLS)}</m:m>", "1 2; 3 4"),
        (f"<m:eqArr><m:e>{m('x=1')}</m:e><m:e>{m('y=2')}</m:e></m:eqArr>", "x=1; y=2"),
        (f"<m:func><m:fName>{m('sin')}</m:fName><m:e>{m('x')}</m:e></m:func>", "sin x"),
        (f"<m:sSub><m:e>{m('H')}</m:e><m:sub>{m('2')}</m:sub></m:sSub>{m('O')}", "H2O"),
    ],
)  # fmt: skip
def test_a_formula_is_written_so_that_it_can_be_read(formula: str, text: str) -> None:
    assert text_of(f"<w:p>{run('Thus ')}<m:oMath>{formula}</m:oMath>{run('.')}</w:p>") == f"Thus {text}."
    shape = f"<p:sp><p:txBody><a:p><m:oMath xmlns:m='m'>{formula}</m:oMath></a:p></p:txBody></p:sp>"
    assert read_slides(pptx(shape)).text == text


UP = "<w:vertAlign w:val='superscript'/>"


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        ([("10", ""), ("-", UP), ("3", UP), (" m", "")], "10^-3 m"),
        ([("area", ""), ("1", UP), ("2", UP), (" x", "")], "area [12] x"),
        ([("10", ""), ("6", UP)], "10^6"),
        ([("fact", ""), ("3", "<w:rStyle w:val='Mark'/>")], "fact [3]"),
        ([("10", ""), ("6", "<w:rStyle w:val='Mark'/><w:vertAlign w:val='baseline'/>")], "106"),
    ],
)
def test_raised_runs_that_follow_one_another_are_one(runs: list[tuple[str, str]], text: str) -> None:
    styles = f"<w:style w:styleId='Mark'><w:name w:val='mark'/><w:rPr>{UP}</w:rPr></w:style>"
    assert text_of(f"<w:p>{''.join(run(*each) for each in runs)}</w:p>", styles=styles) == text


MARKS = {kind: f"<w:r><w:fldChar w:fldCharType='{kind}'/></w:r>" for kind in ("begin", "separate", "end")}


def field(code: str, result: str) -> str:
    return f"{MARKS['begin']}{code}{MARKS['separate']}{run(result)}{MARKS['end']}"


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        (field("<w:r><w:instrText>MERGEFIELD Sex</w:instrText></w:r>", "male"), "Mr Bean"),
        (field(field("", "a"), "b"), "Mr Bean"),
        ("<w:r><w:instrText>IF a = b</w:instrText></w:r>", "Mr Bean"),
    ],
)
def test_the_results_of_fields_in_the_code_of_a_field_are_not_shown(inner: str, text: str) -> None:
    assert text_of(f"<w:p>{field(inner, 'Mr')}{run(' Bean')}</w:p>") == text


def test_a_field_that_does_not_end_hides_no_more_than_its_paragraph() -> None:
    assert text_of(f"<w:p>{run('One')}{MARKS['begin']}{run('no')}</w:p>{p('Two')}") == "One\n\nTwo"


@pytest.mark.parametrize("base", ["heading 1", "heading 4", "Title"])
def test_a_style_that_builds_on_a_heading_makes_headings(base: str) -> None:
    styles = f"<w:style w:styleId='A'><w:name w:val='{base}'/></w:style>"
    styles += "<w:style w:styleId='B'><w:name w:val='own'/><w:basedOn w:val='A'/></w:style>"
    styles += "<w:style w:styleId='C'><w:name w:val='list'/><w:basedOn w:val='B'/><w:outlineLvl w:val='9'/></w:style>"
    body = p("Leave", "<w:pStyle w:val='B'/>") + p("Text", "<w:pStyle w:val='C'/>")
    assert read_document(docx(body, styles=styles)).headings == ((0, "Leave"),)


def test_the_paragraphs_of_a_text_box_have_their_styles() -> None:
    styles = "<w:style w:styleId='A'><w:name w:val='heading 1'/></w:style>"
    heading = p("Leave", '<w:pStyle w:val="A"/>')
    box = f"<w:r><w:drawing><w:txbxContent>{heading}</w:txbxContent></w:drawing></w:r>"
    content = read_document(docx(f"<w:p>{run('Before ')}{box}{run('after.')}</w:p>", styles=styles))
    assert content.headings == ((0, "Leave"),)
    assert content.text == "Leave\n\nBefore after."


def test_text_in_a_hidden_style_is_not_shown() -> None:
    styles = "<w:style w:styleId='H'><w:name w:val='h'/><w:rPr><w:vanish/></w:rPr></w:style>"
    hidden = run("no", "<w:rStyle w:val='H'/>")
    assert text_of(f"<w:p>{run('Seen')}{hidden}</w:p>", styles=styles) == "Seen"


@pytest.mark.parametrize(
    ("font", "text", "read"),
    [
        ("Wingdings", "\uf0fe", "☑"),
        ("Wingdings", "à", "→"),
        ("Symbol", "a\uf0b3", "α≥"),
        ("", "\uf0b7 one", "• one"),
        ("Arial", "à la carte", "à la carte"),
    ],
)
def test_letters_in_a_font_of_signs_are_signs(font: str, text: str, read: str) -> None:
    signs = run(text, f"<w:rFonts w:ascii='{font}'/>")
    assert text_of(f"<w:p>{signs}{run(' x')}</w:p>") == f"{read} x"


@pytest.mark.parametrize("place", ["drop", "margin"])
def test_a_large_first_letter_is_part_of_its_word(place: str) -> None:
    letter = p("O", f"<w:framePr w:dropCap='{place}' w:lines='3'/>")
    assert text_of(f"{p('Before.')}{letter}{p('nce upon a time.')}") == "Before.\n\nOnce upon a time."


@pytest.mark.parametrize(
    "inner",
    [
        "<w:r><w:t>red</w:t><w:br/><w:t>boat</w:t></w:r>",
        "<w:r><w:t>red</w:t><w:tab/><w:t>boat</w:t></w:r>",
        "<w:r><w:t>red</w:t></w:r></w:p><w:p><w:r><w:t>boat</w:t></w:r>",
    ],
)
def test_a_cell_of_several_lines_stays_one_cell(inner: str) -> None:
    rows = f"<w:tr><w:tc><w:p>{inner}</w:p></w:tc><w:tc>{p('5')}</w:tc></w:tr>"
    assert text_of(f"<w:tbl>{rows * 2}</w:tbl>") == "red boat\t5\nred boat\t5"
    slide = rows.replace("w:", "a:")
    assert read_slides(pptx(f"<p:graphicFrame><a:tbl>{slide}</a:tbl></p:graphicFrame>")).text == "red boat\t5"


ROWS = (("Approved by", "Miller"), ("Checked by", "Miller"), ("Rev.", "4"))


def table(rows: tuple[tuple[str, str], ...]) -> str:
    return "<w:tbl>" + "".join(f"<w:tr><w:tc>{p(a)}</w:tc><w:tc>{p(b)}</w:tc></w:tr>" for a, b in rows) + "</w:tbl>"


@pytest.mark.parametrize("edge", ["header", "footer"])
def test_a_table_above_or_below_the_pages_is_whole(edge: str) -> None:
    shown = "\n".join("\t".join(row) for row in ROWS)
    text = text_of(p("Body."), **{f"{edge}1": table(ROWS), f"{edge}2": table(ROWS)})
    assert text == (f"{shown}\n\nBody." if edge == "header" else f"Body.\n\n{shown}")


@pytest.mark.parametrize(("line", "kept"), [("+49 40 123456", True), ("- 12 -", False), ("3/5/2024", False)])
def test_a_number_below_the_pages_that_can_be_called_is_kept(line: str, kept: bool) -> None:
    assert text_of(p("Body."), footer1=p(line)) == (f"Body.\n\n{line}" if kept else "Body.")


@pytest.mark.parametrize(
    ("written", "text"),
    [("one_x000D_", "one"), ("A_x000B_B", "A\nB"), ("_x005F_x0041_", "_x0041_"), ("a_x_b", "a_x_b")],
)
def test_characters_that_xml_cannot_hold_are_read(written: str, text: str) -> None:
    slide = f"<p:sp><p:txBody><a:p><a:r><a:t>{written}</a:t></a:r></a:p></p:txBody></p:sp>"
    assert read_slides(pptx(slide)).text == text


def test_a_list_that_is_numbered_by_a_style_of_lists_is_counted() -> None:
    level = '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="§ %1"/></w:lvl>'
    numbering = '<w:abstractNum w:abstractNumId="1"><w:numStyleLink w:val="S"/></w:abstractNum>'
    numbering += f'<w:abstractNum w:abstractNumId="2"><w:styleLink w:val="S"/>{level}</w:abstractNum>'
    numbering += '<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>'
    numbering += '<w:num w:numId="2"><w:abstractNumId w:val="2"/></w:num>'
    styles = '<w:style w:styleId="S"><w:name w:val="S"/><w:numPr><w:numId w:val="2"/></w:numPr></w:style>'
    item = p("Rent", '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>')
    assert text_of(item * 2, numbering=numbering, styles=styles) == "§ 1 Rent\n\n§ 2 Rent"


@pytest.mark.parametrize("module", [escapes, page_numbers, symbols], ids=lambda module: str(module.__name__))
def test_the_examples_in_docstrings_hold(module) -> None:  # type: ignore[no-untyped-def]
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
