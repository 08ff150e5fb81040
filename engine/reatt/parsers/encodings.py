"""Decodes bytes: byte order mark, strict UTF-8, a guess for non-Latin scripts, else a Latin code page.

The order matters. Text that is valid UTF-8 and not very short is UTF-8. Statistical guessing works well for scripts
with letters of their own (Shift-JIS, KOI8-R) and badly for Latin code pages: it takes plain cp1252 for cp1250 and
turns a dash into a letter. So the guess is used only for scripts that are not Latin; `code_pages.py` knows the others.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
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
CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))  # these never occur in text of an encoding without NULs
_STOPS = frozenset(" \n\u3002\uff0c")
_HOLE = re.compile(rb"\0+")
_BETWEEN_HOLES = 64  # bytes of text for each stretch of NULs
_BEYOND_ASCII, _MOSTLY = bytes(range(128, 256)), 0.7
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
_CJK = ("big5", "cp932", "cp949", "cp950", "euc", "gb", "hz", "johab", "shift")  # how their names begin
_SHIFTS = b"\x1b$"  # to letters of two bytes; no terminal knows it
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
    if _SHIFTS in data and data.isascii():
        with suppress(Undecodable):
            return _strictly(data, "iso2022_jp_2")
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
    return b"\0" in sample or len(sample) - len(sample.translate(None, CONTROL)) > len(sample) // 300 + 1


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
    """Recognise UTF-16 without a mark."""
    sample = data[: SAMPLE & ~1]
    half = max(len(sample) // 2, 1)
    odd, even = sample[1::2].count(0) / half, sample[::2].count(0) / half
    latin = max(odd, even) > 0.7 and min(odd, even) < 0.02  # most high bytes are zero, the low bytes are not
    for name in ("utf-16-le", "utf-16-be"):
        if (odd > even) == (name == "utf-16-le") if latin else _reads_as(sample, name):
            with suppress(UnicodeError):
                return Decoded(data.decode(name), name, _guessed(f"read as {name}, which has no mark"))
    return _with_few_nuls(data)


def _reads_as(sample: bytes, name: str) -> bool:
    """Return whether a sample is text in another script: blanks or stops, and letters of one alphabet or of CJK."""
    text = sample.decode(name, "replace").rstrip("\ufffd")
    letters = [each for each in text if each.isalpha() and not each.isascii()]
    if not any(each in _STOPS for each in text) or 2 * len(letters) < len(text):
        return False
    good = sum(each in "\t\r\n\f" or unicodedata.category(each)[0] not in "C" for each in text)
    blocks = Counter("CJK" if "\u2e80" <= each <= "\ud7ff" else ord(each) >> 8 for each in letters)
    return good >= 0.99 * len(text) and blocks.most_common(1)[0][1] >= 0.9 * len(letters)


def _with_few_nuls(data: bytes) -> Decoded:
    """Read a text that a crash or a bad disk left NULs in, as blanks; any other file with NULs is binary."""
    holes, rest = len(_HOLE.findall(data)), data.replace(b"\0", b"")
    ascii = len(rest.translate(None, _BEYOND_ASCII))
    if len(rest) < _BETWEEN_HOLES * holes or looks_binary(rest) or ascii < _MOSTLY * len(rest):
        raise Undecodable("NUL bytes")
    data = data.replace(b"\0", b" ")
    guessed = guess(data)
    decoded = apply(data, guessed)
    said = [f"{len(data) - len(rest):,} NUL bytes were read as blanks"] + [guessed.warning] * bool(guessed.warning)
    return replace(decoded, warning=Notice("NUL_BYTES", "; ".join(said)))


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
    damaged = Guess("utf-8", "replace", _guessed(f"read as utf-8; {broken} broken bytes were replaced"))
    if good > 10 * broken:
        return damaged
    del replaced
    told = known(declared)
    for name in (told, _script_encoding(data, first_bad)):
        if name:
            try:
                data.decode(name)
            except (LookupError, UnicodeError):
                continue
            return Guess(name, "strict", "" if name == told else _guessed(f"read as {name}, a guess"))
    from reatt.parsers.code_pages import latin_page  # only a text that is not UTF-8 needs it

    page = latin_page(_sample(data, first_bad))
    if page is None and good >= broken:
        return damaged
    page = page or "cp1252"
    return Guess(page, "strict" if page == "cp1252" else "replace", _guessed(f"read as {page}, a guess"))


def _guessed(what: str) -> Notice:
    return Notice("ENCODING_GUESSED", f"{what}; use --encoding NAME to set it")


def _script_encoding(data: bytes, first_bad: int) -> str | None:
    """Guess the encoding of a text whose letters are mostly not Latin; None if they are Latin."""
    from charset_normalizer import from_bytes

    sample = _sample(data, first_bad)
    from reatt.parsers.code_pages import cyrillic, japanese

    if kana := japanese(sample):
        return kana
    best = from_bytes(sample).best()
    if best is None or best.encoding.startswith(("utf_16", "utf_32")):
        return None  # these have marks or NULs, and would have been known
    if best.encoding.startswith(_CJK) and (page := cyrillic(sample)):
        return page
    letters = [c for c in str(best) if c.isalpha()]
    latin = len(_LATIN.findall("".join(letters)))
    return best.encoding if letters and latin < 0.7 * len(letters) else None


def _sample(data: bytes, first_bad: int) -> bytes:
    """Return whole lines from the one on that is not ASCII; a part of a line if it is very long."""
    start = data.rfind(b"\n", 0, first_bad) + 1
    sample = data[start : start + SAMPLE]
    return sample if len(sample) == len(data) - start else sample[: sample.rfind(b"\n") + 1] or sample


def _cp1252(data: bytes) -> str:
    """Decode as browsers do: the five bytes that cp1252 leaves open become the control characters of Latin-1."""
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        table = {byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)}
        return data.decode("latin-1").translate(table)
