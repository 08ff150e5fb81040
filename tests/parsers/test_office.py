"""Laws of documents and slides: what the program draws around and beside the text is read, each text once."""

import doctest

import pytest

from reatt.parsers.office import symbols
from reatt.parsers.office.slides import pptx as read_slides
from reatt.parsers.office.word import docx as read_document
from tests.parsers.office_made import CHART, docx, p, pptx, shape


def text_of(body: str, **more: str) -> str:
    return read_document(docx(body, **more)).text


def test_headers_and_footers_are_read_once() -> None:
    edges = {
        "header1": p("Harbour club"),
        "header2": p("Harbour club"),
        "footer1": p("Road 9, Wick"),
        "footer2": p("7"),
    }
    assert text_of(p("Body."), **edges) == "Harbour club\n\nBody.\n\nRoad 9, Wick"


PAGE = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'


@pytest.mark.parametrize(
    "number",
    [
        '<w:fldSimple w:instr=" PAGE "><w:r><w:t>3</w:t></w:r></w:fldSimple>',
        f"{PAGE.format('begin')}<w:r><w:instrText> PAGE </w:instrText></w:r>{PAGE.format('separate')}"
        f"<w:r><w:t>3</w:t></w:r>{PAGE.format('end')}",
    ],
)
def test_the_number_of_a_page_is_no_text(number: str) -> None:
    footer = f"<w:p><w:r><w:t>Page </w:t></w:r>{number}</w:p>"
    assert text_of(p("Body."), footer1=footer) == "Body."
    longer = f"<w:p><w:r><w:t>The harbour club of Wick, page </w:t></w:r>{number}<w:r><w:t>.</w:t></w:r></w:p>"
    assert text_of(p("Body."), footer1=longer) == "Body.\n\nThe harbour club of Wick, page ."


NUMBERING = """<w:abstractNum w:abstractNumId="5">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1%2)"/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="6"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="o"/></w:lvl>
</w:abstractNum><w:abstractNum w:abstractNumId="7"><w:lvl w:ilvl="0"><w:start w:val="4"/><w:numFmt w:val="upperRoman"/>
<w:lvlText w:val="Article %1"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="5"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="6"/></w:num>
<w:num w:numId="3"><w:abstractNumId w:val="7"/></w:num><w:num w:numId="4"><w:abstractNumId w:val="5"/>
<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num>"""


