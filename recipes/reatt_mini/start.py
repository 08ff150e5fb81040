"""Initial weights: T5's own, except for circuits that a small model is slow to find and that can be wired by hand.

Of the model's 256 dimensions, CONTENT hold what a token means (a sentence encoder's token embeddings, reduced, where
one is given; capitals share them with small letters), PREVIOUS hold what the token before it means, and the rest are
flags: capital, digit, question word, how rare, where a question ends and a chunk begins. On them stand:
- looking around: encoder heads 0 to 3 start on the token before, the token after, the near and the wide surroundings;
- matching: head `HEAD` of block B starts as a product of contents, heavier the rarer the token: BM25's idea;
- aligning: in the joint blocks one head of each chunk token looks for its like in the question, one counts it;
- pointing and copying: the decoder's last cross-attention starts by looking, with the start token, for what training
  makes of the answer's beginning, and with any other token for the place whose previous token it is; it writes the
  token found there, which the tied output turns into its word.

Each is a handful of weights that training goes on from. Measured in docs/LOG.md.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders
from torch import Tensor

from reatt.model.reatt import Head
from reatt.model.stacks.t5_layers import Attention, FeedForward
from reatt.model.t5 import T5, T5Config, t5_encoder

SHAPE = T5Config(
    vocab_size=24_000,
    d_model=256,
    d_kv=64,
    d_ff=768,
    num_heads=6,
    num_layers=8,
    num_decoder_layers=3,
    dropout_rate=0.0,
    tie_word_embeddings=True,
    scale_decoder_outputs=True,
)
HEAD = Head(layer=3, number=3)
CONTENT, PREVIOUS = slice(0, 160), slice(160, 224)
CAPITAL, WORD, DIGIT, MARK, ONE, END, IN_CHUNK, MATCHED, ASKING, SINK, START, COMMON = range(224, 236)
QUESTION_WORDS = frozenset("who what when where which why how many much whom whose long".split())
ALIGN, COUNT = SHAPE.num_heads - 1, SHAPE.num_heads - 2  # heads of the joint blocks
QUIET = 0.3  # scale of what blocks add at first: embeddings stay readable
RARE = 14.0  # a token of frequency exp(-14) counts fully
DISTANCES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91)  # lowest distance of each position bucket


@torch.no_grad()
def initialise(seed: int, tokenizer: Tokenizer, frequencies: Tensor, teacher: Path | None) -> T5:
    """Build the model with its initial weights; `frequencies` (V,) are the tokens' shares of the training text."""
    torch.manual_seed(seed)
    model = T5(SHAPE)
    for module in model.modules():
        if isinstance(module, Attention):
            _attention(module)
        if isinstance(module, FeedForward):
            for projection in module.wi:
                projection.weight.normal_(0, SHAPE.d_model**-0.5)  # type: ignore[operator]
            module.wo.weight.normal_(0, QUIET / 2 * SHAPE.d_ff**-0.5)
    content = _taught(tokenizer, teacher) if teacher else torch.randn(SHAPE.vocab_size, CONTENT.stop)
    _embed(model, tokenizer, content, frequencies)
    look = _wire_surroundings(model)
    _wire_questions(model)
    _wire_matching(model)
    _wire_decoder(model, look)
    return model


def _attention(attention: Attention) -> None:
    inner = SHAPE.num_heads * SHAPE.d_kv
    attention.q.weight.normal_(0, (SHAPE.d_model * SHAPE.d_kv) ** -0.5)
    attention.k.weight.normal_(0, SHAPE.d_model**-0.5)
    attention.v.weight.normal_(0, SHAPE.d_model**-0.5)
    attention.o.weight.normal_(0, QUIET * inner**-0.5)


