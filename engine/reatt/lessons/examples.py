"""Training examples: questions with answers, from the corpus alone, from people, or from judgements.

There are three kinds of supervision, alone or mixed (ReAtt section 3.3). `masked_examples` ask for a span of a
sentence of the corpus, `qa_examples` are the questions of a file, and in `judged_examples` a relevant document is the
answer. All are `Example`s. `hold_out` holds out whole documents, and `mixed` yields the rest.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, islice
from pathlib import Path

from reatt.documents.segmentation import sentences
from reatt.lessons.corpus import Corpus
from reatt.lessons.entities import Salient, tokens
from reatt.lessons.labels import Answered, Judged, read_answered, read_judged
from reatt.lessons.spans import ENTITY_SHARE, KINDS, PhraseBook, Sampler, Statistics
from reatt.model.tokens import MASK
from reatt_store.errors import QueriesFormat, TooFewSpans
from reatt_store.lexical.stopwords import STOP_WORDS

MASKED_LIMIT = 100_000  # sentences; the paper adapts with 20,000 to 100,000
LEAST_MASKED = 50  # with fewer, nothing can be learnt or distinguished from chance
ENOUGH_MASKED = 5_000  # with fewer, phrases may exceed their share
STATISTICS_CHUNKS = 20_000  # enough to estimate word frequencies
SENTENCE_WORDS = range(6, 61)
REPEATS = 4  # maximum repeats of an example in one round, if supervisions are mixed
LARGEST_HELD = 1 / 3  # share of the groups, and of the documents
RELEVANCE = "relevance: {label}. {text}"  # the text generated for a judged document
KEPT_CHUNKS = 50_000  # chunks whose words are cached while questions are matched to them
_YES_NO = frozenset({"yes", "no", "maybe"})


@dataclass(frozen=True)
class Example:
    """A question with its answers; the parts of a question are separated by masks."""

    question: tuple[str, ...]  # one part: an ordinary question
    answers: tuple[str, ...]  # accepted answers; training samples one
    group: str  # examples of a group are held out together
    chunk: int | None  # store chunk id of its source or of its answer; None if unknown
    kind: str  # one of KINDS for masked ones, else "question", "relevance" or "evidence"
    close: tuple[int, ...] = ()  # given store chunk ids, best first; for "evidence" all that are needed
    without: tuple[int, ...] = ()  # store chunk ids that must not be read for it
    id: str | None = None  # its id in the file

    @property
    def text(self) -> str:
        """The question as text, masks as `<extra_id_0>`: to show, and to search by words."""
        return MASK.join(self.question)

    @property
    def source(self) -> str:
        """The kind of supervision: `masked`, `question`, `relevance` or `evidence`."""
        return "masked" if self.kind in KINDS else self.kind


@dataclass(frozen=True)
class Labelled:
    """Examples from a file, with warnings about it."""

    examples: tuple[Example, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Training examples, and examples of other documents for measuring."""

    train: tuple[Example, ...]
    held: tuple[Example, ...]
    groups: frozenset[str]  # held out


def masked_examples(
    corpus: Corpus,
    seed: int = 0,
    *,
    limit: int = MASKED_LIMIT,
    least: int = LEAST_MASKED,
    exclude_source: bool = False,
    book: PhraseBook | None = None,
    passages: int | None = None,
) -> tuple[Example, ...]:
    """Mask one salient span in each sentence of the corpus, or of some of its `passages`.

    Raises TooFewSpans if there are fewer than `least`.

    With `exclude_source` the sentence's own chunk and its copies must not be read. Then only spans that recur in
    other chunks are used, and no chunk is known to be right. ReAtt reads the source, which in a small corpus is often
    the only evidence.
    """
    draw = random.Random(seed)  # noqa: S311
    numbers = [number for number, first in enumerate(corpus.equal) if number == first]
    draw.shuffle(numbers)
    numbers = numbers[:passages]
    statistics = Statistics(corpus.passages[number].text for number in numbers[:STATISTICS_CHUNKS])
    sampler = Sampler(statistics, draw, book, recurring_only=exclude_source)
    made = _tiers(list(islice(_masked(corpus, numbers, sampler, exclude_source), limit)))
    if len(made) < least:
        raise TooFewSpans(
            f"only {len(made):,} sentences of the documents can become questions; {least:,} are needed",
            "ingest more documents, or add questions: --qa FILE",
        )
    return tuple(made)


