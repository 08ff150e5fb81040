"""Laws of what is content on a page: lists of links, footers, folded parts, numbers and superscripts are kept."""

import doctest

import pytest

from reatt.parsers import list_numbers, superscripts
from reatt.parsers.markup.html import html

PROSE = "<p>The club was founded in 1961 and all its members meet every second year in the boat house.</p>"
PEOPLE = "".join(f'<li><a href="/{name}">{name}</a>' for name in ("Ada", "Bo", "Cy", "Di", "Ed", "Fay"))
PLACES = "".join(f'<li><a href="/{name}">{name}</a>' for name in ("Home", "News", "Shop", "Help", "About"))
ANCHORS = PLACES.replace("/", "#").replace("<#", "</")


@pytest.mark.parametrize(
    "page",
    [
        f"<h1>Board</h1>{PROSE}<ul>{PEOPLE}</ul>",
        f"<ul>{PLACES}</ul><h1>Board</h1><ol>{PEOPLE}</ol>",
        f"<main>{PROSE}<ul>{PEOPLE}</ul></main>",
        f"<div role=main><h2>Board</h2><div class=members><ul>{PEOPLE}</ul></div></div>",
        f"<article><ul>{PEOPLE}</ul></article>",
    ],
)
def test_a_list_of_links_within_the_content_is_kept(page: str) -> None:
    assert "Ada" in html(page).text
    assert "Fay" in html(page).text


@pytest.mark.parametrize(
    "page",
    [
        f"<nav>{PLACES}</nav><h1>Board</h1>{PROSE}",
        f"<ul>{PLACES}</ul><h1>Board</h1>{PROSE}",
        f"<h1>Board</h1>{PROSE}<div class='site-nav x'><ul>{PLACES}</ul></div>",
        f"<h1>Board</h1>{PROSE}<footer><ul>{PLACES}</ul></footer>",
        f"<main>{PROSE}</main><div><ul>{PLACES}</ul></div>",
        f"<div role=navigation><a href=/>News</a></div>{PROSE}",
        f"<header><a href=/>News</a></header>{PROSE}",
        f"{PROSE}<aside><a href=/a>News</a><a href=/b>Shop</a></aside>",
        f"<h1>Board</h1>{PROSE}<ul>{ANCHORS}</ul>",
        f"{PROSE}{'<button>News</button>' * 3}",
    ],
)
def test_menus_and_bars_of_links_are_left_out(page: str) -> None:
    text = html(page).text
    assert "News" not in text
    assert "1961" in text


KEPT = "Harbour Road 9"


@pytest.mark.parametrize(
    "part",
    [
        f"<footer><p>{KEPT}</p></footer>",
        f"<main>{PROSE * 3}</main><footer>{KEPT}</footer>",
        f"<article>{PROSE * 3}</article><aside>{KEPT}</aside>",
        f"<header><p>{KEPT}</p></header>",
        f"<div role=contentinfo>{KEPT}</div>",
        f"<footer><a href='tel:5550182'>{KEPT}</a></footer>",
        f"<nav><p>The office at {KEPT} is open on all days but Sundays and holidays.</p><a href=/>Home</a></nav>",
        f"<div hidden>{KEPT}</div>",
        f"<details><summary>Where?</summary>{KEPT}</details>",
        f"<div class=panel aria-hidden=true><p>{KEPT}</p></div>",
        f"<h3><button aria-expanded=false>{KEPT}</button></h3>",
        f"<button class=accordion>{KEPT}</button>",
        f"<dialog>{KEPT}</dialog>",
        f"<figure><img src=a.png><figcaption>{KEPT}</figcaption></figure>",
        f"<table><caption>{KEPT}</caption><tr><td>1</table>",
        f"<svg><title>no</title><text>{KEPT}</text></svg>",
    ],
)
def test_what_a_reader_finds_on_the_page_is_kept(part: str) -> None:
    assert html(f"<h1>Club</h1>{PROSE}{part}").text.count(KEPT) == 1


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("10<sup>6</sup> cells", "10^6 cells"),
        ("10<sup>-3</sup> m<sup>2</sup>", "10^-3 m^2"),
        ("2<sup>n</sup>", "2^n"),
        ("the 4<sup>th</sup> floor", "the 4th floor"),
        ("of the income<sup>3</sup>", "of the income [3]"),
        ("It rained.<sup>1,2</sup>", "It rained. [1,2]"),
        ("in 1961<sup><a href=#n>7</a></sup>", "in 1961 [7]"),
        ("in 1961<sup class=reference>[7]</sup> and", "in 1961 [7] and"),
        ("in 1961<a href=#n><sup>7</sup></a>", "in 1961 [7]"),
        ("H<sub>2</sub>O", "H2O"),
        ("<math><msup><mn>10</mn><mn>6</mn></msup></math>", "10^6"),
        ("<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>", "1/2"),
        ("Reatt<sup>TM</sup>", "ReattTM"),
    ],
)
def test_a_superscript_becomes_no_digit_of_the_number_before_it(page: str, text: str) -> None:
    assert html(f"<p>{page}</p>").text == text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<ol><li>Wash<li>Dry</ol>", "1. Wash\n2. Dry"),
        ("<ol start=4 type=a><li>Wash<li><b>Dry</b> it</ol>", "d. Wash\ne. Dry it"),
        ("<ol reversed><li>Wash<li>Dry</ol>", "2. Wash\n1. Dry"),
        ("<ol><li>Wash<ul><li>hot</ul><li value=7>Dry<li>Iron</ol>", "1. Wash\n\nhot\n\n7. Dry\n8. Iron"),
        ("<ol><li><h2>Wash</h2><li></ol>", "Wash"),
        ("<ol type=I start=x><li>Wash</ol>", "I. Wash"),
    ],
)
def test_the_numbers_of_a_list_are_written(page: str, text: str) -> None:
    assert html(page).text == text


