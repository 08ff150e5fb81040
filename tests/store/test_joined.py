"""The law of several stores searched as one: equal to one store that holds all of their documents."""

import itertools
import random
from contextlib import ExitStack

import numpy as np
import pytest

from reatt_store.clusters import kept
from reatt_store.errors import ModelMismatch, NoStore, StoreDamaged, UsageError
from reatt_store.joined import library as joined
from reatt_store.joined.library import JoinedLibrary
from reatt_store.joined.tokens import open_indexes
from reatt_store.joined.twins import twins
from reatt_store.lexical import joint
from reatt_store.library import Chunk, Document, Library
from reatt_store.records import PER_STORE
from reatt_store.selection import Selection
from reatt_store.vectors.segments import draft
from tests.texts import NOUNS

WORDS = [*NOUNS, "running", "ran", "cafe\u0301", "図書館", "猫", "x" * 300, "²", "o'clock", "1984"]
QUESTIONS = [
    "telescope garden",
    "who ran the ferry?",
    "図書館 猫",
    "猫",
    "café 1984 ²",
    "harbour.md in folder3",
    "zebra",
    "the",
]
WIDTH = 4


def documents(count=90):
    """Make documents of one to four chunks; the texts of some are equal, and one is long."""
    pick, made = random.Random(4), []
    for number in range(count):
        path = f"/library/folder{number % 7}/{pick.choice(NOUNS)}{number}.md"
        texts = [" ".join(pick.choices(WORDS, k=pick.choice((1, 9, 40)))) for _ in range(pick.randint(1, 4))]
        texts = (
            ["harbour " * 200 + "garden"] if number == 50 else ["the same text", "ferry"] if number % 9 == 0 else texts
        )
        kind, dated = pick.choice(("text", "pdf")), f"20{number % 30:02}-01-01"
        document = Document(path, None, pick.choice(NOUNS), kind, "00" * 16, 1, 0, "Ada Berg", dated)
        made.append(
            (document, [Chunk(i, 0, len(t), i + 1, None, pick.choice(("", "Rules")), t) for i, t in enumerate(texts)])
        )
    return made


def keys(text):
    """Make the same keys for the same text."""
    return np.random.default_rng(list(text.encode())).standard_normal((3, WIDTH)).astype(np.float32)


def fill(folder, made, model="m", generation=True):
    """Make a store of documents, and of a generation of vectors."""
    library = Library.create(folder)
    with library.writing() as writer:
        number = writer.begin_generation(f"fingerprint of {model}", model, model * 64, "reatt") if generation else None
        for at in range(0, len(made), 8):
            some = made[at : at + 8]
            fresh = {chunk.digest: chunk for _, chunks in some for chunk in chunks}
            if generation:
                fresh = {digest: fresh[digest] for digest in fresh if digest in library.missing(number, fresh)}
            packed = (
                draft(list(fresh), [keys(chunk.title + chunk.text) for chunk in fresh.values()])
                if fresh and generation
                else None
            )
            writer.publish(some, packed, number or 0)
        if generation:
            writer.switch(number)
    return library


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    with fill(tmp_path_factory.mktemp("one") / "store", documents()) as library:
        yield library


@pytest.fixture(scope="module", params=[2, 3, 7])
def several(request, tmp_path_factory):
    root, made = tmp_path_factory.mktemp("several"), documents()
    cuts = [round(i * len(made) / request.param) for i in range(request.param + 1)]
    for number, (start, end) in enumerate(itertools.pairwise(cuts)):
        fill(root / str(number), made[start:end]).close()
    with JoinedLibrary.open([root / str(number) for number in range(request.param)]) as library:
        yield library


def told(library, found):
    """Name what was found by path and place."""
    chunks = library.chunks([id for id, _ in found])
    assert [chunk.id for chunk in chunks] == [id for id, _ in found]
    return [(c.path, c.chunk.ordinal, score) for c, (_, score) in zip(chunks, found, strict=True)]


@pytest.mark.parametrize(
    "among", [Selection(), Selection(only=("*/folder3/*",)), Selection(kinds=("pdf",), after="2010-01-01")]
)
@pytest.mark.parametrize("limit", [1, 10, 10_000])
@pytest.mark.parametrize("question", QUESTIONS)
def test_words_score_as_in_one_store(one, several, question, limit, among):
    for look in ("words", "names"):
        expected = told(one, getattr(one, look)(question, limit, among))
        assert told(several, getattr(several, look)(question, limit, among)) == expected


