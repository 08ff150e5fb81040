"""Laws of spreadsheets: a value is what the program shows, and stands in its column."""

import doctest
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.parsers.office import number_formats, tables
from reatt.parsers.office.number_formats import shown
from reatt.parsers.office.sheets import xlsx

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def relations(*targets: tuple[str, str]) -> str:
    rows = [f'<Relationship Id="r{n}" Type="{OFFICE}/{t[0]}" Target="{t[1]}"/>' for n, t in enumerate(targets)]
    return f"<Relationships>{''.join(rows)}</Relationships>"


def book(rows: str, codes: tuple[str, ...] = (), beside: dict[str, str] | None = None, after: str = "") -> bytes:
    """Make a workbook of one sheet; the style of a cell is the number of its format."""
    formats = "".join(f'<numFmt numFmtId="{200 + n}" formatCode="{code}"/>' for n, code in enumerate(codes))
    styles = "".join(f'<xf numFmtId="{200 + n}"/>' for n in range(len(codes)))
    parts = {
        "_rels/.rels": relations(("officeDocument", "xl/w.xml")),
        "xl/w.xml": f'<w xmlns:r="{OFFICE}"><sheets><sheet name="Fees" r:id="r0"/></sheets></w>',
        "xl/_rels/w.xml.rels": relations(("worksheet", "s.xml"), ("styles", "st.xml")),
        "xl/st.xml": f"<s><numFmts>{formats}</numFmts><cellXfs>{styles}</cellXfs></s>",
        "xl/s.xml": f"<s><sheetData>{rows}</sheetData>{after}</s>",
        **(beside or {}),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return out.getvalue()


def row(number: int, **cells: str) -> str:
    texts = "".join(
        f'<c r="{column}{number}" t="inlineStr"><is><t>{text}</t></is></c>' for column, text in cells.items()
    )
    return f'<row r="{number}">{texts}</row>'


def lines(rows: str, **more: object) -> list[str]:
    return xlsx(book(rows, **more)).text.split("\n")[1:]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (4.3499999999999996, "General", "4.35"),
        (0.30000000000000004, "General", "0.3"),
        (7.0000000000000007e-2, "0%", "7%"),
        (0.125, "0.0%", "12.5%"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (23.8, '#,##0.00 "€"', "23.80 €"),
        (1234.5, "[$€-407] #,##0.00", "€ 1,234.50"),
        (-5, "#,##0;[Red](#,##0)", "(5)"),
        (-0.001, "0.00", "0.00"),
        (99.995, "0.00", "100.00"),
        (7, "000", "007"),
        (5550182, "000-0000", "555-0182"),
        (1500000, '0.0,,"M"', "1.5M"),
        (12345.678, "0.00E+00", "1.23E+04"),
        (5.25, "# ?/?", "5 1/4"),
        (3, '0" pieces"', "3 pieces"),
        (0, '_-* #,##0.00_-;-* #,##0.00_-;_-* "-"??_-', "-"),
        (150, '[>100]"many";0', "many"),
        (5, ";;;", "5"),
        (45306, "d mmmm yyyy", "15 January 2024"),
        (45306, "dddd, d mmm yy", "Monday, 15 Jan 24"),
        (45306, "dd.mm.yyyy", "15.01.2024"),
        (45306, "m/d/yyyy", "2024-01-15"),
        (45306, "mmm-yy", "Jan-24"),
        (45306, "yyyy", "2024"),
        (0.75, "h:mm AM/PM", "6:00 PM"),
        (0.520833333, "hh:mm", "12:30"),
        (1.25, "[h]:mm:ss", "30:00:00"),
    ],
)
def test_a_number_is_written_as_the_program_shows_it(value: float, code: str, text: str) -> None:
    assert shown(value, code) == text
    quoted = code.replace("&", "&amp;").replace('"', "&quot;").replace(">", "&gt;")
    assert lines(f'<row><c s="0"><v>{value!r}</v></c></row>', codes=(quoted,)) == [text]


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(alphabet='0#?.,%/@;"[]hHmsdyE+-\\_*$<>=1 aAmMpPg', max_size=12),
)
def test_any_number_is_written_in_any_format(value: float, code: str) -> None:
    if not number_formats.is_no_date(value, code):
        assert shown(value, code).strip()


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            row(1, A="Item", B="Gross", C="VAT") + row(2, A="Paddle", C="7 %"),
            ["Item\tGross\tVAT", "Item: Paddle\t\tVAT: 7 %"],
        ),
        (row(1, C="late"), ["\t\tlate"]),
        (row(1, A="a") + '<row r="2"><c r="A2"/><c r="B2"><v></v></c><c r="D2"><v>4</v></c></row>', ["a", "\t\t\t4"]),
        ("<row><c><v>1</v></c><c/><c><v>3</v></c><c/></row>", ["1\t\t3"]),
        (row(1, XFD="far"), ["\t" * 64 + "far"]),
    ],
)
def test_an_empty_cell_keeps_its_column(rows: str, text: list[str]) -> None:
    assert lines(rows) == text


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("<c><f>SUM(B2:B4)</f><v></v></c>", "=SUM(B2:B4)"),
        ("<c><f>A1&amp;&quot;x&quot;</f></c>", '=A1&"x"'),
        ('<c t="str"><f>A1</f></c>', "=A1"),
    ],
)
def test_a_formula_without_a_value_is_kept_and_said(cell: str, text: str) -> None:
    content = xlsx(book(f"<row>{cell}</row>"))
    assert content.text.endswith(text)
    assert "1 formula has no stored value" in content.warnings[0]


