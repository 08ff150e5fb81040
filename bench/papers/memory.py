"""INTRA's rows: the decoder of a model retrieves from kept states, in one pool, under one way of searching.

The model is the bundled one: INTRA freezes it, and needs a decoder that was taught to answer. The pool is that of
`make intra-pool`, smaller. Rows that ask with the same tokens share what was learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace

from bench.kit.plan import Plan
from bench.papers.judging import Values
from bench.papers.rows import Memory
from bench.quality.intra_page import complete
from bench.quality.intra_pool import Pool, Size, lessons, open_pool, questions
from bench.quality.intra_ways import Found, Searched, learn
from reatt.progress import Progress
from reatt.search.rounds import carried

POOL = Size(documents=6_000, questions=150)
CUTS = (5, 20)

Order = Callable[[Found, Pool], list[int]]


def _mixed(found: Found, pool: Pool) -> list[int]:
    return carried(found.decoder, found.first, pool.model.rounds[1])


ORDERS: Mapping[str, Order] = {
    "INTRA": _mixed,
    "S0": lambda found, pool: found.first,
    "S0 reordered": lambda found, pool: found.reranked,
    "top 5": lambda found, pool: found.decoder,
}


def found(plan: Plan, memory: Memory, seed: int, tell: Callable[[str], None]) -> dict[str, Values]:
    """Teach the tokens of a way, unless they have learnt, and search: set -> measure -> one value a question."""
    size = POOL
    plan.work.mkdir(parents=True, exist_ok=True)

    def encoding(at: Progress) -> None:
        tell(f"encode for intra: {at.note or at.done}")

    pool = open_pool(plan, size, "intra", encoding)
    with closing(pool.library):
        way = replace(memory.way, seed=seed)
        folder = plan.work / f"tokens-{plan.model.sha256[:8]}-{memory.steps}"
        tokens = learn(pool, way, lessons(plan, pool.corpus, size), memory.steps, folder / way.learnt, tell)
        searched, values = Searched(pool, way, tokens), {}
        for name, examples in questions(plan, pool.corpus, size).items():
            values[name] = Values({f"complete@{k}": [] for k in CUTS})
            for example in examples:
                tell(f"ask {way.name} of {name}")
                texts = ORDERS[memory.order](searched.find(example.text), pool)
                needed = [pool.names(number) for number in pool.texts(example.close)]
                for k in CUTS:
                    seen = [pool.names(number) for number in texts[:k]]
                    values[name][f"complete@{k}"].append(complete(seen, needed))
    return values
