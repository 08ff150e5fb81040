"""Laws of tables that lines are drawn around: the gaps between words do not tell which cell they are in."""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.parsers.test_pdf import make_pdf, parse, with_writer, written

COLUMNS = (72, 109, 138, 200)
NAMES = ("Boat", "Crew", "Berth")
BOATS = [("Kestrel", "Four", "North mole"), ("Plover", "Two", "South mole"), ("Dunlin", "Nine", "Old pier")]


def shown(text: str, x: float, y: float, size: int = 10) -> str:
    return f"BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET"


def line(x: float, y: float, to_x: float, to_y: float) -> str:
    return f"{x} {y} m {to_x} {to_y} l S"


def frame(heights: list[float], columns: tuple[float, ...] = COLUMNS) -> list[str]:
    """Draw a grid of single lines."""
    return [line(columns[0], y, columns[-1], y) for y in heights] + [
        line(x, heights[0], x, heights[-1]) for x in columns
    ]


def boxes(heights: list[float], columns: tuple[float, ...] = COLUMNS) -> list[str]:
    """Draw each cell as a box of its own."""
    rows = list(zip(heights[1:], heights[:-1], strict=True))
    return [f"{x} {low} {to - x} {high - low} re S" for low, high in rows for x, to in pairwise(columns)]


def bars(heights: list[float], columns: tuple[float, ...] = COLUMNS) -> list[str]:
    """Draw lines as thin filled shapes."""
    level = [f"{columns[0]} {y} {columns[-1] - columns[0]} 0.5 re f" for y in heights]
    return level + [f"{x} {heights[-1]} 0.5 {heights[0] - heights[-1]} re f" for x in columns]


def cells(rows: list[tuple[str, ...]], step: float = 16) -> list[str]:
    """Write the cells; the gaps between the columns are hardly wider than those between words."""
    found = []
    for number, row in enumerate(rows):
        for at, text in enumerate(row):
            found += [shown(text, COLUMNS[at] + 2, 700 - step * number)] if text else []
    return found


def page(*parts: list[str]) -> bytes:
    return make_pdf("\n".join(piece for part in parts for piece in part).encode())


HEIGHTS = [712.0 - 16 * number for number in range(5)]
TABLE = ["\t".join(row) for row in (NAMES, *BOATS)]


PROSE = "The harbour office is open from seven in the morning until nine at night".split()
OTHER = "Boats that are longer than nine metres pay twice and need a pilot from the buoy".split()


def column(words: list[str], x: float, top: float = 700) -> list[str]:
    lines = [" ".join(words[at : at + 3]) for at in range(0, len(words), 3)]
    return [shown(text, x, top - 12 * number) for number, text in enumerate(lines)]


def read(folder: Path, *parts: list[str]) -> list[str]:
    return parse(folder, page(*parts)).text.split("\n")


@pytest.mark.parametrize("draw", [frame, boxes, bars])
def test_rows_and_cells_are_those_that_lines_tell(tmp_path: Path, draw) -> None:
    assert read(tmp_path, cells([NAMES, *BOATS]), draw(HEIGHTS)) == TABLE


def test_without_lines_the_same_places_tell_no_cells(tmp_path: Path) -> None:
    assert "\t" not in parse(tmp_path, page(cells([NAMES, *BOATS]))).text


def test_a_line_parts_words_that_nothing_else_parts(tmp_path: Path) -> None:
    text = [shown("North", 74, 700), shown("Four", 99.6, 700), shown("Ninth", 74, 684), shown("Nine", 99.6, 684)]
    lines = frame([712, 696, 680], (72, 98.7, 140))
    assert read(tmp_path, text, lines) == ["North\tFour", "Ninth\tNine"]


def test_empty_cells_keep_their_column(tmp_path: Path) -> None:
    rows = [NAMES, ("Kestrel", "", "North mole"), ("", "Two", "South mole")]
    assert read(tmp_path, cells(rows), frame(HEIGHTS[:4])) == ["\t".join(row) for row in rows]


