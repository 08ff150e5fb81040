"""Laws of XHTML and EPUB: a self-closed tag holds nothing, whatever HTML's rules say."""

import doctest
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.documents.reader import FoundFile, read
from reatt.parsers.archives import events
from reatt.parsers.markup import xhtml
from reatt.parsers.markup.epub import epub
from reatt.parsers.markup.html import html
from reatt_store.errors import DocumentError

SPACE = 'xmlns="http://www.w3.org/1999/xhtml"'
CITED = "The bakery in Norden sells rye on Mondays."
SWALLOWERS = "title script style iframe textarea noscript xmp noembed noframes template object select button".split()


@pytest.mark.parametrize("tag", SWALLOWERS)
@pytest.mark.parametrize(
    "page",
    [
        f"<?xml version='1.0'?><html {SPACE}><body>{{}}<p>{CITED}</p></body></html>",
        f"<html {SPACE} lang='de'><body>{{}}<p>{CITED}</p></body></html>",
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "xhtml1-strict.dtd">'
        f"<html><body>{{}}<p>{CITED}</p></body></html>",
        f"<h:html {SPACE.replace('xmlns', 'xmlns:h')}><h:body>{{}}<h:p>{CITED}</h:p></h:body></h:html>",
    ],
    ids=["declaration", "namespace", "doctype", "prefix"],
)
def test_a_self_closed_tag_of_xhtml_swallows_nothing(tag: str, page: str) -> None:
    for closed in (f"<{tag}/>", f"<{tag} id='a>b' />", f'<{tag}\n class="/"/>'):
        assert html(page.format(closed)).text == CITED


def test_html_keeps_its_own_rules() -> None:
    assert html(f"<!doctype html><title>Rye</title><p>{CITED}<br/>Then<div/>more").text == f"{CITED}\nThen\n\nmore"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>a &lt; b<![CDATA[ <c> & d]]></p>", "a < b <c> & d"),
        ("<p>a&nbsp;b<br></br>c</p>", "a b\nc"),
        ("<p>a<!-- <title/> --> b<?php <p/> ?></p>", "a b"),
        ("<p>a<b/> c<i>d</i></p><p/><p>e</p>", "a cd\n\ne"),
        ("<p>x < y and <broken", "x < y and"),
    ],
)
def test_what_xml_reads_otherwise_is_read_as_xml_says(source: str, text: str) -> None:
    assert html(f"<html {SPACE}><body>{source}</body></html>").text == text


def chapters(*pages: str | bytes) -> bytes:
    out, names = io.BytesIO(), range(len(pages))
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("META-INF/container.xml", "<c><rootfile full-path='a.opf'/></c>")
        items = "".join(f"<item id='{name}' href='{name}.x' media-type='text/xml'/>" for name in names)
        order = "".join(f"<itemref idref='{name}'/>" for name in names)
        archive.writestr("a.opf", f"<package><manifest>{items}</manifest><spine>{order}</spine></package>")
        for name, page in enumerate(pages):
            archive.writestr(f"{name}.x", page)
    return out.getvalue()


def book(page: str, media: str = "application/xhtml+xml", spine: str = '<itemref idref="a"/>') -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", "<c><rootfile full-path='a.opf'/></c>")
        item = f"<item id='a' href='a.x' media-type='{media}'/>"
        archive.writestr("a.opf", f"<package><manifest>{item}</manifest><spine>{spine}</spine></package>")
        archive.writestr("a.x", page)
    return out.getvalue()


@pytest.mark.parametrize("tag", SWALLOWERS)
def test_no_chapter_of_a_book_is_swallowed(tag: str) -> None:
    assert epub(book(f"<html><head><{tag}/></head><body><p>{CITED}</p></body></html>")).text == CITED


@pytest.mark.parametrize("media", ["application/XHTML+xml", "text/x-oeb1-document", "text/xml", "text/html"])
def test_a_chapter_is_read_whatever_its_type_is_called(media: str) -> None:
    assert epub(book(f"<html><body><p>{CITED}</p></body></html>", media)).text == CITED


def test_a_chapter_that_is_no_text_is_said_and_the_others_are_read() -> None:
    """Found by fuzzing: the whole book was refused."""
    whole = [f"<p>{CITED}</p>", b"p\0\0\0\n"]
    found = epub(chapters(*whole))
    assert (found.text, found.warnings) == (CITED, ("1 of 2 chapters are damaged",))
    with pytest.raises(DocumentError, match="none of its chapters"):
        epub(chapters(whole[1]))


def test_xml_in_an_unknown_encoding_is_damaged() -> None:
    with pytest.raises(DocumentError, match="unknown encoding"):
        list(events(b'<?xml version="1.0" encoding="UTF-0"?><a/>'))


def test_a_book_without_an_order_is_read_in_that_of_its_files() -> None:
    assert epub(book(f"<p>{CITED}</p>", spine="")).text == CITED


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.xhtml", ""), ("a", f"<html {SPACE}>"), ("a.htm", f"<html {SPACE}>"), ("b", "<?xml version='1.0'?>\n<html>")],
)
def test_a_file_of_xhtml_is_known_by_its_name_or_its_start(tmp_path: Path, name: str, start: str) -> None:
    (tmp_path / name).write_text(f"{start or f'<html {SPACE}>'}<head><title/></head><body><p>{CITED}</p></body></html>")
    [text] = read(FoundFile(tmp_path / name, explicit=True))
    assert (text.text, text.kind) == (CITED, "html")


@given(st.text(alphabet="<>/!-[]?'\"= ab\n", max_size=80))
def test_any_text_is_rewritten(source: str) -> None:
    html(f"<html {SPACE}><body>{source}")
    assert xhtml.as_html(xhtml.as_html(source)) is not None


def test_the_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(xhtml).failed == 0


def test_what_a_page_declares_for_itself_is_used_and_not_shown() -> None:
    declared = '<!ENTITY firm "Marten &#38; Co"> <!ENTITY town \'Dornum\'> <!ENTITY bomb "&town;&town;">'
    page = f"<?xml version='1.0'?><!DOCTYPE html [{declared}]><html xmlns='http://www.w3.org/1999/xhtml'>"
    text = html(f"{page}<body><p>&town; &eacute; &bomb;</p></body></html>").text
    assert text == "Dornum é &bomb;"
