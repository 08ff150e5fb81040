"""A tiny random model with a BERT encoder and a T5 decoder, laid out as docs/model-format.md says."""

import json
import re

import pytest

from tests.texts import LEAVE, NOUNS, TRAVEL

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SHAPE = {"num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 192}
DECODER = {"num_layers": 2, "num_heads": 2, "d_kv": 8, "d_ff": 24}
RETRIEVAL = {"width": 12, "unit_keys": True, "unit_queries": True}
DEEP = {"retrieval_layer": 1, "retrieval": {**RETRIEVAL, "depth": 3}}
WORDS = """what when where how many much why which was is did does the of and in at a to question title context number
    painted weeks bring took near""".split()


def bert_config(vocabulary, **changes):
    """Give the config of a tiny model; `changes` replace its entries."""
    ids = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "mask_token_id": 4}
    config = {
        "model_type": "bert-t5", "vocab_size": vocabulary, "hidden_size": 32, "encoder": SHAPE, "decoder": DECODER,
        **ids, "decoder_start_token_id": 2, "eos_token_id": 3, "retrieval_layer": 2, "retrieval": RETRIEVAL,
        "pointer": {"pair_width": 3, "candidates": 4},
        "reatt": {"name": "tiny-bert", "question_tokens": 48, "chunk_tokens": 160},
    }  # fmt: skip
    return {key: value for key, value in {**config, **changes}.items() if value is not None}


def write_bert_folder(folder, seed=0, *, eight_bits=False, **changes):
    """Write a tiny model with random weights: equal words match, since its keys are its queries."""
    import torch
    from safetensors.torch import save_file

    from reatt.model.stacks.names import published
    from reatt.weights import bert_files, bert_shape

    folder.mkdir(parents=True, exist_ok=True)
    config = bert_config(write_word_pieces(folder / "tokenizer.json"), **changes)
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(seed)
    model = bert_files.unfilled(bert_shape.read_shape(folder)).to_empty(device="cpu")
    for name, weight in model.named_parameters():
        weight.data.normal_(0, 0.3).add_("norm.weight" in name)
    if model.retrieval is not None:
        model.retrieval.k.weight.data.copy_(model.retrieval.q.weight)
        for buffer in model.retrieval.buffers():
            buffer.fill_(8.0)
    if eight_bits:
        save_file(bert_files.eight_bits(model.shared.weight.data), folder / "embeddings.safetensors")
        model.fixed = (model.shared,)
    weights = {name: weight.detach().clone() for name, weight in published(model).items()}
    save_file(weights, folder / "model.safetensors")
    return folder


def write_word_pieces(file):
    """Write a tokenizer of BERT's kind, of whole words and single letters; return how many ids it has."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    letters += (
        "\u00df\ufb01\u0131\u03c3\u03c2\u65e5\u672c\u1112\u1161\u11ab\u1100\u1173\u11af\u0928\u092f\u093e\u01c6\u20ac"
    )
    words = re.findall(r"\w+", " ".join([LEAVE, TRAVEL, *NOUNS, *WORDS, "yes no"]).lower())
    pieces = dict.fromkeys([*MARKS, *letters, *(f"##{letter}" for letter in letters), *words])
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(MARKS)
    tokenizer.save(str(file))
    return tokenizer.get_vocab_size()


@pytest.fixture(scope="session")
def write_bert():
    """Return the function that writes such a model."""
    return write_bert_folder


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    """Name the folder of a tiny model with a BERT encoder and a T5 decoder, and a pointer."""
    return write_bert_folder(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture(scope="session")
def tiny_bert(bert):
    """Name its folder as the engine does."""
    from reatt.weights.folder import ModelFolder

    return ModelFolder(bert)


@pytest.fixture(scope="session")
def tiny_deep(tmp_path_factory):
    """Name the folder of one that finds by the states of a text read alone, two blocks above where it reads jointly."""
    from reatt.weights.folder import ModelFolder

    return ModelFolder(write_bert_folder(tmp_path_factory.mktemp("models") / "tiny-deep", **DEEP))


@pytest.fixture(scope="session", params=["tiny", "tiny_bert", "tiny_deep"])
def stacked(request):
    """Name the folder of a tiny model of each encoder in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def stacked_reatt(stacked):
    """Load it."""
    from reatt.weights import models

    return models.load(stacked, "cpu")


@pytest.fixture(scope="session")
def bert_reatt(bert):
    """Load it."""
    from reatt.weights import models
    from reatt.weights.folder import ModelFolder

    return models.load(ModelFolder(bert), "cpu")