def _taught(tokenizer: Tokenizer, teacher: Path) -> Tensor:
    """Average a sentence encoder's embeddings over each token's pieces, centred and reduced to CONTENT's width."""
    weights = load_file(teacher / "model.safetensors")
    table = next(w for name, w in weights.items() if name.endswith("word_embeddings.weight")).float()
    pieces = Tokenizer.from_file(str(teacher / "tokenizer.json"))
    pieces.no_truncation()
    pieces.no_padding()
    inner, found, read = pieces.get_vocab(), {}, decoders.ByteLevel()
    for token, number in tokenizer.get_vocab().items():
        text = read.decode([token])
        if "\ufffd" in text or not text.strip() or (token.startswith("<") and token.endswith(">")):
            continue
        inside = inner.get("##" + text.lower())
        ids = [inside] if inside is not None else pieces.encode(text.strip(), add_special_tokens=False).ids
        if ids:
            found[number] = table[ids].mean(0)
    known = torch.tensor(sorted(found))
    rows = torch.stack([found[n] for n in known.tolist()])
    centred = rows - rows.mean(0)
    basis = torch.linalg.svd(centred, full_matrices=False)[2][: CONTENT.stop]
    reduced = centred @ basis.T
    reduced /= reduced.pow(2).mean(0).pow(0.25)  # half-way to equal variance: names differ in the small directions
    content = torch.randn(SHAPE.vocab_size, CONTENT.stop)
    content[known] = reduced
    return content / content.pow(2).mean(1, keepdim=True).sqrt()


def _embed(model: T5, tokenizer: Tokenizer, content: Tensor, frequencies: Tensor) -> None:
    table, vocabulary = model.shared.weight, tokenizer.get_vocab()
    for token, number in vocabulary.items():  # capitals mean what small letters mean
        small = vocabulary.get(token[:1] + token[1:].lower())
        if token.startswith("Ġ") and small is not None:
            content[number] = content[small]
            frequencies[number] = frequencies[[number, small]].max()
    share = (-frequencies.clamp(min=1e-7).log() / RARE).clamp(0.4, 1.0)  # (V,)
    table.normal_(0, 0.1)
    table[:, CONTENT] = content * share[:, None]
    table[:, COMMON] = (CONTENT.stop * (1 - share**2)).sqrt()  # the norm stays, so that the share survives it
    for token, number in vocabulary.items():
        word = token.lstrip("Ġ")
        table[number, CAPITAL] = 1.5 if word[:1].isupper() else -0.3
        table[number, WORD] = 0.7 if token.startswith("Ġ") else -1.0
        table[number, DIGIT] = 2.5 if word[:1].isdigit() else -0.2
        table[number, MARK] = 2.0 if not word[:1].isalnum() else -0.2
        table[number, ASKING] = 4.0 if token.startswith("Ġ") and word.lower() in QUESTION_WORDS else 0.0
    table[:, PREVIOUS] = 0
    table[:, ONE] = 1
    table[:, [END, IN_CHUNK, MATCHED, SINK, START]] = 0
    for special, flag in ((SHAPE.eos_token_id, END), (SHAPE.decoder_start_token_id, START)):
        table[special] = 0
        table[special, flag], table[special, ONE] = 8, 1
    table[vocabulary["Ġquestion"], SINK] = 4


def _rows(head: int) -> slice:
    return slice(head * SHAPE.d_kv, (head + 1) * SHAPE.d_kv)


def _clear(attention: Attention, head: int) -> int:
    """Empty a head's queries and keys -> its first row."""
    attention.q.weight[_rows(head)] = 0
    attention.k.weight[_rows(head)] = 0
    return head * SHAPE.d_kv