def test_a_formula_with_a_value_shows_the_value() -> None:
    content = xlsx(book("<row><c><f>1+1</f><v>2</v></c></row>"))
    assert (content.text, content.warnings) == ("Fees\n2", ())


def test_each_table_of_a_sheet_has_a_heading_with_its_columns() -> None:
    fees = row(1, A="Item", B="Price") + row(2, A="Rope", B="4.35")
    boats = row(5, A="Boats of the club") + row(6, A="Boat", B="Seats") + row(7, A="Gull", B="4")
    more = row(9, A="Key", B="Holder") + row(10, A="7", B="Ada")
    content = xlsx(book(fees + boats + more))
    assert [heading for _, heading in content.headings] == [
        "Fees: Item, Price", "Boats of the club: Boat, Seats", "Key, Holder",
    ]  # fmt: skip
    assert [content.text[at:].split("\n")[0] for at, _ in content.headings] == [
        "Fees",
        "Boats of the club",
        "Key\tHolder",
    ]


CHART = '<c:chartSpace xmlns:c="c" xmlns:a="a"><c:title><a:t>Sales of ropes</a:t></c:title></c:chartSpace>'
BESIDE = {
    "xl/_rels/s.xml.rels": relations(("comments", "c.xml"), ("drawing", "d.xml")),
    "xl/c.xml": '<c><comment ref="B2"><text><r><t>Ask </t></r><r><t>Ravi</t></r></text></comment></c>',
    "xl/d.xml": '<d xmlns:a="a"><a:p><a:r><a:t>Closed in May</a:t></a:r></a:p></d>',
    "xl/_rels/d.xml.rels": relations(("chart", "ch.xml")),
    "xl/ch.xml": CHART,
}


@pytest.mark.parametrize("words", ["Comment on B2: Ask Ravi", "Closed in May", "Sales of ropes", "Harbour club"])
def test_what_stands_beside_the_cells_is_read(words: str) -> None:
    printed = '<headerFooter><oddHeader>&amp;L&amp;"Arial,Bold"&amp;14Harbour club</oddHeader></headerFooter>'
    assert words in lines(
        row(1, A="a"), beside=BESIDE, after=printed + "<x><oddFooter>&amp;CPage &amp;P</oddFooter></x>"
    )
    assert "Page" not in "".join(lines(row(1, A="a"), after="<oddFooter>&amp;CPage &amp;P</oddFooter>"))


def test_names_of_columns_stand_before_their_values() -> None:
    body = row(2, A="Ladder 7, wood", B="Ada Quist") + row(3, A="Boat house key", C="12 March") + row(4, B="Bo", D="x")
    assert lines(row(1, A="Thing", B="Who", C="Due") + body) == [
        "Thing\tWho\tDue",
        "Thing: Ladder 7, wood\tWho: Ada Quist",
        "Thing: Boat house key\t\tDue: 12 March",
        "\tWho: Bo\t\tx",
    ]


def test_names_far_longer_than_the_values_stand_in_the_heading_alone() -> None:
    content = xlsx(
        book(row(1, A="Height in metres", B="Width in metres") + row(2, A="2", B="3") + row(3, A="4", B="1"))
    )
    assert content.text == "Fees\nHeight in metres\tWidth in metres\n2\t3\n4\t1"
    assert content.headings == ((0, "Fees: Height in metres, Width in metres"),)


def test_the_examples_in_docstrings_hold() -> None:
    result = doctest.testmod(number_formats)
    assert result.attempted
    assert not result.failed
    assert doctest.testmod(tables).failed == 0


def test_a_superscript_in_a_cell_is_no_digit_of_the_number_before_it() -> None:
    up = '<rPr><vertAlign val="superscript"/></rPr>'
    rich = f"<r><t>10</t></r><r>{up}<t>6</t></r><r><t> a day</t></r>"
    assert lines(f'<row><c t="inlineStr"><is>{rich}</is></c></row>') == ["10^6 a day"]
    shared = {
        "xl/_rels/w.xml.rels": relations(("worksheet", "s.xml"), ("sharedStrings", "t.xml")),
        "xl/t.xml": f"<sst><si>{rich}</si></sst>",
    }
    assert lines('<row><c t="s"><v>0</v></c></row>', beside=shared) == ["10^6 a day"]


