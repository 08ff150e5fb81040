"""Characters that say the same: ligatures, full width, invisible characters, accents, apostrophes, dashes, digits.

`plain` undoes disguises: it changes how a text is encoded, not what a reader sees. It works character by character, so
`origins` can tell where in the text each character of the result comes from. `folded` is for comparing words, and also
drops capitals and accents.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Scripts that put no spaces between words, and Korean, whose particles follow the word without a space.
UNSPACED = (
    r"\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u0edc-\u0edf\u1000-\u103f\u1050-\u109d\u1780-\u17d3\u17dd\u1a20-\u1a7f"
    r"\u1950-\u19ad\u19b0-\u19cf\u3005-\u3007\u3021-\u3029\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa"
    r"\u30fc-\u30ff\u3105-\u312f\u31a0-\u31ba\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua980-\ua9c0\ua9e0-\ua9ef"
    r"\uaa60-\uaa7f\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_MOST = 20_000  # characters whose plain form is remembered

_APOSTROPHES = dict.fromkeys("\u2018\u2019\u201b\u02b9\u02bb\u02bc\u2032\u00b4\ua78c\uff07\u05f3", "'")
_DASHES = dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d", "-")
_FILLERS = dict.fromkeys("\u034f\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0", "")
_SELF = {character: character for character in "…¨¯¸˘˙˚˛˜˝"}  # their decomposition says less than they do
_PLAIN_FORMS = {**_APOSTROPHES, **_DASHES, **_FILLERS, **_SELF}
_SEEN_SIGNS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")  # format characters that are visible
_VARIANTS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")

# Letters that are not a letter with an accent to Unicode, but are typed as one; Arabic letters of one shape.
_LETTERS = str.maketrans(
    {
        "ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t",
        "ƒ": "f", "\u0640": "", "ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه",
    }
)  # fmt: skip
# Accents and vowel points of Latin, Greek, Cyrillic, Hebrew and Arabic; those of other scripts are letters.
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
_BROKEN_WORD = re.compile(r"\u00ad[^\S\n]*\n\s*")  # a soft hyphen that was used
_BROKEN_LINE = re.compile(rf"(?<=[{UNSPACED}])[^\S\n]*\n[^\S\n]*(?=[{UNSPACED}])(?![\uac00-\ud7a3])")
_POWER = re.compile(r"(?<=[^\W\d_])\^(?=\d)")  # of a unit; `m^2` is written m2 as well


class _Forms(dict[int, str]):
    """Plain forms by code point, made when they are first needed."""

    def __missing__(self, code: int) -> str:
        form = _form(chr(code))
        if len(self) < _MOST:
            self[code] = form
        return form


_FORMS = _Forms()


def plain(text: str) -> str:
    r"""Undo disguises of characters.

    >>> plain("Of\ufb01ce \uff21\uff22\uff23, soft\u00adly, 10⁶")
    'Office ABC, softly, 10^6'
    """
    return text if text.isascii() else text.translate(_FORMS)


def origins(text: str) -> list[int]:
    r"""Return where in a text each character of its plain form comes from, and at last the text's length.

    >>> origins("o\ufb03ce")
    [0, 1, 1, 1, 2, 3, 4]
    """
    return [*(at for at, character in enumerate(text) for _ in _FORMS[ord(character)]), len(text)]


def folded(text: str) -> str:
    """Return a text as words are compared: plain, without capitals and accents; only capitals stay in ASCII text.

    >>> folded("Łódź, straße, Ａthen, Ἀθῆναι")
    'lodz, strasse, athen, αθηναι'
    """
    if "^" in text:
        text = _POWER.sub("", text)
    if text.isascii():
        return text
    text = _BROKEN_LINE.sub("", _BROKEN_WORD.sub("", text)).translate(_FORMS)
    text = unicodedata.normalize("NFD", text.casefold())
    text = unicodedata.normalize("NFC", _ACCENTS.sub("", text).translate(_LETTERS))
    return _POWER.sub("", text) if "^" in text else text


@lru_cache(_MOST)
def folded_character(character: str) -> str:
    """Fold a single character in lower case."""
    return folded(character).lower()


def _form(character: str) -> str:
    """Return the plain form of one character."""
    if character in _PLAIN_FORMS:
        return _PLAIN_FORMS[character]
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if (category == "Cf" and character not in _SEEN_SIGNS) or _VARIANTS.match(character):
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    kind, _, _ = unicodedata.decomposition(character).partition(" ")
    if not kind.startswith("<"):
        return unicodedata.normalize("NFC", character)
    form = unicodedata.normalize("NFKC", character)
    return _JOINED.get(kind, _as_is)(category, character, form)


def _as_is(category: str, character: str, form: str) -> str:
    return form


def _raised(category: str, character: str, form: str) -> str:
    """Set a raised number apart from the number before it: 10⁶ is not 106."""
    if form.isdecimal():
        return "^" + form
    return character if category == "Lm" else form if category == "Lo" else " " + form


def _apart(category: str, character: str, form: str) -> str:
    return f" {form} "


def _fraction(category: str, character: str, form: str) -> str:
    return " " + form.replace("\u2044", "/")


_JOINED = {"<super>": _raised, "<circle>": _apart, "<square>": _apart, "<fraction>": _fraction}