def _wire_surroundings(model: T5) -> Tensor:
    """Let heads look around -> how the previous token is written down: (d, CONTENT)."""
    bias, after = t5_encoder(model).position.weight, SHAPE.relative_attention_num_buckets // 2
    bias.zero_()
    bias[1, 0] = bias[after + 1, 1] = 7.0
    for bucket, distance in enumerate(DISTANCES):
        bias[[bucket, after + bucket], 2] = -0.5 * min(distance, 14)
        bias[[bucket, after + bucket], 3] = -0.12 * min(distance, 60)
    model.decoder.position.weight.zero_()
    first = t5_encoder(model).layers()[0].attention
    look = _orthogonal(CONTENT.stop)[: SHAPE.d_kv]  # (d, content)
    _clear(first, 0)
    first.v.weight[_rows(0)] = 0
    first.v.weight[_rows(0), CONTENT] = look
    first.o.weight[:, _rows(0)] = 0
    first.o.weight[PREVIOUS, _rows(0)] = torch.eye(SHAPE.d_kv)
    return look


def _wire_questions(model: T5) -> None:
    """Mark chunks by their end mark (a question is read without), then let their tokens look at the question."""
    blocks, d = t5_encoder(model).layers(), SHAPE.d_kv
    row = _clear(blocks[0].attention, ALIGN)
    first = blocks[0].attention
    first.q.weight[row, ONE], first.k.weight[row, END] = 1.0, 0.75
    first.v.weight[row], first.o.weight[:, row] = 0, 0
    first.v.weight[row, END], first.o.weight[IN_CHUNK, row] = 1 / 16, 2.0
    basis = _orthogonal(CONTENT.stop)
    for block in blocks[HEAD.layer :]:
        joint = block.attention
        row = _clear(joint, ALIGN)
        for weight in (joint.q.weight, joint.k.weight):
            weight[row : row + d - 1, CONTENT] = 0.5 * basis[: d - 1]
        joint.q.weight[row + d - 1, ONE], joint.k.weight[row + d - 1, IN_CHUNK] = 4, -4
        row = _clear(joint, COUNT)
        if block is not blocks[HEAD.layer]:
            joint.q.weight[row, ONE], joint.k.weight[row, ASKING], joint.k.weight[row, IN_CHUNK] = 3, 1.2, -4
            continue
        for weight in (joint.q.weight, joint.k.weight):
            weight[row : row + d - 1, CONTENT] = 0.8 * basis[d : 2 * d - 1]
        joint.q.weight[row + d - 1, ONE] = 4
        joint.k.weight[row + d - 1, IN_CHUNK], joint.k.weight[row + d - 1, SINK] = -5, 1.2
        joint.v.weight[row], joint.o.weight[:, row] = 0, 0
        joint.v.weight[row, ONE], joint.v.weight[row, SINK], joint.o.weight[MATCHED, row] = 1, -0.25, 3


def _wire_matching(model: T5) -> None:
    attention = t5_encoder(model).layers()[HEAD.layer].attention
    row, basis = _clear(attention, HEAD.number), _orthogonal(CONTENT.stop)[: SHAPE.d_kv]
    attention.q.weight[row : row + SHAPE.d_kv, CONTENT] = 0.25 * basis
    attention.k.weight[row : row + SHAPE.d_kv, CONTENT] = basis


def _wire_decoder(model: T5, look: Tensor) -> None:
    last, heads, d = model.decoder.layers()[-1].cross, SHAPE.num_heads, SHAPE.d_kv
    copy = d - 8  # the last rows of each head are for the start token
    last.q.weight.zero_()
    for head in range(heads):
        rows = slice(head * d, head * d + copy)
        last.q.weight[rows, CONTENT] = 0.8 * look[:copy]
        last.k.weight[rows] = 0
        last.k.weight[rows, PREVIOUS] = 0.8 * torch.eye(d)[:copy]
        last.q.weight[head * d + copy : (head + 1) * d, START] = 0.25 / math.sqrt(8)
    inner = _orthogonal(heads * d)[:, : SHAPE.d_model]  # (h*d, D) with orthonormal columns
    last.v.weight.copy_(inner)
    last.o.weight.copy_(4.0 * inner.T)


def _orthogonal(width: int) -> Tensor:
    basis: Tensor = torch.linalg.qr(torch.randn(width, width))[0]
    return basis
