"""Laws of what a PDF says beside its lines: forms, remarks, heads, cut words, dates. The files are made here."""

import re
from pathlib import Path

import pypdf
import pytest
from pypdf.annotations import FreeText
from pypdf.annotations import Text as Remark
from pypdf.generic import ArrayObject, DictionaryObject, FloatObject, NameObject, TextStringObject

from reatt.parsers.origins import day
from reatt.parsers.pdf.lines import broken, join_cut_words, said_once
from tests.parsers.test_pdf import LEAVE, TRAVEL, make_pdf, parse, with_writer, written

GERMAN = (
    "Die Donaudampfschifffahrtsgesellschaft fuhr im Sommer jeden Tag von Wien nach Linz und zurück. Sie hatte hundert"
    " Schiffe, tausend Leute und einen Hafen, in dem auch im Winter gearbeitet wurde. "
)
HEAD, FOOT = "Handbook of the harbour", "Edition {}, page {}"


def placed(*lines: tuple[str, int, int]) -> bytes:
    """Show each line at a place, from the last to the first: files need not be in reading order."""
    shown = (f"BT /F1 10 Tf {x} {y} Td ({line}) Tj ET" for line, x, y in reversed(lines))
    return "\n".join(shown).encode()


def with_field(file: bytes, kind: str, value: object, box: tuple[int, int, int, int], **more: object) -> bytes:
    """Add a form field to the first page."""
    writer = with_writer(file)
    entries = {
        "/Type": NameObject("/Annot"), "/Subtype": NameObject("/Widget"), "/FT": NameObject(kind),
        "/T": TextStringObject("field"), "/V": value, "/Rect": ArrayObject(map(FloatObject, box)), **more,
    }  # fmt: skip
    field = writer._add_object(DictionaryObject({NameObject(name): entry for name, entry in entries.items()}))
    writer.pages[0][NameObject("/Annots")] = ArrayObject([field])
    form = DictionaryObject({NameObject("/Fields"): ArrayObject([field])})
    writer._root_object[NameObject("/AcroForm")] = form
    return written(writer)


FORM = make_pdf(placed(("Name of the applicant:", 50, 700), ("Signed in Greypoint", 50, 660)))


@pytest.mark.parametrize("value", ["Cordula Weiss", "K-2291", "Zoë Ångström", "李娜"])
def test_the_value_of_a_field_follows_its_label(tmp_path: Path, value: str) -> None:
    file = with_field(FORM, "/Tx", TextStringObject(value), (180, 695, 400, 712))
    assert f"Name of the applicant: {value}\n" in parse(tmp_path, file).text


def test_a_chosen_value_is_read(tmp_path: Path) -> None:
    options = ArrayObject([TextStringObject("adult"), TextStringObject("child")])
    more = {"/Opt": options, "/Ff": pypdf.generic.NumberObject(1 << 17)}
    file = with_field(FORM, "/Ch", TextStringObject("child"), (180, 695, 400, 712), **more)
    assert "applicant: child" in parse(tmp_path, file).text


@pytest.mark.parametrize(("state", "shown"), [("/Yes", "[x]"), ("/Off", "[ ]")])
def test_a_box_is_checked_or_not(tmp_path: Path, state: str, shown: str) -> None:
    file = with_field(FORM, "/Btn", NameObject(state), (180, 695, 192, 707), **{"/AS": NameObject(state)})
    assert f"applicant: {shown}" in parse(tmp_path, file).text


def test_an_empty_field_says_nothing(tmp_path: Path) -> None:
    file = with_field(FORM, "/Tx", TextStringObject(""), (180, 695, 400, 712))
    assert parse(tmp_path, file).text.startswith("Name of the applicant:\n")


def test_several_lines_of_a_field_stay_lines(tmp_path: Path) -> None:
    file = with_field(FORM, "/Tx", TextStringObject("Mole 3\r\nGreypoint"), (180, 670, 400, 712))
    assert {"Mole 3", "Greypoint"} <= set(re.split(r"[\n:] *", parse(tmp_path, file).text))


def test_remarks_and_typed_text_are_read(tmp_path: Path) -> None:
    writer = with_writer(make_pdf(LEAVE))
    writer.add_annotation(0, FreeText(text="PAID on 3 May", rect=(50, 600, 200, 620)))
    writer.add_annotation(0, Remark(rect=(300, 600, 320, 620), text="Ask Jonah about this."))
    text = parse(tmp_path, written(writer)).text
    assert text.index("Parental") < text.index("PAID on 3 May") < text.index("Ask Jonah about this.")


