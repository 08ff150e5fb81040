"""What each way finds of a question's evidence, and what two readers make of the five best: kept line by line.

A line is written when it is known, so a run that is stopped goes on at the next question. The readers are INTRA's
decoder over the pool's kept states, and ReAtt, which reads the same passages jointly with the question.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.quality.intra_pool import Pool, first_scores
from bench.quality.intra_ways import SETTINGS, WHOLE, Found, Searched, learnt
from bench.quality.mini_sets import spaced
from reatt.lessons.examples import Example
from reatt.model.backbone import Limits
from reatt.search.rounds import carried

READ = 5  # passages
WORDS, REATT, RRF = "words", "ReAtt attention", "RRF (words, ReAtt attention)"
RRF_CONSTANT = 60
EXACTLY, CHECKED = "INTRA, every vector in float32", 12  # questions a set: each takes seconds
RANDOM, ORACLE = "random passages", "oracle passages"
READERS = ("INTRA", "ReAtt")
Record = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """Both pools, what is asked of them, and where what is known is kept."""

    intra: Pool
    reatt: Pool
    asked: Mapping[str, Sequence[Example]]  # set -> questions
    steps: int
    folder: Path
    tell: Callable[[str], None]  # may raise, to stop in time

    def known(self, kind: str, of: str) -> dict[str, Record]:
        """Read what is known of a set's questions, by id; a last line cut short is as if it were not there."""
        file = self._file(kind, of)
        lines = file.read_text(encoding="utf-8").split("\n")[:-1] if file.is_file() else []
        return {record["id"]: record for record in map(json.loads, lines)}

    def add(self, kind: str, made: Callable[[Example], Record], most: int | None = None) -> None:
        """Find out what is not known yet, of at most so many questions a set."""
        for of, every in self.asked.items():
            examples = spaced(every, most or len(every))
            known, file = self.known(kind, of), self._file(kind, of)
            file.parent.mkdir(parents=True, exist_ok=True)
            kept = "".join(json.dumps(record) + "\n" for record in known.values())
            file.write_text(kept, encoding="utf-8")
            for number, example in enumerate(examples):
                if example.id not in known:
                    self.tell(f"{kind}, {of}: {number} of {len(examples)}")
                    with open(file, "a", encoding="utf-8") as out:
                        out.write(json.dumps({"id": example.id, **made(example)}) + "\n")

    def _file(self, kind: str, of: str) -> Path:
        return self.folder / "known" / f"{of}-{re.sub(r'[^a-zA-Z0-9_]+', '-', kind)}.jsonl"


def find(study: Study) -> None:
    """Search by words, by ReAtt's attention, and under every setting that has learnt."""
    pool, other = study.intra, study.reatt

    def by_words(example: Example) -> Record:
        return {"found": pool.texts([chunk for chunk, _ in pool.library.words(example.text, 100)])}

    def by_attention(example: Example) -> Record:
        queries = other.model.rounds[0].ask(example.text, ())
        chunks = [chunk for chunk, _ in other.index.search(queries, 50, "fast")]
        digests = [stored.chunk.digest for stored in other.library.chunks(chunks)]
        return {"found": list(dict.fromkeys(pool.numbers[digest] for digest in digests))}

    study.add(WORDS, by_words)
    study.add(REATT, by_attention)
    for setting in SETTINGS:
        tokens = learnt(pool, setting, study.steps, study.folder)
        if tokens is not None:
            searched = Searched(pool, setting, tokens)
            study.add(setting.name, lambda example, searched=searched: asdict(searched.find(example.text)))  # type: ignore[misc]
            if setting == WHOLE:
                exactly = searched.exactly
                study.add(EXACTLY, lambda example: {"found": exactly(example.text)}, CHECKED)  # noqa: B023