def item(text: str, number: int, level: int = 0) -> str:
    return p(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


def test_the_numbers_of_lists_are_counted_as_the_program_counts() -> None:
    body = item("Wash", 1) + item("hot", 1, 1) + item("cold", 1, 1) + p("Wait.") + item("Dry", 1) + item("again", 1, 1)
    body += item("Dot", 2) + item("Rent", 3) + item("Heat", 3) + item("Anew", 4) + item("On", 4)
    lines = text_of(body, numbering=NUMBERING).split("\n\n")
    assert lines[:6] == ["1. Wash", "1a) hot", "1b) cold", "Wait.", "2. Dry", "2a) again"]
    assert lines[6:] == ["Dot", "Article IV Rent", "Article V Heat", "1. Anew", "2. On"]


def test_a_heading_has_the_number_of_its_style() -> None:
    numbered = '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>'
    style = f'<w:style w:styleId="h1"><w:name w:val="heading 1"/>{numbered}</w:style>'
    content = read_document(docx(p("Leave", '<w:pStyle w:val="h1"/>') + p("Text."), numbering=NUMBERING, styles=style))
    assert content.text == "1. Leave\n\nText."
    assert content.headings == ((0, "1. Leave"),)


def test_notes_carry_the_mark_of_their_reference_and_comments_their_author() -> None:
    mark = '<w:r><w:footnoteReference w:id="8"/></w:r>'
    body = f"<w:p><w:r><w:t>Leave</w:t></w:r>{mark}<w:r><w:t> is long.</w:t></w:r></w:p>"
    notes = f'<w:footnote w:id="7">{p("no")}</w:footnote><w:footnote w:id="8">{p("See the law.")}</w:footnote>'
    comments = (
        f'<w:comment w:id="1" w:author="Ravi">{p("Ask me.")}</w:comment><w:comment w:id="2">{p("Why?")}</w:comment>'
    )
    shown = text_of(body, footnotes=notes, comments=comments)
    assert shown == "Leave [1] is long.\n\nno\n\n[1] See the law.\n\nComment by Ravi: Ask me.\n\nComment: Why?"


SUPER = '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>{}</w:t></w:r>'


@pytest.mark.parametrize(
    ("before", "up", "text"),
    [("10", "6", "10^6"), ("the 4", "th", "the 4th"), ("5 m", "2", "5 m^2"), ("income", "3", "income [3]")],
)
def test_superscripts_of_documents_and_slides_are_set_apart(before: str, up: str, text: str) -> None:
    assert (
        text_of(f"<w:p><w:r><w:t>{before}</w:t></w:r>{SUPER.format(up)}<w:r><w:t> x</w:t></w:r></w:p>") == f"{text} x"
    )
    runs = f'<a:r><a:t>{before}</a:t></a:r><a:r><a:rPr baseline="30000"/><a:t>{up}</a:t></a:r><a:r><a:t> x</a:t></a:r>'
    slide = f"<p:sp><p:txBody><a:p>{runs}</a:p></p:txBody></p:sp>"
    assert read_slides(pptx(slide)).text == f"{text} x"


def test_formulas_are_written_on_a_line() -> None:
    power = "<m:sSup><m:e><m:r><m:t>10</m:t></m:r></m:e><m:sup><m:r><m:t>6</m:t></m:r></m:sup></m:sSup>"
    half = "<m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>"
    formula = f"<m:oMath>{power}</m:oMath><w:r><w:t> or </w:t></w:r><m:oMath>{half}</m:oMath>"
    assert text_of(f"<w:p>{formula}</w:p>") == "10^6 or 1/2"


def test_an_empty_cell_of_a_table_keeps_its_column() -> None:
    cells = "".join(f"<w:tc>{p(text)}</w:tc>" for text in ("Paddle", "", "", "7 %", ""))
    assert text_of(f"<w:tbl><w:tr>{cells}</w:tr><w:tr>{cells}</w:tr></w:tbl>").split("\n") == ["Paddle\t\t\t7 %"] * 2


SHOWN = "Guests\n\tNights\nMay\t41%\nJune\t57%"


def test_the_values_of_a_chart_are_read() -> None:
    body = p("Before.") + '<w:p><w:r><w:drawing><c:chart r:id="r0"/></w:drawing></w:r></w:p>' + p("After.")
    assert text_of(body, chart=CHART) == f"Before.\n\n{SHOWN}\n\nAfter."
    slide = shape("Stays", "title") + '<p:graphicFrame><c:chart r:id="r0"/></p:graphicFrame>'
    assert read_slides(pptx(slide, chart=CHART)).text == f"Stays\n\n{SHOWN}"


def test_the_words_of_a_diagram_are_read() -> None:
    words = "<a:p><a:r><a:t>Plan</a:t></a:r></a:p><a:p><a:r><a:t>Build</a:t></a:r></a:p>"
    slide = '<p:graphicFrame><dgm:relIds r:dm="r0"/></p:graphicFrame>'
    assert read_slides(pptx(slide, diagramData=words)).text == "Plan\nBuild"


def test_a_footer_of_all_slides_is_read_once_and_dates_and_numbers_are_not() -> None:
    edges = shape("Harbour club", "ftr") + shape("7", "sldNum")
    content = read_slides(pptx(shape("One") + edges, shape("Two") + edges, shape("Three") + edges))
    assert content.text.count("Harbour club") == 1
    assert "7" not in content.text
    assert len(content.pages) == 3


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ('<a:pPr><a:buAutoNum type="arabicPeriod"/></a:pPr>', "1. Wash\n2. Dry"),
        ('<a:pPr><a:buAutoNum type="alphaLcParenR" startAt="3"/></a:pPr>', "c) Wash\nd) Dry"),
        ('<a:pPr><a:buAutoNum type="romanUcParenBoth"/></a:pPr>', "(I) Wash\n(II) Dry"),
        ('<a:pPr><a:buChar char="o"/></a:pPr>', "Wash\nDry"),
    ],
)
def test_the_numbers_of_a_list_on_a_slide_are_counted(properties: str, text: str) -> None:
    assert read_slides(pptx(shape("Wash|Dry", properties=properties))).text == text


def test_comments_on_a_slide_are_read() -> None:
    content = read_slides(pptx(shape("One"), comments="<p:cm><p:text>Ask Ravi</p:text></p:cm>"))
    assert content.text == "One\n\nComment: Ask Ravi"


def cell(text: str, more: str = "") -> str:
    return f"<w:tc><w:tcPr>{more}</w:tcPr>{p(text)}</w:tc>"


def test_cells_that_are_joined_keep_the_columns_of_those_beside_them() -> None:
    rows = [
        cell("Item") + cell("Price", '<w:gridSpan w:val="2"/>') + cell("Note"),
        cell("", "<w:vMerge/>") + cell("Adult") + cell("Child") + cell("an hour"),
        '<w:trPr><w:gridBefore w:val="3"/></w:trPr>' + cell("late"),
    ]
    table = "".join(f"<w:tr>{row}</w:tr>" for row in rows)
    assert text_of(f"<w:tbl>{table}</w:tbl>") == "Item\tPrice\t\tNote\n\tAdult\tChild\tan hour\n\t\t\tlate"


