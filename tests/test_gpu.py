"""A GPU gives what the processor gives: keys, rankings, answers, up to rounding. Run by `make gpu`."""

import numpy as np
import pytest
import torch

from reatt import ingest
from reatt.ask import ask
from reatt.model.backbone import ChunkText
from reatt.search.query import Query
from reatt.search.retriever import Retriever
from reatt.weights import models
from reatt_store.library import Library

DEVICE = "cuda"
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
QUESTIONS = ("How long is parental leave in Norway?", "rye bread and salt", "Is the observatory in Oslo?", "東京?")
SAME = 1e-4  # float32, summed in another order
HALF = 2e-3  # keys as the store keeps them


@pytest.fixture(scope="module")
def gpu_reatt(tiny):
    return models.load(tiny, DEVICE)


@pytest.fixture(scope="module")
def decoded(tiny, archive, tmp_path_factory):
    """Name a store of the same documents that is asked by the decoder."""
    folder = tmp_path_factory.mktemp("decoded") / "store"
    with Library.create(folder) as library:
        corpus, model = [str(archive.parent / "corpus")], models.load_intra(tiny, "cpu")
        ingest.ingest(library, model, tiny, corpus, ingest.IngestOptions(), lambda _: None)
    return folder


@pytest.fixture(params=["reatt", "intra"])
def both(request, tiny, archive, decoded):
    """Search the same store by the processor and by the GPU."""
    with Library.open({"reatt": archive, "intra": decoded}[request.param]) as library:
        backbones = [models.load_for(request.param, tiny, device) for device in ("cpu", DEVICE)]
        yield [Retriever(library, backbone, library.generation()) for backbone in backbones]


def test_auto_chooses_the_gpu(tiny):
    assert models.load(tiny, "auto").device.type == DEVICE


def test_a_model_has_the_same_fingerprint_wherever_it_runs(tiny_reatt, gpu_reatt):
    assert gpu_reatt.fingerprint() == tiny_reatt.fingerprint()


def test_keys_do_not_depend_on_the_device(tiny_reatt, gpu_reatt):
    passages = [ChunkText("Rye", "bread and salt " * length) for length in (1, 7, 30)]
    for here, there in zip(tiny_reatt.encode_chunks(passages), gpu_reatt.encode_chunks(passages), strict=True):
        torch.testing.assert_close(there.keys.cpu(), here.keys, rtol=SAME, atol=SAME)


def test_queries_do_not_depend_on_the_device(tiny_reatt, gpu_reatt):
    for question in QUESTIONS:
        here, there = (reatt.encode_question(question) for reatt in (tiny_reatt, gpu_reatt))
        torch.testing.assert_close(there.vectors.cpu(), here.vectors, rtol=SAME, atol=SAME)


@pytest.mark.parametrize("search", ["exact", "fast", "two-stage"])
@pytest.mark.parametrize("retriever", ["attention", "hybrid"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_every_search_finds_the_same_scores(both, question, retriever, search):
    hits = [one.search(question, 20, retriever, search) for one in both]
    here, there = ({hit.chunk.id: hit.score for hit in found} for found in hits)
    assert sorted(there.values()) == pytest.approx(sorted(here.values()), rel=1e-3, abs=1e-3)
    least = min(here.values()) + 1e-3  # chunks that tie with the last one may stand for each other
    assert {chunk for chunk, score in here.items() if score > least} <= set(there)


def test_the_pairs_shown_sum_to_the_score(both):
    for hit in both[1].search(QUESTIONS[0], 5, "attention", "exact"):
        pairs = both[1].explain(QUESTIONS[0], hit)
        assert sum(pair.weight for pair in pairs) == pytest.approx(hit.score, rel=SAME, abs=SAME)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("question", QUESTIONS)
def test_answers_do_not_depend_on_the_device(both, question, free):
    here, there = (ask(one, Query(question, free=free, abstain=0.0)) for one in both)
    assert (there.answer, there.char_start, there.char_end) == (here.answer, here.char_start, here.char_end)
    assert there.confidence == pytest.approx(here.confidence, rel=1e-3, abs=1e-3)
    shares = [[each.share for each in reply.evidence] for reply in (here, there)]
    assert shares[1] == pytest.approx(shares[0], rel=1e-3, abs=1e-3)


def test_a_store_filled_on_a_gpu_is_the_one_the_processor_makes(tiny, archive, gpu_reatt, tmp_path):
    with Library.open(archive) as here, Library.create(tmp_path / "there") as there:
        corpus = [str(archive.parent / "corpus")]
        ingest.ingest(there, gpu_reatt, tiny, corpus, ingest.IngestOptions(), lambda _: None)
        for ours, theirs in zip(here.segments(1), there.segments(1), strict=True):
            np.testing.assert_array_equal(theirs.digests, ours.digests)
            np.testing.assert_allclose(theirs.keys.astype(float), ours.keys.astype(float), rtol=HALF, atol=HALF)