def test_the_lines_of_a_cell_are_one_cell(tmp_path: Path) -> None:
    text = [*cells([NAMES]), shown("Kestrel", 74, 678), shown("Four", 111, 678), shown("North mole,", 140, 684)]
    text += [shown("by the old", 140, 672), shown("lamp", 140, 660), shown("Plover", 74, 640), shown("Two", 111, 640)]
    lines = frame([712, 696, 654, 634])
    assert read(tmp_path, text, lines) == [
        "Boat\tCrew\tBerth",
        "Kestrel\tFour\tNorth mole, by the old lamp",
        "Plover\tTwo",
    ]


def test_joined_cells_are_read_once_where_they_begin(tmp_path: Path) -> None:
    text = [shown("Boats in the harbour", 74, 716), *cells([NAMES, *BOATS[:2]])]
    text = [each for each in text if "mole" not in each] + [shown("Any mole", 140, 676)]
    lines = [line(72, y, 200, y) for y in (728, 712, 696, 664)] + [line(72, 680, 138, 680)]
    lines += [line(x, 728, x, 664) for x in (72, 200)] + [line(x, 712, x, 664) for x in (109, 138)]
    assert read(tmp_path, text, lines) == [
        "Boats in the harbour", "Boat\tCrew\tBerth", "Kestrel\tFour\tAny mole", "Plover\tTwo",
    ]  # fmt: skip


def test_rows_without_lines_between_them_are_rows(tmp_path: Path) -> None:
    lines = frame([712, 696, 644])
    assert read(tmp_path, cells([NAMES, *BOATS]), lines) == TABLE


def test_a_table_may_be_open_at_its_sides(tmp_path: Path) -> None:
    lines = [line(72, y, 200, y) for y in HEIGHTS] + [line(x, 712, x, 648) for x in COLUMNS[1:-1]]
    assert read(tmp_path, cells([NAMES, *BOATS]), lines) == TABLE


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_table_on_a_turned_page_is_the_same(tmp_path: Path, degrees: int) -> None:
    turn = {90: "0 1 -1 0 792 0", 180: "-1 0 0 -1 612 792", 270: "0 -1 1 0 0 612"}[degrees]
    content = "\n".join([f"q {turn} cm", *cells([NAMES, *BOATS]), *frame(HEIGHTS), "Q"])
    writer = with_writer(make_pdf(content.encode()))
    writer.pages[0].rotate(degrees)
    assert parse(tmp_path, written(writer)).text.split("\n") == TABLE


def test_what_stands_around_a_table_stays_where_it_is(tmp_path: Path) -> None:
    text = [shown("Before the table.", 72, 740), *cells([NAMES, *BOATS]), shown("Behind the table.", 72, 620)]
    assert parse(tmp_path, page(text, frame(HEIGHTS))).text == "\n".join(
        ["Before the table.\n", *TABLE, "\nBehind the table."]
    )


@pytest.mark.parametrize(
    "lines",
    [
        [line(190, 712, 190, 600)],
        frame([712, 600], (70, 190, 320)),
        frame([730, 712, 600], (70, 190, 320)),
        [line(72, 698, 150, 698), line(200, 686, 280, 686)],
        ["70 590 260 130 re S", line(190, 720, 190, 590)],
    ],
)
def test_columns_of_prose_with_lines_around_them_stay_columns(tmp_path: Path, lines: list[str]) -> None:
    text = parse(tmp_path, page(column(PROSE, 72), column(OTHER, 200), lines)).text
    assert text.split() == PROSE + OTHER
    assert "\t" not in text


def test_drawings_part_no_words(tmp_path: Path) -> None:
    grid = frame([720.0 - 7 * number for number in range(20)], tuple(60.0 + 7 * number for number in range(40)))
    text = parse(tmp_path, page(column(PROSE, 72), grid)).text
    assert text.split() == PROSE


def test_a_page_of_many_lines_is_read(tmp_path: Path) -> None:
    drawing = [line(at % 600, at // 600, at % 600, at // 600 + 7) for at in range(30_000)]
    assert read(tmp_path, cells([NAMES]), drawing) == ["Boat Crew Berth"]
