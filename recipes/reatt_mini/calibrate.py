"""Stage 8: fit what turns scores into decisions, and write it into the exported model's config.

    python -m recipes.reatt_mini.calibrate --data DATA --out WORK --model engine/reatt/reatt-mini

Fitted on the articles of the training sets that training held out; no set that a table reports is read.
- `fusion`: the weight of attention in hybrid search;
- `confidence`: a logistic model over the signs of an answer. Half of the questions are asked of their own corpus, the
  others of one that does not answer them: another set's (foreign), or their own without what answers them
  (unanswerable). Answers below a threshold are withheld. Error and discrimination are cross-validated.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reatt import ingest
from reatt.judging import metrics
from reatt.model.backbone import ChunkText, Limits
from reatt.model.confidence import Signs
from reatt.model.reatt import ReAtt
from reatt.search.retriever import Retriever, fuse
from reatt.weights import models
from reatt.weights.folder import ModelFolder, record
from reatt_store.library import Library
from recipes.reatt_mini.data import SETS, Json, answering, held_out, judgements, lines
from recipes.reatt_mini.fetch import replace_text
from recipes.reatt_mini.logistic import Floats, cross_validated, fit

PROSE = ("squad11_train", "nq_qed_train", "fairytaleqa_train", "distant_wiki_train")  # sets with short answers
READ = (*PROSE, "tables", "lists")
FOUND = (*PROSE, "medquad", "qmsum_train")
QUESTIONS, DOCUMENTS = 150, 1200  # of each set
AWAY = 0.25  # share of the questions that are asked of another corpus, and as many without what answers them
RIGHT = 0.5  # token F1 from which an answer counts as right
# Half of the questions that this is fitted on have no answer. Of people's own questions most have: there, an answer at
# this confidence is right as often as wrong (docs/LOG.md). Below 0.5 it is shown as unsure.
THRESHOLD = 0.3
TOP, LISTED = 8, 200  # chunks that are read, and those that fusion ranks


@dataclass(frozen=True)
class Judged:
    """One set's documents, questions and judgements, cut to a size."""

    documents: list[Json]
    questions: list[Json]
    relevant: dict[str, dict[str, int]]

    def without(self, questions: Sequence[Json]) -> Judged:
        """Leave out all documents that answer some questions."""
        gone = {document for question in questions for document in self.relevant[question["_id"]]}
        return replace(self, documents=[d for d in self.documents if d["_id"] not in gone])


@dataclass(frozen=True)
class Bench:
    """The model, and where stores are made."""

    backbone: ReAtt
    model: ModelFolder
    scratch: Path

    def store(self, documents: Sequence[Json]) -> Retriever:
        """Ingest documents into a store of their own."""
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        corpus = folder / "corpus.jsonl"
        corpus.write_text("".join(json.dumps(d) + "\n" for d in documents), encoding="utf-8")
        library = Library.create(folder / "store")
        ingest.ingest(library, self.backbone, self.model, [str(corpus)], ingest.IngestOptions(), lambda _: None)
        return Retriever(library, self.backbone, library.generation())