def test_columns_are_read_one_after_the_other_whatever_the_order_in_the_file(tmp_path: Path) -> None:
    left = [
        "The harbour master keeps",
        "the tide tables of the town.",
        "The northern mole was",
        "rebuilt after the storm.",
    ]
    right = [
        "The fish market is open on",
        "Friday from five to eleven.",
        "Stalls cost thirty crowns",
        "and are paid at noon.",
    ]
    rows = [(line, x, 700 - 12 * n) for x, lines in ((50, left), (250, right)) for n, line in enumerate(lines)]
    assert parse(tmp_path, make_pdf(placed(*rows))).text.split() == " ".join(left + right).split()


@pytest.mark.parametrize("gap", [60, 180, 300])
def test_words_are_apart_where_only_a_gap_parts_them(tmp_path: Path, gap: int) -> None:
    shown = f"BT /F1 10 Tf 50 700 Td [(no) -{200 + gap} (answer) -{200 + gap} (has) 30 (ten)] TJ ET"
    assert parse(tmp_path, make_pdf(shown.encode(), LEAVE)).text.startswith("no answer hasten")


@pytest.mark.parametrize(
    ("base", "raised", "shown"),
    [
        ("10", "6", "10^6"),
        ("5 m", "2", "5 m^2"),
        ("income", "3", "income [3]"),
        ("see", "3", "see [3]"),
        ("E = mc", "2", "E = mc^2"),
        ("12 in", "3", "12 in^3"),
        ("go in", "3", "go in [3]"),
        ("in 1990", "4", "in 1990 [4]"),
        ("\\(as above\\)", "2", "(as above) [2]"),
    ],
)
def test_raised_numbers_are_set_apart(tmp_path: Path, base: str, raised: str, shown: str) -> None:
    stream = f"BT /F1 12 Tf 50 700 Td ({base}) Tj /F1 7 Tf 4 Ts ({raised}) Tj /F1 12 Tf 0 Ts ( is said.) Tj ET"
    assert parse(tmp_path, make_pdf(stream.encode())).text.strip() == f"{shown} is said."


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"see\263 below", "see [3] below"),
        (r"It rained.\271 \(The wharf\262, too\)", "It rained. [1] (The wharf [2], too)"),
        (r"5 m\262 of deck, 12 in\263, 10\262, x\263", "5 m² of deck, 12 in³, 10², x³"),
    ],
)
def test_notes_in_raised_digits_are_set_apart_and_powers_stay(tmp_path: Path, written: str, read: str) -> None:
    stream = f"BT /F1 12 Tf 50 700 Td ({written}) Tj ET"
    file = make_pdf(stream.encode())
    file = file.replace(b"/BaseFont /Helvetica", b"/BaseFont /Helvetica /Encoding /WinAnsiEncoding")
    assert parse(tmp_path, file).text.strip() == read


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_page_is_read_as_it_is_shown(tmp_path: Path, degrees: int) -> None:
    turned = {0: "1 0 0 1 0 0", 90: "0 1 -1 0 612 0", 180: "-1 0 0 -1 612 792", 270: "0 -1 1 0 0 792"}[degrees]
    stream = f"q {turned} cm ".encode() + placed(("First line of the page", 50, 500), ("Second line", 50, 480)) + b" Q"
    writer = with_writer(make_pdf(stream))
    writer.pages[0].rotate(degrees)
    assert parse(tmp_path, written(writer)).text.strip() == "First line of the page\nSecond line"


def test_a_page_whose_stream_is_damaged_is_named_and_not_taken_for_empty(tmp_path: Path) -> None:
    parts = make_pdf(LEAVE, LEAVE, TRAVEL).split(b"Flate")
    text = parse(tmp_path, parts[0] + b"Flate" + parts[1] + b"Worse" + parts[2] + b"Flate" + parts[3])
    assert text.warnings == ("2 of 3 pages read; damaged: 2",)


def test_author_and_date_are_kept_and_names_of_nobody_are_not(tmp_path: Path) -> None:
    for author, kept in (("Jonah Pell", "Jonah Pell"), ("(anonymous)", ""), ("root", ""), ("unknown", "")):
        writer = with_writer(make_pdf(LEAVE))
        writer.add_metadata({"/Author": author, "/CreationDate": "D:20240305103000+01'00'"})
        text = parse(tmp_path, written(writer))
        assert (text.author, text.dated) == (kept, "2024-03-05")


