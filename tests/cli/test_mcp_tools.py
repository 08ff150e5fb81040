"""What the tools of `reatt mcp` return, without the protocol: places, borders, limits, names of stores, settings."""

import json
import tomllib
from importlib import util

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt_cli.agents import budget, clients, reading, results, stores
from reatt_cli.agents.tools import Tools
from reatt_cli.schemas import published as schemas
from reatt_cli.settings import Settings
from reatt_store.errors import NoSuchId, NoSuchPath, UsageError
from reatt_store.library import Chunk, Document, Library, StoredChunk
from tests.texts import LEAVE


def chunks_of(parts, pages=None):
    """Tile a document with chunks."""
    found, start = [], 0
    for number, text in enumerate(parts):
        line = "".join(parts[:number]).count("\n") + 1
        page = pages[number] if pages else None
        chunk = Chunk(number, start, start + len(text), line, page, "", text)
        found.append(StoredChunk(number + 1, 1, "/a/b.md", None, chunk))
        start += len(text)
    return found


TEXTS = st.lists(st.text(alphabet="a é\n日", min_size=1, max_size=400), min_size=1, max_size=12)


@given(TEXTS)
def test_following_skip_gives_every_character_once(parts):
    whole, said, skip = "".join(parts), [], 0
    while skip is not None:
        part = reading.stretch(chunks_of(parts), None, None, skip, tokens=600)
        said.append(part.text)
        skip = part.skip
    assert "".join(said) == whole
    assert all(len(text.encode()) <= budget.room(600) for text in said)


@given(TEXTS, st.integers(1, 30), st.integers(0, 5))
def test_lines_are_the_lines_of_the_text(parts, first, more):
    whole = "".join(parts)
    lines = whole.split("\n")
    lines = [line + "\n" for line in lines[:-1]] + [line for line in lines[-1:] if line]
    if first > len(lines):
        with pytest.raises(UsageError, match=f"1-{len(lines)}"):
            reading.stretch(chunks_of(parts), f"{first}-{first + more}", None, 0, budget.TOKENS)
        return
    part = reading.stretch(chunks_of(parts), f"{first}-{first + more}", None, 0, budget.TOKENS)
    wanted = lines[first - 1 : first + more]
    assert part.text == "".join(wanted)
    assert (part.first, part.last, part.of) == (first, first + len(wanted) - 1, len(lines))


def test_what_is_too_long_ends_where_a_passage_ends():
    parts = [f"{letter * 99}\n" for letter in "abcdefghij"]
    part = reading.stretch(chunks_of(parts), None, None, 0, tokens=600)
    assert part.text == "".join(parts[:6])
    assert (part.skip, part.last) == (600, 6)


def test_a_page_is_all_its_passages_and_no_other():
    parts = chunks_of(["one\n", "two a\n", "two b\n", "three\n"], pages=[1, 2, 2, 3])
    part = reading.stretch(parts, None, 2, 0, budget.TOKENS)
    assert (part.text, part.first, part.last) == ("two a\ntwo b\n", 2, 3)


@pytest.mark.parametrize("lines", ["", "a", "0", "3-2", "-4", "1-2-3", "1e3", "9" * 30, "99", "1 2", "١"])
def test_lines_that_are_none_are_refused_with_an_example(lines):
    with pytest.raises(UsageError) as refused:
        reading.stretch(chunks_of(["one\ntwo\n"]), lines, None, 0, budget.TOKENS)
    assert "lines=" in refused.value.fix


@pytest.mark.parametrize(("pages", "fix"), [([1, 2], "page=1"), (None, "lines=")])
def test_a_page_that_is_not_there_is_refused(pages, fix):
    with pytest.raises(UsageError) as refused:
        reading.stretch(chunks_of(["a", "b"], pages), None, 7, 0, budget.TOKENS)
    assert fix in refused.value.fix


@pytest.mark.parametrize(("text", "lines"), [("a\n", "4"), ("a\nb", "4-5"), ("\n\na\nb\n\n", "4-5"), ("a\rb", "4-5")])
def test_a_passage_names_the_lines_of_its_words(text, lines):
    assert reading.span(text, 4) == lines


@given(st.lists(st.text(max_size=200), max_size=30), st.integers(1000, 3000))
def test_what_is_taken_fits_and_nothing_is_skipped(texts, tokens):
    parts = [results.Passage(path=str(number), lines="1", text=text) for number, text in enumerate(texts)]
    taken, cut = budget.fitting(iter(parts), tokens)
    assert taken == parts[: len(taken)]
    assert cut == (len(taken) < len(parts))
    assert len(budget.encoded(results.Found(passages=taken)).encode()) <= tokens * budget.BYTES_PER_TOKEN


@pytest.fixture
def tools(store):
    return Tools(stores.named(Settings(store=str(store)), []))