def load(folder: Path, questions: int, documents: int) -> Judged:
    """Take evenly spaced questions on the articles held out, their documents, and others up to a number."""
    every = {d["_id"]: d for d in lines(folder / "corpus.jsonl.gz")}
    told = judgements(folder)
    relevant: dict[str, dict[str, int]] = {}
    asked = []
    for query in lines(folder / "queries.jsonl.gz"):
        _, positives = answering(query, every, told.get(query["_id"], {}))
        if positives and held_out(every[positives[0]]):
            relevant[query["_id"]] = {name: told.get(query["_id"], {}).get(name, 1) for name in positives}
            asked.append(query)
    asked = asked[:: max(1, len(asked) // questions)][:questions]
    needed = {document for query in asked for document in relevant[query["_id"]]}
    spare = sorted((d for d in every.values() if d["_id"] not in needed), key=lambda d: not held_out(d))
    kept = needed | {d["_id"] for d in spare[: max(0, documents - len(needed))]}
    return Judged([d for name, d in every.items() if name in kept], asked, relevant)


def fusion(bench: Bench, sets: dict[str, Judged]) -> float:
    """Find the weight of attention that ranks best: mean nDCG@10 over the sets."""
    weights = np.linspace(0, 1, 21)
    curves = []
    for name, judged in sets.items():
        retriever = bench.store(judged.documents)
        rows = [_curve(retriever, q, judged.relevant[q["_id"]], weights) for q in judged.questions]
        curves.append(np.mean(rows, axis=0))
        print(name, "nDCG@10: words", round(curves[-1][0], 4), "attention", round(curves[-1][-1], 4), flush=True)
    mean = np.mean(curves, axis=0)
    best = float(weights[int(mean.argmax())])
    print("fusion", best, "nDCG@10", round(float(mean.max()), 4), flush=True)
    return round(best, 2)


def _curve(retriever: Retriever, question: Json, relevant: dict[str, int], weights: Floats) -> list[float]:
    hits = retriever.search(question["text"], k=LISTED, retriever="hybrid", search="exact")
    document = {hit.chunk.id: str(hit.chunk.external_id) for hit in hits}
    attention = {h.chunk.id: h.attention_score for h in hits if h.attention_score is not None}
    words = {h.chunk.id: h.words_score for h in hits if h.words_score is not None}
    rankings = ([document[chunk] for chunk in fuse(attention, words, float(w))] for w in weights)
    return [metrics.ndcg(list(dict.fromkeys(ranking)), relevant) for ranking in rankings]


def signs_of(retriever: Retriever, questions: Sequence[Json], *, foreign: bool) -> Iterator[tuple[Signs, bool]]:
    """Answer questions, and judge the answers: all are wrong where the corpus is another's."""
    for question in questions:
        hits = retriever.search(question["text"], k=TOP)
        if hits:
            scores = [sum(pair.weight for pair in retriever.explain(question["text"], hit)) for hit in hits]
            passages = [ChunkText(hit.chunk.chunk.title, hit.chunk.chunk.text) for hit in hits]
            told = retriever.backbone.answer(question["text"], passages, scores, Limits())
            yield told.signs, not foreign and metrics.f1(told.text, question["answers"]) >= RIGHT


def asked_everywhere(bench: Bench, sets: dict[str, Judged], weight: float) -> list[tuple[Signs, bool]]:
    """Ask all questions: half of their own corpus, the others of one that does not answer them."""
    found: list[tuple[Signs, bool]] = []
    judged = list(sets.values())
    for number, (name, own) in enumerate(sets.items()):
        cut = round(AWAY * len(own.questions))
        unanswerable, foreign = own.questions[:cut], judged[number - 1].questions[cut : 2 * cut]
        whole, without = bench.store(own.documents), bench.store(own.without(unanswerable).documents)
        whole.fusion = without.fusion = weight
        answered = list(signs_of(whole, own.questions[2 * cut :], foreign=False))
        found += [*answered, *signs_of(without, unanswerable, foreign=False), *signs_of(whole, foreign, foreign=True)]
        print(name, "right", round(float(np.mean([right for _, right in answered])), 4), flush=True)
    return found


def calibration(found: Sequence[tuple[Signs, bool]]) -> Json:
    """Fit the logistic model, and tell how well one does that has not seen what it judges."""
    features, right = np.array([astuple(s) for s, _ in found]), np.array([r for _, r in found], float)
    judged, fitted = cross_validated(features, right), fit(features, right)
    shown = judged >= THRESHOLD
    figures = {
        "questions": len(right),
        "right": round(float(right.mean()), 4),
        "ece": round(metrics.calibration_error(judged, right), 4),
        "auroc": round(metrics.auroc(judged, right) or 0.0, 4),
        "shown": round(float(shown.mean()), 4),
        "shown_right": round(float(right[shown].mean()), 4) if shown.any() else 0.0,
    }
    print("confidence", json.dumps(figures), flush=True)
    names = [field.name for field in fields(Signs)]
    weights = dict(zip(names, (round(float(w), 5) for w in fitted.weights), strict=True))
    return {"bias": round(fitted.bias, 5), "weights": weights, "threshold": THRESHOLD, "cross_validated": figures}


def calibrate(folder: Path, data: Path, work: Path, questions: int, documents: int) -> None:
    """Fit both and write them down."""
    model = ModelFolder(folder)
    places = {name: work / "made" if SETS[name].made else data / "train" for name in dict.fromkeys((*FOUND, *READ))}
    sets = {name: load(place / name, questions, documents) for name, place in places.items()}
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(models.load(model, "cpu"), model, Path(scratch))
        weight = fusion(bench, {name: sets[name] for name in FOUND})
        fitted = calibration(asked_everywhere(bench, {name: sets[name] for name in READ}, weight))
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["reatt"] |= {"fusion": weight, "confidence": fitted}
    replace_text(folder / "config.json", json.dumps(config, indent=1) + "\n")
    record(ModelFolder(folder))


def main() -> None:
    """Calibrate the exported model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"), help="where `made` wrote its sets")
    parser.add_argument("--model", type=Path, default=Path("engine/reatt/reatt-mini"))
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="of each set [%(default)s]")
    parser.add_argument("--documents", type=int, default=DOCUMENTS, help="of each set [%(default)s]")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    calibrate(options.model, options.data, options.out, options.questions, options.documents)


if __name__ == "__main__":
    main()
