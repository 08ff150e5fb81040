"""Laws of decoding: what is text is read as it was written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.documents.reader import FoundFile, ReadLimits, Text, read
from reatt.parsers.encodings import decode
from reatt_store.errors import NotText


def read_bytes(folder: Path, name: str, data: bytes, limits: ReadLimits | None = None) -> list[Text]:
    (folder / name).write_bytes(data)
    return list(read(FoundFile(folder / name, explicit=True), limits))


RUSSIAN = "Отпуск по уходу за ребёнком составляет сорок девять недель при полной оплате. " * 4
JAPANESE = "育児休暇は全額支給で四十九週間です。旅行には二人の承認が必要です。" * 4
LATIN = "Der Müller aß süße Äpfel – “très bien”, déjà vu, señor. It costs 5 € or more, naïve café. " * 4


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *((text, name) for text in (RUSSIAN, JAPANESE, LATIN, "ascii") for name in ("utf-8", "utf-8-sig", "utf-16")),
        *((LATIN, name) for name in ("utf-16-le", "utf-16-be", "utf-32", "cp1252")),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "cp1251"),
        (JAPANESE, "shift-jis"),
        (JAPANESE, "euc-jp"),
    ],
)
def test_the_encoding_is_found(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)).text == text


@given(st.text(max_size=300))
def test_utf8_is_always_read_as_it_is(text: str) -> None:
    if not any(ord(character) < 32 or character == "\ufeff" for character in text):
        decoded = decode(text.encode())
        assert (decoded.text, decoded.warning) == (text, "")


def test_a_guess_is_a_warning_and_the_users_word_is_obeyed(tmp_path: Path) -> None:
    [guessed] = read_bytes(tmp_path, "a.txt", LATIN.encode("cp1252"))
    assert guessed.warnings == ("read as cp1252, a guess; use --encoding NAME to set it",)
    [told] = read_bytes(tmp_path, "a.txt", LATIN.encode("cp1252"), ReadLimits(encoding="cp1252"))
    assert (told.text, told.warnings) == (LATIN, ())
    with pytest.raises(NotText, match="unknown encoding"):
        read_bytes(tmp_path, "a.txt", b"a", ReadLimits(encoding="utf-9"))
    with pytest.raises(NotText, match="surrogates"):
        read_bytes(tmp_path, "a.txt", b"+2AA-", ReadLimits(encoding="utf-7"))


def test_one_broken_byte_does_not_turn_utf8_into_another_encoding(tmp_path: Path) -> None:
    [text] = read_bytes(tmp_path, "a.txt", (RUSSIAN + "|").encode() + b"\xff" + RUSSIAN.encode())
    assert text.text == f"{RUSSIAN}|\ufffd{RUSSIAN}"
    assert "1 broken" in text.warnings[0]


@pytest.mark.parametrize("end", ["élan", "café ", "Zoë.\n", "\nélan"])
def test_one_letter_beyond_ascii_makes_no_text_utf_16(end):
    text = "The garden has a fence and two plots. " * 30 + end
    assert decode(text.encode("cp1252")).text == text
