"""Finds the code page of a text whose letters are mostly Latin, and tells Japanese and Cyrillic from Chinese.

Statistics fail here: in texts of a few lines nearly every letter beyond ASCII is rare. So it is asked which languages
have all of these letters. A page is right if one language has them all, and no sign stands where only a letter can.
"""

from __future__ import annotations

import re
from collections import Counter

_WESTERN = "äöüß àâçèéêëîïôùûüœæ áéíóúüñ áàâãçéêíóôõú àèéìíîòóùú áèëéïíöóüú åäöé åæøéô áàçèéíïòóúü".split()
_ICELANDIC = "áðéíóúýþæö"
_CENTRAL = "áčďéěíňóřšťúůýž áäčďéíĺľňóôŕšťúýž ąćęłńóśźż áéíóöőúüű ăâîşţ čćđšž áâäăćéëęíîłńóôöúüżß".split()
_TURKISH = ["çğıİöşüâîû"]
_BALTIC = ["ąčęėįšųūž", "āčēģīķļņšūž", "õäöüšž"]
# Pages in the order of their use, each with the letters of the languages that are written in it.
_PAGES = {
    "cp1252": [*_WESTERN, _ICELANDIC],
    "cp1250": _CENTRAL,
    "iso8859-2": _CENTRAL,
    "cp1254": _TURKISH,
    "cp1257": _BALTIC,
    "mac_roman": _WESTERN,
    "cp850": _WESTERN,
    "cp852": _CENTRAL,
}
_SURE = 4  # different letters that tell a page apart from Western texts in two languages
_STRAY = 50  # letters for each one that may be of another language, as names are
_LETTER = r"[^\W\d_]"
_NO_LETTER = re.compile(
    rf"{_LETTER}[^\x00-\x7f\w’‘–—…/‐‑\u00ad\u00a0]{_LETTER}"  # within a word
    rf"|[¹²³¼½¾¯¸¨´¬¦¶±£¥¢¤ˇ˘˙˛˝]{_LETTER}|{_LETTER}[¿¡]"
    rf"|[a-zß-öø-ÿ][^\x00-\x7f](?<=[À-ÖØ-ÞŒŠŽŸĄĆĘŁŃŚŹŻČĎĚŇŘŤŮĞİŞ])"  # a capital within a word
)
_CYRILLIC = ("cp1251", "koi8_r", "iso8859_5", "cp866")
_WORD = re.compile(r"[^\W\d_]+")
_CYRILLIC_WORD = re.compile(r"[Ѐ-ӿ]?[а-џґ]*")
_KANA = re.compile(r"[\u3041-\u30fe]")


def latin_page(data: bytes) -> str | None:
    """Return the code page of a text with Latin letters; None where no page fits.

    >>> latin_page("Łukasz śpi".encode("iso8859-2")), latin_page("À côté".encode("mac_roman"))
    ('iso8859-2', 'mac_roman')
    >>> latin_page("Der Müller aß – “très bien”.".encode("cp1252"))
    'cp1252'
    """
    found = {page: letters for page in _PAGES if (letters := _letters(data, page)) is not None}
    fits = [page for page, letters in found.items() if any(_covers(each, letters) for each in _PAGES[page])]
    if not fits or "cp1252" in fits:
        return "cp1252" if fits else None
    sure = next((page for page in fits if len(found[page]) >= _SURE), None)
    western = found.get("cp1252")
    if sure is None and western is not None and any(_covers(a + b, western) for a in _WESTERN for b in _WESTERN):
        return "cp1252"
    return sure or fits[0]


def japanese(data: bytes) -> str | None:
    """Return the encoding of a Japanese text, which nearly always holds kana; None for any other text."""
    for name in ("euc_jp", "cp932"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if len(_KANA.findall(text)) * 5 > sum(not letter.isascii() for letter in text):
            return name
    return None


def cyrillic(data: bytes) -> str | None:
    """Return the code page in which nearly all words beyond ASCII are Cyrillic, with capitals where they belong."""
    for page in _CYRILLIC:
        words = [word for word in _WORD.findall(data.decode(page, "replace")) if not word.isascii()]
        wrong = [word for word in words if not _CYRILLIC_WORD.fullmatch(word)]
        if len(wrong) * 4 <= len(words) and sum(map(len, words)) > 3 * len(words):
            return page
    return None


def _letters(data: bytes, page: str) -> Counter[str] | None:
    """Count the letters beyond ASCII; None if a sign stands where only a letter can."""
    try:
        text = data.decode(page)
    except UnicodeDecodeError:
        return None
    letters = Counter(each if each == "İ" else each.lower() for each in text if not each.isascii() and each.isalpha())
    wrong = sum(1 for _ in _NO_LETTER.finditer(text))
    return None if wrong > letters.total() // _STRAY else letters


def _covers(alphabet: str, letters: Counter[str]) -> bool:
    foreign = sum(count for letter, count in letters.items() if letter not in alphabet)
    return foreign <= letters.total() // _STRAY
