"""Laws of the order of words on a page: columns, tables, lines. The words are placed here, as a page has them."""

import random

import pytest

from reatt.parsers.pdf.layout import text_of
from reatt.parsers.pdf.spaced import Word

SIZE, LEADING, GUTTER = 10.0, 12.0, 18.0
LEFT = (
    "The harbour master keeps the tide tables of the town and opens the gate at seven every morning of the week".split()
)
RIGHT = "Stalls on the fish market cost thirty crowns a day and the fee is paid to the clerk at the weigh house".split()
THIRD = (
    "Boats longer than nine metres pay twice and need a pilot from the outer buoy to the inner mole at night".split()
)


def width(text: str) -> float:
    return 5.0 * len(text)


def row(text: str, left: float, base: float, size: float = SIZE) -> list[Word]:
    """Place the words of one line."""
    placed = []
    for word in text.split():
        placed.append(Word(word, left, left + width(word), base, size))
        left += width(word) + 3
    return placed


def column(words: list[str], left: float, top: float, a_line: int = 4, leading: float = LEADING) -> list[Word]:
    """Place words as a column of short lines."""
    lines = [" ".join(words[at : at + a_line]) for at in range(0, len(words), a_line)]
    return [word for number, line in enumerate(lines) for word in row(line, left, top - number * leading)]


def shuffled(words: list[Word]) -> list[Word]:
    return random.Random(4).sample(words, len(words))


def read(words: list[Word]) -> list[str]:
    return text_of(shuffled(words)).split()


@pytest.mark.parametrize("lower", [0.0, 1.0, 5.0, 30.0])
def test_columns_are_read_one_after_the_other(lower):
    assert read(column(LEFT, 50, 700) + column(RIGHT, 220, 700 - lower)) == LEFT + RIGHT


@pytest.mark.parametrize("gutter", [9, 12, 30, 80])
def test_the_width_of_the_gutter_does_not_matter(gutter):
    right = 50 + max(word.right for word in column(LEFT, 0, 700)) + gutter
    assert read(column(LEFT, 50, 700) + column(RIGHT, right, 700)) == LEFT + RIGHT


def test_three_columns_are_read_in_order():
    words = column(LEFT, 40, 700) + column(RIGHT, 210, 703) + column(THIRD, 380, 698)
    assert read(words) == LEFT + RIGHT + THIRD


def test_a_heading_above_and_a_line_below_stay_where_they_are():
    head = row("A report of the harbour office about tides and fees in the year of the storm", 50, 740)
    foot = row("This line runs over the whole page below both of the columns that stand above it", 50, 560)
    read_words = read(head + column(LEFT, 50, 700) + column(RIGHT, 220, 700) + foot)
    assert read_words == [word.text for word in head] + LEFT + RIGHT + [word.text for word in foot]


def test_columns_are_read_band_by_band_around_a_figure():
    middle = row("Figure 1: the mole before and after it was rebuilt, seen from the lighthouse", 50, 600)
    words = column(LEFT, 50, 700) + column(RIGHT, 220, 700) + middle + column(THIRD, 50, 560) + column(RIGHT, 220, 560)
    assert read(words) == LEFT + RIGHT + [word.text for word in middle] + THIRD + RIGHT


def test_columns_without_spaces_are_columns():
    lines = ["图书馆的开放时间是上午九点", "到下午六点。借书证由李娜办", "理，每年换一次，费用五元。"]
    left = [word for n, line in enumerate(lines) for word in row(line, 50, 700 - 12 * n)]
    right = [word for n, line in enumerate(reversed(lines)) for word in row(line, 200, 700 - 12 * n)]
    assert read(left + right) == [*lines, *reversed(lines)]


TABLE = [("Ferry", "Leaves", "Price"), ("Aurora", "7:00", "31"), ("Boreas", "9:30", "28"), ("Castor", "18:15", "44")]


@pytest.mark.parametrize("step", [100, 160])
def test_a_table_is_read_row_by_row_with_tabs(step):
    placed = [(cell, 50 + step * x, 700 - 14 * y) for y, line in enumerate(TABLE) for x, cell in enumerate(line)]
    words = [word for cell, left, base in placed for word in row(cell, left, base)]
    assert text_of(shuffled(words)).split("\n") == ["\t".join(line) for line in TABLE]


def test_a_table_of_sentences_is_read_row_by_row():
    questions = ["When does the first ferry leave the mole in the morning?", "Who keeps the tide tables of the town?",
                 "What does a stall on the fish market cost a day?"]  # fmt: skip
    answers = ["It leaves at seven, and at nine on days of rest.", "The harbour master keeps them in the tower.",
               "It costs thirty crowns, which the clerk takes."]  # fmt: skip
    words, top = [], 700.0
    for question, answer in zip(questions, answers, strict=True):
        words += column(question.split(), 50, top) + column(answer.split(), 220, top)
        top -= 60
    told = [word for pair in zip(questions, answers, strict=True) for text in pair for word in text.split()]
    assert read(words) == told


def test_a_number_table_of_many_rows_is_no_column():
    lines = [(f"item {n} of", f"{n * 7}.50 12 {n}") for n in range(12)]
    words = [word for n, (a, b) in enumerate(lines) for word in row(a, 50, 700 - 12 * n) + row(b, 220, 700 - 12 * n)]
    assert read(words) == " ".join(f"{a} {b}" for a, b in lines).split()


def test_the_value_of_a_field_stands_behind_its_label():
    label, value = row("Name:", 50, 700), [Word("Cordula Weiss", 120, 260, 698.5, 9.0)]
    assert text_of(shuffled(label + value + row("Boat:", 50, 680))) == "Name: Cordula Weiss\nBoat:"


def test_raised_and_lowered_words_stay_on_their_line():
    words = [*row("The area is 5 m", 50, 700), Word("i", 150, 153, 703.8, 7.0), *row("Next line here", 50, 688)]
    assert text_of(shuffled(words)) == "The area is 5 m i\nNext line here"


def test_paragraphs_are_parted_by_a_blank_line():
    words = column(LEFT, 50, 700, a_line=6) + column(RIGHT, 50, 620, a_line=6)
    assert [" ".join(part.split()) for part in text_of(shuffled(words)).split("\n\n")] == [
        " ".join(LEFT), " ".join(RIGHT)
    ]  # fmt: skip


def test_an_empty_page_has_no_text():
    assert text_of([]) == text_of([Word("x", 0, 0, 0, 0.0)]) == ""


def test_a_page_of_very_many_words_ends():
    draw = random.Random(1)
    words = [Word("w", x, x + 4, draw.random() * 800, 8.0) for x in (draw.random() * 500 for _ in range(5_000))]
    assert len(text_of(words).split()) == len(words)