def qa_examples(corpus: Corpus, path: Path) -> Labelled:
    """Read questions with answers, and find each answer in the corpus, or in the named document.

    An answer in free wording may not occur anywhere; raises QueriesFormat only if no answer occurs.
    """
    rows = read_answered(path)
    standing = _standing(corpus, rows)
    nowhere = sum(
        not chunks and not _YES_NO.issuperset(row.answers) for row, chunks in zip(rows, standing, strict=True)
    )
    if not any(standing):
        raise QueriesFormat(
            f"the answers of all {len(rows):,} questions of {path} do not occur in the documents",
            "ingest the documents that answer the questions",
            str(path),
        )
    known = [row.document is None or row.document in corpus.by_name for row in rows]
    counts = (
        (nowhere, "questions have answers that do not occur in the documents"),
        (known.count(False), "questions name documents that are not in the store"),
    )
    nearest = Nearest(corpus)
    examples = tuple(_question(corpus, nearest, row, chunks) for row, chunks in zip(rows, standing, strict=True))
    return Labelled(examples, tuple(f"{path}: {count:,} of {len(rows):,} {what}" for count, what in counts if count))


def judged_examples(corpus: Corpus, path: Path) -> Labelled:
    """Read judgements as a generative task: the answer to a question is its relevant document, with its grade.

    Chunks judged irrelevant become close chunks, because no retriever finds harder negatives.
    """
    rows = read_judged(path)
    known = [row for row in rows if row.document in corpus.by_name]
    relevant = [row for row in known if row.relevance > 0]
    if not relevant:
        raise QueriesFormat(
            f"none of the relevant documents in {path} ({len(rows):,} judgements) is in the store",
            "ingest the documents that were judged; they are named by _id, path or file name",
            str(path),
        )
    nearest = Nearest(corpus)
    irrelevant: dict[str, list[int]] = defaultdict(list)
    for row in known:
        if row.relevance == 0:
            irrelevant[row.question].append(nearest(row.question, corpus.by_name[row.document]))
    examples = tuple(_relevance(corpus, nearest, row, irrelevant[row.question]) for row in relevant)
    lost = len(rows) - len(known)
    warning = f"{path}: {lost:,} of {len(rows):,} judgements name documents that are not in the store"
    return Labelled(examples, (warning,) if lost else ())


def hold_out(
    examples: Sequence[Example],
    corpus: Corpus,
    *,
    share: float = 0.05,
    groups: int = 50,
    questions: int = 300,
    seed: int = 0,
) -> Split:
    """Hold out whole groups: `share` of them, more to reach `groups` and `questions`, at most a third.

    Intervals are resampled by group, so many small groups are better than one large one. A group with a third of all
    documents is used for training. For each supervision `questions` are drawn, equally from each group; the other
    examples of these groups are dropped. Raises TooFewSpans if there is only one group.
    """
    draw = random.Random(seed)  # noqa: S311
    having = Counter(example.group for example in examples)
    sizes = {group: corpus.group_documents.get(group, 1) for group in having}
    most = sum(sizes.values()) * LARGEST_HELD
    order = draw.sample(sorted(sizes), len(sizes))
    order.sort(key=lambda group: sizes[group] > most)  # stable sort: groups that fit come first
    if len(order) < 2:
        raise TooFewSpans("all questions are about one document, so none can be held out", "ingest more documents")
    held, documents, asked = {order[0]}, sizes[order[0]], having[order[0]]
    for group in order[1 : max(1, int(len(order) * LARGEST_HELD))]:
        if len(held) >= max(groups, share * len(order)) and asked >= questions:
            break
        if documents + sizes[group] <= most:
            held.add(group)
            documents, asked = documents + sizes[group], asked + having[group]
    train = tuple(example for example in examples if example.group not in held)
    sources = _by(lambda example: example.source, (example for example in examples if example.group in held))
    chosen = [example for own in sources.values() for example in islice(_in_turn(own, draw), questions)]
    return Split(train, tuple(chosen), frozenset(held))


def mixed(examples: Sequence[Example], seed: int = 0) -> tuple[Example, ...]:
    """Give every source the same weight: repeat the smaller ones, up to `REPEATS` times, and thin out the larger.

    Otherwise a thousand written questions would be lost among a hundred thousand masked sentences.
    """
    draw = random.Random(seed)  # noqa: S311
    sources = _by(lambda example: example.source, examples).values()
    each = min(max(map(len, sources), default=0), REPEATS * min(map(len, sources), default=0))
    chosen = [example for own in sources for example in islice(_rounds(own, draw), each)]
    draw.shuffle(chosen)
    return tuple(chosen)


