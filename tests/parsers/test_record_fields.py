"""Laws of JSON Lines without "text": fields are chosen or guessed, it is said which, and no word is lost."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.documents.reader import FoundFile, ReadLimits, Text, read
from reatt.parsers.records.fields import Seen, parts, text_of
from reatt_store.errors import RecordFormat

CHAT = """\
{"ts": 1714564800, "user": "ravi", "message": "Who has the key of the boat house?"}
{"ts": 1714564860, "user": "ingrid", "message": "It hangs behind the door.\\nThe left one.", "edited": true}
{"ts": 1714564900, "user": "ravi", "message": "ok"}
"""
TALK = """\
{"title": "Tides", "messages": [{"role": "user", "content": "When is high tide?"}, {"role": "assistant", \
"content": "At nine in the evening."}]}
{"messages": [{"role": "user", "content": "And low tide?"}]}
"""
LOG = """\
{"time": "2024-05-01T12:00:00Z", "level": "error", "msg": "no space left on device", "ctx": {"host": "db-3", \
"request_id": "9f8c"}}
{"time": "2024-05-01T12:00:01Z", "level": "info", "msg": "volume was mounted", "ctx": {"host": "db-4", \
"request_id": "7a"}}
"""
EXPORT = """\
{"id": "m1", "author": {"id": 7, "name": "Ada"}, "content": {"parts": ["The mole is 412 metres long.", "It is lit."]}}
{"id": "m2", "author": {"id": 8, "name": "Bo"}, "action": "joined"}
"""
PEOPLE = '{"name": "Ada", "city": "Oslo", "weeks": 49}\n{"name": "Bo", "city": "Bergen", "weeks": 12.5}\n'
PAIRS = '{"prompt": "Who tunes the organ?", "completion": "Jonah Pell does."}\n'


def read_lines(folder: Path, lines: str, *fields: str) -> list[Text]:
    (folder / "a.jsonl").write_text(lines, encoding="utf-8")
    return list(read(FoundFile(folder / "a.jsonl", explicit=True), ReadLimits(fields=fields)))


@pytest.mark.parametrize(
    ("lines", "texts", "said"),
    [
        (
            CHAT,
            {
                "1": "ravi: Who has the key of the boat house?\n\nts: 2024-05-01 12:00:00",
                "2": "ingrid: It hangs behind the door.\nThe left one.\n\nts: 2024-05-01 12:01:00; edited: true",
                "3": "ravi: ok\n\nts: 2024-05-01 12:01:40",
            },
            "read as text: message; beside it: ts, user, edited",
        ),
        (
            TALK,
            {
                "1": "user: When is high tide?\n\nassistant: At nine in the evening.",
                "2": "user: And low tide?",
            },
            "read as text: messages.content; beside it: title, messages.role",
        ),
        (
            LOG,
            {
                "1": "no space left on device\n\ntime: 2024-05-01T12:00:00Z; level: error\n\nhost: db-3",
                "2": "volume was mounted\n\ntime: 2024-05-01T12:00:01Z; level: info\n\nhost: db-4",
            },
            "read as text: msg; beside it: time, level, ctx.host; left out: ctx.request_id",
        ),
        (
            EXPORT,
            {
                "m1": "Ada: The mole is 412 metres long.\n\nIt is lit.",
                "m2": "action: joined\n\nname: Bo",
            },
            "read as text: content.parts; beside it: author.name, action; left out: id, author.id",
        ),
        (
            PEOPLE,
            {"1": "name: Ada; city: Oslo; weeks: 49", "2": "name: Bo; city: Bergen; weeks: 12.5"},
            "beside it: name, city, weeks",
        ),
        (PAIRS, {"1": "Who tunes the organ?\n\nJonah Pell does."}, "read as text: prompt, completion"),
    ],
)
def test_fields_with_words_are_read_and_it_is_said_which(
    tmp_path: Path, lines: str, texts: dict[str, str], said: str
) -> None:
    found = read_lines(tmp_path, lines)
    assert {text.external_id: text.text for text in found} == texts
    assert [text.warnings for text in found[1:]] == [()] * (len(found) - 1)
    [notice] = found[0].warnings
    assert (notice.id, notice) == ("FIELDS", f'no "text"; {said}; --text-field NAME chooses')  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("lines", "texts", "said"),
    [
        (
            '{"text": "The ferry leaves at nine."}\n{"message": "The bakery opens at six."}\n{"body": "It is shut."}\n',
            ["The ferry leaves at nine.", "The bakery opens at six.", "It is shut."],
            "read as text: text, message, body",
        ),
        (
            '{"user": "Olu", "text": "I have the tickets.", "ts": 1714564800}\n{"user": "Bea", "text": "Good."}\n',
            ["Olu: I have the tickets.\n\nts: 2024-05-01 12:00:00", "Bea: Good."],
            "read as text: text; beside it: user, ts",
        ),
        (
            '{"_id": "a", "title": "Pier", "text": "It is 412 m long."}\n{"_id": "b", "title": "Lamp"}\n',
            ["It is 412 m long.", ""],
            "read as text: text; beside it: title; left out: _id",
        ),
        (
            '{"text": "It is 412 m long.", "metadata": {"keeper": "Ada Finch"}, "lit": 1907}\n',
            ["It is 412 m long.\n\nlit: 1907\n\nAda Finch"],
            "read as text: text, metadata.keeper; beside it: lit",
        ),
        ('{"text": "412"}\n{"text": "", "n": 7}\n', ["412", "n: 7"], "read as text: text; beside it: n"),
        (
            '{"from": "Ada", "text": ["See ", {"type": "link", "text": "the map"}, " of the pier."]}\n',
            ["Ada: See the map of the pier."],
            "read as text: text; beside it: from",
        ),
        ('{"text": ["Two words", "and more"]}\n', ["Two words\n\nand more"], "read as text: text"),
        (
            '{"text": "It is 412 m long.", "url": "https://pier.example/1", "metadata": {}}\n',
            ["It is 412 m long."],
            "read as text: text; not read: url",
        ),
    ],
)
def test_a_text_in_some_lines_hides_nothing_else(tmp_path: Path, lines: str, texts: list[str], said: str) -> None:
    found = read_lines(tmp_path, lines)
    assert [text.text for text in found] == texts
    assert [list(text.warnings) for text in found] == [
        [f"{said}; --text-field NAME chooses"],
        *[[] for _ in found[1:]],
    ]


def test_two_titles_and_words_under_the_name_of_an_id_are_kept(tmp_path: Path) -> None:
    lines = '{"title": "Pier", "subject": "Lamp", "msg": "It is lit.", "signature": "Ada Finch", "hash": "9f8c"}\n'
    [found] = read_lines(tmp_path, lines)
    assert (found.title, found.text) == ("Pier", "It is lit.\n\nsubject: Lamp; signature: Ada Finch")


def test_a_file_with_a_text_is_read_as_usual_where_no_line_has_the_chosen_field(tmp_path: Path) -> None:
    found = read_lines(tmp_path, '{"text": "the words"}\n{"msg": "other words"}\n', "body")
    assert [text.text for text in found] == ["the words", "other words"]


def test_a_title_is_the_title(tmp_path: Path) -> None:
    assert [text.title for text in read_lines(tmp_path, TALK)] == ["Tides", ""]


@pytest.mark.parametrize(
    ("lines", "fields", "texts"),
    [
        (LOG, ["host"], ["db-3", "db-4"]),
        (LOG, ["ctx.host", "level"], ["error\n\ndb-3", "info\n\ndb-4"]),
        (CHAT, ["edited"], ["", "ingrid: True", ""]),
        ('{"text": "a", "body": "the words"}\n', ["body"], ["the words"]),
        ('{"text": "the words"}\n', ["body"], ["the words"]),
    ],
)
def test_chosen_fields_alone_are_read(tmp_path: Path, lines: str, fields: list[str], texts: list[str]) -> None:
    assert [text.text for text in read_lines(tmp_path, lines, *fields)] == texts


def test_a_record_that_is_read_in_another_way_is_another(tmp_path: Path) -> None:
    guessed, chosen = (read_lines(tmp_path, LOG, *fields)[0].digest for fields in ((), ("host",)))
    assert guessed == read_lines(tmp_path, LOG)[0].digest != chosen


@pytest.mark.parametrize(
    ("lines", "fields", "message"),
    [
        (LOG, ["words"], "a.jsonl: no line has the field 'words'"),
        ('{"_id": "a"}\n', [], 'a.jsonl: no "text", and no field with words'),
        ('{"a": 1, "b": [2, null]}\n', [], "no field with words"),
        (LOG + "[1]\n", [], "a.jsonl:3: not a JSON object"),
        (LOG + "{\n", [], "a.jsonl:3: not JSON"),
    ],
)
def test_lines_that_cannot_be_read_are_named(tmp_path: Path, lines: str, fields: list[str], message: str) -> None:
    with pytest.raises(RecordFormat) as caught:
        read_lines(tmp_path, lines, *fields)
    assert message in caught.value.message


def test_ids_that_repeat_are_no_ids_and_no_line_is_lost(tmp_path: Path) -> None:
    lines = '{"id": "ada", "msg": "first words"}\n{"id": "ada", "msg": "other words"}\n'
    assert [text.external_id for text in read_lines(tmp_path, lines)] == ["1", "2"]


def test_a_named_field_holds_the_id_and_of_equal_ones_the_last_line_counts(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"k": {"n": 1}, "text": "old"}\n{"k": {"n": 2}, "text": "b"}\n{"k": {"n": 1}, "text": "new"}\n'
    )
    texts = list(read(FoundFile(tmp_path / "a.jsonl", explicit=True), ReadLimits(id_field="k.n")))
    assert [(text.external_id, text.text) for text in texts] == [("2", "b"), ("1", "new")]
    assert texts[1].warnings == ("a.jsonl:3: k.n '1' again; it replaces line 1",)


@pytest.mark.parametrize(("lines", "said"), [(CHAT, "user"), ('{"text": "a"}\n', "user")])
def test_a_line_without_the_named_id_is_refused(tmp_path: Path, lines: str, said: str) -> None:
    (tmp_path / "a.jsonl").write_text(lines + '{"text": "b", "message": "two words"}\n')
    with pytest.raises(RecordFormat, match=rf'a\.jsonl:\d: no "{said}"'):
        list(read(FoundFile(tmp_path / "a.jsonl", explicit=True), ReadLimits(id_field="user")))


def test_a_line_nested_deeply_is_read(tmp_path: Path) -> None:
    deep = '{"a":' * 900 + '"the last words"' + "}" * 900
    [text] = read_lines(tmp_path, deep + "\n")
    assert text.text == "the last words"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("a id role text ts".split()), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from("a id user msg created text".split()), JSON))
def test_whatever_a_line_holds_every_word_is_read_once_or_left_out_as_an_id(record: dict[str, object]) -> None:
    record = json.loads(json.dumps(record))
    seen = Seen()
    seen.take(record)
    leaves = [(part.named(name), value) for part in parts(record) for name, value in part.leaves]
    if fields := seen.guessed():
        text = text_of(record, fields)
        for path, value in leaves:
            if path in fields.texts:
                assert str(value).strip("\n") in text
