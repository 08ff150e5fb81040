"""Rows: a stretch in the row and the column that a question tells is likelier, and prose is left as it was."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.answering.rows import names_of, rows_of, weighed
from reatt.model.backbone import Stretch

HIVES = (
    "Hive: H1\tSite: orchard\tHoney 2025: 14.2 kg\tMites: 1.4\n"
    "Hive: H5\tSite: heath\tHoney 2025: 0 kg\tMites: 5.2\n"
    "Hive: H6\tSite: moor\tHoney 2025: 23.6 kg\tMites: 1.0"
)
ROTA = (
    "## Clinic\n\nWho works when.\n\n| Day | Morning | Nurse |\n|---|---|---|\n"
    "| Monday | Dr Adeyemi | Kim Rowe |\n| Tuesday | Dr Petrov | Jonas Hale |\n"
)
LOG = (
    "2025-06-08  Brake pads front and back. Bled rear brake.\n"
    "2025-09-30  Bottom bracket creaked, replaced with Hope 68 mm.\n"
    "2026-02-11  New tyres."
)
SERVERS = "avocet:\n  system: Alpine 3.20\n  owner: Lena Fox\nplover:\n  system: FreeBSD 14\n  owner: Declan Moore\n"
FARES = "Weight\tZone A\tZone B\n2 kg\t5.40\t9.60\n5 kg\t7.90\t14.50\n"
PROSE = "Hive H5 stands on the heath. It gave no honey, as\nthe queen was lost: a bad year. Hive H6 gave 23.6 kg."


def stretches(text, *found, source=0):
    """Make stretches of a text, the first the likeliest by far."""
    return [
        Stretch(source, (text.index(part), text.index(part) + len(part)), -0.5 - 1.5 * n)
        for n, part in enumerate(found)
    ]


def best(question, text, *found):
    first = weighed(question, stretches(text, *found), [text], [1])[0]
    return text[slice(*first.span)]


@pytest.mark.parametrize(
    ("question", "text", "found", "right"),
    [
        ("How much honey did hive H6 give in 2025?", HIVES, ("14.2 kg", "0 kg", "23.6 kg"), "23.6 kg"),
        ("How many mites were in hive H5?", HIVES, ("1.4", "14.2 kg", "5.2"), "5.2"),
        ("At which site is hive H5?", HIVES, ("orchard", "0 kg", "heath"), "heath"),
        ("Which nurse works on Tuesday?", ROTA, ("Dr Petrov", "Kim Rowe", "Jonas Hale"), "Jonas Hale"),
        ("When was the bottom bracket replaced?", LOG, ("2025-06-08", "2025-09-30"), "2025-09-30"),
        ("Who owns the server plover?", SERVERS, ("Lena Fox", "FreeBSD 14", "Declan Moore"), "Declan Moore"),
        ("What does a 5 kg parcel to zone B cost?", FARES, ("9.60", "7.90", "14.50"), "14.50"),
    ],
)
def test_the_row_and_the_column_that_a_question_tells_win(question, text, found, right):
    assert best(question, text, *found) == right


CHAT = "Karim: Who has the dog this weekend?\nRosa: my sister takes Pepper\nBen: fine"
FAQ = "Q: How much is the fee for guests?\nA: 20 euros\nQ: How much is the deposit?\nA: 50 euros"


def test_a_row_that_asks_tells_nothing():
    assert best("Who takes the dog?", CHAT, "Karim", "my sister") == "my sister"
    told = stretches(FAQ, "20 euros", "50 euros")
    assert [each.span for each in weighed("How much is the fee?", told, [FAQ], [1])] == [each.span for each in told]


def test_a_value_wins_over_its_name_and_over_what_is_asked_about():
    assert best("What is the site of hive H5?", HIVES, "Site: heath", "heath", "H5") == "heath"


def test_a_passage_knows_its_columns_from_another_of_its_document():
    second = "| Friday | Dr Lund | Edda Vik |\n| Saturday | Dr Imai | Max Orr |\n"
    told = stretches(second, "Dr Lund", "Edda Vik", source=1)
    texts = [ROTA, second]
    here, elsewhere = (
        weighed("Which nurse works on Friday?", told, texts, documents) for documents in ((1, 1), (1, 2))
    )
    assert [second[slice(*each[0].span)] for each in (here, elsewhere)] == ["Edda Vik", "Dr Lund"]


def test_empty_cells_keep_their_columns():
    text = "Name\tOwner\tBerth\nHeron\t\tquay\nGull\tAnn\tpier\n"
    (row,) = [row for row in rows_of(text) if "heron" in row.words]
    assert [(sorted(cell.name), sorted(cell.words)) for cell in row.cells] == [
        (["name"], ["heron"]),
        (["owner"], []),
        (["berth"], ["quay"]),
    ]


def test_the_place_of_each_value_is_where_it_stands():
    for text in (HIVES, ROTA, FARES, SERVERS):
        for row in rows_of(text):
            starts = [cell.value for cell in row.cells]
            assert starts == sorted(starts)
            assert all(word in text[row.start :].lower() for cell in row.cells for word in cell.words)
    assert [HIVES[cell.value :][:3] for cell in rows_of(HIVES)[1].cells] == ["H5\t", "hea", "0 k", "5.2"]


def test_prose_is_left_as_it_was():
    told = stretches(PROSE, "23.6 kg", "no honey", "the heath")
    assert rows_of(PROSE) == []
    assert weighed("How much honey did hive H6 give?", told, [PROSE], [1]) == tuple(told)


def test_beside_rows_prose_loses_nothing():
    told = [*stretches(PROSE, "23.6 kg"), *stretches(HIVES, "14.2 kg", source=1)]
    found = weighed("How much honey did hive H6 give in 2025?", told, [PROSE, HIVES], [1, 2])
    assert found[0].source == 0
    assert found[0].log_probability >= told[0].log_probability


def test_a_question_without_words_of_the_rows_changes_no_order():
    told = stretches(LOG, "2025-06-08", "2025-09-30")
    assert [each.span for each in weighed("Why?", told, [LOG], [1])] == [each.span for each in told]
    assert weighed("Who is it?", [], [LOG], [1]) == ()


@given(st.text("ab\t|:\n -[]#.1", max_size=60), st.text("ab 1?", max_size=12), st.data())
def test_whatever_the_text_stretches_stay_and_are_as_probable_together(text, question, data):
    places = data.draw(st.lists(st.tuples(st.integers(0, 59), st.integers(1, 9)), max_size=6, unique=True))
    spans = [(start, min(start + length, len(text))) for start, length in places if start < len(text)]
    told = [Stretch(0, span, -0.1 - n) for n, span in enumerate(dict.fromkeys(spans))]
    found = weighed(question, told, [text], [1])
    assert sorted(each.span for each in found) == sorted(each.span for each in told)
    whole = [math.fsum(math.exp(each.log_probability) for each in some) for some in (told, found)]
    assert whole[0] == pytest.approx(whole[1])
    assert [each.log_probability for each in found] == sorted((each.log_probability for each in found), reverse=True)
    assert all(len(names) > 1 for names in names_of(text).values())
