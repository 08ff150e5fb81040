"""Stage 5: fit what turns scores into decisions, and write it into the exported model's config.

    python -m recipes.reatt_mini.calibrate --data DATA --model engine/reatt/reatt-mini

- `fusion`: the weight of attention in hybrid search, on training questions of sets that training left out;
- `confidence`: a logistic model over the signs of an answer, on development questions; part of them is asked of the
  wrong corpus, so that nothing there answers them. Its error and discrimination are cross-validated.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reatt import ingest
from reatt.judging import metrics
from reatt.model.backbone import ChunkText, Limits
from reatt.model.confidence import Signs
from reatt.model.reatt import ReAtt
from reatt.search.retriever import Retriever, fuse
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt_store.library import Library
from recipes.reatt_mini.export import replace_text

# Training sets that the model did not learn from: on those that it did, attention looks better than it is elsewhere.
FUSION_SETS = ("2wiki_train500", "hotpotqa_train_sample", "musique_train_sample", "medquad", "qmsum_train")
FUSION_QUESTIONS, FUSION_DOCUMENTS = 150, 1200
CONFIDENCE_SETS = ("squad11_dev13", "nq_qed_dev", "covidqa")
CONFIDENCE_QUESTIONS, UNANSWERABLE = 120, 60  # of each set; asked of the next set's corpus
RIGHT = 0.5  # token F1 from which an answer counts as right
TOP = 8


@dataclass(frozen=True)
class Judged:
    """One set's documents, questions and judgements, cut to a size."""

    documents: list[dict[str, Any]]
    questions: list[dict[str, Any]]
    relevant: dict[str, dict[str, int]]


def load(folder: Path, questions: int, documents: int) -> Judged:
    """Take evenly spaced questions, their documents, and others up to a number."""
    relevant: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        question, document, grade = line.split("\t")
        relevant.setdefault(question, {})[document] = int(float(grade))
    asked = [q for q in _lines(folder / "queries.jsonl.gz") if q["_id"] in relevant]
    asked = asked[:: max(1, len(asked) // questions)][:questions]
    needed = {document for q in asked for document in relevant[q["_id"]]}
    every = list(_lines(folder / "corpus.jsonl.gz"))
    spare = [d for d in every if d["_id"] not in needed][: max(0, documents - len(needed))]
    return Judged([d for d in every if d["_id"] in needed] + spare, asked, relevant)


def store(backbone: ReAtt, model: ModelFolder, documents: list[dict[str, Any]], folder: Path) -> Retriever:
    """Ingest documents into a store of their own."""
    folder.mkdir()
    corpus = folder / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(d) + "\n" for d in documents), encoding="utf-8")
    library = Library.create(folder / "store")
    ingest.ingest(library, backbone, model, [str(corpus)], ingest.IngestOptions(), lambda _: None)
    return Retriever(library, backbone, library.generation())


def fusion(backbone: ReAtt, model: ModelFolder, data: Path, scratch: Path) -> float:
    """Find the weight of attention that ranks training questions best: mean nDCG@10 over the sets."""
    weights = np.linspace(0, 1, 21)
    curves = []
    for name in FUSION_SETS:
        judged = load(data / "train" / name, FUSION_QUESTIONS, FUSION_DOCUMENTS)
        retriever = store(backbone, model, judged.documents, scratch / f"train-{name}")
        rows = [_curve(retriever, q, judged.relevant[q["_id"]], weights) for q in judged.questions]
        curves.append(np.mean(rows, axis=0))
        print(name, "nDCG@10: words", round(curves[-1][0], 4), "attention", round(curves[-1][-1], 4), flush=True)
    mean = np.mean(curves, axis=0)
    best = float(weights[int(mean.argmax())])
    print("fusion", best, "nDCG@10", round(float(mean.max()), 4), flush=True)
    return round(best, 2)


def _curve(
    retriever: Retriever, question: dict[str, Any], relevant: dict[str, int], weights: NDArray[np.float64]
) -> list[float]:
    hits = retriever.search(question["text"], k=200, retriever="hybrid", search="exact")
    document = {hit.chunk.id: str(hit.chunk.external_id) for hit in hits}
    attention = {h.chunk.id: h.attention_score for h in hits if h.attention_score is not None}
    words = {h.chunk.id: h.words_score for h in hits if h.words_score is not None}
    rankings = ([document[chunk] for chunk in fuse(attention, words, float(w))] for w in weights)
    return [metrics.ndcg(list(dict.fromkeys(ranking)), relevant) for ranking in rankings]


