"""Laws of INTRA: the decoder asks the states themselves, reads the question, and nothing is encoded twice."""

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from reatt.model.backbone import ChunkText, Limits
from reatt.model.intra import Intra
from reatt.model.pooling import edges, pooled
from reatt.model.retrieval_tokens import RetrievalTokens
from reatt.model.t5_asker import cross_queries, on_states
from reatt.weights.folder import ModelFolder
from reatt.weights.models import load_intra
from reatt.weights.t5_files import load_t5

QUESTION = "How long is parental leave in Norway?"
TEXTS = (
    "Parental leave in Norway is 49 weeks.",
    "The telescope has a mirror.",
    "Bread.",
    "Ada has the key of the fence.",
)


@pytest.fixture(scope="module")
def intra(stacked) -> Intra:
    return load_intra(stacked, "cpu")


@pytest.fixture(scope="module")
def chunks(intra) -> list[ChunkText]:
    passages = [ChunkText("T", text) for text in TEXTS]
    codes = intra.encode_chunks(passages)
    return [ChunkText(each.title, each.text, code.memory) for each, code in zip(passages, codes, strict=True)]


@pytest.mark.parametrize("shape", [{}, {"num_decoder_layers": 3, "num_heads": 3, "feed_forward_proj": "gated-gelu"}])
def test_moved_queries_meet_states_as_stock_cross_attention_does(tmp_path, shape):
    torch.manual_seed(0)
    plain = {"vocab_size": 64, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_heads": 2, "num_layers": 2}
    T5ForConditionalGeneration(T5Config(**{**plain, **shape})).save_pretrained(tmp_path)
    stock = T5ForConditionalGeneration.from_pretrained(tmp_path, attn_implementation="eager").eval()
    ours, memory, x = load_t5(tmp_path), torch.randn(1, 9, 16), torch.randn(5, 16)
    told = stock(encoder_outputs=BaseModelOutput(memory), decoder_inputs_embeds=x[None], output_attentions=True)
    found = on_states(ours, cross_queries(ours, x, ours.remember(memory))) @ memory[0].T  # (L, h, 5, 9)
    theirs = torch.cat(told.cross_attentions)  # softmax leaves all but a constant a row
    torch.testing.assert_close(found.log_softmax(-1), theirs.log(), atol=1e-4, rtol=0)


def test_a_memory_of_one_zero_vector_is_no_memory(intra):
    t5, x = intra.asker.decoder, torch.randn(4, intra.key_width)
    heard, alone = cross_queries(t5, x, t5.remember(torch.zeros(1, 1, intra.key_width)))[-1], x[None]
    empty = cross_queries(t5, x, intra.asker.remember(torch.empty(0, intra.key_width)))[-1]
    torch.testing.assert_close(empty, heard, atol=0, rtol=0)
    for block in t5.decoder.layers()[:-1]:
        alone = block.think(block.attend(alone, t5.decoder.bias(4, 4)))
    last = t5.decoder.layers()[-1]
    expected = last.cross.split(last.cross.q(last.cross_norm(last.attend(alone, t5.decoder.bias(4, 4)))))[0]
    torch.testing.assert_close(heard, expected, atol=1e-6, rtol=0)


def test_what_is_written_from_kept_states_is_what_is_written_from_text(intra, chunks):
    t5 = intra.asker.decoder
    prompt = [*intra.tokenizer.question(QUESTION).ids, t5.config.decoder_start_token_id]
    memory = torch.cat(intra.encode([intra.tokenizer.question(QUESTION), *intra.tokenizer.chunks(chunks)]))[None]
    written: list[int] = []
    while len(written) < 12 and t5.config.eos_token_id not in written[-1:]:
        states = t5.decode(torch.tensor([prompt + written]), t5.remember(memory))  # all anew, no cache
        scores = t5.logits(states[0, -1])
        scores[[t5.config.pad_token_id, *([t5.config.eos_token_id] if not written else [])]] = -torch.inf
        written.append(int(scores.argmax()))
    answer = intra.answer(QUESTION, chunks, [0.0] * len(chunks), Limits(max_tokens=12, free=True))
    assert answer.text == intra.tokenizer.decode([id for id in written if id != t5.config.eos_token_id])
    assert answer.text


def test_the_order_of_the_evidence_changes_nothing(intra, chunks):
    later = intra.rounds[1]
    one, other = (later.ask(QUESTION, order).vectors for order in (chunks, chunks[::-1]))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    answers = [intra.answer(QUESTION, order, [0.0] * 4, Limits()) for order in (chunks, chunks[::-1])]
    assert answers[0].text == answers[1].text
    assert answers[0].shares == pytest.approx(answers[1].shares[::-1], abs=1e-5)


def test_the_decoder_reads_the_question_itself(intra, chunks):
    assert intra.read(QUESTION, chunks).prompt == (
        *intra.tokenizer.question(QUESTION).ids,
        intra.asker.decoder.config.decoder_start_token_id,
    )
    memory = torch.cat([chunk.memory for chunk in chunks])  # equal for both: only what the decoder reads differs
    one, other = (intra.asks(intra.tokenizer.question(q), memory, intra.tokens) for q in (QUESTION, "Who has the key?"))
    assert (one - other).abs().amax() > 1e-2


def test_gradients_reach_the_retrieval_tokens_and_weights_and_nothing_else(intra, chunks):
    tokens = RetrievalTokens(*(each.clone().requires_grad_() for each in (intra.tokens.vectors, intra.tokens.weights)))
    asked, memory = intra.tokenizer.question(QUESTION), torch.cat([chunk.memory for chunk in chunks]).clone()
    best = (intra.asks(asked, memory, tokens) @ pooled(chunks[0].memory.clone(), 7).T).amax(-1).sum(-1)  # (L, h)
    (best * tokens.weights).sum().backward()
    assert all(each.grad.abs().sum(-1).gt(0).all() for each in (tokens.vectors, tokens.weights))
    assert all(weight.grad is None for weight in intra.asker.decoder.parameters())


def test_a_short_chunk_has_as_many_keys_as_tokens_and_no_padding(intra):
    alone = intra.encode_chunks([ChunkText("", "a")])[0]
    beside = intra.encode_chunks([ChunkText("", "a"), ChunkText("T", TEXTS[0] * 3)])[0]
    count = len(intra.tokenizer.chunks([ChunkText("", "a")])[0].ids)
    assert len(beside.keys) == min(7, count) == len(intra.key_spans(ChunkText("", "a")))
    torch.testing.assert_close(beside.keys, alone.keys, atol=1e-5, rtol=0)
    torch.testing.assert_close(pooled(alone.memory[:3], 7), alone.memory[:3])
    many = Intra(intra.asker, intra.tokenizer, intra.tokens, intra.device, parts=20)
    fewer, whole = many.encode_chunks([ChunkText("", "a"), ChunkText("T", TEXTS[0] * 3)])
    assert len(whole.keys) == 20 > count
    torch.testing.assert_close(fewer.keys, fewer.memory)  # a key for each token, as it is
    torch.testing.assert_close(fewer.memory, alone.memory, atol=1e-5, rtol=0)
    assert all(edges(length, 7) == sorted(set(edges(length, 7))) for length in range(1, 50))


def test_the_first_round_is_a_raw_maxsim_over_several_keys(intra):
    """A chunk flattened and normalised into one vector, as in the public reproduction, loses thirty points."""
    keys, asked = intra.encode_chunks([ChunkText("T", TEXTS[0] * 2)])[0].keys, intra.rounds[0].ask(QUESTION, ())
    assert keys.shape == (7, intra.key_width)
    assert (keys.norm(dim=1) - 1).abs().amax() > 0.1
    torch.testing.assert_close(asked.vectors, intra.encode([intra.tokenizer.question(QUESTION)])[0])


def test_heads_of_negligible_weight_do_not_ask(intra, chunks):
    weights = torch.tensor([[1.0, 1e-4], [-0.5, 0.0]])
    some = Intra(intra.asker, intra.tokenizer, RetrievalTokens(intra.tokens.vectors, weights), intra.device)
    asked = some.rounds[1].ask(QUESTION, chunks)
    assert set(asked.heads) == {(0, 0), (1, 0)}
    assert asked.weights.tolist() == [1.0] * 64 + [-0.5] * 64


def test_states_of_a_model_that_says_so_find_by_their_cosine_and_are_asked_as_they_are(write_bert, tmp_path):
    raw, cosine = (
        load_intra(ModelFolder(write_bert(tmp_path / name, intra=said)), "cpu")
        for name, said in (("raw", None), ("cosine", {"unit_states": True}))
    )
    passages = [ChunkText("T", text) for text in TEXTS]
    plain, keys = ([code.keys for code in each.encode_chunks(passages)] for each in (raw, cosine))
    asked = cosine.rounds[0].ask(QUESTION, ())
    states = raw.rounds[0].ask(QUESTION, ()).vectors
    for own, ended in zip(plain, keys, strict=True):
        found = (asked.vectors @ ended.T) * ended.T[asked.scaled_by]
        expected = torch.nn.functional.cosine_similarity(states[:, None], own[None], dim=-1)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    memory = [
        ChunkText(p.title, p.text, code.memory) for p, code in zip(passages, raw.encode_chunks(passages), strict=True)
    ]
    later = [each.rounds[1].ask(QUESTION, memory) for each in (raw, cosine)]
    assert later[1].scaled_by is None
    torch.testing.assert_close(later[1].vectors @ keys[0].T, later[0].vectors @ plain[0].T, atol=1e-4, rtol=1e-4)
    assert cosine.fingerprint() != raw.fingerprint()
