"""Laws of pages as programs print them: letters that stand apart, text at the sides, cells of lines, cut words."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from reatt.parsers.pdf.layout import text_of
from reatt.parsers.pdf.lines import join_cut_words
from reatt.parsers.pdf.spaced import Word, unspaced
from tests.parsers.test_pdf import make_pdf, parse

SIZE = 10.0


def letters(text: str, gap: float, blank: float) -> list[Word]:
    """Place each letter by itself."""
    placed, left = [], 50.0
    for letter in text:
        if letter == " ":
            left += blank - gap
        else:
            placed.append(Word(letter, left, left + 6, 700, SIZE))
            left += 6 + gap
    return placed


def row(text: str, left: float, base: float) -> list[Word]:
    placed = []
    for word in text.split():
        placed.append(Word(word, left, left + 5.0 * len(word), base, SIZE))
        left += 5.0 * len(word) + 3
    return placed


def shuffled(words: Sequence[Word]) -> list[Word]:
    return random.Random(7).sample(list(words), len(words))


@pytest.mark.parametrize(("gap", "blank"), [(2.8, 8.4), (2.0, 5.5), (4.0, 11.0), (8.0, 22.0)])
@pytest.mark.parametrize("heading", ["ANNUAL REPORT", "Harbour office of Wick", "NOTICE", "Report 2024 of the mole"])
def test_letters_that_stand_apart_are_words(heading: str, gap: float, blank: float) -> None:
    assert text_of(shuffled(letters(heading, gap, blank))) == heading


@pytest.mark.parametrize(
    "text", ["Plan A B C and D", "A B C D E F", "the points x y z", "x x x x x", "1 9 8 7 4 2", "I a m"]
)
def test_single_letters_that_are_no_words_stay_apart(text: str) -> None:
    assert text_of(shuffled(row(text, 50, 700))) == text


def test_a_row_of_marks_in_wide_cells_is_no_word() -> None:
    marks = [Word(mark, 50 + 40 * n, 55 + 40 * n, 700, SIZE) for n, mark in enumerate("YNYYN")]
    assert [word.text for word in unspaced(marks)] == list("YNYYN")


LINES = ["The ferries leave from the mole.", "Tickets are sold on board."]
UPRIGHT = b"BT /F1 10 Tf 50 700 Td (An upright line of the page.) Tj ET"


def turned(matrix: str, places: Sequence[tuple[int, int]]) -> bytes:
    shown = (f"BT /F1 10 Tf {matrix} {x} {y} Tm ({line}) Tj ET" for line, (x, y) in zip(LINES, places, strict=True))
    return "\n".join(shown).encode()


@pytest.mark.parametrize(
    ("matrix", "places"),
    [
        ("0 1 -1 0", [(300, 100), (314, 100)]),
        ("0 -1 1 0", [(300, 600), (286, 600)]),
        ("-1 0 0 -1", [(500, 300), (500, 314)]),
    ],
)
@pytest.mark.parametrize("before", [b"", UPRIGHT])
def test_lines_that_are_printed_sideways_or_upside_down_are_lines(
    tmp_path: Path, matrix: str, places: list[tuple[int, int]], before: bytes
) -> None:
    text = parse(tmp_path, make_pdf(before + b"\n" + turned(matrix, places))).text
    assert text == ("An upright line of the page.\n\n" if before else "") + "\n".join(LINES)


def test_a_table_that_is_printed_sideways_is_read_row_by_row(tmp_path: Path) -> None:
    rows = [("Ferry", "Leaves", "Price"), ("Aurora", "7:00", "31"), ("Boreas", "9:30", "28"), ("Castor", "18:15", "44")]
    shown = [
        f"BT /F1 10 Tf 0 1 -1 0 {200 + 14 * y} {100 + 120 * x} Tm ({cell}) Tj ET"
        for y, line in enumerate(rows)
        for x, cell in enumerate(line)
    ]
    assert parse(tmp_path, make_pdf("\n".join(shown).encode())).text == "\n".join("\t".join(line) for line in rows)


SERVICE = ["Boats longer than nine metres need", "a pilot from the outer buoy."]
FEES = ["7.50", "14.50", "21.50"]


def table(leading: float, apart: float, offset: float) -> list[Word]:
    """Place a table whose second cells have two lines; the others stand `offset` below the first of them."""
    words = row("Item", 50, 720) + row("What it is for", 150, 720) + row("Fee", 400, 720)
    top = 720 - leading - apart
    for number, fee in enumerate(FEES):
        words += row(SERVICE[0], 150, top) + row(SERVICE[1], 150, top - leading)
        words += row(f"Service {number}", 50, top - offset) + row(fee, 400, top - offset)
        top -= 2 * leading + apart
    return words


@pytest.mark.parametrize(
    ("leading", "apart", "offset"), [(12, 8, 0), (12, 8, 6), (12, 8, 12), (11, 12, 5.5), (12, 0, 0)]
)
def test_a_cell_of_several_lines_is_one_cell_of_its_row(leading: float, apart: float, offset: float) -> None:
    rows = [f"Service {n}\t{' '.join(SERVICE)}\t{fee}" for n, fee in enumerate(FEES)]
    assert text_of(shuffled(table(leading, apart, offset))).split("\n") == ["Item\tWhat it is for\tFee", *rows]


def test_rows_in_groups_stay_rows() -> None:
    lines = [("Aurora", "7:00", "31"), ("Boreas", "9:30", "28"), ("Castor", "18:15", "44"), ("Dione", "19:00", "45")]
    bases = [700, 688, 664, 652]
    words = [
        word
        for base, line in zip(bases, lines, strict=True)
        for x, cell in enumerate(line)
        for word in row(cell, 50 + 120 * x, base)
    ]
    assert text_of(shuffled(words)).split("\n") == ["\t".join(line) for line in lines]


def test_a_row_without_its_first_cell_stays_a_row() -> None:
    lines = [
        ("Boats", "small ones", "30"),
        ("", "large ones", "50"),
        ("Stalls", "small ones", "5"),
        ("", "large ones", "9"),
    ]
    words = [
        word
        for y, line in enumerate(lines)
        for x, cell in enumerate(line)
        for word in row(cell, 50 + 120 * x, 700 - 12 * y)
    ]
    assert [line.split("\t")[-2:] for line in text_of(shuffled(words)).split("\n")] == [
        list(line[1:]) for line in lines
    ]


def test_a_word_that_is_cut_within_a_cell_is_joined() -> None:
    words = []
    for number, base in enumerate((700, 664, 628)):
        words += (
            row(f"Item {number}", 50, base)
            + row("the rules of the har-", 150, base)
            + row("bour office", 150, base - 12)
        )
    [joined] = join_cut_words([text_of(shuffled(words))])
    assert joined.split("\n") == [f"Item {number}\tthe rules of the harbour office" for number in range(3)]


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        ("then low-\nered again", "then lowered\nagain"),
        ("a quick-\nly made one", "a quickly\nmade one"),
        ("the state-\nment, and more", "the statement,\nand more"),
        ("the docu-\nment. Then", "the document.\nThen"),
        ("a well-\nknown rule", "a well-known\nrule"),
        ("a self-\nevident (old) rule", "a self-evident\n(old) rule"),
        ("pre- and post-\nwar years", "pre- and postwar\nyears"),
        ("Jean-\nPaul came", "Jean-Paul\ncame"),
        ("e-\nmail", "e-mail\n"),
    ],
)
def test_words_at_line_ends_are_joined_and_their_signs_stay_with_them(lines: str, joined: str) -> None:
    assert join_cut_words([lines]) == [joined]


def test_a_sentence_goes_on_from_column_to_column() -> None:
    left = ["The harbour master keeps the", "tide tables of the town and", "opens the gate at seven every"]
    right = ["morning of the week. Stalls on", "the fish market cost a lot and", "the fee is paid to the clerk."]
    words = [word for n, line in enumerate(left) for word in row(line, 50, 700 - 12 * n)]
    words += [word for n, line in enumerate(right) for word in row(line, 260, 700 - 12 * n)]
    assert text_of(shuffled(words)) == "\n".join(left + right)


@pytest.mark.parametrize(
    ("base", "raised", "shown"), [("5 km", "2", "5 km^2; then"), ("income", "3", "income [3]; then")]
)
def test_a_raised_sign_for_which_the_reader_begins_a_line_stays_on_its_line(
    tmp_path: Path, base: str, raised: str, shown: str
) -> None:
    parts = f"BT /F1 12 Tf 50 700 Td ({base}) Tj /F1 9.5 Tf 5 Ts ({raised}) Tj /F1 12 Tf 0 Ts (; then) Tj ET"
    assert parse(tmp_path, make_pdf(parts.encode())).text == shown


def test_a_small_table_whose_lines_have_cells_is_a_table() -> None:
    words = row("Boat", 50, 700) + row("Rule of the harbour", 190, 700) + row("Fee", 404, 700)
    words += row("Small ones pay once here", 150, 676) + row("and need no pilot by day", 150, 664)
    words += row("Small", 50, 670) + row("30", 400, 670)
    words += row("Large ones pay twice here", 150, 640) + row("and need a pilot at night", 150, 628)
    words += row("Large", 50, 634) + row("90", 400, 634)
    assert text_of(shuffled(words)).split("\n") == [
        "Boat\tRule of the harbour\tFee",
        "Small\tSmall ones pay once here and need no pilot by day\t30",
        "Large\tLarge ones pay twice here and need a pilot at night\t90",
    ]
