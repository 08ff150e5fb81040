"""The gradient cache is the loss of the whole batch, whatever fits into memory, with dropout and over processes."""

from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn import functional as F

from reatt.lessons.batches import TrainingBatch
from reatt.training import grad_cache, pools
from reatt.training.grad_cache import accumulate, at_once
from reatt.training.objective import Objective
from reatt.training.ranks import Distributed
from reatt.training.teachers import TEACHERS
from tests.learners import HEAD, LAYER, STACKS, batch, gradients, head_of, learner

every_stack = pytest.mark.parametrize("stack", STACKS)


def whole(t5, selector, given, objective, micro=None, head=HEAD):
    """Return loss and gradients of the whole batch at once."""
    t5.zero_grad(), selector.zero_grad(), torch.manual_seed(7)
    loss = at_once(t5, selector, head, given, objective, micro=micro)
    loss.backward()
    return loss.item(), gradients(t5, selector)


def cached(t5, selector, given, objective, micro, head=HEAD):
    """Return loss and gradients by the gradient cache."""
    t5.zero_grad(), selector.zero_grad(), torch.manual_seed(7)
    learned = accumulate(t5, selector, head, given, objective, micro=micro)
    return learned.answer + objective.alpha * (learned.cross_document + learned.cloze), gradients(t5, selector)


def assert_same(found, expected, tolerance=1e-6):
    assert found[0] == pytest.approx(expected[0], rel=tolerance)
    for name, gradient in expected[1].items():
        torch.testing.assert_close(found[1][name], gradient, atol=tolerance, rtol=tolerance, msg=name)
    assert max(gradient.abs().max() for gradient in expected[1].values()) > 1e-2


OBJECTIVES = {
    "all": Objective(),
    "likelihood": Objective(teacher=TEACHERS["likelihood"]),
    "answers": Objective(cross_document=False, cloze=False),
    "retrieval": Objective(answers=False),
    "own chunks": Objective(in_batch=False),
    "posterior": Objective(posterior=True),
    "cloze questions": Objective(answers=False, cross_document=False),
    "no cloze questions": Objective(cloze=False),
}


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("micro", [1, 2, 5])
def test_the_gradient_cache_is_the_whole_batch_at_once_with_dropout(name, micro):
    t5, selector = learner()
    assert_same(*(run(t5, selector, batch(), OBJECTIVES[name], micro) for run in (cached, whole)))


@pytest.mark.parametrize("name", ["all", "retrieval", "answers"])
@pytest.mark.parametrize("stack", [stack for stack in STACKS if stack != "t5"])
def test_the_gradient_cache_is_the_whole_batch_at_once_with_dropout_for_every_stack(stack, name):
    t5, selector = learner(stack=stack)
    assert_same(*(run(t5, selector, batch(), OBJECTIVES[name], 2, head_of(stack)) for run in (cached, whole)))


def test_dropout_is_on_in_both():
    t5, selector = learner()
    assert (
        abs(whole(t5, selector, batch(), Objective())[0] - whole(t5.eval(), selector, batch(), Objective())[0]) > 0.01
    )


@every_stack
def test_without_dropout_it_makes_no_difference_how_much_is_read_at_a_time(stack):
    (t5, selector), head = learner(dropout=0.0, stack=stack), head_of(stack)
    expected = whole(t5, selector, batch(), Objective(), head=head)
    assert_same(cached(t5, selector, batch(), Objective(), 2, head), expected)


def test_an_encoding_that_drops_otherwise_would_show(monkeypatch):
    t5, selector = learner()
    expected = whole(t5, selector, batch(), Objective(), 1)
    monkeypatch.setattr(grad_cache, "seeded", lambda seed, t5: nullcontext())
    found = cached(t5, selector, batch(), Objective(), 1)
    assert abs(found[0] - expected[0]) > 1e-4


def test_each_chunk_is_encoded_once_without_and_once_with_gradients(monkeypatch):
    t5, selector = learner(dropout=0.0)
    given, seen = batch(), Counter()
    run = pools.lower_half

    def counted(t5, layer, ids):
        rows = zip(ids.values.tolist(), ids.keep.sum(1).tolist(), strict=True)
        seen.update((tuple(row[:n]), torch.is_grad_enabled()) for row, n in rows)
        return run(t5, layer, ids)

    monkeypatch.setattr(pools, "lower_half", counted)
    cached(t5, selector, given, Objective(), 1)
    assert [seen[ids, grad] for ids in given.chunks for grad in (False, True)] == [1] * 12


