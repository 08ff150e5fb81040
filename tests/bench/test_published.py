"""Search beside a published engine: what recall counts, and that our own ways find what exact products find."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from bench import published
from bench.kit.plan import Plan
from reatt.search.retriever import Retriever
from reatt.weights.models import load
from reatt_store.library import Library


def test_a_text_counts_that_ties_with_the_last_of_the_best():
    scores = np.array([4.0, 3.0, 2.0, 2.0, 1.0], np.float32)
    assert published.recall(scores, [0, 1, 2], 3) == published.recall(scores, [1, 0, 3], 3) == 1
    assert published.recall(scores, [0, 1, 4], 3) == pytest.approx(2 / 3)
    assert published.recall(scores, [0], 3) == pytest.approx(1 / 3)


def test_our_ways_find_the_best_by_exact_products_and_tell_what_they_take(ingest, tiny, monkeypatch, tmp_path):
    words = ("mirror", "hill", "boat", "lamp", "river", "stone", "garden", "winter")
    for number in range(12):
        text = " ".join(words[(number * step) % len(words)] for step in range(1, 9))
        (tmp_path / f"{number}.txt").write_text(f"Note {number}: {text}.")
    ingest(*sorted(tmp_path.glob("*.txt")))
    backbone = load(tiny, "cpu")
    queries = [backbone.rounds[0].ask(question, ()) for question in ("the mirror on the hill", "a boat in winter")]
    plan = replace(Plan(tmp_path, tmp_path), chosen=tiny.path)
    monkeypatch.setattr(published, "DEEP", 10)
    with closing(Library.open(tmp_path / "store")) as library:
        made = library.generation()
        shared = published.given(library.segments(made.id), queries)
        retriever = Retriever(library, backbone, made)
        exact = {text.digest: text.score for text in retriever.texts(queries[0], 12, "exact", published.EVERYTHING)}
        mine = dict(zip(shared.digests, shared.scores(queries[0]).tolist(), strict=True))
        assert mine == pytest.approx(exact, abs=1e-4)
        rows = list(published.ours(plan, library, retriever, shared))
    assert [row[0] for row in rows] == ["reatt, exact", "reatt, fast"]
    assert all(row[3] == row[4] == 1 for row in rows)
    assert all(len(row) == len(published.COLUMNS) for row in rows)
