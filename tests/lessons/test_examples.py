"""Questions made of a corpus, of a file, of judgements; what is held out of them, and how they are mixed."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from reatt.lessons.corpus import FEW_GROUPS, SECTION, Corpus
from reatt.lessons.examples import Example, hold_out, judged_examples, masked_examples, mixed, qa_examples
from reatt.lessons.spans import PhraseBook
from reatt.model.tokens import MASK
from reatt_store.errors import QueriesFormat, TooFewSpans
from reatt_store.library import Chunk, Document, Library

PLACES = "Oslo Bergen Voss Bodo Narva Riga Tartu Lund Gävle Turku Vaasa Kalmar Visby Umeå Luleå Kiruna".split()


def sentence(place, year, thing):
    return f"In {year} the harbour of {place} was given a new {thing} by its people. "


def texts(count):
    pick = random.Random(0)
    things = ["mirror cell", "lens", "night ferry", "bread oven", "star atlas"]
    return [
        "".join(sentence(pick.choice(PLACES), 1900 + pick.randrange(99), pick.choice(things)) for _ in range(4))
        for _ in range(count)
    ]


@pytest.fixture
def corpus_of(tmp_path):
    """Return a function that stores records, given as (path, id, title, chunks), and reads them back."""

    def make(*records):
        documents = []
        for path, id, title, chunks in records:
            ends = [sum(map(len, chunks[: i + 1])) for i in range(len(chunks))]
            rows = [
                Chunk(i, end - len(text), end, 1, None, title, text)
                for i, (text, end) in enumerate(zip(chunks, ends, strict=True))
            ]
            documents.append((Document(path, id, title, "text", "00" * 16, 1, 0), rows))
        with Library.create(tmp_path / "store") as library:
            with library.writing() as writer:
                writer.publish(documents, None, 0)
            return Corpus.of(library)

    return make


@pytest.fixture
def corpus(corpus_of):
    """Sixty records of thirty titles, one text a record."""
    return corpus_of(*(("/c.jsonl", f"d{i}", f"Title {i // 2}", [text]) for i, text in enumerate(texts(60))))


def written(tmp_path, *rows):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "rows.jsonl"


def made(corpus, count, source="question"):
    """Make `count` examples of each group."""
    kind = "name" if source == "masked" else source
    groups = dict.fromkeys(corpus.groups)
    return [Example((f"{group} {n}",), ("x",), group, None, kind) for group in groups for n in range(count)]


def test_a_masked_sentence_with_its_answer_stands_in_its_chunk(corpus):
    for example in masked_examples(corpus):
        passage = corpus.passages[corpus.number[example.chunk]].text
        assert example.answers[0].join(example.question) in passage
        assert example.group == corpus.groups[corpus.number[example.chunk]]


def test_a_question_never_tells_its_own_answer(corpus_of):
    texts = [f"Tesla met Tesla's friend {n} at the Tesla works of Teslaville today. " for n in range(60)]
    corpus = corpus_of(*(("/c", f"d{n}", "", [text]) for n, text in enumerate(texts)))
    asked = [each for each in masked_examples(corpus, book=PhraseBook(["Tesla"])) if each.answers == ("Tesla",)]
    assert asked
    for example in asked:
        assert example.question[:2] == ("", " met ")
        assert example.question[3:] == (" works of Teslaville today.",)


def test_equal_texts_are_asked_about_once(corpus_of):
    text = texts(1)[0]
    corpus = corpus_of(*(("/c", f"d{n}", "", [text]) for n in range(5)))
    assert len(masked_examples(corpus, least=1)) == 4  # sentences


def test_equal_seeds_make_equal_examples(corpus):
    assert masked_examples(corpus, seed=3) == masked_examples(corpus, seed=3)
    assert masked_examples(corpus, seed=3) != masked_examples(corpus, seed=4)


def test_another_process_makes_the_same_examples(corpus, tmp_path):
    program = """
