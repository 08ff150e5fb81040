"""Laws of names and selections: files, folders, titles, authors and dates are words; documents are chosen by them."""

import pytest

from reatt_store.library import Chunk, Document, Library
from reatt_store.selection import Selection

FILES = {
    "/home/anna/notes/lease boris.md": Document("", None, "Lease", "markdown", "", 1, 0),
    "/home/anna/notes/lease clara.md": Document("", None, "Lease", "markdown", "", 1, 0),
    "/home/anna/notes/clients/Weiss/boilerLog_2024.csv": Document("", None, "boilerLog 2024", "csv", "", 1, 0),
    "/home/anna/notes/paper.pdf": Document(
        "", None, "On Tides", "pdf", "", 1, 0, "Jonah Pell", "2019-05-17", "2024-06-01T08:00:00+00:00"
    ),
    "/home/anna/notes/new.txt": Document("", None, "new", "text", "", 1, 0, "", "", "2024-06-02T08:00:00+00:00"),
}


@pytest.fixture
def library(tmp_path):
    """Files whose texts do not say their names."""
    with Library.create(tmp_path / "store") as library:
        with library.writing() as writer:
            for number, (path, told) in enumerate(FILES.items()):
                document = Document(path, *[getattr(told, name) for name in list(told.__dataclass_fields__)[1:]])
                text = f"The rent is {number} euros a month."
                writer.publish([(document, [Chunk(0, 0, len(text), 1, None, "Rent", text)])], None, 0)
        yield library


def found(library, question):
    paths = {chunk.id: chunk.path.rsplit("/", 1)[1] for chunk in library.every_chunk()}
    return [paths[id] for id, _ in library.words(question, 9)]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("boris", "lease boris.md"),
        ("The rent of Clara?", "lease clara.md"),
        ("boiler log", "boilerLog_2024.csv"),
        ("boilerlog", "boilerLog_2024.csv"),
        ("Weiss", "boilerLog_2024.csv"),
        ("clients", "boilerLog_2024.csv"),
        ("tides", "paper.pdf"),
        ("What does Pell say of the rent?", "paper.pdf"),
        ("May 2019", "paper.pdf"),
        ("2019-05-17", "paper.pdf"),
        ("new", "new.txt"),
    ],
)
def test_what_a_question_names_is_first(library, question, first):
    assert found(library, question)[0] == first


@pytest.mark.parametrize("question", ["anna", "notes", "home"])
def test_the_folder_of_all_documents_finds_none(library, question):
    assert found(library, question) == []


def test_the_folder_counts_once_a_document_lies_elsewhere(library):
    with library.writing() as writer:
        text = "Something else."
        chunk = Chunk(0, 0, len(text), 1, None, "", text)
        writer.publish([(Document("/srv/x.txt", None, "x", "text", "", 1, 0), [chunk])], None, 0)
    assert len(found(library, "anna")) == len(FILES)


def test_names_alone_are_told_from_texts(library):
    assert [id for id, _ in library.names("the rent of Boris", 9)] == [1]
    assert library.names("the rent", 9) == []


@pytest.mark.parametrize("passages", [1, 9])
def test_words_that_many_names_share_name_none_of_them(tmp_path, passages):
    with Library.create(tmp_path / "other") as library:
        with library.writing() as writer:
            for name in ("tide", "moon", "fog", "rain", "dew", "frost"):
                texts = [f"{name} is told of here, in part {number}." for number in range(passages)]
                chunks = [Chunk(n, 0, len(text), 1, None, "", text) for n, text in enumerate(texts)]
                writer.publish(
                    [(Document(f"/notes/report of {name}.md", None, "", "markdown", "", 1, 0), chunks)], None, 0
                )
        assert library.names("what does the report say", 99) == []
        named = library.names("what does the report of fog say", 99)
        assert {chunk.path for chunk in library.chunks([id for id, _ in named])} == {"/notes/report of fog.md"}
        assert len(named) == passages


def test_a_removed_or_renamed_document_takes_its_names_along(library):
    with library.writing() as writer:
        writer.remove([1])
    assert found(library, "boris") == []
    assert library.check().ok


def test_origins_come_back(library):
    told = {stored.document.path.rsplit("/", 1)[1]: stored.document.origin for stored in library.documents()}
    assert told["paper.pdf"] == ("Jonah Pell", "2019-05-17", "2024-06-01T08:00:00+00:00")
    assert told["lease boris.md"] == ("", "", "")


ALL = {path.rsplit("/", 1)[1] for path in FILES}
CHOSEN = [
    (Selection(), ALL),
    (Selection(only=("*.md", "*.csv")), {"lease boris.md", "lease clara.md", "boilerLog_2024.csv"}),
    (Selection(without=("*.md",)), {"boilerLog_2024.csv", "paper.pdf", "new.txt"}),
    (Selection(only=("*.md",), without=("*boris*", "x")), {"lease clara.md"}),
    (Selection(kinds=("pdf", "text")), {"paper.pdf", "new.txt"}),
    (Selection(kinds=("md",)), {"lease boris.md", "lease clara.md"}),
    (Selection(after="2024-01-01"), {"new.txt"}),
    (Selection(before="2019-05-17"), {"paper.pdf"}),
    (Selection(after="2019-05-17", before="2024-06-02"), {"paper.pdf", "new.txt"}),
    (Selection(after="2024-06-03"), set()),
]


@pytest.mark.parametrize(("among", "expected"), CHOSEN)
def test_every_way_to_read_obeys_a_selection(library, among, expected):
    if among == Selection():
        assert not among
    assert {stored.document.path.rsplit("/", 1)[1] for stored in library.documents(among)} == expected
    assert {chunk.path.rsplit("/", 1)[1] for chunk in library.every_chunk(among)} == expected
    ids = {id for id, _ in library.words("rent", 9, among)}
    assert {chunk.path.rsplit("/", 1)[1] for chunk in library.every_chunk() if chunk.id in ids} == expected
