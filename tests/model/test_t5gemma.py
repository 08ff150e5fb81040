"""Laws of T5Gemma2: what transformers computes, asked from states alone, over a memory that may be empty."""

import json
import shutil

import pytest
import torch
from transformers import AttentionInterface, T5Gemma2ForConditionalGeneration
from transformers.masking_utils import AttentionMaskInterface, eager_mask
from transformers.modeling_outputs import BaseModelOutput
from transformers.models.t5gemma2.modeling_t5gemma2 import eager_attention_forward

from reatt.model.answers.decoding import generate
from reatt.model.backbone import ChunkText, Limits
from reatt.model.intra import Intra
from reatt.model.pooling import pooled
from reatt.model.retrieval_tokens import RetrievalTokens
from reatt.weights.folder import ModelFolder
from reatt.weights.models import load_intra
from reatt.weights.t5_files import read_weights
from reatt.weights.t5gemma_files import EYES
from reatt_store.errors import ModelError

QUESTION = "How long is parental leave in Norway?"
TEXTS = ("Parental leave in Norway is 49 weeks.", "The telescope has a mirror.", "Bread.", "Ada has the key.")
SCORES = []  # (h, m, n + t) of each layer of a stock decoder, before softmax


@pytest.fixture(scope="module")
def intra(t5gemma) -> Intra:
    return load_intra(ModelFolder(t5gemma), "cpu")


@pytest.fixture(scope="module")
def stock(t5gemma):
    def recorded(module, query, key, value, mask, **rest):
        keys = key.repeat_interleave(module.num_key_value_groups, 1)
        SCORES.append((query @ keys.transpose(2, 3) * module.scaling)[0].detach())
        return eager_attention_forward(module, query, key, value, mask, **rest)

    AttentionInterface.register("recorded", recorded)
    AttentionMaskInterface.register("recorded", eager_mask)
    return T5Gemma2ForConditionalGeneration.from_pretrained(t5gemma, attn_implementation="recorded").eval()


@pytest.fixture(scope="module")
def chunks(intra) -> list[ChunkText]:
    passages = [ChunkText("T", text) for text in TEXTS]
    codes = intra.encode_chunks(passages)
    return [ChunkText(each.title, each.text, code.memory) for each, code in zip(passages, codes, strict=True)]


def alone(stock, intra, chunks):
    """Encode chunks by transformers, each alone -> (1, t, D)."""
    rows = [torch.tensor([tokens.ids]) for tokens in intra.tokenizer.chunks(chunks)]
    return torch.cat([stock.model.encoder(input_ids=row).last_hidden_state for row in rows], 1)


def shifted(folder, to, **settings):
    """Copy a model with other settings of ours."""
    shutil.copytree(folder, to)
    raw = json.loads((to / "config.json").read_text())
    (to / "config.json").write_text(json.dumps({**raw, "reatt": {**raw["reatt"], **settings}}))
    return ModelFolder(to)


def test_states_are_those_of_transformers_whatever_stands_beside(stock, intra, chunks):
    kept = torch.cat([chunk.memory for chunk in chunks])  # encoded in one batch, with padding
    torch.testing.assert_close(kept, alone(stock, intra, chunks)[0], atol=1e-5, rtol=0)


def test_the_eyes_are_not_there_and_one_embedding_serves_for_all(intra):
    model, names = intra.asker, dict(intra.asker.named_parameters(remove_duplicate=False))
    assert not [name for name in names if "vision" in name or "modal" in name]
    assert model.head is model.encoder.embed_tokens.weight is model.stack.embed_tokens.weight
    assert not any(weight.is_meta or weight.requires_grad for weight in [*names.values(), *model.buffers()])


def test_weights_are_given_under_the_names_of_their_file(t5gemma, intra):
    kept = {name.replace(".text_model.", "."): each for name, each in read_weights(t5gemma, EYES)}
    found = intra.asker.published()
    assert found.keys() <= kept.keys()
    assert all(torch.equal(found[name], kept[name]) for name in found)
    assert all("embed_tokens" in name or "lm_head" in name for name in kept.keys() - found.keys())


@pytest.mark.parametrize("count", [1, 40])
def test_moved_queries_meet_keys_as_stock_attention_meets_the_memory(stock, intra, count):
    """Grouped heads, positions on queries alone, norms around 1: `q * k_norm.weight` without the 1 would be far off."""
    torch.manual_seed(count)
    memory, x = 3 * torch.randn(9, 32), torch.randn(count, 32)
    SCORES.clear()
    stock.model.decoder(inputs_embeds=x[None], encoder_hidden_states=memory[None])
    theirs = torch.stack(SCORES)[..., -9:]  # (L, h, n, t)
    moved, keys = intra.asker.on_states(intra.asker.queries(x, intra.asker.remember(memory))), intra.asker.keys(memory)
    found = (moved @ keys.T) * keys[:, intra.asker.columns].permute(1, 2, 0)[:, :, None]
    torch.testing.assert_close(found, theirs, atol=1e-4, rtol=0)
    assert theirs.std() > 0.1


def test_generation_from_stored_states_is_generation_from_text_token_for_token(stock, intra, chunks):
    prompt = intra.read(QUESTION, chunks).prompt
    memory = alone(stock, intra, chunks)
    written = stock.generate(
        encoder_outputs=BaseModelOutput(memory), attention_mask=memory[..., 0] > -torch.inf,
        decoder_input_ids=torch.tensor([prompt]),
        max_new_tokens=20, min_new_tokens=20, do_sample=False, suppress_tokens=[0, 1],
    )[0, len(prompt) :].tolist()  # fmt: skip
    found = generate(intra.asker.decoder, intra.read(QUESTION, chunks).cache, Limits(20), None, prompt)[0].ids
    assert len(prompt) > 16  # the window of its sliding layers
    assert list(found) == written


