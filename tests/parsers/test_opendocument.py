"""Laws of OpenDocument: what its programs show is read, as it is of Office's files."""

from pathlib import Path

import pytest

from reatt.documents.reader import FoundFile, read
from reatt.parsers.office.opendocument import odp, ods, odt
from tests.parsers.office_made import zipped

SPACES = " ".join(
    f'xmlns:{name}="{name}"' for name in "office text table draw style fo dc xlink presentation chart".split()
)


def opened(body: str, styles: str = "", **more: str) -> bytes:
    return zipped({"content.xml": f"<x {SPACES}>{body}</x>", "styles.xml": f"<x {SPACES}>{styles}</x>", **more})


def text_of(body: str, styles: str = "", **more: str) -> str:
    return odt(opened(body, styles, **more)).text


def p(text: str) -> str:
    return f"<text:p>{text}</text:p>"


def test_paragraphs_blanks_and_tabs_are_read_and_headings_found() -> None:
    blanks = p('a<text:s text:c="3"/>b<text:tab/>c')
    content = odt(opened(f"<text:h>Boat <text:span>house</text:span></text:h>{blanks}"))
    assert content.text == "Boat house\n\na   b\tc"
    assert content.headings == ((0, "Boat house"),)


def test_headers_and_footers_are_read_once_and_numbers_of_pages_are_not() -> None:
    number = p("<text:page-number>3</text:page-number>")
    edges = (
        f"<style:header>{p('Harbour club')}</style:header><style:header-left>{p('Harbour club')}</style:header-left>"
    )
    edges += f"<style:footer>{p('Road 9, Wick')}{number}</style:footer>"
    assert text_of(p("Body."), edges) == "Harbour club\n\nBody.\n\nRoad 9, Wick"


LISTS = """<text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="1"
style:num-suffix="."/><text:list-level-style-number text:level="2" style:num-format="a" style:num-prefix="("
style:num-suffix=")" text:start-value="3"/></text:list-style>"""


def test_the_numbers_of_lists_are_counted() -> None:
    inner = f"<text:list><text:list-item>{p('hot')}</text:list-item></text:list>"
    items = f"<text:list-item>{p('Wash')}{inner}</text:list-item><text:list-item>{p('Dry')}</text:list-item>"
    body = f'<text:list text:style-name="L1">{items}</text:list>'
    assert text_of(LISTS + body).split() == ["1.", "Wash", "(c)", "hot", "2.", "Dry"]
    assert text_of(body).split() == ["Wash", "hot", "Dry"]


def test_notes_stand_behind_the_text_with_their_marks() -> None:
    law = f"<text:note-body>{p('See the law.')}</text:note-body>"
    note = f"<text:note><text:note-citation>1</text:note-citation>{law}</text:note>"
    assert text_of(p(f"Leave{note} is long.")) == "Leave [1] is long.\n\n[1] See the law."


RAISED = [("10", "6", "10^6"), ("4", "th", "4th"), ("income", "3", "income [3]")]


@pytest.mark.parametrize(("before", "up", "text"), RAISED)
def test_superscripts_are_set_apart(before: str, up: str, text: str) -> None:
    style = '<style:style style:name="T1"><style:text-properties style:text-position="super 58%"/></style:style>'
    assert text_of(style + p(f'{before}<text:span text:style-name="T1">{up}</text:span>')) == text


def test_text_boxes_comments_and_charts_are_read() -> None:
    box = f"<draw:frame><draw:text-box>{p('Closed in May')}</draw:text-box></draw:frame>"
    said = f"<office:annotation><dc:creator>Ravi</dc:creator><dc:date>2025</dc:date>{p('Why?')}</office:annotation>"
    shown = text_of(p(f"One{box}") + p(f"Two{said}"))
    assert shown == "Closed in May\n\nOne\n\nComment: Why?\n\nTwo"
    table = f"<table:table><table:table-row>{cell('May')}{cell('41')}</table:table-row></table:table>"
    chart = f"<x {SPACES}><chart:title>{p('Guests')}</chart:title>{table}</x>"
    drawn = p('<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame>')
    assert text_of(drawn, **{"Object 1/content.xml": chart}) == "Guests\nMay\t41"