from pathlib import Path
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import masked_examples
from reatt_store.library import Library
print(masked_examples(Corpus.of(Library.open(Path("STORE")))))
""".replace("STORE", str(tmp_path / "store"))
    run = [sys.executable, "-c", program]
    other = subprocess.run(run, env={**os.environ, "PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(masked_examples(corpus))


def test_phrases_keep_to_their_share_where_there_is_enough(corpus, monkeypatch):
    monkeypatch.setattr("reatt.lessons.examples.ENOUGH_MASKED", 0)
    kinds = Counter(example.kind for example in masked_examples(corpus, least=1))
    assert 0 < kinds["phrase"] <= 0.31 * kinds.total()


def test_without_its_source_a_question_asks_for_what_stands_elsewhere(corpus):
    everything = " ".join(passage.text for passage in corpus.passages)
    for example in masked_examples(corpus, exclude_source=True):
        assert example.chunk is None
        assert len(example.without) == 1
        assert everything.lower().count(example.answers[0].lower()) > 1


def test_a_corpus_that_is_too_small_is_named_with_its_count(corpus_of):
    with pytest.raises(TooFewSpans, match=r"only 4 .* 50 are needed") as error:
        masked_examples(corpus_of(("/a.md", None, "A", [texts(1)[0]])))
    assert error.value.exit_code == 2


def test_an_empty_store_is_too_small(corpus_of):
    with pytest.raises(TooFewSpans, match="only 0"):
        masked_examples(corpus_of())


def test_an_answer_is_sought_in_the_document_that_the_file_names(corpus_of, tmp_path):
    corpus = corpus_of(("/a.md", None, "", ["It is 49 weeks. "]), ("/b.md", None, "", ["None. ", "Or 49 weeks."]))
    file = written(tmp_path, {"_id": "q", "question": "How long?", "answers": ["49 weeks"], "document": "b.md"})
    (example,) = qa_examples(corpus, file).examples
    assert corpus.passages[corpus.number[example.chunk]].text == "Or 49 weeks."
    assert (example.id, example.kind, example.text) == ("q", "question", "How long?")


def test_an_answer_that_stands_in_one_chunk_alone_names_it(corpus_of, tmp_path):
    corpus = corpus_of(("/a.md", None, "", ["It is 49 WEEKS. "]), ("/b.md", None, "", ["Ask Ada. ", "Or Ada."]))
    rows = ({"text": text, "answers": [answer]} for text, answer in (("How long?", "49 weeks"), ("Who?", "Ada")))
    known, unknown = qa_examples(corpus, written(tmp_path, *rows)).examples
    assert corpus.names[corpus.number[known.chunk]] == "/a.md"
    assert unknown.chunk is None


def test_answers_that_stand_nowhere_are_counted(corpus_of, tmp_path):
    corpus = corpus_of(("/a.md", None, "", ["It is 49 weeks. "]))
    rows = [{"question": "Q", "answers": [answer]} for answer in ("49 weeks", "a year", "no")]
    labelled = qa_examples(corpus, written(tmp_path, *rows, {"question": "Q", "answers": ["x"], "document": "no.md"}))
    assert len(labelled.examples) == 4
    assert [warning.partition(": ")[2].split(" have ")[0] for warning in labelled.warnings] == [
        "2 of 4 questions",
        "1 of 4 questions name documents that are not in the store",
    ]


def test_a_file_whose_answers_all_stand_nowhere_is_refused(corpus_of, tmp_path):
    corpus = corpus_of(("/a.md", None, "", ["It is 49 weeks. "]))
    with pytest.raises(QueriesFormat, match="all 2 questions"):
        qa_examples(corpus, written(tmp_path, *[{"question": "Q", "answers": ["a year"]}] * 2))


def test_a_judged_document_is_what_is_to_be_generated(corpus_of, tmp_path):
    corpus = corpus_of(("/a.md", None, "", ["Pay is full.\nAlways. "]), ("/b.md", None, "", ["Tea at four. "]))
    rows = [
        {"question": "Q", "document": "a.md", "relevance": 2},
        {"question": "Q", "document": "b.md", "relevance": 0},
    ]
    (example,) = judged_examples(corpus, written(tmp_path, *rows)).examples
    assert example.answers == ("relevance: 2. Pay is full. Always.",)
    assert example.close == (example.chunk, corpus.ids[1])


def test_of_a_judged_document_the_chunk_nearest_to_the_question_is_taken(corpus_of, tmp_path):
    corpus = corpus_of(("/a.md", None, "", ["Pay is full. ", "Leave is 49 weeks. ", "Ask Ada. "]))
    file = written(tmp_path, {"question": "How many weeks is leave?", "document": "/a.md"})
    assert judged_examples(corpus, file).examples[0].chunk == corpus.ids[1]


def test_judgements_of_documents_that_are_not_there_are_counted_or_refused(corpus_of, tmp_path):
    corpus = corpus_of(("/a.md", None, "", ["Pay is full. "]))
    rows = [{"question": "Q", "document": name} for name in ("a.md", "b.md", "c.md")]
    assert "2 of 3 judgements" in judged_examples(corpus, written(tmp_path, *rows)).warnings[0]
    with pytest.raises(QueriesFormat, match="2 judgements"):
        judged_examples(corpus, written(tmp_path, *rows[1:]))


def test_no_group_is_on_both_sides_of_a_split(corpus):
    split = hold_out(masked_examples(corpus), corpus, groups=5, questions=20)
    assert {example.group for example in split.held} <= split.groups
    assert not split.groups & {example.group for example in split.train}


def test_a_split_holds_the_groups_and_questions_asked_for(corpus):
    split = hold_out(made(corpus, 8), corpus, groups=6, questions=40)
    assert (len(split.groups), len(split.held)) == (6, 40)
    assert set(Counter(example.group for example in split.held).values()) == {6, 7}  # of every group as many


def test_a_split_takes_more_groups_until_there_are_questions_enough(corpus):
    split = hold_out(made(corpus, 8), corpus, groups=2, questions=40)
    assert (len(split.groups), len(split.held)) == (5, 40)


def test_no_more_than_a_third_is_held_out(corpus):
    assert len(hold_out(made(corpus, 1), corpus, groups=50, questions=300).groups) == 10


def test_every_supervision_is_held_out_on_its_own(corpus):
    examples = made(corpus, 9, "masked") + made(corpus, 1)
    split = hold_out(examples, corpus, groups=10, questions=10)
    assert Counter(example.source for example in split.held) == {"masked": 10, "question": 10}


def test_a_group_larger_than_a_third_is_learnt_from(corpus_of):
    large = [("/c", f"l{n}", "Large", [text]) for n, text in enumerate(texts(60))]
    small = [("/c", f"s{n}", f"Small {n}", [f"{text}!"]) for n, text in enumerate(texts(FEW_GROUPS))]
    corpus = corpus_of(*large, *small)
    assert all("Large" not in hold_out(made(corpus, 2), corpus, seed=seed).groups for seed in range(20))


def test_one_group_cannot_be_split(corpus_of):
    corpus = corpus_of(("/a.md", None, "", ["Pay is full. "]))
    with pytest.raises(TooFewSpans, match="one document"):
        hold_out(made(corpus, 9), corpus)


def test_records_are_grouped_by_title_and_files_by_path(corpus_of):
    records = [("/c.jsonl", f"d{n}", f"T{n // 2}", [f"{n}"]) for n in range(2 * FEW_GROUPS)]
    corpus = corpus_of(*records, ("/c.jsonl", "bare", "", ["x"]), ("/a.md", None, "T0", ["y"]))
    assert corpus.groups[:3] == ("T0", "T0", "T1")
    assert corpus.groups[-2:] == ("bare", "/a.md")
    assert corpus.group_documents["T0"] == 2


def test_one_long_document_is_grouped_by_its_sections(corpus_of):
    corpus = corpus_of(("/book.md", None, "", [f"{n}. " for n in range(3 * SECTION)]))
    assert Counter(corpus.groups) == {f"/book.md#{n}": SECTION for n in range(3)}


def test_sources_are_mixed_in_equal_parts_and_none_is_repeated_too_often(corpus):
    masked, asked = made(corpus, 20, "masked"), made(corpus, 1)
    dealt = Counter(mixed([*masked, *asked]))
    assert Counter(example.source for example in dealt.elements()) == {"masked": 120, "question": 120}
    assert {dealt[example] for example in asked} == {4}
    assert {dealt[example] for example in masked} == {0, 1}


def test_one_source_alone_is_dealt_out_once(corpus):
    asked = made(corpus, 2)
    assert sorted(mixed(asked), key=str) == sorted(asked, key=str)
    assert mixed([]) == ()


def test_a_masked_question_reads_as_text_with_its_mask():
    example = Example(("In ", " it rained."), ("May",), "g", None, "date")
    assert example.text == f"In {MASK} it rained."
    assert (example.source, replace(example, kind="relevance").source) == ("masked", "relevance")


def test_the_number_of_a_chunk_and_its_copies_are_known(corpus_of):
    corpus = corpus_of(("/a", "1", "T", ["same"]), ("/a", "2", "T", ["other"]), ("/a", "3", "T", ["same"]))
    assert corpus.equal == (0, 1, 0)
    assert corpus.same(corpus.ids[2]) == (corpus.ids[0], corpus.ids[2])
    assert corpus.by_name["3"] == (2,)


def test_a_file_is_known_by_its_path_and_by_its_name(corpus_of, tmp_path):
    corpus = corpus_of((str(tmp_path / "a.md"), None, "", ["x"]))
    assert corpus.by_name["a.md"] == corpus.by_name[str(Path(tmp_path / "a.md"))] == (0,)
