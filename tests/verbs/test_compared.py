"""A comparison is answered by two values, each quoted where it stands; without both, the answer is withheld."""

import json

import pytest

import reatt
from reatt_store.errors import ModelMismatch

TEXT = """# Boats

The Kestrel was built in 1987. It weighs 490 kg and costs 1,200 euros.

# More boats

The Plover was built in 2003. It weighs 1.2 tonnes and costs 900 euros.
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("boats")
    (folder / "kestrel.md").write_text(TEXT.partition("# More")[0])
    (folder / "plover.md").write_text("# More" + TEXT.partition("# More")[2])
    with reatt.open(folder / ".reatt") as store:
        store.ingest([folder])
        yield store


@pytest.mark.parametrize(
    ("question", "answer", "values"),
    [
        ("Which boat was built first, the Kestrel or the Plover?", "the Kestrel", ["1987", "2003"]),
        ("Which boat is heavier, the Kestrel or the Plover?", "the Plover", ["490 kg", "1.2 tonnes"]),
        ("Which boat costs less, the Kestrel or the Plover?", "the Plover", ["1,200 euros", "900 euros"]),
    ],
)
def test_both_values_are_quoted_and_decide(store, question, answer, values):
    reply = store.ask(reatt.Query(question, abstain=0.0))
    assert (reply.mode, reply.answer, reply.source) == ("comparison", answer, None)
    assert [quote.text for quote in reply.quotes] == values
    for quote in reply.quotes:
        found = reply.evidence[quote.source].chunk.chunk
        assert found.text[quote.char_start - found.char_start : quote.char_end - found.char_start] == quote.text
    assert sum(hit.share for hit in reply.evidence) == pytest.approx(1.0)
    assert [hit.rank for hit in reply.evidence] == list(range(1, len(reply.evidence) + 1))


def test_the_answer_is_withheld_if_one_thing_is_not_in_the_documents(store):
    reply = store.ask("Which boat was built first, the Kestrel or the Heron?")
    assert (reply.answer, reply.quotes, reply.mode) == (None, (), "comparison")
    assert reply.withheld == "the passages do not give a value of both"


@pytest.mark.parametrize(("answer", "mode"), [("span", "comparison"), ("sentence", "sentence")])
def test_sentences_that_are_asked_for_are_not_compared(store, answer, mode):
    question = "Which boat was built first, the Kestrel or the Plover?"
    assert store.ask(reatt.Query(question, answer=answer, abstain=0.0)).mode == mode


def test_the_same_question_has_the_same_reply(store):
    one, other = (store.ask("Which boat is heavier, the Kestrel or the Plover?") for _ in range(2))
    assert json.dumps([one.id, one.confidence]) == json.dumps([other.id, other.confidence])


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    (folder / "dawn.md").write_text(
        "# The Long Dawn\n\nThe Long Dawn is a film of 1950. It was directed by Mara Lindqvist.\n"
    )
    (folder / "mara.md").write_text(
        "# Mara Lindqvist\n\nMara Lindqvist (born 4 March 1919 in Uppsala) was a painter.\n"
    )
    (folder / "harbour.md").write_text(
        "# Harbour\n\nThe harbour was opened in 1931. It closes at nine in the evening.\n"
    )
    with reatt.open(folder / ".reatt") as store:
        store.ingest([folder])
        yield store


def test_someone_who_is_described_is_found_first(films):
    reply = films.ask(reatt.Query("When was the director of The Long Dawn born?", abstain=0.0))
    assert reply.answer == "4 March 1919"
    assert {hit.path.rpartition("/")[2] for hit in reply.evidence} >= {"dawn.md", "mara.md"}
    assert [warning.id for warning in reply.warnings] == ["DESCRIBED"]
    found = reply.evidence[reply.source].chunk.chunk
    assert found.text[reply.char_start - found.char_start : reply.char_end - found.char_start] == reply.answer
    for hit in reply.evidence:
        assert sum(pair.weight for pair in hit.tokens) == pytest.approx(hit.attention_score, abs=1e-5)


def test_without_the_description_the_question_is_read_as_it_is(films):
    reply = films.ask(reatt.Query("When was the harbour opened?", abstain=0.0))
    assert (reply.answer, reply.warnings) == ("1931", [])


@pytest.mark.parametrize("question", ["Who is Ann?", "Who is older, Ann or Bo?", "When was the author of Dawn born?"])
def test_a_store_without_vectors_is_told_so_whatever_is_asked(tmp_path, question):
    with reatt.open(tmp_path / ".reatt") as empty, pytest.raises(ModelMismatch, match="no vectors"):
        empty.ask(question)