def signs_of(retriever: Retriever, questions: list[dict[str, Any]], answerable: bool) -> Iterator[tuple[Signs, bool]]:
    """Answer questions, and judge the answers: all are wrong where the corpus is another."""
    for question in questions:
        hits = retriever.search(question["text"], k=TOP)
        if hits:
            scores = [sum(pair.weight for pair in retriever.explain(question["text"], hit)) for hit in hits]
            passages = [ChunkText(hit.chunk.chunk.title, hit.chunk.chunk.text) for hit in hits]
            told = retriever.backbone.answer(question["text"], passages, scores, Limits())
            yield told.signs, answerable and metrics.f1(told.text, question["answers"]) >= RIGHT


def calibration(backbone: ReAtt, model: ModelFolder, data: Path, scratch: Path, weight: float) -> dict[str, Any]:
    """Fit the logistic model, and the threshold that best parts right answers from wrong ones."""
    sets = [load(data / "dev" / name, CONFIDENCE_QUESTIONS, FUSION_DOCUMENTS) for name in CONFIDENCE_SETS]
    found: list[tuple[Signs, bool]] = []
    for number, (name, judged) in enumerate(zip(CONFIDENCE_SETS, sets, strict=True)):
        retriever = store(backbone, model, judged.documents, scratch / f"dev-{name}")
        retriever.fusion = weight
        own = list(signs_of(retriever, judged.questions, answerable=True))
        print(name, "right", round(float(np.mean([right for _, right in own])), 4), flush=True)
        found += own + list(signs_of(retriever, sets[number - 1].questions[:UNANSWERABLE], answerable=False))
    features, right = np.array([astuple(s) for s, _ in found]), np.array([r for _, r in found], float)
    held_out = _cross_validated(features, right)
    bias, weights = _fit(features, right)
    order = np.sort(held_out)
    gain = [np.mean(held_out[right == 1] >= t) - np.mean(held_out[right == 0] >= t) for t in order]
    figures = {
        "questions": len(right),
        "right": round(float(right.mean()), 4),
        "ece": round(metrics.calibration_error(held_out, right), 4),
        "auroc": round(metrics.auroc(held_out, right) or 0.0, 4),
    }
    print("confidence", json.dumps(figures), flush=True)
    names = [field.name for field in fields(Signs)]
    threshold = round(float(order[int(np.argmax(gain))]), 3)
    fitted = dict(zip(names, (round(float(w), 5) for w in weights), strict=True))
    return {"bias": round(float(bias), 5), "weights": fitted, "threshold": threshold, "cross_validated": figures}


def _fit(features: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Fit a ridge-regularised logistic model by Newton's method on standardised features."""
    centre, spread = features.mean(0), features.std(0)
    scale = np.where(
        spread < 1e-6, np.inf, spread
    )  # what is always the same says nothing: the share of one passage is 1
    design = np.hstack([np.ones((len(features), 1)), (features - centre) / scale])
    ridge = np.diag([0.0, *[1.0] * features.shape[1]])
    weights = np.zeros(design.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-design @ weights))
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + ridge
        weights -= np.linalg.solve(hessian, design.T @ (p - right) + ridge @ weights)
    return float(weights[0] - (weights[1:] * centre / scale).sum()), weights[1:] / scale


def _cross_validated(features: NDArray[np.float64], right: NDArray[np.float64], folds: int = 5) -> NDArray[np.float64]:
    fold = np.random.default_rng(0).permutation(len(right)) % folds
    held_out = np.empty(len(right))
    for number in range(folds):
        bias, weights = _fit(features[fold != number], right[fold != number])
        held_out[fold == number] = 1 / (1 + np.exp(-(bias + features[fold == number] @ weights)))
    return held_out


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def main() -> None:
    """Fit both and write them down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", type=Path, default=Path("engine/reatt/reatt-mini"))
    options = parser.parse_args()
    torch.set_num_threads(2)
    folder = ModelFolder(options.model)
    backbone = models.load(folder, "cpu")
    scratch = Path(tempfile.mkdtemp())
    try:
        weight = fusion(backbone, folder, options.data, scratch)
        fitted = calibration(backbone, folder, options.data, scratch, weight)
    finally:
        shutil.rmtree(scratch)
    config = json.loads((options.model / "config.json").read_text(encoding="utf-8"))
    config["reatt"] |= {"fusion": weight, "confidence": fitted}
    replace_text(options.model / "config.json", json.dumps(config, indent=1) + "\n")


if __name__ == "__main__":
    main()
