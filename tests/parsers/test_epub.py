"""Laws of books: every chapter that is in the archive is found, whatever its name is written like."""

import pytest

from reatt.parsers.content import Content
from reatt.parsers.markup.epub import epub
from tests.parsers.office_made import zipped

PAGE = "application/xhtml+xml"


def book(items: str, spine: str = '<itemref idref="a"/>', **parts: str) -> Content:
    files = {name.replace("__", "."): part for name, part in parts.items()}
    container = '<x><rootfile full-path="OPS/b.opf"/></x>'
    package = f"<x><manifest>{items}</manifest><spine>{spine}</spine></x>"
    return epub(zipped({"META-INF/container.xml": container, "OPS/b.opf": package, **files}))


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("Text/ch%201.xhtml", "OPS/Text/ch 1.xhtml"),
        ("Text/ch%201.xhtml", "OPS/Text/ch%201.xhtml"),
        ("Text/Ch1.xhtml", "OPS/text/ch1.XHTML"),
        ("./../ch1.xhtml#top", "ch1.xhtml"),
        ("Text/caf%C3%A9.xhtml", "OPS/Text/café.xhtml"),
    ],
)
def test_a_chapter_is_found_however_its_name_is_written(written: str, stored: str) -> None:
    content = book(f'<item id="a" href="{written}" media-type="{PAGE}"/>', **{stored: "<p>One.</p>"})
    assert (content.text, content.warnings) == ("One.", ())


def test_a_chapter_that_is_a_drawing_is_read() -> None:
    drawing = "<svg xmlns='http://www.w3.org/2000/svg'><text>Tide table</text></svg>"
    content = book('<item id="a" href="c.svg" media-type="image/svg+xml"/>', **{"OPS/c.svg": drawing})
    assert content.text == "Tide table"


def test_an_order_that_names_no_chapter_is_none() -> None:
    item = f'<item id="a" href="a.xhtml" media-type="{PAGE}"/>'
    assert book(item, '<itemref idref="z"/>', **{"OPS/a.xhtml": "<p>One.</p>"}).text == "One."


NCX = "<ncx><navPoint><navLabel><text>{}</text></navLabel><content src='a.xhtml#x'/></navPoint></ncx>"
NAV = "<html><body><nav><ol><li><a href='a.xhtml'>{}</a></li></ol></nav></body></html>"


@pytest.mark.parametrize(
    ("item", "contents"),
    [
        ('<item id="n" href="n.x" media-type="application/x-dtbncx+xml"/>', NCX),
        (f'<item id="n" href="n.x" media-type="{PAGE}" properties="nav"/>', NAV),
        (f'<item id="n" href="n.x" media-type="{PAGE}" properties="scripted nav"/>', NAV),
    ],
)
def test_a_chapter_without_headings_has_that_of_the_table_of_contents(item: str, contents: str) -> None:
    items = f'<item id="a" href="a.xhtml" media-type="{PAGE}"/><item id="b" href="b.xhtml" media-type="{PAGE}"/>'
    parts = {"OPS/a.xhtml": "<p class=title>The harbour</p><p>It is deep.</p>", "OPS/b.xhtml": "<h1>Own</h1>"}
    spine = '<itemref idref="a"/><itemref idref="b"/>'
    content = book(items + item, spine, **parts, **{"OPS/n.x": contents.format("The  harbour")})
    assert content.headings == ((0, "The harbour"), (content.text.index("Own"), "Own"))