@pytest.mark.parametrize("made", ["", "D:", "2024", "D:20241399", "D:00000000", "yesterday"])
def test_a_date_that_is_none_is_none(made: str) -> None:
    assert day(made) == ""


@pytest.mark.parametrize(
    ("pages", "joined"),
    [
        (["a well-\nknown thing"], "a well-known\nthing"),
        (["manip-\nulation of it"], "manipulation\nof it"),
        (["long-term plans are long-\nterm"], "long-term plans are long-term\n"),
        (["the self-\nemployed"], "the self-employed\n"),
        (["Jean-\nPaul came"], "Jean-Paul\ncame"),
        (["infor\u00ad\nmation"], "information\n"),
        (["a rebuilt mole, re-\nbuilt"], "a rebuilt mole, rebuilt\n"),
        (["twenty-\nfive crowns"], "twenty-five\ncrowns"),
        (["pages 10-\n12"], "pages 10-\n12"),
    ],
)
def test_a_hyphen_at_a_line_end_goes_unless_it_belongs_to_the_word(pages: list[str], joined: str) -> None:
    assert join_cut_words(pages) == [joined]


def book(count: int) -> list[str]:
    bodies = (
        f"Body of chapter {'abcdefghijkl'[n]}.\nIt has words of its own: {'word' * (n + 1)}." for n in range(count)
    )
    return [f"{HEAD}\n{body}\n{FOOT.format(2, n + 7)}" for n, body in enumerate(bodies)]


@pytest.mark.parametrize("count", [3, 5, 12])
def test_heads_and_feet_are_said_once(count: int) -> None:
    told = "\n".join(said_once(book(count)))
    assert told.count(HEAD) == 1
    assert told.count("Edition 2, page") == 1
    assert told.count("Body of chapter") == count


@pytest.mark.parametrize("number", ["{}", "- {} -", "[{}]"])
def test_page_numbers_are_left_out(number: str) -> None:
    pages = [f"Words of page {'abcdef'[n]}\n{number.format(n + 11)}" for n in range(6)]
    assert said_once(pages) == [f"Words of page {'abcdef'[n]}" for n in range(6)]


def test_roman_page_numbers_are_left_out() -> None:
    pages = [f"Words of page {n}th\n{roman}" for n, roman in zip("abcd", ("i", "ii", "iii", "iv"), strict=True)]
    assert said_once(pages) == [f"Words of page {n}th" for n in "abcd"]


def test_left_and_right_pages_have_heads_of_their_own() -> None:
    pages = [f"{('Tides', 'Fees')[n % 2]}\nBody {'abcdefgh'[n]}" for n in range(8)]
    told = "\n".join(said_once(pages))
    assert (told.count("Tides"), told.count("Fees"), told.count("Body")) == (1, 1, 8)


@pytest.mark.parametrize("last", [["12", "7", "99", "3"], ["4.5", "4.5 m", "5", "x"]])
def test_numbers_that_do_not_count_the_pages_stay(last: list[str]) -> None:
    pages = [f"Table {'abcd'[n]}\nsum\n{number}" for n, number in enumerate(last)]
    assert [page.split("\n")[-1] for page in said_once(pages)] == last


@pytest.mark.parametrize("head", ["Invoice No. {}", "Rechnung Nr. 2024-{}", "Employee: {}", "Room {} of the inn"])
def test_numbers_of_bills_that_follow_each_other_are_no_page_numbers(head: str) -> None:
    pages = [f"{head.format(1001 + n)}\nDue {'abcd'[n]}" for n in range(4)]
    assert said_once(pages) == pages


def test_two_pages_are_too_few_for_a_head() -> None:
    assert said_once(book(2)) == book(2)


@pytest.mark.parametrize(
    "text",
    [
        "ifnoanswerhasbeensenttotheaddress " * 12 + "of the list",
        "\ue001\ue002\ue003\ue004\ue005 " * 30,
        "\ufffd\ufffd\ufffd \ufffd\ufffd " * 30,
    ],
)
def test_a_page_that_looks_broken_is_found(text: str) -> None:
    assert broken(["A page of plain words, which are apart. " * 5, text]) == [2]


@pytest.mark.parametrize(
    "text",
    [
        GERMAN * 3,
        "图书馆的开放时间是上午九点到下午六点" * 20,
        "",
        "x" * 30,
    ],
)
def test_a_page_that_only_looks_odd_is_not_broken(text: str) -> None:
    assert broken([text]) == []