def test_a_formula_that_was_never_counted_is_no_zero() -> None:
    """Libraries that cannot count write 0, and tell the program to count when it opens the file."""
    told = '<sheets><sheet name="Fees" r:id="r0"/></sheets><calcPr fullCalcOnLoad="1"/>'
    rows = "<row><c><f>SUM(A2:A3)</f><v>0</v></c><c><f>B2*2</f><v>8</v></c><c><v>0</v></c></row>"
    content = xlsx(book(rows, beside={"xl/w.xml": f'<w xmlns:r="{OFFICE}">{told}</w>'}))
    assert content.text == "Fees\n=SUM(A2:A3)\t8\t0"
    assert content.warnings[0].startswith("1 formula has no stored value")
    assert lines(rows) == ["0\t8\t0"]


def test_a_date_that_is_stored_as_one_is_read() -> None:
    rows = '<row><c t="d"><v>2024-05-03T00:00:00</v></c><c t="d"><v>2024-05-03T14:30:00</v></c></row>'
    assert lines(rows) == ["2024-05-03\t2024-05-03 14:30:00"]


@pytest.mark.parametrize("value", ["<v></v>", "<v/>", '<v xml:space="preserve"></v>'])
def test_a_formula_whose_value_is_an_empty_text_shows_nothing(value: str) -> None:
    cell = f'<c r="B1" t="str"><f>IF(A1=0,"","x")</f>{value}</c>'
    content = xlsx(book(f'<row><c r="A1"><v>1</v></c>{cell}<c r="C1"><v>3</v></c></row>'))
    assert (content.text, content.warnings) == ("Fees\n1\t\t3", ())


@pytest.mark.parametrize(
    ("written", "text"),
    [("one_x000D_\ntwo", "one two"), ("a_x0009_b", "a b"), ("_x005F_x0041_", "_x0041_"), ("max_x_y", "max_x_y")],
)
def test_characters_that_xml_cannot_hold_are_read(written: str, text: str) -> None:
    assert lines(f'<row><c t="inlineStr"><is><t>{written}</t></is></c></row>') == [text]
    shared = {
        "xl/_rels/w.xml.rels": relations(("worksheet", "s.xml"), ("sharedStrings", "t.xml")),
        "xl/t.xml": f"<sst><si><t>{written}</t></si></sst>",
    }
    assert lines('<row><c t="s"><v>0</v></c></row>', beside=shared) == [text]


def test_raised_runs_of_a_cell_that_follow_one_another_are_one() -> None:
    up = '<rPr><vertAlign val="superscript"/></rPr>'
    rich = f"<r><t>10</t></r><r>{up}<t>-</t></r><r>{up}<t>3</t></r><r><t> m</t></r><rPh><t>no</t></rPh>"
    assert lines(f'<row><c t="inlineStr"><is>{rich}</is></c></row>') == ["10^-3 m"]


GROUPS = row(1, B="North", D="South") + row(2, A="Item", B="Sold", C="Kept", D="Sold", E="Kept")
DATA = '<row r="3"><c t="inlineStr"><is><t>Boat</t></is></c>' + "<c><v>1</v></c>" * 4 + "</row>"


@pytest.mark.parametrize(
    ("rows", "heading"),
    [
        (GROUPS + DATA, "Fees: Item, North Sold, North Kept, South Sold, South Kept"),
        (row(1, A="Item", B="North", D="South") + row(2, B="Sold", C="Kept", D="Sold", E="Kept") + DATA,
         "Fees: Item, North Sold, North Kept, South Sold, South Kept"),
        (row(1, A="Fees of 2024") + row(2, A="Item", B="Sold") + DATA, "Fees: Item, Sold"),
        (row(1, A="Item", C="Sold") + row(2, A="Boat", B="red", C="new") + row(3, A="Oar"), "Fees: Item, Sold"),
    ],
)  # fmt: skip
def test_columns_are_named_with_their_groups(rows: str, heading: str) -> None:
    assert xlsx(book(rows)).headings == ((0, heading),)


def test_a_form_is_no_table_with_names_of_columns() -> None:
    body = row(1, A="Customer", B="Ada Pell") + '<row r="2"><c t="inlineStr"><is><t>Born</t></is></c><c><v>1815</v></c>'
    assert lines(body + "</row>" + row(3, A="Town", B="Wick")) == ["Customer\tAda Pell", "Born\t1815", "Town\tWick"]
