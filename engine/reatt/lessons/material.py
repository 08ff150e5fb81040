"""The training material from a store and the user's files, and the part held out for measuring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example, Split, hold_out, judged_examples, masked_examples, mixed, qa_examples
from reatt.lessons.spans import read_spans
from reatt_store.errors import UsageError
from reatt_store.library import Library


@dataclass(frozen=True)
class Sources:
    """The sources of examples; without a file, masked sentences of the corpus."""

    qa: Path | None = None
    judged: Path | None = None
    spans: Path | None = None
    masked: bool = False  # in addition to the files
    exclude_source: bool = False
    hold_out: float = 0.05
    passages: int | None = None  # how many passages masked sentences come from, at random; None: all


@dataclass(frozen=True)
class Material:
    """Training examples, and held-out ones for measuring."""

    corpus: Corpus
    split: Split
    warnings: tuple[str, ...]

    @property
    def kinds(self) -> Mapping[str, int]:
        """The number of training examples of each kind."""
        return Counter(example.kind for example in self.split.train)

    @property
    def mode(self) -> str:
        """The kinds of supervision in use."""
        return "+".join(sorted({example.source for example in self.split.train}))


def gather(library: Library, sources: Sources, seed: int) -> Material:
    """Make examples from the corpus and the files, and hold documents out; raises QueriesFormat and TooFewSpans.

    Raises UsageError if options for masked sentences are given but none are used.
    """
    if (sources.qa or sources.judged) and not sources.masked and (sources.spans or sources.exclude_source):
        raise UsageError("--spans and --exclude-source need masked sentences, but none are used", "--masked")
    corpus = Corpus.of(library)
    read = [qa_examples(corpus, sources.qa)] if sources.qa else []
    read += [judged_examples(corpus, sources.judged)] if sources.judged else []
    examples: list[Example] = [example for labelled in read for example in labelled.examples]
    if sources.masked or not read:
        book = read_spans(sources.spans) if sources.spans else None
        some = sources.passages
        examples += masked_examples(corpus, seed, exclude_source=sources.exclude_source, book=book, passages=some)
    split = hold_out(examples, corpus, share=sources.hold_out, seed=seed)
    split = replace(split, train=mixed(split.train, seed))
    return Material(corpus, split, tuple(warning for labelled in read for warning in labelled.warnings))
