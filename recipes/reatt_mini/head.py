"""Stage 7: learn the retrieval head alone, on states that are encoded once.

    python -m recipes.reatt_mini.head --out WORK --model engine/reatt/reatt-mini

In `train` the encoder moves below the head, and a question is told from the some fifty chunks of its batch. Here the
encoder stays, so every chunk is encoded once, and a question's wrong chunks are those that search finds first among all
of its set. Keys and queries change; what reads does not, bit by bit. Some ten minutes of the processor.

Axes: Q questions, C chunks, N tokens of all rows, D model width, d head width.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from reatt.model.processor import multiplies_bfloat16
from reatt.weights import models
from reatt.weights.folder import WEIGHTS, ModelFolder, record
from recipes.reatt_mini import shape
from recipes.reatt_mini.batches import UNMARKED, Form, chunk_of, holds
from recipes.reatt_mini.data import Ids, Questions, load
from recipes.reatt_mini.export import replace_weights
from recipes.reatt_mini.losses import Keys, Learner, maxsim, retrieval_loss
from recipes.reatt_mini.packed import Layout


@dataclass(frozen=True)
class Lesson:
    """How much of a set is learnt from."""

    chunks: int  # at most, of whole articles
    weight: float  # its share of the steps


LESSONS = {
    "squad11_train": Lesson(4500, 4),
    "nq_qed_train": Lesson(3000, 2),
    "fairytaleqa_train": Lesson(3000, 2),
    "qmsum_train": Lesson(1000, 1),
    "medquad": Lesson(3000, 1),
    "2wiki_train500": Lesson(500, 0.5),
}
QUESTIONS = 5000  # of a set
LIMIT = 320  # tokens of a chunk, marks included
TOGETHER = 8192  # tokens that are encoded together
ASKED, WRONG = 48, 3  # questions of a step; wrong chunks of each
SOUGHT = 16  # questions that are searched together
NEAREST, KEPT = 40, 16  # chunks that search finds first, and the wrong ones among them that are kept
STEPS, RATE, WARM = 600, 3e-4, 50  # the rate rises for WARM steps, then falls evenly to a twentieth


@dataclass(frozen=True)
class Rows:
    """The states of texts, one after the other, in half precision."""

    states: Tensor  # (N, D)
    starts: Sequence[int]  # of each text, and the end of the last

    def take(self, numbers: Sequence[int]) -> tuple[Tensor, Layout]:
        """Return the states of some texts in single precision, and how they lie."""
        parts = [self.states[self.starts[n] : self.starts[n + 1]] for n in numbers]
        return torch.cat(parts).float(), Layout(tuple(map(len, parts)), self.states.device)


@dataclass(frozen=True)
class Encoded:
    """A set whose texts are encoded; chunks are numbered as they are there."""

    questions: Rows
    chunks: Rows
    right: list[frozenset[int]]  # chunks that answer each question, at least one
    holding: list[frozenset[int]]  # chunks that hold an answer's words, among those that search finds first
    wrong: list[list[int]]  # chunks that search finds first and that do neither


class Projections(nn.Module):
    """What is learnt: both projections (d, D). Keys have unit length, as in the exported model."""

    def __init__(self, queries: Tensor, keys: Tensor) -> None:
        super().__init__()
        self.q, self.k = nn.Parameter(queries.float().clone()), nn.Parameter(keys.float().clone())

    def queries(self, states: Tensor) -> Tensor:
        """Project states (N, D) to query vectors (N, d)."""
        return F.linear(states, self.q)

    def keys(self, states: Tensor) -> Tensor:
        """Project states (N, D) to keys (N, d)."""
        return F.normalize(F.linear(states, self.k), dim=-1)


def encode(learner: Learner, texts: Sequence[Ids], kind: int) -> Rows:
    """Encode texts of one kind, question (0) or chunk (1), each alone up to the head."""
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    found: list[Tensor] = [torch.empty(0)] * len(texts)
    at = 0
    while at < len(order):
        count = max(1, TOGETHER // len(texts[order[min(at + 63, len(order) - 1)]]))
        some = order[at : at + count]
        with torch.no_grad(), learner.products():
            deep = learner.deeper(learner.lower([texts[n] for n in some], kind))
        for number, row in zip(some, torch.split(deep.values.half(), list(deep.layout.lengths)), strict=True):
            found[number] = row
        at += count
    return Rows(torch.cat(found), np.cumsum([0, *map(len, found)]).tolist())


def some_chunks(questions: Questions, limit: int, dice: random.Random) -> list[int]:
    """Choose whole articles, in random order, until there are so many chunks."""
    chosen: set[int] = set()
    for article in dice.sample(questions.articles, len(questions.articles)):
        if len(chosen) >= limit:
            break
        for chunk, asked in article.items():
            chosen |= {chunk, *(other for question in asked for other in questions.positives[question])}
    return sorted(chosen)


def learn_from(
    learner: Learner, head: Projections, questions: Questions, lesson: Lesson, form: Form, seed: int
) -> Encoded:
    """Encode a part of a set, and find what its questions are to be told from."""
    dice = random.Random(seed)
    numbers = some_chunks(questions, lesson.chunks, dice)
    place = {number: row for row, number in enumerate(numbers)}
    there = [q for q in range(len(questions.asked)) if all(p in place for p in questions.positives[q])]
    asked = sorted(dice.sample(there, min(QUESTIONS, len(there))))
    texts = [chunk_of(questions, n, form, titled=True).ids for n in numbers]
    chunks = encode(learner, texts, 1)
    forms = [questions.typed if dice.random() < UNMARKED else questions.asked for _ in asked]
    rows = encode(learner, [form[q] for form, q in zip(forms, asked, strict=True)], 0)
    right = [frozenset(place[p] for p in questions.positives[q]) for q in asked]
    nearest = first_found(head, rows, chunks)
    answers = [[questions.answers[n] for n in questions.given[q]] for q in asked]
    holding = [
        frozenset(c for c in near if c not in good and holds(texts[c], told))
        for near, good, told in zip(nearest, right, answers, strict=True)
    ]
    wrong = [
        [c for c in near if c not in good | also][:KEPT]
        for near, good, also in zip(nearest, right, holding, strict=True)
    ]
    return Encoded(rows, chunks, right, holding, wrong)


@torch.no_grad()
def first_found(head: Projections, questions: Rows, chunks: Rows) -> list[list[int]]:
    """Search all chunks for each question, as the head is now: the numbers of the first, best first."""
    keys = head.keys(chunks.states.float()).bfloat16()
    found: list[list[int]] = []
    for at in range(0, len(questions.starts) - 1, SOUGHT):
        states, layout = questions.take(range(at, min(at + SOUGHT, len(questions.starts) - 1)))
        products = (head.queries(states).bfloat16() @ keys.T).float().numpy()  # (tokens, keys)
        best = np.maximum.reduceat(products, chunks.starts[:-1], axis=1)  # (tokens, C)
        scores = np.add.reduceat(best, layout.starts, axis=0)  # (questions, C)
        found += np.argsort(-scores, axis=1)[:, :NEAREST].tolist()
    return found


def loss_of(head: Projections, lesson: Encoded, dice: random.Random) -> Tensor:
    """Tell some questions' chunks from their wrong ones, and from those of the other questions."""
    asked = dice.sample(range(len(lesson.right)), min(ASKED, len(lesson.right)))
    chosen: set[int] = set()
    for question in asked:
        chosen.add(dice.choice(sorted(lesson.right[question])))
        chosen.update(dice.sample(lesson.wrong[question], min(WRONG, len(lesson.wrong[question]))))
    chunks = sorted(chosen)
    states, layout = lesson.questions.take(asked)
    read, places = lesson.chunks.take(chunks)
    scores = maxsim(head.queries(states), layout, Keys(head.keys(read), places, chunks))
    right = torch.tensor([[chunk in lesson.right[question] for chunk in chunks] for question in asked])
    unjudged = torch.tensor([[chunk in lesson.holding[question] for chunk in chunks] for question in asked])
    return retrieval_loss(scores, right, unjudged)


