"""What is learnt from and what is asked: passages and questions of DATA, and the lessons that are made of them.

A domain learns from `train/` alone. The first is judged by `dev/`; the two that a model is adapted to learn from bare
documents of `train/`, and are judged by the questions on them, which they never see.

Contrastive trainings are the engine's cross-document loss with a teacher that gives all to the first close chunk.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from bench.quality.mini_sets import lines, spaced
from reatt.lessons import cloze
from reatt.lessons.batches import Ids
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example, masked_examples
from reatt.lessons.judged import read_qrels
from reatt.model.backbone import ChunkText
from reatt.model.t5 import T5
from reatt.training.pools import Pool, answer_losses, fuse
from reatt.training.teachers import TEACHERS as ENGINE
from reatt.training.teachers import Teacher

DELETED = 0.6  # share of a text's words that denoising deletes (TSDAE)
MASKED = 4_000  # sentences at most
UNUSED = ("yes",)  # the answer of a question that is not read


@dataclass(frozen=True)
class Part:
    """Some passages of a set of DATA, evenly spaced by article, and some of the questions on them."""

    folder: str
    articles: int | None = None
    questions: int | None = None


@dataclass(frozen=True)
class Domain:
    """What a model learns from, and the sets that it is judged by."""

    learns: tuple[Part, ...]
    judged: tuple[Part, ...]


STORIES, MEDICINE = Part("train/fairytaleqa_train", 30, 200), Part("train/medquad", 100, 200)
DOMAINS = {
    "questions": Domain(
        (Part("train/squad11_train", 24, 1000), Part("train/nq_qed_train", 800, 1000)),
        (Part("dev/squad11_dev13", None, 200), Part("dev/nq_qed_dev", None, 200)),
    ),
    "stories": Domain((STORIES,), (STORIES,)),
    "medicine": Domain((MEDICINE,), (MEDICINE,)),
}


@dataclass(frozen=True)
class Material:
    """Passages, what is asked about them, and which documents are relevant to each question."""

    name: str
    corpus: Corpus
    examples: tuple[Example, ...]
    relevant: Mapping[str, Mapping[str, int]]


def load(data: Path, part: Part, share: float = 1.0) -> Material:
    """Read a part, or a share of its articles and questions; a question counts if all that is relevant is there."""
    folder = data / part.folder
    records = list(lines(folder / "corpus.jsonl.gz"))
    articles = list(dict.fromkeys(map(_article, records)))
    chosen = set(spaced(articles, _of(share, min(part.articles or len(articles), len(articles)))))
    corpus = corpus_of([each for each in records if _article(each) in chosen])
    relevant = read_qrels(folder / "qrels.tsv")
    asked = [q for q in lines(folder / "queries.jsonl.gz") if _answerable(relevant.get(q["_id"], {}), corpus)]
    count = _of(share, part.questions or len(asked))
    examples = [_example(q, relevant[q["_id"]], corpus) for q in spaced(asked, count)]
    return Material(folder.name, corpus, tuple(examples), {str(e.id): relevant[str(e.id)] for e in examples})


def _of(share: float, count: int) -> int:
    return max(1, round(share * count))


def joined(parts: Sequence[Material]) -> Material:
    """Put several parts into one corpus."""
    passages = [passage for part in parts for passage in part.corpus.passages]
    names = [name for part in parts for name in part.corpus.names]
    groups = [group for part in parts for group in part.corpus.groups]
    starts = [sum(len(part.corpus.ids) for part in parts[:number]) for number in range(len(parts))]
    examples = tuple(
        replace(each, chunk=each.chunk and each.chunk + start)
        for part, start in zip(parts, starts, strict=True)
        for each in part.examples
    )
    relevant = {id: judged for part in parts for id, judged in part.relevant.items()}
    return Material(" and ".join(part.name for part in parts), _corpus(passages, groups, names), examples, relevant)


def corpus_of(records: Sequence[Mapping[str, str]]) -> Corpus:
    """Make a corpus of records, each of which is one passage."""
    passages = [ChunkText(each.get("title") or "", each["text"]) for each in records]
    return _corpus(passages, [_article(each) for each in records], [str(each["_id"]) for each in records])


def _corpus(passages: Sequence[ChunkText], groups: Sequence[str], names: Sequence[str]) -> Corpus:
    ids = tuple(range(1, len(passages) + 1))
    first: dict[ChunkText, int] = {}
    equal = tuple(first.setdefault(passage, number) for number, passage in enumerate(passages))
    return Corpus(ids, tuple(passages), tuple(groups), ids, tuple(names), equal)


def _article(record: Mapping[str, str]) -> str:
    return str(record.get("story") or record.get("title") or record["_id"])


def _answerable(relevant: Mapping[str, int], corpus: Corpus) -> bool:
    return bool(relevant) and all(name in corpus.by_name for name in relevant)


def _example(query: Mapping[str, str], relevant: Mapping[str, int], corpus: Corpus) -> Example:
    home = query.get("doc_id", "")
    number = corpus.by_name[home if home in corpus.by_name else next(iter(relevant))][0]
    answers = tuple(query.get("answers") or UNUSED)
    return Example((query["text"],), answers, corpus.groups[number], corpus.ids[number], "question", id=query["_id"])


def _questions(material: Material, seed: int) -> Material:
    return material


def _masked(material: Material, seed: int) -> Material:
    return replace(material, examples=masked_examples(material.corpus, seed, limit=MASKED, least=1))


def _cloze(material: Material, seed: int) -> Material:
    """Ask for the passage of a sentence in a few of its words."""
    draw = random.Random(f"{seed} cloze")
    asked = tuple(
        replace(each, question=(cloze.question(each, draw),), kind="question", close=_own(each))
        for each in _masked(material, seed).examples
    )
    return replace(material, examples=asked)


def _itself(material: Material, seed: int) -> Material:
    """Ask with a text for itself; dropout alone tells the two apart (SimCSE)."""
    return _of_passages(material, material.corpus, lambda text: (text, UNUSED[0]))


def _damaged(material: Material, seed: int) -> Material:
    """Write the beginning of a text out of what is left of it (TSDAE, but from all states and not their mean)."""
    draw = random.Random(f"{seed} damaged")

    def left(text: str) -> str:
        return " ".join(word for word in text.split() if draw.random() >= DELETED) or text

    corpus = material.corpus
    damaged = replace(corpus, passages=tuple(ChunkText(each.title, left(each.text)) for each in corpus.passages))
    return _of_passages(material, damaged, lambda text: ("", text))


def _of_passages(material: Material, corpus: Corpus, made: Callable[[str], tuple[str, str]]) -> Material:
    """Make one example of each passage: what is asked, and what is to be answered."""
    rows = zip(corpus.ids, corpus.groups, material.corpus.passages, strict=True)
    examples = tuple(
        Example((asked,), (answer,), group, id, "question", (id,))
        for id, group, (asked, answer) in ((id, group, made(passage.text)) for id, group, passage in rows)
    )
    return replace(material, corpus=corpus, examples=examples)


def _own(example: Example) -> tuple[int, ...]:
    return () if example.chunk is None else (example.chunk,)


LESSONS: dict[str, Callable[[Material, int], Material]] = {
    "questions": _questions, "masked": _masked, "cloze": _cloze, "itself": _itself, "damaged": _damaged,
}  # fmt: skip


def first_shares(t5: T5, memory: Pool, answer: Ids) -> Tensor:
    """Give all to the first close chunk, whatever was read."""
    shares = memory.states.new_zeros(len(memory.rows))
    shares[0] = 1.0
    return shares


def evidence_shares(t5: T5, memory: Pool, answer: Ids) -> Tensor:
    """Give shares by the likelihood of the whole answer given each chunk alone: p(a|q,d), as it is."""
    each = fuse(memory, [1] * len(memory.rows))
    losses = answer_losses(t5, t5.remember(each.values, each.keep), [answer] * len(memory.rows))
    return torch.softmax(-losses.float(), 0)


TEACHERS: dict[str, Teacher] = {**ENGINE, "first": first_shares, "evidence": evidence_shares}
