"""Laws of equal texts: they take one rank, and the others are named with it."""

import pytest

from reatt.search.query import Query
from reatt.search.retriever import Retriever
from reatt_store.library import Library
from reatt_store.records import Chunk, Document

TUNED = "The chapel organ was tuned by Mirela Costin in 2015."
FIXED = "The chapel organ was repaired after the flood by Tobias Rehn in 2021."


def store(folder, texts):
    with Library.create(folder) as library, library.writing() as writer:
        rows = []
        for n, text in enumerate(texts):
            document = Document(f"/d/{n}.txt", None, f"copy {n}", "text", f"{n:032x}", len(text), 1)
            rows.append((document, [Chunk(0, 0, len(text), 1, None, f"copy {n}", text)]))
        writer.publish(rows, None, 0)
    return Library.open(folder)


@pytest.mark.parametrize("copies", [2, 9, 150, 700])
@pytest.mark.parametrize("spaced", [False, True])
def test_equal_texts_take_one_rank_and_the_others_are_listed_under_it(tmp_path, copies, spaced):
    copied = [TUNED.replace(" ", "\n  " if spaced and n % 2 else " ") for n in range(copies)]
    with store(tmp_path / "s", [*copied, FIXED, TUNED + " It has nineteen stops."]) as library:
        hits = Retriever(library, None, None).distinct(Query("chapel organ tuned Mirela", 3, "words"))
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert len({" ".join(hit.text.split()) for hit in hits}) == 3
    [first] = [hit for hit in hits if " ".join(hit.text.split()) == TUNED]
    assert len(first.copies) == copies - 1
    assert first.chunk.id not in {copy.id for copy in first.copies}


def test_without_copies_the_ranks_are_those_of_find(tmp_path):
    with store(tmp_path / "s", [f"The organ number {n} was tuned." for n in range(30)]) as library:
        retriever, query = Retriever(library, None, None), Query("organ tuned", 8, "words")
        assert retriever.distinct(query) == retriever.find(query)