def naive(t5, selector, given, objective, head=HEAD):
    """State the loss pair by pair, with nothing shared, padded or cached: the paper's, and that of cloze questions."""
    answer, divergence, tokens = 0.0, 0.0, sum(map(len, given.answers))

    def encode(x, blocks):
        return t5.encode_range(x[None], t5.encoder_bias(torch.ones(1, len(x), dtype=torch.bool)), blocks)

    def alone(ids, depth=LAYER):
        return encode(t5.embed(torch.tensor([ids]))[0], slice(0, depth))[0]

    block = t5.encoder.layers()[LAYER]

    def split(side, ids):
        states = t5.encoder.reads(head.depth, alone(ids, head.depth))
        if t5.retrieval is None:
            return F.linear(states, getattr(block.attention, side).weight).view(len(ids), 3, -1)
        vectors = F.normalize(F.linear(states, getattr(t5.retrieval, side).weight), dim=1)
        return (vectors * (6.0 if side == "q" else 1.0))[:, None].expand(-1, 3, -1)

    def found(question):
        query, keys = split("q", question), [split("k", ids) for ids in given.chunks]
        products = [torch.einsum("mhd,nhd->hmn", query, key) for key in keys]
        scores = torch.stack([(p.amax(2).mean(1) * selector.weights()).sum() for p in products])
        return scores.log_softmax(0)

    def before(question):
        """A T5 pairs a question without its end mark, a BERT with it."""
        return alone(question[:-1] if t5.encoder.kind == "t5" else question)

    def pointed(read, question, wanted, close):
        """Score every stretch of every chunk, and the first token of each question, and look which are the answer."""
        asked = len(question)
        marks = [t5.pointer.weight @ states.T for states in read]  # start, end, two numbers to compare, and two

        def score(c, start, end):
            first, last = marks[c][:, start], marks[c][:, end]
            return first[0] + last[1] + first[2] * last[4] + first[3] * last[5]

        every = [score(c, 0, 0) for c in range(len(close))]
        every += [
            score(c, asked + n, asked + m) for c, ids in enumerate(close) for m in range(len(ids)) for n in range(m + 1)
        ]
        right = [
            score(c, asked + n, asked + n + len(wanted) - 1)
            for c, ids in enumerate(close)
            for n in range(ids.index(5) + 1 if 5 in ids else 0, len(ids))
            if ids[n : n + len(wanted)] == wanted
        ]
        return torch.stack(every).logsumexp(0) - torch.stack(right).logsumexp(0) if right else 0.0

    for question, wanted, close in zip(given.questions, given.answers, given.close, strict=True):
        pairs = [torch.cat((before(question), alone(given.chunks[c]))) for c in close]
        read = [t5.finish(encode(x, slice(LAYER, None)))[0] for x in pairs]
        cache = t5.remember(torch.cat(read)[None])
        logits = t5.logits(t5.decode(torch.tensor([[0, *wanted[:-1]]]), cache))[0]
        answer = answer + F.cross_entropy(logits, torch.tensor(wanted), reduction="sum")
        if t5.pointer is not None:
            answer = answer + pointed(read, question, wanted[:-1], [given.chunks[c] for c in close])
        weights = t5.target_scores(cache)[0].softmax(-1).mean(0).detach().split([len(x) for x in pairs])
        target = torch.zeros(len(given.chunks), dtype=torch.float64)
        target[list(close)] = torch.stack([part.sum() for part in weights])
        divergence = divergence + (torch.xlogy(target, target) - target * found(question)).sum()
    missed = 0.0
    for each in given.cloze:
        worth = torch.tensor(each.shares, dtype=torch.float64)
        missed += (torch.xlogy(worth, worth) - worth * found(each.ids)[list(each.close)]).sum() / len(given.cloze)
    return answer / tokens + objective.alpha * (divergence / len(given.questions) + missed)


@every_stack
def test_the_loss_is_the_papers_pair_by_pair(stack):
    (t5, selector), head = learner(dropout=0.0, stack=stack), head_of(stack)
    found = whole(t5, selector, batch(), Objective(), head=head)
    t5.zero_grad(), selector.zero_grad()
    loss = naive(t5, selector, batch(), Objective(), head)
    loss.backward()
    assert_same((loss.item(), gradients(t5, selector)), found, 2e-6)
    assert t5.pointer is None or found[1]["pointer.weight"].any()


