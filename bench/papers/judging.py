"""What a model is worth on the questions of a set: one value a question of each measure."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bench.papers.lessons import UNUSED, Material
from bench.quality.mini_sets import spaced
from reatt.judging import metrics
from reatt.lessons.close_chunks import AttentionSearch
from reatt.lessons.examples import Example
from reatt.model.backbone import ChunkText, Limits
from reatt.model.reatt import ReAtt
from reatt.search.score import maxsim

FOUND, READ = 10, 5  # passages that are judged, and that are read
ASKED = 100  # questions of a set that are answered, too
WORDS = 16  # tokens of an answer

Values = dict[str, list[float]]  # measure -> one value a question


def measured(finder: ReAtt, reader: ReAtt, material: Material) -> Values:
    """Let one model find, and one read the best that it found."""
    found = AttentionSearch(material.corpus, finder)(material.examples, FOUND)
    values: Values = {"nDCG@10": [], "R@1": []}
    for example, numbers in zip(material.examples, found, strict=True):
        ranking, judged = ranked(material, numbers), material.relevant[str(example.id)]
        values["nDCG@10"].append(metrics.ndcg(ranking, judged))
        values["R@1"].append(metrics.hit(ranking, judged, 1))
    pairs = [pair for pair in zip(material.examples, found, strict=True) if pair[0].answers != UNUSED]
    told = [(answered(finder, reader, material, *pair), pair[0].answers) for pair in spaced(pairs, ASKED)]
    if told:
        values["EM"] = [metrics.exact_match(*each) for each in told]
        values["F1"] = [round(metrics.f1(*each), 4) for each in told]
    return {name: [round(value, 4) for value in each] for name, each in values.items()}


def ranked(material: Material, numbers: Sequence[int]) -> list[str]:
    """Name the documents of passages, each once; of equal texts the first stands for all."""
    return list(dict.fromkeys(material.corpus.names[number] for number in numbers))


def answered(finder: ReAtt, reader: ReAtt, material: Material, example: Example, numbers: Sequence[int]) -> str:
    """Read the best passages, weighed by their scores."""
    passages = [material.corpus.passages[number] for number in numbers[:READ]]
    return reader.answer(example.text, passages, _scores(finder, example.text, passages), Limits(WORDS)).text


@torch.inference_mode()
def _scores(model: ReAtt, question: str, passages: Sequence[ChunkText]) -> list[float]:
    asked = model.encode_question(question)
    return [float(maxsim(asked.vectors, asked.weights, code.keys[None])) for code in model.encode_chunks(passages)]
