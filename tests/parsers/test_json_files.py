"""Laws of files of JSON: exports of chats, dumps, notes. What people wrote is text; settings stay as written."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reatt.documents.reader import FoundFile, ReadLimits, Text, read
from reatt.parsers.records.json_values import values
from reatt_store.errors import EmptyDocument, TooBig

NINE, TEN = "2024-05-01T09:00:07Z", 1714557600  # the second is ten o'clock


def read_json(folder: Path, data: Any, name: str = "a.json", **limits: Any) -> list[Text]:
    written = data if isinstance(data, bytes | str) else json.dumps(data)
    (folder / name).write_bytes(written if isinstance(written, bytes) else written.encode())
    return list(read(FoundFile(folder / name, explicit=True), ReadLimits(**limits)))


def node(role: str, text: str | None, children: list[str], **more: Any) -> dict[str, Any]:
    said = {"author": {"role": role}, "create_time": TEN, "content": {"content_type": "text", "parts": [text]}}
    return {"message": said | more if text else None, "children": children}


BOILER = {
    "title": "The boiler",
    "id": "c1",
    "mapping": {
        "root": node("", None, ["n2"]),
        "n3": node("assistant", "Open the valve.\n\nThen wait.", [], status="finished_successfully"),
        "n2": node("user", "It hums. What now?", ["n3"], weight=1.0),
    },
}
BREAD = {
    "uuid": "c2",
    "name": "Bread",
    "chat_messages": [
        {"text": "How long?", "content": [{"type": "text", "text": "How long?"}], "sender": "human", "created_at": NINE}
    ],
}
PAIRS = {"id": "c3", "conversations": [{"from": "human", "value": "Who tunes it?"}, {"from": "gpt", "value": "Pell."}]}


@pytest.mark.parametrize(
    ("talk", "title", "text"),
    [
        (BOILER, "The boiler", "2024-05-01 10:00 user: It hums. What now?\n\n"
         "2024-05-01 10:00 assistant: Open the valve.\n\nThen wait."),
        (BREAD, "Bread", "2024-05-01 09:00 human: How long?"),
        (PAIRS, "", "human: Who tunes it?\n\ngpt: Pell."),
    ],
)  # fmt: skip
def test_each_conversation_of_an_export_is_a_record(
    tmp_path: Path, talk: dict[str, Any], title: str, text: str
) -> None:
    first, second = read_json(tmp_path, [talk, {**talk, "id": "d", "uuid": "d"}])
    assert (first.title, first.text, second.text) == (title, text, text)
    assert (first.external_id, second.external_id) in {("c1", "d"), ("c2", "d"), ("c3", "d")}
    assert first.warnings[0].startswith("read as conversations: ")


SEEN = ["See ", {"type": "link", "text": "x.org"}, "."]
TELEGRAM = {
    "name": "Harbour club",
    "messages": [
        {"type": "message", "date": "2024-05-01T10:01:00", "from": "Ada", "text": SEEN},
        {"type": "message", "date": "2024-05-01T10:02:00", "from": "Bo", "file": "files/tides.pdf", "text": ""},
    ],
}
FACEBOOK = {
    "participants": [{"name": "Zo\u00c3\u00ab"}],
    "messages": [{"sender_name": "Zo\u00c3\u00ab", "timestamp_ms": TEN * 1000, "content": "Caf\u00c3\u00a9?"}],
    "title": "Zo\u00c3\u00ab",
}
DISCORD = {
    "channel": {"name": "general", "topic": "All about boats"},
    "messages": [{"timestamp": NINE, "content": "Who paints it?", "author": {"name": "ada", "nickname": "Ada"}}],
}
RAVI = {"real_name": "Ravi Rao"}
SLACK = [
    {"type": "message", "user": "U1", "user_profile": RAVI, "text": "By the door", "ts": f"{TEN}.01"},
    {"type": "message", "user": "U2", "ts": f"{TEN}.02", "attachments": [{"fallback": "Build failed"}]},
]


@pytest.mark.parametrize(
    ("talk", "title", "text"),
    [
        (TELEGRAM, "Harbour club", "2024-05-01 10:01 Ada: See x.org.\n\n2024-05-01 10:02 Bo: file: files/tides.pdf"),
        (FACEBOOK, "Zoë", "2024-05-01 10:00 Zoë: Café?"),
        (DISCORD, "general", "topic: All about boats\n\n2024-05-01 09:00 Ada: Who paints it?"),
        (SLACK, "a", "2024-05-01 10:00 Ravi Rao: By the door\n\n2024-05-01 10:00 U2: Build failed"),
    ],
)
def test_a_file_of_messages_is_one_conversation(tmp_path: Path, talk: Any, title: str, text: str) -> None:
    [found] = read_json(tmp_path, talk)
    assert (found.external_id, found.title, found.text) == (None, title, text)
    assert found.warnings[0].startswith("read as a conversation: ")


ISSUE = {"id": 1, "title": "Crash", "user": {"login": "octo", "id": 3}, "body": "It crashes\nat noon."}
HIGH = {"rendered": "<p>High <b>tide</b>.</p><p>Low tide.</p>"}
POST = {"id": 2, "title": {"rendered": "Tides &#8211; now"}, "content": HIGH}
ASKED = {"question_id": 11, "title": "It&#39;s wet", "body": "<p>How?</p>\n<pre><code>a &lt; b</code></pre>"}


@pytest.mark.parametrize(
    ("record", "own", "title", "text"),
    [
        (ISSUE, "1", "Crash", "octo: It crashes\nat noon."),
        (POST, "2", "Tides – now", "High tide.\n\nLow tide."),
        (ASKED, "1", "It's wet", "How?\n\na < b"),
        ({"text": "Two words.", "stars": 4}, "1", "", "Two words.\n\nstars: 4"),
        ({"name": "Chad", "capital": "N'Djamena"}, "1", "", "name: Chad; capital: N'Djamena"),
    ],
)
@pytest.mark.parametrize("around", ["{}", '{{"items": {}, "has_more": false}}', '{{"data": {{"children": {}}}}}'])
def test_each_object_of_a_list_is_a_record(
    tmp_path: Path, record: dict[str, Any], own: str, title: str, text: str, around: str
) -> None:
    body = json.dumps([record, {**record, "id": "z"}])
    found = read_json(tmp_path, around.format(body))
    assert (found[0].external_id, found[0].title, found[0].text) == (own, title, text)
    assert len(found) == 2
    assert "read as text" in found[0].warnings[0] or "beside it" in found[0].warnings[0]


def test_what_stands_around_a_list_is_kept(tmp_path: Path) -> None:
    about = {"about": "Notes of the harbour", "list": [ISSUE, {**ISSUE, "id": 2}, {**ISSUE, "id": 3}]}
    assert [text.text for text in read_json(tmp_path, about)][:2] == [
        "Notes of the harbour",
        "octo: It crashes\nat noon.",
    ]


def test_objects_under_their_ids_are_a_list(tmp_path: Path) -> None:
    posts = {"posts": {"p1": {"body": "The first one"}, "p2": {"body": "The second one"}}}
    assert [text.text for text in read_json(tmp_path, posts)] == ["The first one", "The second one"]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_objects_on_lines_are_records_whatever_the_name(tmp_path: Path, name: str) -> None:
    lines = '{"body": "first words"}\n{"body": "other words"}\n'
    assert [text.text for text in read_json(tmp_path, lines, name)] == ["first words", "other words"]


def test_an_array_in_a_file_of_lines_is_read_as_an_array(tmp_path: Path) -> None:
    assert [text.title for text in read_json(tmp_path, [ISSUE, {**ISSUE, "id": 2}], "a.jsonl")] == ["Crash", "Crash"]


def test_an_array_in_the_script_of_an_archive_of_posts_is_read(tmp_path: Path) -> None:
    posts = [{"tweet": {"full_text": "Saw a seal &amp; a whale", "id_str": "1"}}]
    [text] = read_json(tmp_path, f"window.YTD.tweets.part0 = {json.dumps(posts)}", "tweets.js")
    assert text.text == "Saw a seal & a whale"


def test_a_note_is_one_document(tmp_path: Path) -> None:
    [text] = read_json(tmp_path, {"title": "Shopping", "textContent": "Buy milk\nand two eggs", "isPinned": False})
    assert (text.external_id, text.title, text.text) == (None, "Shopping", "Buy milk\nand two eggs\n\nisPinned: false")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_in_another_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    written = json.dumps([{"title": "Größe", "body": "Zwei Wörter"}], ensure_ascii=False)
    assert [text.text for text in read_json(tmp_path, written.encode(encoding))] == ["Zwei Wörter"]


SETTINGS = (
    '{\n  "name": "left",\n  "description": "Pads a string to the left",\n  "scripts": {"test": "jest --all"}\n}\n'
)


@pytest.mark.parametrize(
    "written",
    [
        SETTINGS,
        '{ // a remark\n  "strict": true, "caf\\u00e9": 1 }',
        '[{"a": "two words"}, {"a": ',
        '[{"a": "two words"} {"a": "b"}]',
        '[{"a": "two words"},]',
        '[{"a": "two words"}] and more',
        "[1, 2, 3]",
        '[["a", "b"], ["c", "d"]]',
        "{" * 5000,
    ],
)
def test_settings_and_what_is_no_json_stay_as_they_are(tmp_path: Path, written: str) -> None:
    [text] = read_json(tmp_path, written)
    assert (text.kind, text.text, text.external_id) == ("code", written, None)


def test_escapes_in_the_strings_of_settings_are_the_letters_they_mean(tmp_path: Path) -> None:
    [text] = read_json(tmp_path, '{"menu": "Datei \\u00f6ffnen", "tip": "Guten Tag\\nund willkommen \\ud83d\\ude00"}')
    assert text.text == '{"menu": "Datei öffnen", "tip": "Guten Tag\nund willkommen 😀"}'
    assert text.kind == "record"


@pytest.mark.parametrize(("fields", "texts"), [(["title"], ["octo: Crash"] * 2), (["user.login"], ["octo: octo"] * 2)])
def test_chosen_fields_alone_are_read(tmp_path: Path, fields: list[str], texts: list[str]) -> None:
    found = read_json(tmp_path, [ISSUE, {**ISSUE, "id": 2}], fields=tuple(fields))
    assert [text.text for text in found] == texts


def test_a_mixed_field_with_code_keeps_its_tags(tmp_path: Path) -> None:
    rows = [{"body": "Write it in <b>bold</b>"}, {"body": "No tags here"}, {"body": "None here"}]
    assert read_json(tmp_path, rows)[0].text == "Write it in <b>bold</b>"


def test_an_empty_note_has_no_text(tmp_path: Path) -> None:
    with pytest.raises(EmptyDocument):
        read_json(
            tmp_path,
            [{"messages": [{"from": "Ada", "text": ""}]}, {"messages": []}]
            and {"messages": [{"from": "A", "text": ""}]},
        )


def test_an_item_that_is_too_long_is_named(tmp_path: Path) -> None:
    with pytest.raises(TooBig):
        read_json(tmp_path, [{"body": "words " * 100_000}], max_bytes=100_000)


NAMES = st.sampled_from("a id from text ts mapping".split())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4) | st.dictionaries(NAMES, JSON, min_size=1))
@settings(deadline=None, max_examples=60)
def test_whatever_json_holds_nothing_else_than_its_text_can_be_missing(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    with suppress(EmptyDocument):
        assert read_json(tmp_path_factory.mktemp("json"), value)


@given(st.lists(JSON, max_size=6), st.sampled_from([None, 1]))
@settings(deadline=None)
def test_values_are_those_of_the_whole(tmp_path_factory: pytest.TempPathFactory, items: list[Any], indent: int) -> None:
    path = tmp_path_factory.mktemp("json") / "a"
    path.write_text(json.dumps(items, indent=indent))
    with path.open("rb") as file:
        assert [json.loads(written) for _, written in values(file, 10**6)] == json.loads(
            path.read_text()
        ) or "NaN" in path.read_text()


def test_an_array_of_any_length_is_read_item_by_item(tmp_path: Path) -> None:
    written = "[" + ",".join(json.dumps({"n": n, "body": "word " * (n % 50)}) for n in range(20_000)) + "]"
    (tmp_path / "a.json").write_text(written)
    with (tmp_path / "a.json").open("rb") as file:
        each: Iterator[tuple[Any, str]] = values(file, 1000)
        assert [value["n"] for value, _ in each] == list(range(20_000))


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_the_name_of_a_field_may_be_no_text(tmp_path: Path, name: str) -> None:
    lines = '{"\\ud800": "first words"}\n{"\\ud800": "other words"}\n'
    assert [text.text for text in read_json(tmp_path, lines, name)] == ["first words", "other words"]


SERVICE = {"type": "service", "actor": "Ada", "action": "invite_members", "members": ["Egon Krenz"], "text": ""}
CARD = {"first_name": "Cleo", "last_name": "Marsh", "phone_number": "+47 555 0182"}
POLL = {"question": "Which day?", "answers": [{"text": "Monday", "voters": 2}, {"text": "Friday", "voters": 1}]}


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (SERVICE, "Ada: action: invite_members; members: Egon Krenz"),
        ({"from": "Bo", "contact_information": CARD, "text": ""},
         "Bo: first_name: Cleo; last_name: Marsh; phone_number: +47 555 0182"),
        ({"from": "Bo", "poll": POLL, "text": ""}, "Bo: Which day?\n\nMonday (voters: 2)\n\nFriday (voters: 1)"),
        ({"from": "Bo", "forwarded_from": "Dora", "text": "It suits me."}, "Bo: It suits me. (forwarded_from: Dora)"),
        ({"from": "Bo", "performer": "Grieg", "title": "Morning", "text": ""}, "Bo: performer: Grieg; title: Morning"),
        ({"from": None, "text": "From nobody we know."}, "From nobody we know."),
    ],
)  # fmt: skip
def test_what_people_see_of_a_message_without_words_is_read(
    tmp_path: Path, message: dict[str, Any], words: str
) -> None:
    said = [{"date": NINE, "from": "Ada", "text": "See you all."}] * 3
    [found] = read_json(tmp_path, {"name": "Club", "messages": [*said, {"date": NINE, **message}]})
    assert found.text.split("\n\n", 3)[3] == f"2024-05-01 09:00 {words}"


def test_all_lists_of_conversations_are_read_and_what_stands_beside_them(tmp_path: Path) -> None:
    talks = [{"name": name, "messages": [{"date": NINE, "from": name, "text": f"I am {name}."}]} for name in "ABC"]
    around = {"about": "My data", "contacts": {"list": [CARD]}}
    found = read_json(tmp_path, {**around, "chats": {"list": talks[:2]}, "left_chats": {"list": talks[2:]}})
    assert sorted(text.title for text in found) == ["", "A", "B", "C"]
    assert "last_name: Marsh" in found[0].text
    assert len({text.external_id for text in found}) == 4


def test_names_stand_before_the_values_of_a_message(tmp_path: Path) -> None:
    fields = [{"name": "Price", "value": "5 euros a can"}, {"name": "Where", "value": "At the pier"}]
    said = {"timestamp": NINE, "content": "Look here", "author": {"name": "Ada"}, "embeds": [{"fields": fields}]}
    [found] = read_json(tmp_path, {"channel": {"name": "general"}, "messages": [said]})
    assert found.text == "2024-05-01 09:00 Ada: Look here\n\nPrice: 5 euros a can\n\nWhere: At the pier"


def test_a_note_that_is_a_list_is_read(tmp_path: Path) -> None:
    lines = [{"text": "Rope", "isChecked": False}, {"text": "Tar", "isChecked": True}]
    [found] = read_json(tmp_path, {"color": "DEFAULT", "title": "Shopping", "listContent": lines})
    assert found.title == "Shopping"
    assert "Rope\n\nisChecked: false\n\nTar\n\nisChecked: true" in found.text