def learn(head: Projections, lessons: Sequence[tuple[float, Encoded]], steps: int) -> None:
    """Take the steps; the same ones every time."""
    dice, optimizer = random.Random(0), torch.optim.Adam(head.parameters())
    mean = 0.0
    for step in range(1, steps + 1):
        rate = RATE * min(step / WARM, max(0.05, 1 - step / steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        lesson = dice.choices([encoded for _, encoded in lessons], [weight for weight, _ in lessons])[0]
        optimizer.zero_grad()
        loss = loss_of(head, lesson, dice)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        mean += (float(loss.detach()) - mean) / min(step, 50)
        if step % 50 == 0:
            print(f"step {step}: loss {mean:.3f}", flush=True)


def improve(model: Path, out: Path, lessons: Mapping[str, Lesson], steps: int) -> None:
    """Learn the head of an exported model by the sets that lie packed in `out`, and write it there."""
    folder = ModelFolder(model)
    t5 = models.load(folder, "cpu").t5
    assert t5.retrieval is not None, "the recipe's models have projections of their own"
    head = Projections(t5.retrieval.q.weight.detach(), t5.retrieval.k.weight.detach())
    learner = Learner(t5, *shape.depths(folder.config), narrow=multiplies_bfloat16(torch.device("cpu")))
    form = Form(0, LIMIT, folder.config["cls_token_id"], folder.config["sep_token_id"])
    encoded = []
    for number, (name, lesson) in enumerate(lessons.items()):
        encoded.append(
            (lesson.weight, learn_from(learner, head, load(out / f"{name}.safetensors"), lesson, form, number))
        )
        print(f"{name}: {len(encoded[-1][1].right)} questions", flush=True)
    learn(head, encoded, steps)
    weights = load_file(model / WEIGHTS)
    for side, learnt in (("q", head.q), ("k", head.k)):
        name = f"retrieval.{side}.weight"
        weights[name] = learnt.detach().to(weights[name])
    replace_weights(model / WEIGHTS, weights)
    record(ModelFolder(model))


def main() -> None:
    """Learn the bundled model's head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"), help="where `data` wrote its sets")
    parser.add_argument("--model", type=Path, default=Path("engine/reatt/reatt-mini"))
    parser.add_argument("--steps", type=int, default=STEPS, help="[%(default)s]")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    improve(options.model, options.out, LESSONS, options.steps)
    print(f"{options.model}: sha256 {ModelFolder(options.model).sha256}")


if __name__ == "__main__":
    main()