def cell(text: str, repeated: int = 1) -> str:
    more = f' table:number-columns-repeated="{repeated}"' if repeated > 1 else ""
    return f"<table:table-cell{more}>{p(text) if text else ''}</table:table-cell>"


def row(*cells: str, repeated: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{repeated}">{"".join(cells)}</table:table-row>'


def sheet(*rows: str) -> str:
    return ods(opened(f'<table:table table:name="Fees">{"".join(rows)}</table:table>')).text


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            (row(cell("Item"), cell("Net"), cell("VAT")), row(cell("Oar"), cell(""), cell("7%"))),
            "Item\tNet\tVAT\nOar\t\t7%",
        ),
        ((row(cell("a"), cell("", 3), cell("b")),), "a\t\t\t\tb"),
        ((row(cell("a", 2), cell("", 16_000)), row(cell("", 16_384), repeated=1_000_000)), "a\ta"),
        ((row(cell("a")), row(cell(""), repeated=3), row(cell("b"))), "a\n\nb"),
        ((row(cell("a"), repeated=2),), "a\na"),
    ],
)
def test_the_cells_of_a_sheet_keep_their_columns(rows: tuple[str, ...], text: str) -> None:
    assert sheet(*rows) == f"Fees\n{text}"


def test_a_slide_is_a_page_with_its_notes() -> None:
    notes = f"<presentation:notes><draw:frame>{p('Smile.')}</draw:frame></presentation:notes>"
    content = odp(opened(f"<draw:page>{p('One')}{notes}</draw:page><draw:page>{p('Two')}</draw:page>"))
    assert content.text == "One\nSmile.\n\nTwo"
    assert content.pages == (0, 12)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('office:value-type="float" office:value="4.3499999999999996"', "4.35"),
        ('office:value-type="percentage" office:value="0.19"', "19%"),
        ('office:value-type="date" office:date-value="2024-05-03T00:00:00"', "2024-05-03"),
        ('office:value-type="boolean" office:boolean-value="true"', "TRUE"),
        ('office:value-type="string" office:string-value="oar"', "oar"),
        ('table:formula="of:=SUM([.A1:.A2])"', "=SUM([.A1:.A2])"),
    ],
)
def test_a_cell_without_a_text_shows_its_value(cell: str, text: str) -> None:
    content = ods(opened(f"<table:table><table:table-row><table:table-cell {cell}/></table:table-row></table:table>"))
    assert content.text == text
    assert bool(content.warnings) == ("formula" in cell)


def test_comments_and_superscripts_of_sheets_are_read() -> None:
    up = '<style:style style:name="U"><style:text-properties style:text-position="super 58%"/></style:style>'
    note = f"<office:annotation><dc:creator>Al</dc:creator><dc:date>2024</dc:date>{p('Why?')}</office:annotation>"
    cells = f"<table:table-cell>{p('a')}</table:table-cell><table:table-cell>{note}"
    cells += p('10<text:span text:style-name="U">6</text:span>') + "</table:table-cell>"
    text = ods(opened(f"{up}<table:table><table:table-row>{cells}</table:table-row></table:table>")).text
    assert text == "a\t10^6\n\nComment on B1: Why?"


def test_cells_that_are_joined_keep_the_columns_of_those_beside_them() -> None:
    wide = (
        f'<table:table-cell table:number-columns-spanned="2">{p("Price")}</table:table-cell><table:covered-table-cell/>'
    )
    rows = [wide, "".join(f"<table:table-cell>{p(each)}</table:table-cell>" for each in ("12", "6"))]
    rows = [f"<table:table-row>{each}<table:table-cell>{p('n')}</table:table-cell></table:table-row>" for each in rows]
    assert text_of(f"<table:table>{''.join(rows)}</table:table>") == "Price\t\tn\n12\t6\tn"


