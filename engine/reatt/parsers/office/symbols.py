"""The signs of fonts that hold no letters, as Unicode: Word stores such a sign as the number it has in its font."""

from __future__ import annotations

import re

_GREEK = dict(
    zip(
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "αβχδεφγηιϕκλμνοπθρστυϖωξψζΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ",
        strict=True,
    )
)
_FONTS: dict[str, dict[int, str]] = {
    "symbol": _GREEK
    | {
        0x22: "∀", 0x24: "∃", 0x27: "∋", 0x5C: "∴", 0x5E: "⊥", 0xA3: "≤", 0xA5: "∞", 0xAB: "↔", 0xAC: "←", 0xAD: "↑",
        0xAE: "→", 0xAF: "↓", 0xB0: "°", 0xB1: "±", 0xB3: "≥", 0xB4: "×", 0xB5: "∝", 0xB6: "∂", 0xB7: "•", 0xB8: "÷",
        0xB9: "≠", 0xBA: "≡", 0xBB: "≈", 0xBC: "…", 0xC7: "∩", 0xC8: "∪", 0xCE: "∈", 0xCF: "∉", 0xD0: "∠", 0xD2: "®",
        0xD3: "©", 0xD4: "™", 0xD6: "√", 0xE5: "∑",
    },
    "wingdings": {
        0x28: "☎", 0x2A: "✉", 0x4A: "☺", 0x4C: "☹", 0x6C: "●", 0x6E: "■", 0x6F: "☐", 0x78: "☒", 0xA7: "▪",
        0xA8: "☐", 0xDF: "←", 0xE0: "→", 0xE8: "➔", 0xF0: "⇨", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑",
    },
    "wingdings 2": {
        0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0xA3: "☐", 0x2A: "☐",
    },
}  # fmt: skip
_PRIVATE = 0xF000  # where such fonts have their signs
_PRIVATE_SIGN = re.compile("[\uf020-\uf0ff]")
_FIRST, _LAST = 0x20, 0x100


def sign(font: str, number: str) -> str:
    """Return a sign by its font and its hexadecimal number; "" if it is a decoration, or unknown.

    >>> sign("Wingdings", "F0FE"), sign("Symbol", "F061"), sign("Arial", "00B5"), sign("Wingdings", "F021")
    ('☑', 'α', 'µ', '')
    """
    try:
        code = int(number, 16)
    except ValueError:
        return ""
    if signs := _FONTS.get(font.lower()):
        return signs.get(code & 0xFF, "")
    return chr(code) if 0x20 <= code < 0xD800 else ""


def in_font(font: str, text: str) -> str:
    """Write a text as the signs that a font has for it; without such a font only the private numbers are signs.

    >>> in_font("Wingdings", "\\xe0"), in_font("", "\\uf0b7 caf\\xe9"), in_font("Symbol", "a > b")
    ('→', '• café', 'α > β')
    """
    signs = _FONTS.get(font.lower())
    if signs is None and not _PRIVATE_SIGN.search(text):
        return text
    return "".join(_in_font(signs, character) for character in text)


def _in_font(signs: dict[int, str] | None, character: str) -> str:
    code = ord(character)
    if signs is not None and (_PRIVATE_SIGN.match(character) or _FIRST < code < _LAST):
        return signs.get(code & 0xFF, "" if code >= _PRIVATE or not character.isascii() else character)
    if _PRIVATE_SIGN.match(character):
        return _FONTS["symbol"].get(code & 0xFF, _FONTS["wingdings"].get(code & 0xFF, "")) if code & 0x80 else ""
    return character