@pytest.mark.parametrize("module", [list_numbers, superscripts], ids=lambda module: str(module.__name__))
def test_the_examples_in_docstrings_hold(module) -> None:  # type: ignore[no-untyped-def]
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


TABLE = """<h1>Rates</h1><table><caption>In <b>euros</b></caption>
<thead><tr><th>Item<th>Price<th>VAT<th>Note</thead>
<tr><td>Rope</td><td>4.35</td><td></td><td> </td></tr>
<tr><td><p>Sail</p></td><td></td><td><p>7 %</p><p>(low)</p></td><td>a<br>b</td></tr>
<tr><td rowspan=2>Oar</td><td colspan=2>none</td><td>x</td></tr>
<tr><td>1</td><td>2</td><td>3</td></tr>
<tr><td></td><td></td><td>5</td></tr>
</table><p>Then.</p>"""
TABLE_TEXT = """Rates

In euros
Item\tPrice\tVAT\tNote
Rope\t4.35
Sail\t\t7 % (low)\ta b
Oar\tnone\t\tx
\t1\t2\t3
\t\t5

Then."""


def test_empty_and_spanning_cells_keep_the_columns_of_a_table() -> None:
    assert html(TABLE).text == TABLE_TEXT


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<table role=presentation><tr><td>a<td>b<tr><td>c<td>d</table>", "a b\nc d"),
        ("<table><tr><td>menu<td><table><tr><td>a<td>b<tr><td>c<td>d</table></table>", "menu\n\na\tb\nc\td"),
        ("<table><tr><td><p>one</p><p>two</p></td></tr></table>", "one\n\ntwo"),
        ("<table><tr><td>a<td><h2>b</h2><tr><td>c<td>d</table>", "a\n\nb\n\nc d"),
        (f"<table><tr><td>a<td>{'b ' * 600}<tr><td>c<td>d</table>", f"a {'b ' * 600}".strip() + "\nc d"),
        ("<table><tr><td colspan=9999999>a<td>b<tr><td rowspan=x>c<td>d</table>", "a\tb\nc\td"),
    ],
)
def test_tables_that_place_things_have_no_columns(page: str, text: str) -> None:
    assert html(page).text == text


def test_names_of_columns_stand_before_their_values_unless_they_are_far_longer() -> None:
    rows = [
        ("Ladder 7, wood", "Ada Quist", ""),
        ("Boat house key", "", "12 March"),
        ("Tar, two barrels", "Bo", "1 May"),
    ]
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    page = f"<table><thead><tr><th>Thing</th><th>Who</th><th>Due</th></tr></thead><tbody>{body}</tbody></table>"
    assert html(page).text == (
        "Thing\tWho\tDue\n"
        "Thing: Ladder 7, wood\tWho: Ada Quist\n"
        "Thing: Boat house key\t\tDue: 12 March\n"
        "Thing: Tar, two barrels\tWho: Bo\tDue: 1 May"
    )
    plain = page.replace("th>", "td>").replace("thead>", "tbody>")
    assert html(plain).text.splitlines()[1] == "Ladder 7, wood\tAda Quist"
    long = page.replace("Thing", "The things that are kept in the boat house by the club")
    assert html(long).text.splitlines()[1] == "Ladder 7, wood\tAda Quist"


