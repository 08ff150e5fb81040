"""Read a model's tokenizer, whose kind and limits its folder's config gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reatt.weights.bounds import TOKENS
from reatt.weights.folder import ModelFolder, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from reatt.model.tokens import TextTokenizer

LONGEST, LARGEST_ID = 4096, 1 << 20


def read_tokenizer(folder: ModelFolder) -> TextTokenizer:
    """Read a model's tokenizer, with the limits that its config gives or that the released models have."""
    return TOKENIZERS[folder.config["model_type"]](folder)


def _sentence_pieces(folder: ModelFolder) -> TextTokenizer:
    from reatt.model.tokens import TextTokenizer

    asked, chunk = (number(folder, key, folder.settings.get(key, usual), 8, LONGEST) for key, usual in TOKENS.items())
    side = folder.config.get("decoder")  # a T5Gemma2 may say it of its decoder alone
    ends = {**(side if isinstance(side, dict) else {}), **folder.config}.get("eos_token_id", 1)
    end = number(folder, "eos_token_id", ends[0] if isinstance(ends, list) and ends else ends, 0, LARGEST_ID)
    return TextTokenizer(folder.path / "tokenizer.json", end=end, question_limit=asked, chunk_limit=chunk)


def _word_pieces(folder: ModelFolder) -> TextTokenizer:
    """Read a BERT's tokenizer; its texts may not have more tokens than the model has positions."""
    from reatt.model.wordpiece import TextMarks, WordPieceTokenizer

    encoder = folder.config.get("encoder")
    most = encoder.get("max_position_embeddings", 0) if isinstance(encoder, dict) else 0
    asked, chunk = (
        number(folder, key, folder.settings.get(key, min(usual, most)), 8, min(most, LONGEST))
        for key, usual in TOKENS.items()
    )
    names = ("cls_token_id", "sep_token_id", "mask_token_id", "eos_token_id")
    *marks, end = (number(folder, name, folder.config.get(name), 0, LARGEST_ID) for name in names)
    file = folder.path / "tokenizer.json"
    plain = folder.settings.get("plain_characters") is True
    marks_of = TextMarks(*marks)
    return WordPieceTokenizer(file, marks_of, end=end, question_limit=asked, chunk_limit=chunk, plain_characters=plain)


TOKENIZERS: dict[str, Callable[[ModelFolder], TextTokenizer]] = {
    "t5": _sentence_pieces,
    "bert-t5": _word_pieces,
    "t5gemma2": _sentence_pieces,
}
