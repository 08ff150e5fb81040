"""Laws of chunking: chunks tile the text, fit the model, and end where a reader would end them."""

import random
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reatt.documents.chunking import WORDS, split
from reatt.documents.reader import Text
from reatt.parsers.formats import markdown
from reatt_store.records import Chunk


def make_text(
    text: str, kind: str = "text", pages: tuple[int, ...] = (), headings: tuple[tuple[int, str], ...] = ()
) -> Text:
    return Text("/d/a.txt", None, "Title", kind, text, pages, headings, "00", len(text))


def count_words(text: str) -> int:
    return len(text.split())


def count_bytes(text: str) -> int:
    """The most tokens that a tokenizer with byte fallback gives."""
    return len(text.encode("utf-8", "surrogatepass"))


def never(_: str) -> int:
    raise AssertionError("counted without need")


def prose(words: int, sentence: int = 10, seed: int = 0) -> str:
    rng = random.Random(seed)
    made = ["".join(rng.choices("abcdefghij", k=rng.randint(2, 8))) for _ in range(words)]
    for i in range(sentence - 1, words, sentence):
        made[i] += "."
    for i in range(0, words, sentence):
        made[i] = made[i].capitalize()
    return " ".join(made)


def sizes(chunks: list[Chunk]) -> list[int]:
    return [count_words(chunk.text) for chunk in chunks]


PIECES = [
    "a",
    "B",
    "word ",
    "Dr. ",
    ". ",
    "! ",
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    "\t",
    " ",
    "中文。",
    "é",
    "\u2028",
    "\u00a0",
    "😀",
    "x" * 300,
]
TEXTS = st.one_of(
    st.text(),
    st.lists(st.sampled_from([*PIECES, "# H\n", "def f():\n    ", " " * 500, "“"]), max_size=200).map("".join),
)


@given(TEXTS, st.sampled_from(["text", "code", "markdown"]), st.integers(12, 60), st.integers(4, 150))
@example("\n" * 5000 + "a" + " " * 5000 + "b", "text", 12, 120)
@example("A. \u2028É. \u2028B", "text", 12, 4)
@settings(max_examples=300, deadline=None)
def test_chunks_tile_the_text_and_none_is_blank_or_too_long(text: str, kind: str, most: int, words: int) -> None:
    chunks = split(make_text(text, kind, headings=markdown(text).headings), count_bytes, most, words)
    assert "".join(chunk.text for chunk in chunks) == (text if text.strip() else "")
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    for chunk in chunks:
        assert text[chunk.char_start : chunk.char_end] == chunk.text
        assert chunk.text.strip()
        assert count_bytes(chunk.text.strip()) <= most


@given(TEXTS.map(lambda text: text.replace("\r", "\n")), st.lists(st.integers(0, 3000), max_size=5))
@settings(max_examples=200, deadline=None)
def test_line_and_page_are_those_of_the_first_word(text: str, borders: list[int]) -> None:
    pages = (0, *sorted({at for at in borders if 0 < at < len(text)}))
    for chunk in split(make_text(text, "pdf", pages), count_words, 512):
        first = chunk.char_start + len(chunk.text) - len(chunk.text.lstrip())
        assert chunk.line == text[:first].count("\n") + 1
        assert chunk.page == sum(page <= first for page in pages)
        last = chunk.char_start + len(chunk.text.rstrip()) - 1
        assert sum(page <= last for page in pages) == chunk.page


@given(st.integers(1, 200))
@settings(max_examples=30, deadline=None)
def test_a_paragraph_of_up_to_200_words_stays_whole(words: int) -> None:
    assert sizes(split(make_text(prose(words)), count_words, 512)) == [words]


@pytest.mark.parametrize(
    ("words", "expected"), [(220, [110, 110]), (240, [120, 120]), (360, [120] * 3), (600, [150] * 4)]
)
def test_a_long_paragraph_is_cut_into_equal_parts(words: int, expected: list[int]) -> None:
    assert sizes(split(make_text(prose(words)), count_words, 512)) == expected


def test_paragraphs_are_kept_whole_and_short_ones_join() -> None:
    text = "\n\n".join(prose(words, seed=words) for words in (160, 60, 61, 159, 40, 41, 42))
    assert sizes(split(make_text(text), count_words, 512)) == [160, 121, 159, 123]


def test_chunks_end_on_sentence_ends() -> None:
    text = " ".join(prose(words, sentence=words, seed=words) for words in range(5, 40)).replace(". ", ". Dr. ")
    chunks = split(make_text(text), count_words, 512)
    assert len(chunks) > 4
    assert all(chunk.text.rstrip().endswith(".") and not chunk.text.rstrip().endswith("Dr.") for chunk in chunks)


def test_most_chunks_of_prose_are_of_100_to_150_words() -> None:
    rng = random.Random(1)
    text = "\n\n".join(prose(rng.randint(20, 300), sentence=17, seed=seed) for seed in range(100))
    good = [100 <= size <= 150 for size in sizes(split(make_text(text), count_words, 512))]
    assert sum(good) > 0.6 * len(good)


def test_a_heading_starts_a_chunk_and_titles_it() -> None:
    text = (
        "# Handbook\n\n## Leave\n\n49 weeks at full pay for every parent, to be taken at any time by both of them.\n\n"
    )
    text += "## Travel\n\nAbove 500 euros two managers approve what was asked for in writing before the journey.\n"
    content = markdown(text)
    chunks = split(make_text(text, "markdown", headings=content.headings), count_words, 512)
    assert [(chunk.title, chunk.text.split()[1]) for chunk in chunks] == [("Leave", "Handbook"), ("Travel", "Travel")]