def test_how_signs_are_read_aloud_stands_behind_them() -> None:
    def run(text: str) -> str:
        return f"<w:r><w:t>{text}</w:t></w:r>"

    ruby = f"<w:ruby><w:rt>{run('とうきょう')}</w:rt><w:rubyBase>{run('東京')}</w:rubyBase></w:ruby>"
    assert text_of(f"<w:p><w:r>{ruby}</w:r>{run('に行く')}</w:p>") == "東京(とうきょう)に行く"


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ('<w:checkBox><w:default w:val="0"/><w:checked/></w:checkBox>', "[x]"),
        ('<w:checkBox><w:default w:val="1"/><w:checked w:val="0"/></w:checkBox>', "[ ]"),
        ('<w:checkBox><w:default w:val="1"/></w:checkBox>', "[x]"),
        ('<w:ddList><w:result w:val="1"/><w:listEntry w:val="Oak"/><w:listEntry w:val="Ash"/></w:ddList>', "Ash"),
        ('<w:ddList><w:listEntry w:val="Oak"/><w:listEntry w:val="Ash"/></w:ddList>', "Oak"),
    ],
)
def test_fields_of_old_forms_show_what_is_chosen(field: str, text: str) -> None:
    code = f'<w:fldChar w:fldCharType="begin"><w:ffData>{field}</w:ffData></w:fldChar>'
    assert text_of(f"<w:p><w:r><w:t>Wood: </w:t></w:r><w:r>{code}</w:r></w:p>") == f"Wood: {text}"


def test_signs_of_fonts_without_letters_are_written() -> None:
    signs = '<w:sym w:font="Wingdings" w:char="F0FE"/><w:sym w:font="Symbol" w:char="F061"/>'
    assert text_of(f"<w:p><w:r>{signs}<w:t>x</w:t></w:r></w:p>") == "☑αx"
    assert doctest.testmod(symbols).failed == 0


def pt(at: int, value: str) -> str:
    return f"<c:pt idx='{at}'><c:v>{value}</c:v></c:pt>"


def titled(words: str) -> str:
    return f"<c:title><a:p><a:r><a:t>{words}</a:t></a:r></a:p></c:title>"


AXES = f"{titled('Guests')}<c:catAx>{titled('Month')}</c:catAx><c:valAx>{titled('Per cent')}</c:valAx>"
NUMBERS = f"<c:val>{pt(0, '4')}{pt(1, '5')}{pt(2, '6')}</c:val>"
MONTHS = f"<c:lvl>{pt(0, 'May')}{pt(1, 'June')}{pt(2, 'May')}</c:lvl>"
NEWER = (
    "<c:data><c:strDim type='cat'><c:lvl><c:pt idx='0'>May</c:pt><c:pt idx='1'>June</c:pt></c:lvl></c:strDim>"
    "<c:numDim type='val'><c:lvl formatCode='0%'><c:pt idx='0'>0.41</c:pt><c:pt idx='1'>0.57</c:pt></c:lvl></c:numDim>"
    f"</c:data>{titled('Guests')}<c:series><c:tx><c:txData><c:v>Nights</c:v></c:txData></c:tx></c:series>"
)


@pytest.mark.parametrize(
    ("drawn", "text"),
    [
        (AXES, "Guests\nMonth\nPer cent"),
        (f"<c:ser><c:cat>{MONTHS}<c:lvl>{pt(0, '2023')}{pt(2, '2024')}</c:lvl></c:cat>{NUMBERS}</c:ser>",
         "2023 May\t4\n2023 June\t5\n2024 May\t6"),
        (f"<c:ser><c:cat>{MONTHS}</c:cat>{NUMBERS}</c:ser>", "May\t4\nJune\t5\nMay\t6"),
        (NEWER, "Guests\n\tNights\nMay\t41%\nJune\t57%"),
    ],
)  # fmt: skip
def test_axes_groups_and_newer_kinds_of_charts_are_read(drawn: str, text: str) -> None:
    body = '<w:p><w:r><w:drawing><c:chart r:id="r0"/></w:drawing></w:r></w:p>'
    assert text_of(body, chart=drawn) == text


@pytest.mark.parametrize(
    ("format", "third"),
    [
        ("decimalZero", "03."),
        ("ordinal", "3rd."),
        ("chineseCountingThousand", "三."),
        ("decimalEnclosedCircle", "③."),
        ("cardinalText", "3."),
    ],
)
def test_numbers_of_lists_are_written_in_the_way_of_their_list(format: str, third: str) -> None:
    level = f'<w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="{format}"/><w:lvlText w:val="%1."/></w:lvl>'
    numbering = f'<w:abstractNum w:abstractNumId="5">{level}</w:abstractNum>'
    numbering += '<w:num w:numId="1"><w:abstractNumId w:val="5"/></w:num>'
    assert text_of(item("Rent", 1), numbering=numbering) == f"{third} Rent"
