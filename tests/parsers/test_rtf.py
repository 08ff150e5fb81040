"""Laws of RTF: what Word shows is read, as it is of DOCX."""

import pytest

from reatt.parsers.office.rtf import rtf

HEAD = r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 Arial;}}"


def text_of(body: str) -> str:
    return rtf((HEAD + body + "}").encode("latin-1")).text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"10{\super 6} people", "10^6 people"),
        (r"an area of 5 m\super 2\nosupersub  here", "an area of 5 m^2 here"),
        (r"{\up6 2}H{\sub 2}O", "^2H2O"),
        (r"on the 4{\super th} day", "on the 4th day"),
        (r"the income{\super 3\plain  fell", "the income [3] fell"),
    ],
)
def test_superscripts_are_no_digits_of_the_number_before_them(body: str, text: str) -> None:
    assert text_of(body) == text


def test_what_stands_above_and_below_the_pages_is_read_once() -> None:
    above = r"{\header\pard Harbour club\par}{\headerl Harbour club}{\headerf\pard Page \chpgn\par}"
    page = r"{\field{\*\fldinst PAGE }{\fldrslt 7}}"
    below = rf"{{\footer The club at Road 9, Wick {page}\par}}{{\footerl {page}}}"
    assert text_of(above + below + r"\pard Body.\par") == "Harbour club\n\nBody.\n\nThe club at Road 9, Wick"


def test_notes_and_comments_stand_behind_the_text_each_on_its_own() -> None:
    notes = r"One{\footnote {\super\chftn} First.} two{\footnote\chftn  Second.\par} three{\*\annotation Why?}."
    assert text_of(notes) == "One [1] two [2] three.\n\n[1] First.\n\n[2] Second.\n\nComment: Why?"


def test_a_note_in_a_table_stays_out_of_its_cells() -> None:
    row = r"\trowd\cellx1000\cellx2000\intbl Rate\cell 5 %{\footnote in winter}\cell\row"
    assert text_of(row) == "Rate\t5 % [1]\n\n[1] in winter"


def test_what_an_embedded_object_shows_is_read() -> None:
    assert text_of(r"a {\object\objemb{\*\objdata 0102}{\result 5 oars}} b") == "a 5 oars b"


FONTS = r"{\fonttbl{\f0 Arial;}{\f1\fcharset2 Symbol;}{\f2\fcharset2 Wingdings;}{\f3\fcharset204 Arial;}}"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"10{\super -}{\super 3} m", "10^-3 m"),
        (r"see{\super 1}{\super 2}\par", "see [12]"),
        (r"{\f1 a\'b3}b", "α≥b"),
        (r"{\f2\'fe} Yes", "☑ Yes"),
        (r"{\f3\'cf\'f0} a", "Пр a"),
        (r"\pard\dropcapli2 O\par\pard nce upon a time\par", "Once upon a time"),
        (r"one\column two", "one\n\ntwo"),
    ],
)
def test_letters_are_read_as_they_are_shown(body: str, text: str) -> None:
    assert rtf(f"{{\\rtf1\\ansi{FONTS}\\f0 {body}}}".encode("latin-1")).text == text


@pytest.mark.parametrize("inner", [r"red\line boat", r"red\par boat", r"red\tab boat", r"{red\par}{\b boat}"])
def test_a_cell_of_several_lines_stays_one_cell(inner: str) -> None:
    row = rf"\trowd\cellx1\cellx2\pard\intbl {inner}\cell 5\cell\row"
    assert rtf(rf"{{\rtf1\ansi {row}{row}\pard After\par}}".encode()).text == "red boat\t5\nred boat\t5\nAfter"


def test_an_author_and_a_date_are_kept_and_a_number_to_call_below_the_pages() -> None:
    info = r"{\info{\title Tides}{\author Ada Pell}{\creatim\yr2019\mo1\dy1}{\revtim\yr2024\mo3\dy5\hr10}}"
    content = rtf(rf"{{\rtf1\ansi {info}{{\footer +49 40 123456\par}}{{\footerf 12\par}}Body\par}}".encode())
    assert (content.title, content.author, content.dated) == ("Tides", "Ada Pell", "2024-03-05")
    assert content.text == "Body\n\n+49 40 123456"
