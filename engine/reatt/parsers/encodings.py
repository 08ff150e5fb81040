"""Decodes bytes: byte order mark, strict UTF-8, a guess for non-Latin scripts, else cp1252.

The order matters. Text that is valid UTF-8 and not very short is UTF-8. Statistical guessing works well for scripts
with letters of their own (Shift-JIS, KOI8-R) and badly for Latin code pages: it takes plain cp1252 for cp1250 and
turns a dash into a letter. So the guess is used only for scripts that are not Latin.
"""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from reatt_store.errors import Notice

SAMPLE = 1 << 16  # bytes examined where the whole file is not needed

# Longest first, because the mark of UTF-32-LE starts with that of UTF-16-LE.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))  # these never occur in text of an encoding without NULs
_HOLE = re.compile(rb"\0+")
_BETWEEN_HOLES = 64  # bytes of text for each stretch of NULs
_NOT_ASCII = re.compile(r"[\x00-\x7f\ufffd]+")  # and what replaced a broken byte: all but the good letters
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")


@dataclass(frozen=True)
class Decoded:
    """A file's text, and whether its encoding is certain."""

    text: str  # line endings as in the file; without the byte order mark
    encoding: str
    warning: str = ""  # set if the encoding was guessed or bytes were replaced


# Encodings that programs name when they mean a larger one, as browsers know.
_LARGER = {
    "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "gb2312": "gb18030", "gbk": "gb18030",
    "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
_ALIASES = {"ansinew": "cp1252", "applemac": "mac_roman", "windows-874": "cp874", "x-sjis": "cp932", "x-gbk": "gb18030"}
_SEVEN_BITS = ("iso2022", "hz", "utf_7")  # their text looks like ASCII


class Undecodable(ValueError):
    """The bytes are not text in the requested encoding, or in any."""


@dataclass(frozen=True)
class Guess:
    """How to decode what is neither marked nor valid UTF-8."""

    name: str
    errors: Literal["strict", "replace"] = "strict"
    warning: str = ""


def decode(data: bytes, encoding: str | None = None, declared: str | None = None) -> Decoded:
    """Decode a file. `encoding`, set by the user, is always used; `declared`, from the file itself, is tried.

    Raises Undecodable. Characters map one to one to the file's, so offsets into the text are offsets into the file.
    """
    name = known(declared)
    if not encoding and name and name.startswith(_SEVEN_BITS) and data.isascii():
        with suppress(Undecodable):
            return _strictly(data, name)
    return certain(data, encoding) or apply(data, guess(data, declared))


def known(declared: str | None) -> str | None:
    """Return Python's name of the encoding that a file declares; None if it means nothing, as ASCII does.

    >>> known("ISO-8859-1"), known("us-ascii"), known("x-unknown")
    ('cp1252', None, None)
    """
    try:
        name = codecs.lookup(_ALIASES.get((declared or "").lower(), declared or "")).name
        "".encode(name)
    except (LookupError, ValueError):
        return None
    return None if name == "ascii" else _LARGER.get(name, name)


def certain(data: bytes, encoding: str | None = None) -> Decoded | None:
    """Decode a file whose encoding needs no guess, in time proportional to its length; None if it needs one."""
    if encoding:
        return _strictly(data, encoding)
    for mark, name in _MARKS:
        if data.startswith(mark):
            return Decoded(data[len(mark) :].decode(name, "replace"), name)
    if b"\0" in data:
        return _without_mark(data)
    if looks_binary(data[:SAMPLE]):
        raise Undecodable("control characters of binary data")
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        return None


def apply(data: bytes, guessed: Guess) -> Decoded:
    """Decode a file as `guess` found out."""
    text = _cp1252(data) if guessed.name == "cp1252" else data.decode(guessed.name, guessed.errors)
    return Decoded(text, guessed.name, guessed.warning)


def looks_binary(sample: bytes) -> bool:
    """Return whether a sample contains NULs, or more than one other control character per 300 bytes."""
    return b"\0" in sample or len(sample) - len(sample.translate(None, _CONTROL)) > len(sample) // 300 + 1


def _strictly(data: bytes, encoding: str) -> Decoded:
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
        text.encode()  # UTF-7 and Python's escapes can encode lone surrogates, which a store cannot hold
        return Decoded(text, encoding)
    except LookupError:
        raise Undecodable(f"unknown encoding {encoding!r}") from None
    except UnicodeError as error:
        raise Undecodable(f"not {encoding}: {error}") from None


def _without_mark(data: bytes) -> Decoded:
    """Recognise UTF-16 without a mark: most of its high bytes are zero, its low bytes are not."""
    sample = data[: SAMPLE & ~1]
    half = max(len(sample) // 2, 1)
    odd, even = sample[1::2].count(0) / half, sample[::2].count(0) / half
    if max(odd, even) > 0.7 and min(odd, even) < 0.02:
        name = "utf-16-le" if odd > even else "utf-16-be"
        try:
            return Decoded(data.decode(name), name, _guessed(f"read as {name}, which has no mark"))
        except UnicodeError:
            pass
    return _with_few_nuls(data)


def _with_few_nuls(data: bytes) -> Decoded:
    """Read a text that a crash or a bad disk left NULs in, as blanks; any other file with NULs is binary."""
    holes, rest = len(_HOLE.findall(data)), data.replace(b"\0", b"")
    if len(rest) < _BETWEEN_HOLES * holes or looks_binary(rest):
        raise Undecodable("NUL bytes")
    try:
        text = data.replace(b"\0", b" ").decode("utf-8")
    except UnicodeDecodeError:
        raise Undecodable("NUL bytes") from None
    return Decoded(text, "utf-8", Notice("NUL_BYTES", f"{len(data) - len(rest):,} NUL bytes were read as blanks"))


def guess(data: bytes, declared: str | None = None) -> Guess:
    """Find out how to decode what is not UTF-8: a few broken bytes, the declared encoding, a script, or cp1252."""
    try:
        data.decode("utf-8")
        return Guess("utf-8")
    except UnicodeDecodeError as error:
        first_bad = error.start
    replaced = data.decode("utf-8", "replace")
    broken = replaced.count("\ufffd")
    good = len(_NOT_ASCII.sub("", replaced))
    if good > 10 * broken:
        return Guess("utf-8", "replace", _guessed(f"read as utf-8; {broken} broken bytes were replaced"))
    del replaced
    told = known(declared)
    for name in (told, _script_encoding(data, first_bad)):
        if name:
            try:
                data.decode(name)
            except (LookupError, UnicodeError):
                continue
            return Guess(name, "strict", "" if name == told else _guessed(f"read as {name}, a guess"))
    return Guess("cp1252", "strict", _guessed("read as cp1252, a guess"))


def _guessed(what: str) -> Notice:
    return Notice("ENCODING_GUESSED", f"{what}; use --encoding NAME to set it")


def _script_encoding(data: bytes, first_bad: int) -> str | None:
    """Guess the encoding of a text whose letters are mostly not Latin; None if they are Latin."""
    from charset_normalizer import from_bytes

    start = data.rfind(b"\n", 0, first_bad) + 1
    sample = data[start : start + SAMPLE]
    if len(sample) < len(data) - start:
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    best = from_bytes(sample).best()
    if best is None or best.encoding.startswith(("utf_16", "utf_32")):
        return None  # these have marks or NULs, and would have been known
    letters = [c for c in str(best) if c.isalpha()]
    latin = len(_LATIN.findall("".join(letters)))
    return best.encoding if letters and latin < 0.7 * len(letters) else None


def _cp1252(data: bytes) -> str:
    """Decode as browsers do: the five bytes that cp1252 leaves open become the control characters of Latin-1."""
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        table = {byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)}
        return data.decode("latin-1").translate(table)
