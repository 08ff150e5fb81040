"""A tokenizer makes no text much longer, and is refused before it is loaded if it could."""

import json
import shutil
from base64 import b64encode

import pytest

from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt.weights.tokenizer_bounds import LARGEST, check
from reatt_store.errors import ModelError


@pytest.fixture
def folder(model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(model, tmp_path / "theirs")
    return ModelFolder(tmp_path / "theirs")


def replacing(found, content):
    return {"type": "Replace", "pattern": found, "content": content}


def table(*texts):
    """What SentencePiece has in the place of some characters."""
    packed = (4).to_bytes(4, "little") + bytes(4) + b"".join(text.encode() + b"\0" for text in texts)
    return {"type": "Precompiled", "precompiled_charsmap": b64encode(packed).decode()}


def many(*steps):
    return {"type": "Sequence", "normalizers": list(steps)}


DOUBLED = replacing({"String": "a"}, "aa")
MARKS = {"X": {"id": "X", "ids": [1] * 99, "tokens": ["a"] * 99}}
HARMFUL = {
    "doubles a letter forty times": {"normalizer": many(*[DOUBLED] * 40)},
    "doubles it in two places": {"normalizer": many(*[DOUBLED] * 7), "pre_tokenizer": many(*[DOUBLED] * 7)},
    "doubles it in a sequence of sequences": {"normalizer": many(many(many(*[DOUBLED] * 40)))},
    "puts a book in the place of each letter": {"normalizer": replacing({"Regex": "."}, "book" * 2000)},
    "puts a book between letters": {"normalizer": replacing({"String": ""}, "book" * 2000)},
    "puts a book before each text": {"normalizer": {"type": "Prepend", "prepend": "book" * 2000}},
    "has a table with a book": {"normalizer": table("a", "book" * 2000)},
    "has a damaged table": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "é"}},
    "composes and takes apart": {"normalizer": many(*[{"type": "NFKD"}, replacing({"String": "a"}, "b")] * 4)},
    "decodes to a book": {"decoder": {"type": "Sequence", "decoders": [DOUBLED] * 40}},
    "has a token of a book": {"added_tokens": [{"id": 1, "content": "book" * 2000}]},
    "marks each text a hundred times": {"post_processor": {"type": "TemplateProcessing", "special_tokens": MARKS}},
    "looks for pieces of endless words": {"model": {"type": "WordPiece", "max_input_chars_per_word": 1 << 60}},
    "is nested": {"normalizer": json.loads("[" * 50 + "]" * 50)},
}  # fmt: skip


@pytest.mark.parametrize("changes", HARMFUL.values(), ids=HARMFUL)
def test_a_tokenizer_that_could_make_very_much_of_little_is_refused(changes, folder):
    file = folder.path / "tokenizer.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    with pytest.raises(ModelError, match=r"cannot read .*tokenizer\.json"):
        models.load(folder, "cpu")


def test_a_tokenizer_that_is_too_large_or_no_object_is_refused(folder):
    file = folder.path / "tokenizer.json"
    for content, why in ((b" " * (LARGEST + 1), "more than"), (b"[]", "no JSON object"), (b"\xff", "utf-8")):
        file.write_bytes(content)
        with pytest.raises(ModelError, match=why):
            check(file)


LONGEST_OF_T5 = "صلى الله عليه وسلم"  # what Unicode has for U+FDFA
USUAL = {
    "T5": {"normalizer": many(table(LONGEST_OF_T5), replacing({"Regex": " {2,}"}, " "))},
    "Gemma": {
        "normalizer": replacing({"String": " "}, "▁"),
        "decoder": {"decoders": [replacing({"String": "▁"}, " "), {"type": "ByteFallback"}, {"type": "Fuse"}]},
    },
    "BERT": {"normalizer": {"type": "BertNormalizer"}, "model": {"max_input_chars_per_word": 100}},
    "nothing": {"normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None},
}  # fmt: skip


@pytest.mark.parametrize("parts", USUAL.values(), ids=USUAL)
def test_what_tokenizers_usually_do_is_allowed(parts, tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps(parts))
    check(tmp_path / "tokenizer.json")