def test_a_cell_that_reaches_below_the_end_of_a_short_row_ends_where_it_should() -> None:
    head = "<tr><th rowspan=2>Item<th colspan=2>Price<th rowspan=2>Note<tr><th>Adult<th>Child"
    rows = "<tr><td>Boat<td>12<td>6<td>an hour<tr><td>Kayak<td>9<td><td>a day"
    text = html(f"<table>{head}{rows}</table>").text
    assert text == "Item\tPrice\t\tNote\n\tAdult\tChild\nBoat\t12\t6\tan hour\nKayak\t9\t\ta day"


@pytest.mark.parametrize("box", ["div", "span"])
def test_a_table_that_is_made_of_other_elements_has_rows_and_cells(box: str) -> None:
    def row(kind: str, *cells: str) -> str:
        return f"<{box} role=row>{''.join(f'<{box} role={kind}>{cell}</{box}>' for cell in cells)}</{box}>"

    rows = row("columnheader", "Town", "Mayor") + row("cell", "Norden", "Eike Hals")
    assert html(f"<{box} role=table>{rows}</{box}>").text == "Town\tMayor\nNorden\tEike Hals"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<ruby>東京<rp>(</rp><rt>とうきょう</rt><rp>)</rp></ruby>に行く", "東京(とうきょう)に行く"),
        ("<ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>を読む", "漢字(かんじ)を読む"),
        ("<ruby><rb>漢</rb><rb>字</rb><rt>かん</rt><rt>じ</rt></ruby>", "漢字(かんじ)"),
        ("<ruby>漢</ruby>", "漢"),
        ("<ruby><ruby>漢<rt>かん</rt></ruby>字<rtc><rt>じ</rt></rtc></ruby>です", "漢(かん)字(じ)です"),
    ],
)
def test_how_signs_are_read_aloud_parts_no_word(page: str, text: str) -> None:
    assert html(f"<p>{page}</p>").text == text


LINKS = "".join(f"<li><a href=/{n}>Supplier {n}</a>" for n in range(6))


@pytest.mark.parametrize("called", ["class=menu", "id=sidebar", "class='list contents'"])
def test_a_list_of_links_in_the_text_is_content_whatever_it_is_called(called: str) -> None:
    page = f"<main><h1>Suppliers</h1><p>We buy from:</p><ul {called}>{LINKS}</ul></main>"
    assert "Supplier 3" in html(page).text
    assert "Supplier 3" not in html(f"<ul {called}>{LINKS}</ul><main><h1>Suppliers</h1><p>We buy.</p></main>").text


TWO = "<tr><th rowspan=2>Item<th colspan=2>North coast</tr><tr><th>Sold<th>Kept</tr>"
ROWS = "<tr><td>A red boat<td>eleven of them<td>none of them</tr><tr><td>An oar<td>two<td>all but one</tr>"


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (TWO, ["Item", "North coast Sold", "North coast Kept"]),
        ("<tr><th colspan=3>Stock of 2024</tr><tr><th>Item<th>Sold<th>Kept</tr>", ["Item", "Sold", "Kept"]),
        ("<thead><tr><td>Item<td>Sold<td>Kept</tr></thead>", ["Item", "Sold", "Kept"]),
        ("<tr><td>Item<td>Sold<td>Kept</tr>", ["", "", ""]),
        ("<tr><th>Item<th>Sold<th>Sold</tr>", ["", "", ""]),
    ],
)
def test_names_of_columns_are_those_of_all_rows_above_the_values(head: str, names: list[str]) -> None:
    last = html(f"<table>{head}{ROWS}</table>").text.splitlines()[-1]
    cells = ["An oar", "two", "all but one"]
    assert last == "\t".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=True))


@pytest.mark.parametrize("cell", ["<pre>red\nboat</pre>", "<p>red</p><p>boat</p>", "red<br>boat"])
def test_a_cell_of_several_lines_stays_in_its_row(cell: str) -> None:
    assert html(f"<table>{f'<tr><td>{cell}<td>5</tr>' * 2}</table>").text == "red boat\t5\nred boat\t5"


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<body><p>Text</p><svg><title>Logo</title></svg>", ""),
        ("<head><title>Page</title></head><body><svg><title>Logo</title></svg>", "Page"),
    ],
)
def test_the_title_of_a_drawing_in_a_page_is_none_of_the_page(page: str, title: str) -> None:
    assert html(page).title == title


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("1<sup>1</sup>/<sub>2</sub> cups", "1 1/2 cups"),
        ("<sup>3</sup>⁄<sub>4</sub> cup", "3⁄4 cup"),
        ("5 m<sup>2</sup>/s", "5 m^2/s"),
        ("only €9<sup>99</sup> now", "only €9.99 now"),
    ],
)
def test_fractions_and_prices_are_written_as_they_are_meant(page: str, text: str) -> None:
    assert html(f"<p>{page}</p>").text == text
