"""Tiny models of every kind in float64 that learn, and a batch for them."""

import random
from dataclasses import replace

import torch

from reatt.lessons.batches import Cloze, TrainingBatch
from reatt.model.projections import Form, Pointer, Projections
from reatt.model.stacks.bert import BertConfig, BertStack
from reatt.model.stacks.halves import Head
from reatt.model.t5 import T5, T5Config
from reatt.training.objective import HeadSelector

LAYER = 1
HEAD = Head(LAYER, 0)
NEAR = (  # of the cloze questions: what is close to each, and what it is worth
    ((3,), (1.0,)), ((0, 4), (0.7, 0.3)), ((3, 2, 0), (0.5, 0.25, 0.25)), ((5, 1), (0.9, 0.1)),
    ((1,), (1.0,)), ((2, 3, 5), (0.4, 0.0, 0.6)), ((5,), (1.0,)),
)  # fmt: skip
CLOSE = ((0, 1, 2), (2, 3), (4, 0), (3,), (5, 2, 1))  # chunks 0 to 3 are close to two questions and more


def t5_stack(config):
    return T5(config)


def bert_stack(config):
    """Make a BERT of as many heads, where chunks with two ids of 5 are of another kind than the others."""
    shape = {"vocab_size": 40, "hidden_size": 18, "num_hidden_layers": 3, "num_attention_heads": 3}
    rest = {"intermediate_size": 24, "max_position_embeddings": 40, "sep_token_id": 5}
    return T5(replace(config, d_model=18), BertStack(BertConfig(**shape, **rest, dropout_rate=config.dropout_rate)))


def unit_stack(config):
    """Make a BERT that finds by vectors of unit length, by projections of its own."""
    return by_its_own(bert_stack(config))


def by_its_own(t5):
    t5.retrieval = Projections(t5.config.d_model, 4, Form(unit_queries=True, unit_keys=True))
    t5.retrieval.scale.fill_(6.0)
    return t5


def own_t5_stack(config):
    """Make a T5 that finds so."""
    return by_its_own(t5_stack(config))


def pointed_stack(config):
    """Make a BERT that points, too."""
    t5 = unit_stack(config)
    t5.pointer = Pointer(18, 5, 2)
    t5.pointer.weight.data.normal_()
    return t5


STACKS = {
    "t5": t5_stack, "bert": bert_stack, "unit": unit_stack, "pointed": pointed_stack,
    "deep": pointed_stack, "top": pointed_stack, "deep t5": own_t5_stack, "top t5": own_t5_stack,
}  # fmt: skip
FURTHER = {"deep": 1, "top": 2, "deep t5": 1, "top t5": 2}  # blocks that a text goes on through alone, to be found


def learner(dropout=0.1, stack="t5", **changes):
    """Make a tiny model in float64, and a selector that has not made up its mind."""
    shape = {"vocab_size": 40, "d_model": 16, "d_kv": 4, "d_ff": 24, "num_heads": 3, "num_layers": 3}
    torch.manual_seed(0)
    config = T5Config(**shape, num_decoder_layers=2, dropout_rate=dropout, **changes)
    t5, selector = STACKS[stack](config).double().train(), HeadSelector(3).double()
    selector.w.data.copy_(torch.tensor([0.0, 0.001, -0.0005]))
    return t5, selector


def head_of(stack):
    return replace(HEAD, further=FURTHER.get(stack, 0))


def batch(close=CLOSE):
    draw = random.Random(0)
    ids = lambda low, high: (*draw.choices(range(3, 40), k=draw.randint(low, high)), 1)  # noqa: E731
    chunks = tuple(ids(4, 30) for _ in range(1 + max(map(max, close))))
    cloze = tuple(Cloze(ids(2, 5), *near) for near in NEAR)
    questions, answers = tuple(ids(2, 6) for _ in close), [ids(1, 3) for _ in close]
    answers[0] = (*chunks[close[0][0]][2:4], 1)  # one that stands in a chunk word for word
    return TrainingBatch(questions, tuple(answers), chunks, close, cloze)


def gradients(t5, selector):
    named = [*t5.named_parameters(), *selector.named_parameters()]
    return {name: torch.zeros_like(w) if w.grad is None else w.grad.clone() for name, w in named}