def test_a_date_in_the_text_is_read_and_that_of_a_comment_is_not() -> None:
    note = f"<office:annotation><dc:date>2024-05-01</dc:date>{p('Why?')}</office:annotation>"
    assert text_of(p(f"Wick, <text:date>1 May 2024</text:date>{note}")) == "Comment: Why?\n\nWick, 1 May 2024"


def test_how_signs_are_read_aloud_stands_behind_them() -> None:
    ruby = "<text:ruby><text:ruby-base>東京</text:ruby-base><text:ruby-text>とうきょう</text:ruby-text></text:ruby>"
    assert text_of(p(f"{ruby}に行く")) == "東京(とうきょう)に行く"


@pytest.mark.parametrize(("kind", "format"), [("odt", "text"), ("ods", "spreadsheet"), ("odp", "presentation")])
@pytest.mark.parametrize("name", ["a.xml", "a.fodt", "a"])
def test_a_flat_file_is_read_as_an_archive_is(tmp_path: Path, kind: str, format: str, name: str) -> None:
    table = (
        f"<table:table><table:table-row><table:table-cell>{p('Oar')}</table:table-cell></table:table-row></table:table>"
    )
    body = {"odt": p("Oar"), "ods": table, "odp": f"<draw:page>{p('Oar')}</draw:page>"}[kind]
    picture = "<draw:image><office:binary-data>iVBORw0KGgo</office:binary-data></draw:image>"
    edges = f"<office:master-styles><style:header>{p('Above')}</style:header></office:master-styles>"
    flat = (
        f'<?xml version="1.0"?>\n<office:document {SPACES} '
        f'office:mimetype="application/vnd.oasis.opendocument.{format}">'
        f"<office:meta><dc:title>Fees</dc:title></office:meta>{edges}"
        f"<office:body>{body.replace('Oar', 'Oar' + picture)}</office:body></office:document>"
    )
    (tmp_path / name).write_text(flat)
    [text] = read(FoundFile(tmp_path / name, explicit=True))
    assert (text.kind, text.title) == (kind, "Fees")
    assert text.text == ("Above\n\nOar" if kind == "odt" else "Oar")


def item(text: str, inner: str = "") -> str:
    return f"<text:list-item>{p(text) if text else ''}{inner}</text:list-item>"


DEEP = """<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1"
style:num-suffix="."/><text:list-level-style-number text:level="2" style:num-format="1" style:num-suffix="."
text:display-levels="2"/></text:list-style>"""
LIST = '<text:list text:style-name="L"{}>{}</text:list>'
INNER = f"<text:list>{item('hot')}{item('cold')}</text:list>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (LIST.format("", item("Wash", INNER) + item("Dry")), "1. Wash|1.1. hot|1.2. cold|2. Dry"),
        (LIST.format("", item("Wash")) + p("Wait") + LIST.format(' text:continue-numbering="true"', item("Dry")),
         "1. Wash|Wait|2. Dry"),
        (LIST.format(' xml:id="a"', item("Wash")) + p("Wait") + LIST.format(' text:continue-list="a"', item("Dry")),
         "1. Wash|Wait|2. Dry"),
        (LIST.format("", item("Wash") + item("", INNER) + item("Dry")), "1. Wash|1.1. hot|1.2. cold|2. Dry"),
        (LIST.format("", item("Wash")) + LIST.format("", item("Dry")), "1. Wash|1. Dry"),
        (LIST.format("", item("Wash<office:annotation><text:p>Why?</text:p></office:annotation>")),
         "Comment: Why?|1. Wash"),
    ],
)  # fmt: skip
def test_lists_are_counted_as_the_program_counts(body: str, text: str) -> None:
    assert [line for line in text_of(DEEP + body).split("\n") if line] == text.split("|")


