"""A CSV file is read row by row, with the columns' names before the values; what is no such table stays as it is."""

import pytest

from reatt.documents.reader import FoundFile, ReadLimits, read
from reatt.parsers.office.tables import csv


def test_a_row_reads_as_a_sentence_whatever_parts_its_cells():
    for mark in ",;\t|":
        table = f'Item{mark}Price\r\n"Oak {mark} pine"{mark}"1,200 euros"\r\n'
        found = csv(table)
        assert found.text == f"Item\tPrice\nItem: Oak {mark} pine\tPrice: 1,200 euros\n"
        assert found.headings == ((0, "Item, Price"),)


def test_lines_stay_where_they_are_in_the_file():
    table = 'Item,Note\nOak,"two\nlines"\n\nPine,x\n'
    assert csv(table).text.splitlines()[4] == "Item: Pine\tNote: x"


BELOW = 'Tag;Betrag;Zweck\n02.04.2024;-1.450,00;"Miete; Lager"\n05.04.2024;2.300,00;Rest\n'
READ = (
    "Tag\tBetrag\tZweck\nTag: 02.04.2024\tBetrag: -1.450,00\tZweck: Miete; Lager\n"
    "Tag: 05.04.2024\tBetrag: 2.300,00\tZweck: Rest\n"
)


@pytest.mark.parametrize(
    ("above", "read"),
    [
        ("Umsätze;;\nErstellt am 03.05.2024, 10 Uhr;;\n;;\n", "Umsätze\nErstellt am 03.05.2024, 10 Uhr\n\n"),
        ('"Konto:";"DE12 3400"\n\n', "Konto:\tDE12 3400\n\n"),
        ("sep=;\n", "\n"),
        ("\ufeffsep=;\r\n", "\n"),
    ],
)
def test_what_stands_above_the_names_is_kept_and_the_names_are_found(above: str, read: str) -> None:
    found = csv(above + BELOW)
    assert found.text == read + READ
    assert found.headings == ((len(read), "Tag, Betrag, Zweck"),)


def test_years_name_columns_and_empty_cells_keep_theirs() -> None:
    text = csv(
        'Visitors,,\nRegion,2021,2022\nNorth Sea and islands,,"1,450 of 2,000"\nSouth of the river,80 of 100,\n'
    ).text
    assert text == (
        "Visitors\nRegion\t2021\t2022\nRegion: North Sea and islands\t\t2022: 1,450 of 2,000\n"
        "Region: South of the river\t2021: 80 of 100\n"
    )


def test_names_that_are_far_longer_than_their_values_are_written_once():
    assert csv("Height in metres,Width in metres\n2,3\n").text == "Height in metres\tWidth in metres\n2\t3\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2\n3,4\n",
        "a,a\nb,c\n",
        "Dear Ann, thank you\nfor the oars.\nThey are fine.\n",
        "one column\nx\n",
        'a,b\n"',
    ],
)
def test_what_has_no_column_names_is_kept_as_it_is(text):
    found = csv(text)
    assert (found.text, found.headings) == (text, ())


def test_a_cell_beyond_all_limits_is_kept_as_it_is():
    text = f"a,b\n{'x' * 200_000},c\n"
    assert csv(text).text == text


def test_the_text_of_a_large_table_may_be_longer_than_that_of_a_small_file(tmp_path):
    """A CSV of 60 MB was refused: its text had more than 50 MB."""
    (tmp_path / "a.csv").write_text("Item,Keeper\n" + "a small brass lamp,Ada Berg of Norden\n" * 40_000)
    [text] = read(FoundFile(tmp_path / "a.csv", explicit=True), ReadLimits(output=1_000_000))
    assert text.text.count("Keeper: Ada Berg") == 40_000


@pytest.mark.parametrize(
    ("table", "read"),
    [
        (",Name,Town\n0,Ada,Wick\n1,Bo,Oban\n", "\tName\tTown\n0\tName: Ada\tTown: Wick\n1\tName: Bo\tTown: Oban\n"),
        ("Name,,Town\nAda,x,Wick\nBo,y,Oban\n", "Name\t\tTown\nName: Ada\tx\tTown: Wick\nName: Bo\ty\tTown: Oban\n"),
        ("Name,Town\rAda,Wick\rBo,Oban\r", "Name\tTown\nName: Ada\tTown: Wick\nName: Bo\tTown: Oban\n"),
        ("Name,Rule\nAda,as you see³\n", "Name\tRule\nName: Ada\tRule: as you see [3]\n"),
        ("Name,Ada\nBorn,1815\nTown,Wick\n", "Name\tAda\nBorn\t1815\nTown\tWick\n"),
    ],
)
def test_odd_names_of_columns_are_read_as_people_mean_them(table: str, read: str) -> None:
    assert csv(table).text == read


@pytest.mark.parametrize(
    "table", ["Name,Name,Town\nAda,x,Wick\nBo,y,Oban\n", "a,a\nb,c\nd,e\n", "x,y,x\nb,c,d\nd,e,f\n"]
)
def test_a_row_of_data_never_names_columns(table: str) -> None:
    assert (csv(table).text, csv(table).headings) == (table, ())


@pytest.mark.parametrize("gap", ["\n", "\n\n", ",\n"])
def test_a_second_table_of_a_file_has_names_of_its_own(gap: str) -> None:
    content = csv(f"Name,Town\nAda Pell,Wick\n{gap}Item,Price\nRed oar,5\nBlue sail,9\n")
    assert "Name: Ada Pell\tTown: Wick\n" in content.text
    assert "Item: Red oar\tPrice: 5\nItem: Blue sail\tPrice: 9\n" in content.text
    assert content.headings[1] == (content.text.index("Item\tPrice"), "Item, Price")
