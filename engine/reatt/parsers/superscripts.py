"""Superscripts as a reader understands them: `10^6` for an exponent, ` [1]` for the mark of a note, letters as letters.

Written without a sign, the exponent of 10 would become a digit of the number before it, and so would a note's mark.
"""

from __future__ import annotations

import re
import unicodedata

_EXPONENT = re.compile(r"[+\-\u2212\u2013]?\d+(?:[.,/]\d+)?[+\-\u2212]?|[+\-\u2212]?[A-Za-z]|[+\-\u2212]\w+")
_MARK = re.compile(r"\[?\(?(?:\d{1,3}|[a-z])\)?\]?(?:[,\s\u2013-]+\[?(?:\d{1,3}|[a-z])\]?)*")
_SLASHES = ("/", "⁄")
_PRICE, _CENTS = re.compile(r"[€$£¥]\s?\d+\Z"), 2
_ORDINALS = frozenset("st nd rd th e er re o a".split())  # also of French, Spanish, Italian
_UNITS = "mi min mol Pa kPa hPa au eV rad sec"
_NAMES = "sin cos tan cot csc exp lim det max CO NO SO"  # of functions, and what is written so by mistake
_YEAR = re.compile(r"(?<![\d.,])(?:1[5-9]|20)\d\d\Z")
_LETTER = "A-Za-zµ\u0370-\u03ff\u0400-\u04ff"
_SHORT = rf"[{_LETTER}]|(?:(?![aeiouyAEIOUYаеиоуыэюя])[{_LETTER}]){{2,3}}|{'|'.join((_UNITS + ' ' + _NAMES).split())}"
# What has a power: a number, a bracket that holds no words, a unit or variables; short words have vowels, these do not.
_BASE = re.compile(rf"(?:\d|(?<![^\W\d_]{{4}})[)\]}}]|\d\s*in|(?<![^\W\d_])(?:{_SHORT}))\Z")
_ENDS_RAISED = re.compile(r"(.*[^\s⁰¹²³⁴-⁹⁺⁻⁼])([⁰¹²³⁴-⁹]+(?:[,–-][⁰¹²³⁴-⁹]+)*)([.,;:!?)\]\"'’”»]*)")
_RAISED_DIGIT = re.compile("[⁰¹²³⁴-⁹]")
_RAISED_WORD = re.compile(r"\S*[⁰¹²³⁴-⁹]\S*")
_NEAR = 20  # characters before a word that tell whether it is a unit
_NUCLIDE = re.compile(r"[A-Z][a-z]?(?![A-Za-z])")  # as in carbon-14


def raised(before: str, text: str, after: str = "", *, linked: bool = False) -> str:
    """Write a superscript that stands between two texts; `linked`: it leads somewhere, as the mark of a note does.

    >>> raised("about 10", "6"), raised("an area of 5 m", "2"), raised("on the 4", "th"), raised("10", "-3")
    ('^6', '^2', 'th', '^-3')
    >>> raised("of the income", "3"), raised("It rained.", "1, 2"), raised("10", "6", linked=True), raised("see", "3")
    (' [3]', ' [1, 2]', ' [6]', ' [3]')
    """
    words = " ".join(text.split())
    if linked or words.startswith("["):
        return _set_apart(before, words)
    if words.isdecimal() and after.strip() in _SLASHES and not before[-1:].isalpha():
        return f" {words}" if before[-1:].isdigit() else words  # one and a half
    if len(words) == _CENTS and words.isdecimal() and _PRICE.search(before):
        return f".{words}"
    if _EXPONENT.fullmatch(words) and words not in _ORDINALS and (_has_power(before) or _is_signed(words)):
        return f"^{words}"
    if words.isdecimal() and _NUCLIDE.match(after):
        return f"^{words}"
    return _set_apart(before, words) if _MARK.fullmatch(words) and words not in _ORDINALS else words


def marked(before: str, word: str) -> str:
    """Set the mark of a note apart from a word that ends with it, where it is written in raised digits.

    >>> marked("", "see³"), marked("", "rained.¹²"), marked("5", "m²"), marked("about", "10⁶")
    ('see [3]', 'rained. [12]', 'm²', '10⁶')
    """
    found = _ENDS_RAISED.fullmatch(word)
    if not found:
        return word
    digits = unicodedata.normalize("NFKC", found[2])
    written = raised(f"{before} {found[1]}", digits)
    return f"{found[1]}{written}{found[3]}" if written.startswith(" ") else word


def with_marks(text: str) -> str:
    """Set the marks of notes apart from their words in a whole text.

    >>> with_marks("As you see³, it is 5 m² wide.¹²")
    'As you see [3], it is 5 m² wide. [12]'
    """
    if text.isascii() or not _RAISED_DIGIT.search(text):
        return text
    return _RAISED_WORD.sub(
        lambda word: marked(text[max(0, word.start() - _NEAR) : word.start()].strip(), word[0]), text
    )


def _is_signed(words: str) -> bool:
    return not words[0].isalnum() or words[-1] in "+-\u2212"


def _has_power(before: str) -> bool:
    return _BASE.search(before) is not None and not _YEAR.search(before)


def _set_apart(before: str, words: str) -> str:
    mark = words.strip("[]() ")
    gap = " " if before and not before[-1].isspace() else ""
    return f"{gap}[{mark}]" if mark else ""
