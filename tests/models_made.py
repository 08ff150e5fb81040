"""Models that tests use: tiny and random, laid out as they are published."""

import json

import pytest

from tests.texts import LEAVE, NOUNS, TRAVEL


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Make a model folder: a random T5 of two layers a side over single characters, with a retrieval head."""
    import json

    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    from reatt.model.t5 import T5, T5Config
    from reatt.model.t5_names import published_weights

    torch.manual_seed(0)
    shape = {"vocab_size": 100, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_heads": 2, "num_layers": 2}
    config = {"model_type": "t5", **shape, "feed_forward_proj": "gated-gelu", "retrieval_layer": 1, "retrieval_head": 0}
    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    weights = published_weights(T5(T5Config.from_json({**config, "tie_word_embeddings": False})))
    save_file({name: weight.detach().clone() for name, weight in weights.items()}, folder / "model.safetensors")
    letters = [(chr(code), -3.0) for code in range(33, 127)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), ("\u2581", -2.0), *letters, ("<extra_id_0>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>", "<extra_id_0>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def released():
    """Write a tiny random model laid out as the published ReAtt ones are: a pickle, a position table in every block."""
    return write_released


def write_released(folder, **changes):
    import torch

    from reatt.model.t5 import T5, T5Config
    from reatt.model.t5_names import published_weights

    shape = {"vocab_size": 100, "d_model": 32, "d_ff": 64, "d_kv": 8, "num_heads": 4, "num_layers": 4}
    config = {
        "architectures": ["ReAttForConditionalGeneration"], "model_type": "t5", **shape, "num_decoder_layers": 4,
        "feed_forward_proj": "gated-gelu", "relative_attention_num_buckets": 32, "tie_word_embeddings": False,
        "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "transformers_version": "4.15.0",
        "retrieval_layer": 2, "retrieval_head": 3, "distillation_tau": 0.001, **changes,
    }  # fmt: skip
    torch.manual_seed(0)
    weights = {name: weight.clone() for name, weight in published_weights(T5(T5Config.from_json(config))).items()}
    weights |= {f"{side}.embed_tokens.weight": weights["shared.weight"].clone() for side in ("encoder", "decoder")}
    for side in ("encoder", "decoder"):
        table = f"{side}.block.{{}}.layer.0.SelfAttention.relative_attention_bias.weight"
        weights |= {table.format(i): weights[table.format(0)].clone() for i in range(1, 4)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    torch.save(weights, folder / "pytorch_model.bin")
    write_letters(folder / "tokenizer.json")
    return folder


def write_letters(file):
    """Write a tokenizer of the kind that T5 has, whose pieces are single letters."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    special = ["<pad>", "</s>", "<unk>", "<extra_id_0>"]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), ("\u2581", -2.0)]
    pieces += [(chr(code), -3.0) for code in range(33, 127)]
    tokenizer = Tokenizer(models.Unigram([*pieces, ("<extra_id_0>", 0.0)], unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(special)
    tokenizer.save(str(file))


@pytest.fixture(scope="session")
def write_model():
    """Return a function that writes a tiny model with random weights; equal seeds make equal models.

    Its retrieval head's keys are its queries enlarged, so that equal words match, as in a trained one.
    """
    import torch
    from safetensors.torch import save_file

    from reatt.model.t5 import T5, T5Config
    from reatt.model.t5_names import published_weights

    def write(folder, seed=0, chunk_tokens=160):
        folder.mkdir(parents=True, exist_ok=True)
        vocabulary = _write_tokenizer(folder / "tokenizer.json")
        shape = {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_heads": 2, "num_layers": 2, "tie_word_embeddings": False}
        config = {"model_type": "t5", "vocab_size": vocabulary, **shape, "feed_forward_proj": "gated-gelu"}
        ours = {"name": f"tiny-{seed}", "question_tokens": 48, "chunk_tokens": chunk_tokens}
        raw = {**config, "retrieval_layer": 1, "retrieval_head": 1, "reatt": ours}
        (folder / "config.json").write_text(json.dumps(raw))
        torch.manual_seed(seed)
        t5 = T5(T5Config.from_json(raw))
        attention = t5.encoder.layers()[1].attention
        attention.k.weight.data = 4 * attention.q.weight.data
        weights = {name: weight.detach().clone() for name, weight in published_weights(t5).items()}
        save_file(weights, folder / "model.safetensors")
        return folder

    return write


def _write_tokenizer(file):
    """Train a lossless tokenizer of the bundled one's kind; return how many ids it has."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Prepend(" ")
    words = pre_tokenizers.Split(Regex(r" ?[\p{L}\p{M}]+| ?\p{N}{1,4}| ?[^\s\p{L}\p{M}\p{N}]+|\s+"), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    marks = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=marks, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([LEAVE, TRAVEL, " ".join(NOUNS), "title: context: question: yes no"], trainer)
    tokenizer.save(str(file))
    return tokenizer.get_vocab_size()


@pytest.fixture(scope="session")
def t5gemma(tmp_path_factory):
    """Name the folder of a tiny random T5Gemma2 as transformers saves one: shards, eyes, two query heads a key head."""
    import torch
    from transformers import T5Gemma2Config, T5Gemma2ForConditionalGeneration

    folder = tmp_path_factory.mktemp("models") / "t5gemma"
    folder.mkdir()
    shape = {"vocab_size": _write_gemmas_tokenizer(folder / "tokenizer.json"), "hidden_size": 32}
    shape |= {"intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2}
    shape |= {"head_dim": 8, "query_pre_attn_scalar": 16, "sliding_window": 16}
    shape |= {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}
    eyes = {"model_type": "siglip_vision_model", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    eyes |= {"num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    encoder = {"text_config": shape, "vision_config": eyes, "mm_tokens_per_image": 4}
    torch.manual_seed(0)
    model = T5Gemma2ForConditionalGeneration(T5Gemma2Config(encoder=encoder, decoder=shape))
    for name, weight in model.named_parameters():  # fresh norms are all zero, which would hide that they are centred
        weight.data.normal_(0, 0.5 if "norm" in name else 0.2)
    model.save_pretrained(folder, max_shard_size="60KB")
    raw = json.loads((folder / "config.json").read_text())
    ours = {"name": "tiny-t5gemma", "question_tokens": 48, "chunk_tokens": 160}
    (folder / "config.json").write_text(json.dumps({**raw, "reatt": ours}))
    return folder


def _write_gemmas_tokenizer(file):
    """Train a small tokenizer of Gemma's kind, which puts a mark before every text; return how many ids it has."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing("<bos> $A", "<bos> $A <bos> $B", [("<bos>", 2)])
    marks = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=440, special_tokens=marks[:4], show_progress=False)
    texts = [LEAVE, TRAVEL, " ".join(NOUNS), "title: context: question: answer: yes no The of"]
    tokenizer.train_from_iterator(texts, trainer)
    raw = json.loads(tokenizer.to_str())
    vocabulary = raw["model"]["vocab"]
    for byte in marks[4:]:  # as pieces, not as marks
        vocabulary.setdefault(byte, len(vocabulary))
    file.write_text(json.dumps(raw))
    return len(vocabulary)