def test_a_shared_chunk_counts_once():
    t5, selector = learner(dropout=0.0)
    given = TrainingBatch(((5, 1), (6, 7, 1)), ((8, 1), (9, 1)), ((20, 21, 1), (22, 1), (23, 24, 1)), ((0, 1), (1, 2)))
    twice = replace(given, chunks=(*given.chunks, (22, 1)), close=((0, 1), (3, 2)))
    expected = whole(t5, selector, given, Objective())
    assert_same(whole(t5, selector, twice, Objective()), expected)
    assert_same(cached(t5, selector, twice, Objective(), 1), expected)
    assert naive(t5, selector, twice, Objective()).item() > expected[0] + 0.01


def test_no_gradient_flows_into_the_target():
    t5, selector = learner(dropout=0.0)
    _, found = whole(t5, selector, batch(), Objective(answers=False))
    lower = {"shared.weight", "encoder.position.weight", "w", f"encoder.blocks.{LAYER}.attention_norm.weight"}
    lower |= {f"encoder.blocks.{LAYER}.attention.{side}.weight" for side in "qk"}
    reached = {name for name, gradient in found.items() if gradient.any()}
    assert reached == lower | {name for name in found if name.startswith("encoder.blocks.0.")}


def test_parts_are_switched_off_one_by_one():
    t5, selector = learner(dropout=0.0)
    loss = {name: whole(t5, selector, batch(), each)[0] for name, each in OBJECTIVES.items()}
    assert loss["all"] == pytest.approx(loss["answers"] + loss["retrieval"])
    assert loss["own chunks"] < loss["all"] - 0.1
    assert abs(loss["likelihood"] - loss["all"]) > 0.1
    off = accumulate(t5, selector, HEAD, batch(), OBJECTIVES["answers"], micro=2)
    assert (off.cross_document, off.agreement) == (0, 0)


def test_under_autocast_it_is_the_whole_batch_too():
    t5, selector = learner()
    t5.float(), selector.float()
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        found, expected = (run(t5, selector, batch(), Objective(), 2) for run in (cached, whole))
    assert_same(found, expected, 0.02)


@pytest.mark.parametrize("recompute", [False, True])
@every_stack
def test_activations_may_be_computed_again(recompute, stack):
    (t5, selector), head = learner(stack=stack), head_of(stack)
    expected = cached(t5, selector, batch(), Objective(), 2, head)
    assert_same(cached(t5.copied(recompute=recompute), selector, batch(), Objective(), 2, head), expected)


class Held:
    """A tensor that a graph holds, counted while it does."""

    now = most = 0

    def __init__(self, tensor):
        self.tensor = tensor
        Held.now += tensor.nbytes
        Held.most = max(Held.most, Held.now)

    def __del__(self):
        Held.now -= self.tensor.nbytes


def most_held(run):
    """Return how many bytes graphs held at most while something ran."""
    Held.now = Held.most = 0
    with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.tensor):
        run()
    return Held.most


def test_sixteen_questions_take_the_memory_of_two():
    t5, selector = learner()
    few, many = (batch(tuple((3 * q, 3 * q + 1, 3 * q + 2) for q in range(n))) for n in (2, 16))
    cache = [most_held(lambda given=given: cached(t5, selector, given, Objective(), 2)) for given in (few, many)]
    graph = [most_held(lambda given=given: whole(t5, selector, given, Objective())) for given in (few, many)]
    assert cache[1] < 1.3 * cache[0]
    assert graph[1] > 4 * graph[0]


def part(given, questions, cloze):
    """Make the batch of one process: some questions of both kinds, and the chunks close to them."""
    pool = sorted({c for q in questions for c in given.close[q]})
    close = tuple(tuple(pool.index(c) for c in given.close[q]) for q in questions)
    rows = [[row[q] for q in questions] for row in (given.questions, given.answers)]
    chosen = [given.cloze[n] for n in cloze]
    asked = tuple(replace(each, close=tuple(pool.index(c) for c in each.close)) for each in chosen)
    return TrainingBatch(*map(tuple, rows), tuple(given.chunks[c] for c in pool), close, asked)


def process(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    t5, selector = learner(dropout=0.0)
    own = part(batch(), [(0, 1, 2), (3, 4)][rank], [(0, 1, 2, 4), (3, 5, 6)][rank])
    learned = accumulate(t5, selector, HEAD, own, Objective(), micro=2, ranks=Distributed())
    told = learned.cross_document + learned.cloze
    torch.save((learned.answer + 8 * told, gradients(t5, selector)), Path(folder) / f"{rank}")
    dist.destroy_process_group()


def test_two_processes_are_one(tmp_path):
    mp.spawn(process, (str(tmp_path),), nprocs=2)
    t5, selector = learner(dropout=0.0)
    expected = whole(t5, selector, batch(), Objective())
    for rank in "01":
        assert_same(torch.load(tmp_path / rank), expected)
