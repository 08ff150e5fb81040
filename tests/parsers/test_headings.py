"""Laws of the titles and headings of files that are stored as they stand: Markdown, Org, AsciiDoc."""

import doctest

import pytest

from reatt.parsers import formats
from reatt.parsers.formats import asciidoc, markdown, org
from reatt.parsers.markup.latex import latex


def names(content) -> list[str]:  # type: ignore[no-untyped-def]
    for at, _ in content.headings:
        assert at == 0 or content.text[at - 1] == "\n"
    return [heading for _, heading in content.headings]


@pytest.mark.parametrize(
    ("text", "title", "headings"),
    [
        ("= Tides\nAda\n\n== Low\n\ntext\n\n=== Lower\n", "Tides", ["Tides", "Low", "Lower"]),
        ("== Low\n----\n== no\n----\n== High\n", "Low", ["Low", "High"]),
        ("== Low\n....\n----\n== no\n....\n== High\n", "Low", ["Low", "High"]),
        ("== Low\n\n////\n== no\n////\n\n```sh\n== no\n```\n== *High* `x`\n", "Low", ["Low", "High x"]),
        ("= Tides\r\n\r\n== Low\r\n", "Tides", ["Tides", "Low"]),
        ("a == b\n==x\n=======\n", "", []),
    ],
)
def test_the_headings_of_asciidoc_begin_with_equal_signs(text: str, title: str, headings: list[str]) -> None:
    content = asciidoc(text)
    assert (content.title, names(content), content.text) == (title, headings, text)


@pytest.mark.parametrize(
    ("text", "title", "headings"),
    [
        ("+++\ntitle = 'The tides'\n+++\n# Low\n", "The tides", ["Low"]),
        ('---\ntitle: "The tides"\n---\n# Low\n', "The tides", ["Low"]),
        ("# Caf&eacute; &amp; <b>bar</b>\n", "Café & bar", ["Café & bar"]),
        ("# \\# of \\*boats\\*\n", "# of *boats*", ["# of *boats*"]),
        ("# a < b\n", "a < b", ["a < b"]),
    ],
)
def test_the_headings_of_markdown_are_read_without_marks(text: str, title: str, headings: list[str]) -> None:
    content = markdown(text)
    assert (content.title, names(content)) == (title, headings)


@pytest.mark.parametrize("mark", ["TODO [#A] ", "[#B] ", "DONE ", ""])
def test_the_headings_of_org_are_read_without_their_state(mark: str) -> None:
    assert names(org(f"* {mark}Paint the boat :work:\n")) == ["Paint the boat"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"see\textsuperscript{3} there", "see [3] there"),
        (r"5 m\textsuperscript{2} wide", "5 m^2 wide"),
        (r"the 4\textsuperscript{th} day", "the 4th day"),
    ],
)
def test_superscripts_of_latex_are_set_apart(source: str, text: str) -> None:
    assert latex(source).text == text


def test_the_examples_in_docstrings_hold() -> None:
    result = doctest.testmod(formats)
    assert result.attempted
    assert not result.failed