def test_headings_have_the_numbers_of_the_outline() -> None:
    level = '<text:outline-level-style text:level="{0}" style:num-format="1" text:display-levels="{0}"/>'
    outline = f"<text:outline-style>{level.format(1)}{level.format(2)}</text:outline-style>"
    body = "".join(f'<text:h text:outline-level="{at}">{name}</text:h>' for at, name in ((1, "A"), (2, "B"), (2, "C")))
    content = odt(opened(body + '<text:h text:outline-level="3">D</text:h>', outline))
    assert [heading for _, heading in content.headings] == ["1 A", "1.1 B", "1.2 C", "D"]


HIDDEN = '<style:style style:name="H"><style:text-properties text:display="none"/></style:style>'


@pytest.mark.parametrize(
    "hidden",
    [
        HIDDEN + p('Seen<text:span text:style-name="H">no <text:span>no</text:span></text:span>'),
        f'<text:section text:display="none">{p("no")}{p("no")}</text:section>{p("Seen")}',
        p('Seen<text:hidden-text text:is-hidden="true">no</text:hidden-text>'),
        p("Seen<text:script>no()</text:script>"),
    ],
)
def test_what_is_hidden_is_not_read(hidden: str) -> None:
    assert text_of(hidden) == "Seen"


UP = '<style:style style:name="U"><style:text-properties style:text-position="{}"/></style:style>'
SPAN = '<text:span text:style-name="U">{}</text:span>'


@pytest.mark.parametrize(
    ("position", "up", "text"),
    [
        ("super 58%", SPAN.format("-") + SPAN.format("3"), "10^-3 m"),
        ("33% 58%", SPAN.format("6"), "10^6 m"),
        ("super 58%", SPAN.format("<text:span>6</text:span>"), "10^6 m"),
        ("-33% 58%", SPAN.format("6"), "106 m"),
        ("sub 58%", SPAN.format("6"), "106 m"),
    ],
)
def test_raised_text_is_known_however_it_is_written(position: str, up: str, text: str) -> None:
    assert text_of(UP.format(position) + p(f"10{up} m")) == text


ENERGY = "<mrow><mi>E</mi><mo>=</mo><mi>m</mi><msup><mi>c</mi><mn>2</mn></msup></mrow>"
MATHS = "http://www.w3.org/1998/Math/MathML"


def test_formulas_stand_in_their_sentence() -> None:
    whole = f"<math xmlns='{MATHS}'><semantics>{ENERGY}<annotation>E = m c^2</annotation></semantics></math>"
    drawn = p('So <draw:frame><draw:object xlink:href="./Object 1"/></draw:frame> holds.')
    assert text_of(drawn, **{"Object 1/content.xml": whole}) == "So E=mc^2 holds."
    assert text_of(p(f"So <draw:object>{whole}</draw:object> holds.")) == "So E=mc^2 holds."


@pytest.mark.parametrize("edge", ["header", "footer", "header-first"])
def test_what_stands_above_and_below_keeps_its_tabs_cells_and_numbers_to_call(edge: str) -> None:
    cells = row(cell("Doc no."), cell("17"))
    styles = f"<style:{edge}>{p('Club<text:tab/>Road<text:s/>9')}<table:table>{cells}</table:table>"
    text = text_of(p("Body."), f"{styles}{p('+49 40 123456')}{p('12')}</style:{edge}>")
    assert text.replace("Body.", "").strip() == "Club\tRoad 9\n\nDoc no.\t17\n\n+49 40 123456"


@pytest.mark.parametrize("inner", [p("red<text:line-break/>boat"), p("red<text:tab/>boat"), p("red") + p("boat")])
def test_a_cell_of_several_lines_stays_one_cell(inner: str) -> None:
    rows = row(f"<table:table-cell>{inner}</table:table-cell>", cell("5"))
    assert text_of(f"<table:table>{rows}</table:table>") == "red boat\t5"


def test_the_title_of_a_slide_is_a_heading() -> None:
    title = f'<draw:frame presentation:class="title"><draw:text-box>{p("Tides")}</draw:text-box></draw:frame>'
    other = f"<draw:frame><draw:text-box>{p('Low at nine.')}</draw:text-box></draw:frame>"
    assert odp(opened(f"<draw:page>{title}{other}</draw:page>")).headings == ((0, "Tides"),)