def test_without_headings_the_title_is_the_documents_and_never_long() -> None:
    assert [chunk.title for chunk in split(make_text("Some words."), never, 100)] == ["Title"]
    [chunk] = split(make_text("H\nSome words.", headings=((0, "long " * 100),)), never, 100)
    assert len(chunk.title) <= 120


def test_a_short_last_page_or_blank_page_makes_no_blank_chunk() -> None:
    chunks = split(make_text("  \n\nOne.\n\n\n\nTwo.\n\n", "pdf", pages=(0, 3, 8, 10, 17)), never, 100)
    assert [(chunk.page, chunk.text.strip()) for chunk in chunks] == [(2, "One."), (4, "Two.")]


def test_code_is_cut_between_its_functions() -> None:
    function = (
        "def function_{}(argument, other):\n"
        + "    total = argument + other * 2  # say why\n" * 8
        + "    return total\n\n\n"
    )
    chunks = split(make_text("".join(map(function.format, range(40))), "code"), count_words, 512)
    assert len(chunks) > 5
    assert all(chunk.text.startswith("def function_") for chunk in chunks)


@pytest.mark.parametrize(
    "make", [lambda n: "深" * n, lambda n: "我们去北京。" * (n // 6), lambda n: "a" * n, lambda n: "“" * n]
)
def test_text_without_spaces_is_cut_by_its_length(make: Callable[[int], str]) -> None:
    chunks = split(make_text(make(30_000)), count_bytes, 900)
    assert all(50 <= len(chunk.text) <= 900 for chunk in chunks)


def test_chinese_is_cut_at_its_sentences() -> None:
    chunks = split(make_text("我们去北京。" * 500), count_bytes, 2000)
    assert all(chunk.text.endswith("。") for chunk in chunks)


def test_tokens_are_counted_only_where_letters_do_not_prove_that_they_fit() -> None:
    assert split(make_text(prose(100)), never, 10_000)
    counted: list[str] = []
    chunks = split(make_text(prose(5000)), lambda text: counted.append(text) or 1, 300)
    assert len(counted) <= len(chunks)


def test_a_chunk_of_too_many_tokens_is_halved_at_a_sentence() -> None:
    chunks = split(make_text(prose(120)), count_words, 100)
    assert sizes(chunks) == [60, 60]


def test_equal_stretches_have_equal_chunks_wherever_they_stand() -> None:
    paragraph = prose(150, seed=3)
    text = "\n\n".join([prose(150, seed=1), paragraph, prose(130, seed=2), paragraph])
    chunks = split(make_text(text), count_words, 512)
    assert chunks[1].digest == chunks[3].digest


def seconds(make: Callable[[int], str], size: int, kind: str = "text") -> float:
    text = make_text(make(size), kind)
    started = time.process_time()
    assert split(text, lambda _: 1, 512)
    return time.process_time() - started


def test_prose_is_cut_at_a_megabyte_a_second_even_on_a_busy_machine() -> None:
    """A quiet one makes 13 to 15."""
    paragraph = prose(130, sentence=18) + "\n\n"
    took = min(seconds(lambda size: paragraph * (size // len(paragraph)), 2_000_000) for _ in range(3))
    assert took < 2_000_000 / 1e6


LINES = {
    "one line": "word ",
    "no space": "x",
    "only marks": ". ",
    "quotes": "“",
    "ticks": "`",
    "line ends": "\n",
    "initials": "A. ",
}


@pytest.mark.parametrize("unit", LINES.values(), ids=LINES)
def test_time_grows_as_the_text_does(unit: str) -> None:
    small, large = (seconds(lambda n: unit * (n // len(unit)) + "end", size) for size in (250_000, 1_000_000))
    assert large < 10 * small + 0.1


def test_headings_of_every_line_cost_no_more_than_their_number() -> None:
    text = "# heading\n" * 20_000
    started = time.process_time()
    chunks = split(make_text(text, "markdown", headings=markdown(text).headings), count_words, 512)
    assert time.process_time() - started < 2
    assert sum(map(len, (chunk.text for chunk in chunks))) == len(text)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_headings_above_one_another_are_told_by_the_last_whatever_ends_their_lines(end: str) -> None:
    text = end.join(["# One", "## Two", "Words.", ""])
    headings = ((0, "One"), (text.index("##"), "Two"))
    [chunk] = split(make_text(text, "markdown", headings=headings), count_words, 512)
    assert chunk.title == "Two"


def test_headings_before_line_ends_of_another_kind_are_not_searched_to_the_end_of_the_text() -> None:
    section = "# heading\r" + "word " * 120 + "\r# other\r" + "word " * 120 + "\r"
    small, large = (seconds_of_headings(section * (size // len(section)) + "\nend") for size in (1_000_000, 8_000_000))
    assert large < 20 * small + 0.1


def seconds_of_headings(text: str) -> float:
    headings = tuple((at, "heading") for at in range(len(text)) if text[at] == "#")
    started = time.process_time()
    assert split(make_text(text, "markdown", headings=headings), lambda _: 1, 512)
    return time.process_time() - started


def test_neighbours_meet() -> None:
    chunks = split(make_text(prose(10 * WORDS)), count_words, 512)
    assert all(left.char_end == right.char_start for left, right in pairwise(chunks))