def test_read_finds_what_list_names_in_every_way_it_can_be_named(tools, store):
    listed = tools.list(None, 0, None).documents
    assert [(each.path, each.record) for each in listed] == [
        ("hr/leave.md", None),
        ("faq.jsonl", "q1"),
        ("a.pdf", None),
    ]
    for each in listed:
        assert tools.read(each.path, None, None, each.record, 0, None).path == each.path
    for name in ("hr/leave.md", str(store.parent / "hr" / "leave.md"), "D-1"):
        assert tools.read(name, "1", None, None, 0, None).text == LEAVE.splitlines(keepends=True)[0]


@pytest.mark.parametrize(
    ("path", "record"), [("gone.md", None), ("leave.md", None), ("faq.jsonl", "q2"), ("D-x", None)]
)
def test_what_is_not_there_is_refused_and_says_how_to_find_it(path, record, tools):
    with pytest.raises(NoSuchPath) as refused:
        tools.read(path, None, None, record, 0, None)
    assert "list" in refused.value.fix


def test_a_file_of_several_records_is_read_by_record(tools, store):
    more = Document(str(store.parent / "faq.jsonl"), "q2", "", "record", "22" * 16, 9, 0)
    with Library.open(store).writing() as writer:
        writer.publish([(more, [Chunk(0, 0, 4, 1, None, "", "Ask!")])], None, 0)
    with pytest.raises(NoSuchId, match="several records: q1, q2"):
        tools.read("faq.jsonl", None, None, None, 0, None)
    assert tools.read("faq.jsonl", None, None, "q2", 0, None).text == "Ask!"


def test_a_long_list_is_cut_and_goes_on_where_it_stopped(tools, store):
    folder = store.parent / ("deep" * 20)
    texts = [Document(str(folder / f"{n}.md"), None, "x" * 90, "text", f"{n:032x}", 9, 0) for n in range(60)]
    with Library.open(store).writing() as writer:
        writer.publish([(each, [Chunk(0, 0, 1, 1, None, "", "x")]) for each in texts], None, 0)
    small, named, skip = Tools(tools.served, tokens=1000), [], 0
    while True:
        part = small.list(None, skip, None)
        named += [each.path for each in part.documents]
        assert len(budget.encoded(part).encode()) <= 2000
        if part.more is None:
            break
        skip = int(part.more.rpartition("=")[2])
    assert named == [each.path for each in tools.list(None, 0, None).documents]
    assert len(named) == 63


@pytest.mark.parametrize("character", ["\u202e", "\u200b", "\U000e0041", "\x1b", "\x9b"])
def test_characters_that_hide_text_are_shown(character, tools, store):
    path = str(store.parent / f"n{character}.md")
    text = f"Pay{character}ment is due.\n"
    with Library.open(store).writing() as writer:
        document = Document(path, None, f"T{character}", "text", "33" * 16, 9, 0)
        writer.publish([(document, [Chunk(0, 0, len(text), 1, None, f"T{character}", text)])], None, 0)
    last = tools.list(None, 0, None).documents[-1]
    read = tools.read(last.path, None, None, None, 0, None)
    assert (last.path, read.path) == ("D-4", "D-4")
    assert character not in budget.encoded(read) + budget.encoded(last)
    assert "Pay\\" in read.text


def test_every_result_with_text_of_documents_is_marked():
    for kind in (results.Found, results.Answered, results.Read, results.Documents):
        assert kind.model_fields["untrusted"].default == results.UNTRUSTED


def test_stores_are_named_by_their_folders_and_told_apart(store, tmp_path):
    Library.create(tmp_path / "other" / ".reatt").close()
    Library.create(tmp_path / "law" / "work").close()
    found = stores.named(Settings(), [str(tmp_path / "law" / "work"), str(tmp_path / "other"), str(store.parent)])
    assert [each.name for each in found] == ["work-1", "other", "work-2"]
    assert [each.name for each in stores.chosen(found, "other")] == ["other"]
    with pytest.raises(UsageError, match="no store is called law"):
        stores.chosen(found, "law")
    told = Tools(found).status().stores
    assert [(each.store, each.documents) for each in told] == [("work-1", 0), ("other", 0), ("work-2", 3)]
    assert {each.store for each in Tools(found).list(None, 0, None).documents} == {"work-2"}


@pytest.mark.parametrize("client", clients.CLIENTS)
def test_the_settings_of_a_client_name_this_program_and_the_store(client, reatt, tmp_path):
    done = reatt("mcp", "--print-config", client, tmp_path / "a b")
    assert done.code == 0
    told = tomllib.loads(done.out) if client == "codex" else json.loads(done.out)
    (servers,) = told.values()
    server = servers["reatt"]
    assert server["command"].startswith("/")
    assert server["args"][-2:] == ["mcp", str(tmp_path / "a b")]
    found = json.loads(reatt("mcp", "--print-config", client, "--json").out)
    jsonschema.validate(found, schemas.json_schema("mcp"))


def test_without_the_extra_the_command_says_what_to_install(reatt, monkeypatch):
    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == "mcp" else find(name))
    done = reatt("mcp")
    assert (done.code, done.out) == (2, "")
    assert 'pip install "reatt[mcp]"' in done.err


def test_json_is_not_for_the_protocol(reatt):
    assert reatt("mcp", "--json").code == 2
