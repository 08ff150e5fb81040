"""Laws of reading HTML."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reatt.documents.reader import FoundFile, ReadLimits, Text, read
from reatt.parsers.formats import kind_of
from reatt.parsers.markup.html import html
from reatt_store.errors import DocumentError


def read_bytes(folder: Path, name: str, data: bytes, limits: ReadLimits | None = None) -> list[Text]:
    (folder / name).write_bytes(data)
    return list(read(FoundFile(folder / name, explicit=True), limits))


RUSSIAN = "Отпуск по уходу за ребёнком составляет сорок девять недель при полной оплате. " * 4


PAGE = """<!doctype html><html><head><title>Hand&shy;book &amp; more</title><style>p {}</style></head><body>
<nav><a href=/>Home</a></nav><script>evil()</script><div><ul><li><a>Alpha</a><li><a>Beta</a><li><a>Gamma</a>
<li><a>Delta</a><li><a>Omega</a></ul></div>
<main><h1>Parental <em>leave</em><a class=headerlink>¶</a></h1><p>It   is
<b>49</b> weeks.</p><template>no</template><pre>  a = 1
<b>
  </b><i>b</i> = 2
</pre><table><tr><th>Place<th>Days</tr><tr><td>Oslo<td>3</tr></table><p>One<br>two<!-- no --></main>
<footer>Imprint</footer></body></html>"""


def test_html_is_read_as_it_is_seen() -> None:
    content = html(PAGE)
    assert content.text == (
        "Parental leave\n\nIt is 49 weeks.\n\n  a = 1\n\n  b = 2\n\nPlace\tDays\nOslo\t3\n\nOne\ntwo\n\nImprint"
    )
    assert content.headings == ((0, "Parental leave"),)
    assert content.title == "Hand\u00adbook & more"


def test_a_page_that_is_only_links_keeps_them() -> None:
    links = "".join(f"<li><a href={i}>Chapter {i}</a>" for i in range(9))
    assert html(f"<nav><ul>{links}</ul></nav>").text.startswith("Chapter 0\nChapter 1\n")


def test_the_heading_positions_of_html_point_at_the_headings() -> None:
    content = html("<p>a</p><h2> b <i>c</i><wbr>d <a>§</a></h2>d<h3></h3><div><h3>e</h3></div>")
    assert [(content.text[at : at + len(heading)], heading) for at, heading in content.headings] == [
        ("b cd", "b cd"),
        ("e", "e"),
    ]


TAGS = st.sampled_from(
    ["<p>", "</p>", "<h1>", "</h1>", "<pre>", "</pre>", "<li>", "<nav>", "</nav>", "<td>", "a ", " b", "\n"]
)


@given(st.lists(TAGS | st.text(max_size=5), max_size=60).map("".join))
@settings(max_examples=200, deadline=None)
def test_any_html_is_read_and_its_headings_are_in_its_text(source: str) -> None:
    content = html(source)
    for at, heading in content.headings:
        assert " ".join(content.text[at:].split()).startswith(heading.split()[0])


def test_the_declared_encoding_of_html_counts(tmp_path: Path) -> None:
    source = f"<meta charset=windows-1251><p>{RUSSIAN}"
    [text] = read_bytes(tmp_path, "a.html", source.encode("cp1251"))
    assert text.text.split() == RUSSIAN.split()
    assert text.warnings == ()


def test_a_large_page_is_read_by_a_child_as_a_small_one_is_here(tmp_path: Path) -> None:
    source = f"<title>T</title><h1>Leave</h1><p>{RUSSIAN}</p><p>\ud83d</p>{' ' * 70_000}".encode("utf-8", "replace")
    [text] = read_bytes(tmp_path, "a.html", source)
    small = html(source.decode())
    assert (text.text, text.headings, text.title) == (small.text, small.headings, "T")


def test_a_page_nested_without_end_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="longer than"):
        read_bytes(tmp_path, "a.html", b"<div>" * 200_000, ReadLimits(seconds=1))


def test_superscripts_in_superscripts_are_written_once_in_time_that_grows_as_they_do() -> None:
    assert html("<p>10<sup>2<sup>3</sup></sup> metres</p>").text == "10^23 metres"
    started = time.process_time()
    assert html("<sup>a" * 20_000).text.count("a") == 20_000
    assert time.process_time() - started < 10  # 0.3 s; a read of each one's text took minutes


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ('<input value="Ada Pell">', "Name: Ada Pell ."),
        ('<input type="submit" value="Book a berth">', "Name: Book a berth ."),
        ('<input type="hidden" value="x7f">', "Name: ."),
        ("<select><option>Small<option selected>Large</select>", "Name: Large ."),
        ("<textarea>Two words</textarea>", "Name: Two words."),
    ],
)
def test_the_fields_of_a_form_say_what_they_hold(field, text):
    assert html(f"<p>Name: {field}.</p>").text == text


def test_the_words_of_a_drawing_are_read():
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg"><title>Plan</title><path d="M1,1 L2,2"/><text>The mole</text></svg>'
    )
    assert kind_of("plan.svg", drawing.encode()) == "html"
    assert (html(drawing).title, html(drawing).text) == ("Plan", "The mole")