def _masked(corpus: Corpus, numbers: Sequence[int], sampler: Sampler, exclude_source: bool) -> Iterator[Example]:
    for number in numbers:
        text = corpus.passages[number].text
        found = [text[start:end] for start, end in sentences(text)]
        asked = [sentence for sentence in found if len(tokens(sentence)) in SENTENCE_WORDS]
        id = corpus.ids[number]
        for sentence, span in zip(asked, sampler.draw(asked), strict=True):
            if span is None:
                continue
            answer, parts = _cut(sentence, span)
            if sum(len(tokens(part)) for part in parts) >= 4:
                without = corpus.same(id) if exclude_source else ()
                chunk = None if exclude_source else id
                yield Example(parts, (answer,), corpus.groups[number], chunk, span.kind, without=without)


def _tiers(examples: Sequence[Example]) -> list[Example]:
    """Drop phrases above their share if enough examples are left; sentences without names or numbers give many."""
    entities = sum(example.kind != "phrase" for example in examples)
    most = max(round(entities * (1 - ENTITY_SHARE) / ENTITY_SHARE), ENOUGH_MASKED - entities)
    phrases = accumulate(example.kind == "phrase" for example in examples)
    return [
        example for example, count in zip(examples, phrases, strict=True) if example.kind != "phrase" or count <= most
    ]


def _cut(sentence: str, span: Salient) -> tuple[str, tuple[str, ...]]:
    """Mask every occurrence of a span in a sentence, so that the question does not contain its answer."""
    answer = sentence[span.start : span.end]
    parts = re.split(rf"(?<!\w){re.escape(answer)}(?!\w)", sentence)
    if len(parts) == 1:  # it is inside a word, as in scripts without spaces
        parts = sentence.split(answer)
    return answer, tuple(parts)


def _standing(corpus: Corpus, rows: Sequence[Answered]) -> list[list[int]]:
    """Return, for each question, the numbers of the chunks that contain one of its answers."""
    book = PhraseBook(answer for row in rows for answer in row.answers)
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, passage in enumerate(corpus.passages):
        words = tokens(passage.text)
        for found in {tuple(t.word for t in words[start:end]) for start, end in book.find(words)}:
            places[found].append(number)
    standing = []
    for row in rows:
        keys = [tuple(token.word for token in tokens(answer)) for answer in row.answers]
        chunks = sorted({number for key in keys for number in places.get(key, ())})
        within = frozenset(corpus.by_name.get(row.document or "", ()))
        standing.append([number for number in chunks if number in within] if within else chunks)
    return standing


def _question(corpus: Corpus, nearest: Nearest, row: Answered, standing: Sequence[int]) -> Example:
    within = corpus.by_name.get(row.document or "", ())
    number = nearest(row.question, standing or within) if within or len(standing) == 1 else None
    group = row.question if number is None else corpus.groups[number]
    chunk = None if number is None else corpus.ids[number]
    return Example((row.question,), row.answers, group, chunk, "question", id=row.id)


def _relevance(corpus: Corpus, nearest: Nearest, row: Judged, irrelevant: Sequence[int]) -> Example:
    number = nearest(row.question, corpus.by_name[row.document])
    text = " ".join(corpus.passages[number].text.split())
    answer = RELEVANCE.format(label=row.relevance, text=text)
    close = (corpus.ids[number], *(corpus.ids[other] for other in irrelevant))
    return Example((row.question,), (answer,), corpus.groups[number], close[0], "relevance", close)


class Nearest:
    """Chooses the chunk of a document that shares most words with a question; of equal ones the first."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._words_of = lru_cache(KEPT_CHUNKS)(self._words)  # a long document may have many questions

    def __call__(self, question: str, numbers: Sequence[int]) -> int:
        """Return one of the numbers."""
        if len(numbers) == 1:
            return numbers[0]
        asked = {token.word for token in tokens(question)} - STOP_WORDS
        return max(numbers, key=lambda number: len(asked & self._words_of(number)))

    def _words(self, number: int) -> frozenset[str]:
        return frozenset(token.word for token in tokens(self._corpus.passages[number].text))


def _by(key: Callable[[Example], str], examples: Iterable[Example]) -> dict[str, list[Example]]:
    found: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        found[key(example)].append(example)
    return found


def _rounds(examples: Sequence[Example], draw: random.Random) -> Iterator[Example]:
    """Yield examples without end, each round in another order."""
    while True:
        yield from draw.sample(examples, len(examples))


def _in_turn(examples: Iterable[Example], draw: random.Random) -> Iterator[Example]:
    """Yield examples in random order, one of each group before the second of any."""
    groups = list(_by(lambda example: example.group, examples).values())
    for group in groups:
        draw.shuffle(group)
    draw.shuffle(groups)
    for place in range(max(map(len, groups), default=0)):
        yield from (group[place] for group in groups if place < len(group))