def places(library, generation, chunk):
    [place] = library.places(generation, [chunk.id]).values()
    return place


@pytest.mark.parametrize("among", [Selection(), Selection(only=("*/folder3/*",)), Selection(only=("*/nowhere/*",))])
def test_every_text_that_may_be_found_is_found_once_with_all_of_its_chunks(one, several, among):
    expected, found = (texts(library, among) for library in (one, several))
    assert found == expected


def texts(library, among):
    """Return the chunks of every place that may be found, by path; each text must have one place."""
    made = library.generation()
    segments, live = library.segments(made.id), library.live(made.id, among)
    found = [
        (segment.id, at)
        for segment in segments
        for at in range(len(segment.digests))
        if live is None or live[segment.id][at]
    ]
    ids = library.chunk_ids(made.id, found, among)
    assert all(ids)
    assert all(row == sorted(row) for row in ids)
    rows = [library.chunks(row) for row in ids]
    assert all(len({chunk.chunk.digest for chunk in row}) == 1 for row in rows)
    assert len({row[0].chunk.digest for row in rows}) == len(rows)
    return sorted([(chunk.path, chunk.chunk.ordinal) for chunk in row] for row in rows)


def test_chunks_of_one_text_lie_in_one_place_whose_keys_are_theirs(several):
    made = several.generation()
    segments = {segment.id: segment for segment in several.segments(made.id)}
    chunks = several.chunks([id for id, _ in several.words("same telescope ferry", 10_000)])
    where = several.places(made.id, [chunk.id for chunk in chunks])
    assert where.keys() == {chunk.id for chunk in chunks}
    for chunk in chunks:
        segment, position = where[chunk.id]
        assert segments[segment].digests[position].tobytes() == chunk.chunk.digest
    assert len({where[chunk.id] for chunk in chunks if chunk.chunk.text == "the same text"}) == len(
        {chunk.chunk.digest for chunk in chunks if chunk.chunk.text == "the same text"}
    )


