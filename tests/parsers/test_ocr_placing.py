"""Laws of putting lines that were read on an image in order: whichever way up the page was, and however askew."""

import math

import pytest

from reatt.parsers.ocr.placing import Line, page_of

WIDTH, HEIGHT = 1600, 2200
PAGE = (
    (200, 200, "The ferry to Skerry Island"),
    (200, 300, "The Margaret Rose sails from the east quay from Easter to"),
    (200, 340, "the last Sunday of October. The crossing takes 35 minutes."),
)
TEXT = (
    "The ferry to Skerry Island\n\n"
    "The Margaret Rose sails from the east quay from Easter to\n"
    "the last Sunday of October. The crossing takes 35 minutes."
)


def line(left: float, top: float, text: str, *, turns: int = 0, skew: float = 0.0, sure: float = 0.98) -> Line:
    """Make a line of a page that lies on the scanner turned by quarters to the right, and askew."""
    width, height = 18 * len(text), 30
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    cosine, sine = math.cos(math.radians(skew)), math.sin(math.radians(skew))
    placed = []
    for x, y in corners:
        x, y = x - WIDTH / 2, y - HEIGHT / 2
        x, y = x * cosine - y * sine + WIDTH / 2, x * sine + y * cosine + HEIGHT / 2
        placed.append([(x, y), (HEIGHT - y, x), (WIDTH - x, HEIGHT - y), (y, WIDTH - x)][turns])
    from_upper_left = placed if turns in (0,) else [*placed[-turns:], *placed[:-turns]]
    return Line(text, sure, tuple(from_upper_left), tall=turns % 2 == 1, flipped=turns in (2, 3))


def size(turns: int) -> tuple[int, int]:
    return (WIDTH, HEIGHT) if turns % 2 == 0 else (HEIGHT, WIDTH)


@pytest.mark.parametrize("skew", [-2.0, 0.0, 2.0, 5.0])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_page_is_read_alike_whichever_way_it_lies(turns, skew):
    page = [line(*each, turns=turns, skew=skew) for each in PAGE]
    assert page_of(page[::-1], *size(turns)).text == TEXT


def test_columns_are_read_one_after_the_other():
    rows = range(200, 800, 40)
    left = [line(100, y, f"left column line number {y} here", skew=2) for y in rows]
    right = [line(850, y + 13, f"right column line number {y} here", skew=2) for y in rows]
    text = page_of([*left, *right], WIDTH, HEIGHT).text
    assert text.rindex("left column") < text.index("right column")


def test_a_note_that_runs_up_the_margin_comes_last():
    note = Line("archived 1998", 0.97, ((20, 900), (50, 900), (50, 1200), (20, 1200)), tall=True, flipped=False)
    assert page_of([note, *(line(*each) for each in PAGE)], WIDTH, HEIGHT).text == f"{TEXT}\n\narchived 1998"


def test_what_is_not_sure_is_left_out_but_counts():
    grain = line(200, 900, "x" * len(TEXT), sure=0.2)
    read = page_of([*(line(*each, sure=1.0) for each in PAGE), grain], WIDTH, HEIGHT)
    assert read.text == TEXT
    assert read.confidence == pytest.approx(0.6, abs=0.02)


def test_a_page_without_lines_has_no_text():
    assert page_of([], WIDTH, HEIGHT) == ("", 0.0, 0)