def test_beams_over_one_memory_go_on_from_their_own_pasts(intra, chunks):
    reading, decoder = intra.read(QUESTION, chunks), intra.asker.decoder
    for found in generate(decoder, reading.cache, Limits(6, beams=3), None, reading.prompt):
        ids = torch.tensor([[*reading.prompt, *found.ids, 1]])
        scores = decoder.logits(decoder.decode(ids[:, :-1], intra.read(QUESTION, chunks).cache))[0].log_softmax(-1)
        total = scores[len(reading.prompt) - 1 :].gather(1, ids[0, len(reading.prompt) :, None]).sum()
        assert found.log_probability == pytest.approx(float(total), abs=1e-3)


def test_an_empty_memory_is_one_that_stock_attention_masks_whole(stock, intra):
    prompt = torch.tensor([intra.read(QUESTION, []).prompt])
    nothing = {"encoder_hidden_states": torch.randn(1, 1, 32), "encoder_attention_mask": torch.zeros(1, 1)}
    expected = stock.model.decoder(input_ids=prompt, **nothing).last_hidden_state
    found = intra.asker.decode(prompt, intra.asker.remember(torch.empty(0, 32)))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert intra.rounds[1].ask(QUESTION, ()).vectors.isfinite().all()


def test_the_order_of_the_evidence_changes_nothing(intra, chunks):
    one, other = (intra.rounds[1].ask(QUESTION, order).vectors for order in (chunks, chunks[::-1]))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
    answers = [intra.answer(QUESTION, order, [0.0] * 4, Limits()) for order in (chunks, chunks[::-1])]
    assert answers[0].text == answers[1].text
    assert answers[0].shares == pytest.approx(answers[1].shares[::-1], abs=1e-4)


def test_the_question_is_in_the_decoders_input_and_only_there(intra, chunks):
    start, *prompt = intra.read(QUESTION, chunks).prompt
    assert start == 2
    assert intra.tokenizer.decode(prompt) == f"question: {QUESTION} answer:"
    memory, owner = intra.context(intra.tokenizer.question(QUESTION), chunks)
    assert len(memory) == sum(len(chunk.memory) for chunk in chunks)
    assert owner.unique().tolist() == [0, 1, 2, 3]
    one, other = (intra.asks(intra.tokenizer.question(q), memory, intra.tokens) for q in (QUESTION, "Who has the key?"))
    assert (one - other).abs().amax() > 1e-2


def test_gradients_reach_the_retrieval_tokens_and_weights_and_nothing_else(intra, chunks):
    tokens = RetrievalTokens(*(each.clone().requires_grad_() for each in (intra.tokens.vectors, intra.tokens.weights)))
    memory = torch.cat([chunk.memory for chunk in chunks]).clone()
    asking = intra.asks(intra.tokenizer.question(QUESTION), memory, tokens)
    keys = intra.asker.keys(pooled(chunks[0].memory.clone(), 7))
    ((asking @ keys.T).amax(-1).sum(-1) * tokens.weights).sum().backward()
    assert all(each.grad.abs().sum(-1).gt(0).all() for each in (tokens.vectors, tokens.weights))
    assert all(weight.grad is None for weight in intra.asker.parameters())


def test_the_first_round_asks_the_states_themselves_by_raw_products(intra, chunks):
    """Not one flattened vector of length 1, as in the public reproduction, and no scale of the decoder's."""
    asked = intra.rounds[0].ask(QUESTION, ())
    keys = intra.encode_chunks(chunks[:1])[0].keys
    states = intra.encode([intra.tokenizer.question(QUESTION)])[0]
    assert keys.shape == (7, 32 + 3 * 2)
    assert asked.scaled_by is None
    expected = states @ pooled(chunks[0].memory, 7).T
    torch.testing.assert_close(asked.vectors @ keys.T, expected, atol=1e-4, rtol=0)
    assert (keys[:, :32].norm(dim=1) - 1).abs().amax() > 0.1


def test_a_checkpoint_trained_so_is_asked_by_the_papers_form_without_scales(t5gemma, intra, tmp_path):
    paper = load_intra(shifted(t5gemma, tmp_path / "paper", rqwk="paper"), "cpu")
    code = paper.encode_chunks([ChunkText("T", TEXTS[0])])[0]
    torch.testing.assert_close(code.memory.square().mean(1), torch.ones(len(code.memory)), atol=1e-4, rtol=0)
    cache, x = paper.asker.remember(code.memory), torch.randn(3, 32)
    heard = paper.asker.queries(x, cache)
    own = torch.stack([keys[0].repeat_interleave(2, 0) for keys, _ in cache.memory])  # (L, h, t, w)
    torch.testing.assert_close(paper.asker.on_states(heard) @ code.memory.T, heard @ own.mT, atol=1e-4, rtol=0)
    assert (paper.key_width, paper.asker.columns) == (32, None)
    assert paper.fingerprint() != intra.fingerprint()


def test_a_form_without_a_name_is_told(t5gemma, tmp_path):
    with pytest.raises(ModelError, match="rqwk is 'other'; expected exact or paper"):
        load_intra(shifted(t5gemma, tmp_path / "other", rqwk="other"), "cpu")


def test_keys_depend_on_the_decoders_key_projections_and_so_does_the_fingerprint(t5gemma, intra):
    other = load_intra(ModelFolder(t5gemma), "cpu")
    assert other.fingerprint() == intra.fingerprint()
    other.asker.layers[1].self_attn.k_proj.weight[0, 0] += 1
    assert other.fingerprint() != intra.fingerprint()