def test_ids_do_not_collide_and_name_their_store(one, several):
    found, expected = list(several.documents()), list(one.documents())
    assert [each.document for each in found] == [each.document for each in expected]
    assert len({each.id for each in found}) == len(expected)
    assert {each.store for each in found} == {str(library.folder) for library in several.libraries}
    for number, library in enumerate(several.libraries):
        own = [each.name for each in found if each.store == str(library.folder)]
        assert own == [f"D-{stored.id}" for stored in library.documents()]
        assert all(each.id // PER_STORE == number for each in found if each.store == str(library.folder))
    chunk = several.chunks([id for id, _ in several.words("garden", 1)])[0]
    assert several.libraries[chunk.id // PER_STORE].chunk(int(chunk.name[2:])).chunk == chunk.chunk
    assert chunk.document_name in {each.name for each in found if each.store == chunk.store}
    assert several.root() == one.root() == "/library"


def test_a_removed_text_is_found_in_the_store_that_still_has_it(tmp_path):
    text = Chunk(0, 0, 4, 1, None, "", "rope")
    for number in range(2):
        fill(tmp_path / str(number), [(Document(f"/{number}.md", None, "", "text", "", 1, 0), [text])]).close()
    with JoinedLibrary.open([tmp_path / "0", tmp_path / "1"]) as library:
        made, before = library.generation(), library.version()
        [both] = texts(library, Selection())
        assert both == [("/0.md", 0), ("/1.md", 0)]
        with library.libraries[0].writing() as writer:
            writer.remove([1])
        assert library.version() != before
        assert texts(library, Selection()) == [[("/1.md", 0)]]
        assert library.generation() == made
        assert made in library.generations()
        assert [chunk.path for chunk in library.chunks([1, PER_STORE + 1, 7])] == ["/1.md"]


def test_stores_of_different_models_are_refused(tmp_path):
    made = documents(4)
    fill(tmp_path / "a", made[:2]).close()
    fill(tmp_path / "b", made[2:], model="n").close()
    with JoinedLibrary.open([tmp_path / "a", tmp_path / "b"]) as library:
        with pytest.raises(ModelMismatch, match=r"a has m mmmmmmmm \(reatt\), .*b has n nnnnnnnn"):
            library.generation()
        assert len(list(library.documents())) == 4


def test_a_store_without_vectors_is_searched_by_words(tmp_path):
    made = documents(6)
    fill(tmp_path / "a", made[:3], generation=False).close()
    fill(tmp_path / "b", made[3:]).close()
    with JoinedLibrary.open([tmp_path / "a", tmp_path / "b"]) as library:
        found = library.generation()
        assert library.leading is library.libraries[1]
        assert found.id % PER_STORE == library.leading.generation().id
        assert len(texts(library, Selection())) == len({c.digest for _, chunks in made[3:] for c in chunks})
        assert library.places(found.id, [1]) == {}
        every = [word for word in NOUNS if library.words(word, 100)]
        assert {id // PER_STORE for word in every for id, _ in library.words(word, 100)} == {0, 1}


def test_stores_without_vectors_have_no_generation(tmp_path):
    for name in "ab":
        Library.create(tmp_path / name).close()
    with JoinedLibrary.open([tmp_path / "a", tmp_path / "b"]) as library:
        assert library.generation() is None
        assert library.generations() == []
        assert library.leading is library.libraries[0]
        assert library.words("ferry", 8) == library.names("ferry", 8) == []
        assert library.root() == ""


def test_a_generation_that_one_store_dropped_is_gone(tmp_path):
    made = documents(4)
    for name in "ab":
        fill(tmp_path / name, made[:2] if name == "a" else made[2:]).close()
    with JoinedLibrary.open([tmp_path / "a", tmp_path / "b"]) as library:
        before = library.generation()
        for each in library.libraries:
            with each.writing() as writer:
                writer.switch(writer.begin_generation("new", "n", "n" * 64))
                writer.drop_generation(1)
        now = library.generation()
        assert now != before
        assert now.id != before.id
        assert library.generations() == [now]
        assert library.segments(before.id) == []


def test_a_missing_store_is_named_and_nothing_stays_open(tmp_path, monkeypatch):
    closed = []
    Library.create(tmp_path / "a").close()
    monkeypatch.setattr(Library, "close", lambda self: closed.append(self.folder.name))
    with pytest.raises(NoStore, match="elsewhere"):
        JoinedLibrary.open([tmp_path / "a", tmp_path / "elsewhere"])
    assert closed == ["a"]


def test_more_stores_than_ids_can_tell_apart_are_refused(tmp_path):
    with pytest.raises(UsageError, match="512 stores are too many"):
        JoinedLibrary.open([tmp_path] * (joined.LARGEST + 1))


def test_both_states_are_read_still(several):
    with several.still(), several.still(), ExitStack() as held:
        for library in several.libraries:
            held.enter_context(library.still())
        assert several.words("garden", 3)


def change(folder, sql, *values):
    with Library.open(folder) as library, library.writing() as writer, writer._connection.transaction():
        writer._connection.execute(sql, values)


@pytest.fixture
def pair(tmp_path):
    made = documents(8)
    for name in "ab":
        fill(tmp_path / name, made[:4] if name == "a" else made[4:]).close()
    return [tmp_path / "a", tmp_path / "b"]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("UPDATE words_docsize SET sz = ?", b"\x01"),
        ("UPDATE words_docsize SET sz = ?", b"\x81"),
        ("UPDATE words_docsize SET sz = ?", b"\x81" * 9 + b"\x01"),
        ("UPDATE words_docsize SET sz = ?", "text"),
        ("DELETE FROM words_docsize WHERE id > ?", 0),
        ("UPDATE words_data SET block = ? WHERE id = 1", b"\x01\x01\x01\x01\x01"),
    ],
)
def test_a_damaged_index_is_told_from_a_good_one(pair, sql, value):
    change(pair[1], sql, value)
    with JoinedLibrary.open(pair) as library, pytest.raises(StoreDamaged):
        library.words(" ".join(NOUNS), 100)


def test_the_words_of_an_old_store_are_not_compared(pair, monkeypatch):
    monkeypatch.setattr(joint.StoredWords, "old", property(lambda words: words.connection.file.parent == pair[1]))
    with JoinedLibrary.open(pair) as library, pytest.raises(UsageError, match="b was made by an earlier version"):
        library.words("ferry", 3)


def test_an_id_that_could_be_of_another_store_is_refused(pair):
    change(pair[0], "UPDATE chunks SET id = ? WHERE id = 1", PER_STORE + 1)
    with JoinedLibrary.open(pair) as library:
        [chunk, *_] = library.libraries[0].chunks([PER_STORE + 1])
        with pytest.raises(StoreDamaged, match="an id that reatt does not give"):
            joined._joint(0, chunk.id)


def test_a_number_of_places_comes_whole_out_of_a_score():
    often = np.arange(1, 4001) * joint.GRAIN
    damping = joint._damping(np.arange(4000) % 97 + 1, 31.5)
    for idf in (joint.LEAST_IDF, 0.3, 9.7):
        scores = idf * (often * (joint.K1 + 1) / (often + damping))
        np.testing.assert_array_equal(joint._often(scores, idf, damping), often)


@pytest.mark.parametrize("scores", [[np.nan], [-1.0], [2.2], [1.01]])
def test_a_score_that_fts5_does_not_give_is_damage(scores):
    with pytest.raises(StoreDamaged):
        joint._often(np.array(scores), 1.0, np.array([1.2]))


def test_more_chunks_than_there_are_cannot_have_a_word():
    with pytest.raises(StoreDamaged):
        joint._idf(1, 2)


@pytest.mark.parametrize("id", [-1, PER_STORE])
def test_a_word_of_a_chunk_that_no_store_has_is_damage(pair, id):
    text = "INSERT INTO words (rowid, place, document, heading, text) VALUES (?, '', '', '', 'zebra')"
    change(pair[0], text, id)
    with JoinedLibrary.open(pair) as library, pytest.raises(StoreDamaged):
        library.words("zebra", 3)


def test_a_score_that_is_no_number_is_damage(pair, monkeypatch):
    monkeypatch.setattr(joint, "bm25", lambda weights: "NULL")
    with JoinedLibrary.open(pair) as library, pytest.raises(StoreDamaged):
        library.words("ferry", 3)


@pytest.mark.parametrize("block", [b"\x81", b"\x81" * 9 + b"\x01"])
def test_a_number_that_is_cut_or_endless_is_damage(block):
    with pytest.raises(StoreDamaged):
        joint._numbers(block)


@pytest.mark.parametrize("size", [b"\x01", "text", b"\x81\x01" * 5])
def test_a_length_that_is_none_is_damage(pair, size):
    change(pair[0], "UPDATE words_docsize SET sz = ? WHERE id = 1", size)
    with Library.open(pair[0]) as library:
        for chunks in ([1], [10**6]):
            with pytest.raises(StoreDamaged):
                joint._lengths(library.index(), np.array(chunks))
        assert joint._lengths(library.index(), np.array([], np.int64)).tolist() == []


def test_numbers_are_read_as_sqlite_writes_them():
    assert joint._numbers(b"\x05\x81\x00\x82\x80\x01\x00").tolist() == [5, 128, 2 * 128**2 + 1, 0]


def test_places_are_found_before_the_segments_were_asked_for(pair):
    with JoinedLibrary.open(pair) as library:
        made = library.generation()
        assert library.places(made.id, [1]).keys() == {1}


def test_no_words_and_no_room_find_nothing(several):
    assert several.words("?", 8) == several.words("ferry", 0) == several.names("?", 8) == []


def test_clusters_are_those_of_each_store(pair, monkeypatch):
    monkeypatch.setattr(kept, "FIRST", 1)
    with Library.open(pair[1]) as library, library.writing() as writer:
        writer.keep_clusters(1)
    with JoinedLibrary.open(pair) as library:
        made = library.generation()
        [found] = library.all_clusters(made.id)
        segments = {segment.id: len(segment.digests) for segment in library.segments(made.id)}
        assert dict(found.segments.tolist()) == {id: n for id, n in segments.items() if id >= PER_STORE}
        assert found.segments[0, 0] > PER_STORE


@pytest.mark.parametrize("among", [None, Selection(only=("*/folder3/*",))])
def test_the_nearest_keys_are_those_of_one_store(one, several, among):
    asked = np.random.default_rng(1).standard_normal((5, WIDTH)).astype(np.float32)
    found = []
    for library in (one, several):
        made = library.generation()
        index = open_indexes(library, made.id, library.segments(made.id))
        scores, rows = index.search(asked, 20, library.live(made.id, among) if among else None)
        owners = zip(*(axis.tolist() for axis in index.chunk_of(rows[rows >= 0])), strict=True)
        chunks = [library.chunks(ids[:1])[0].chunk.digest for ids in library.chunk_ids(made.id, list(owners))]
        found.append((scores[np.isfinite(scores)].tolist(), sorted(chunks) if among else len(chunks)))
    if among:
        assert found[0] == found[1]
    else:  # a text that two stores have is there twice
        assert found[0][0][0] == found[1][0][0]


def test_no_twins_where_there_is_one_store(one):
    made = one.generation()
    assert len(twins(one.segments(made.id))) == len(twins([])) == 0