def rankings(study: Study, of: str) -> dict[str, dict[str, list[int]]]:
    """Give what each way that is known finds: way -> question id -> numbers of texts, best first."""
    alone = {name: study.known(name, of) for name in (WORDS, REATT)}
    found = {setting.name: _found(study.known(setting.name, of)) for setting in SETTINGS}
    whole, round = found[WHOLE.name], study.intra.model.rounds[1]
    mixed = {name: {id: carried(f.decoder, f.first, round) for id, f in of.items()} for name, of in found.items()}
    found_alone = {name: {id: record["found"] for id, record in of.items()} for name, of in alone.items()}
    both = [id for id in found_alone[WORDS] if id in found_alone[REATT]]
    made = {
        **found_alone,
        RRF: {id: fused([each[id] for each in found_alone.values()]) for id in both},
        "S0": {id: each.first for id, each in whole.items()},
        "S0 by cosine": {id: each.first for id, each in found["cosine S0"].items()},
        "S0 reranked": {id: each.reranked for id, each in whole.items()},
        "INTRA": mixed[WHOLE.name],
        "INTRA, top 5 without S0": {id: each.decoder for id, each in whole.items()},
        "INTRA, S0 empty": {id: each.decoder for id, each in found["S0 empty"].items()},
        **{f"INTRA, {name}": mixed[name] for name in ("cosine S0", "L_p 1", "L_p 3", "R 1", "R 16")},
    }
    return {name: every for name, every in made.items() if every}


def fused(ranked: Sequence[Sequence[int]]) -> list[int]:
    """Fuse rankings by reciprocal ranks.

    >>> fused([[1, 2, 3], [2, 3, 4]])
    [2, 3, 1, 4]
    """
    scores: dict[int, float] = defaultdict(float)
    for ranking in ranked:
        for rank, text in enumerate(ranking, 1):
            scores[text] += 1 / (RRF_CONSTANT + rank)
    return sorted(scores, key=lambda text: -scores[text])


def _found(known: Mapping[str, Record]) -> dict[str, Found]:
    return {id: Found(**{name: value for name, value in each.items() if name != "id"}) for id, each in known.items()}


def read(study: Study) -> None:
    """Let both readers answer from what each way finds, from passages drawn at random, and from the evidence itself."""
    ranked = {of: rankings(study, of) for of in study.asked}
    ways = dict.fromkeys(way for of in ranked.values() for way in of)
    places = {example.id: of for of, examples in study.asked.items() for example in examples}

    def shown(way: str, example: Example) -> list[int]:
        return ranked[places[example.id]][way][str(example.id)][:READ]

    contexts: dict[str, Callable[[Example], list[int]]] = {
        **{way: lambda example, way=way: shown(way, example) for way in ways},  # type: ignore[misc]
        RANDOM: lambda example: random.Random(example.id).sample(range(len(study.intra.corpus.ids)), READ),
        ORACLE: lambda example: study.intra.texts(example.close),
    }
    for reader, answer in _readers(study.intra, study.reatt).items():
        for way, of in contexts.items():
            study.add(f"{reader} reads {way}", lambda e, of=of, answer=answer: {"answer": answer(e.text, of(e))})  # type: ignore[misc]


def _readers(pool: Pool, other: Pool) -> dict[str, Callable[[str, Sequence[int]], str]]:
    def by_states(question: str, texts: Sequence[int]) -> str:
        told = pool.model.answer(question, pool.memory(texts), [0.0] * len(texts), Limits())
        return str(told.text)

    def jointly(question: str, texts: Sequence[int]) -> str:
        passages = [pool.corpus.passages[text] for text in texts]
        scores = first_scores(other.model, question, passages)  # the model weighs passages by them
        return str(other.model.answer(question, passages, scores, Limits()).text)

    return dict(zip(READERS, (by_states, jointly), strict=True))


def evidence(study: Study, of: str) -> Iterator[tuple[Example, list[frozenset[str]]]]:
    """Yield each question with the documents that it needs: those of one text are one, whichever is found."""
    for example in study.asked[of]:
        yield example, [study.intra.names(number) for number in study.intra.texts(example.close)]
