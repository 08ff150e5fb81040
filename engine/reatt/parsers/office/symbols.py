"""The signs of fonts that hold no letters, as Unicode: Word stores such a sign as the number it has in its font."""

from __future__ import annotations

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
        0x28: "☎", 0x2A: "✉", 0x6C: "●", 0x6E: "■", 0x6F: "☐", 0x78: "☒", 0xA7: "▪", 0xA8: "☐", 0xDF: "←", 0xE0: "→",
        0xE8: "➔", 0xF0: "⇨", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑",
    },
    "wingdings 2": {
        0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0xA3: "☐", 0x2A: "☐",
    },
}  # fmt: skip
_PRIVATE = 0xF000  # where such fonts have their signs


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
