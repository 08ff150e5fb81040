"""Laws of decoding: what is text is read as it was written."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.documents.reader import FoundFile, ReadLimits, Text, read
from reatt.parsers.encodings import Undecodable, decode
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


@pytest.mark.parametrize(
    ("text", "encodings"),
    [
        (
            "Η βιβλιοθήκη της Αθήνας είναι ανοιχτή από τις εννέα.\nΚάθε Δευτέρα μένει κλειστή.\n",
            "iso8859-7 cp1253 cp737",
        ),
        ("הספריה פתוחה כל יום מתשע בבוקר עד שש בערב.\nבימי שישי היא סגורה לציבור.\n", "cp1255 iso8859-8 cp862"),
        ("المكتبة مفتوحة كل يوم من التاسعة صباحا حتى السادسة.\nوهي مغلقة يوم الجمعة.\n", "cp1256 iso8859-6 cp720"),
        ("ห้องสมุดเปิดทุกวันตั้งแต่เก้าโมงเช้าถึงหกโมงเย็น\nปิดวันจันทร์เพื่อทำความสะอาด\n", "cp874 tis_620"),
        ("圖書館的開放時間是上午九點到下午六點。\n星期一閉館。借書證每年更換一次。\n", "big5 gb18030"),
        ("도서관은 오전 아홉 시부터 오후 여섯 시까지 엽니다.\n월요일에는 쉽니다.\n", "cp949 euc_kr johab"),
    ],
)
def test_other_scripts_are_found_from_a_few_lines_on(text: str, encodings: str) -> None:
    for name in encodings.split():
        assert decode(text.encode(name)).text == text


@pytest.mark.parametrize(
    ("text", "encodings"),
    [
        ("Zażółć gęślą jaźń. Pan Łukasz mieszka w Łodzi, a jego żona w szkole.", "cp1250 iso8859-2 cp852"),
        ("SPÓŁKA ŻÓŁĆ, ŁÓDŹ, UL. ŚWIĘTA 5. Biuro jest w Łodzi.", "cp1250 iso8859-2"),
        ("Příliš žluťoučký kůň. Klíč od sklepa má paní Nováková.", "cp1250 iso8859-2 cp852"),
        ("A könyvtár kulcsa Szűcs Ernőnél van; az ajtó jövő héten újra nyílik.", "cp1250 iso8859-2"),
        ("Ključ drži gospođa Šarić, a žena joj čuva kuću.", "cp1250 iso8859-2"),
        ("Şoför İstanbul'da bekliyor; anahtar Ayşe Yılmaz'da. Ağaç çok güzel.", "cp1254"),
        ("Raktas yra pas Žygį; ąžuolas auga prie mūsų šulinio, čia pat.", "cp1257"),
        ("Der Schlüssel hängt am Haken – “neben” der Tür, 5 m² groß. ½ Tag, 3 € für Größe 5.", "cp1252"),
        ("Lykillinn er hjá Þórði í Reykjavík, það er rétt.", "cp1252"),
        ("Bjørn møtte Hélène på søndag, og så à la carte.", "cp1252"),
        ("A chave está com João; não há ninguém lá às três.", "cp1252"),
        ("La clé de l’hôtel – «très belle» – coûte 5 €, dit Noël.", "cp1252 mac_roman"),
        ("Straße in Köln, Größe 5", "cp1252 mac_roman cp850"),
        ("It’s “here” – 5 m² at 20 °C ± 1, £3.", "cp1252"),
        ("図書館は月曜日に休みます。鍵は田中さんです。", "euc-jp shift-jis iso-2022-jp"),
        ("Ключ от сарая лежит под камнем.", "utf-16-le utf-16-be koi8-r cp1251"),
        ("图书馆星期一上午九点开门，下午五点关门。\n", "utf-16-le utf-16-be gbk"),
        ("Η βιβλιοθήκη ανοίγει στις εννέα το πρωί.", "utf-16-le utf-16-be iso8859-7"),
        ("הספרייה נפתחת בשעה תשע בבוקר ונסגרת בחמש.", "utf-16-le utf-16-be cp1255"),
    ],
)
def test_a_sentence_is_enough_to_find_the_encoding(text: str, encodings: str) -> None:
    assert {name: decode(text.encode(name)).text for name in encodings.split()} == dict.fromkeys(
        encodings.split(), text
    )


def test_stray_bytes_and_nuls_lose_no_line_of_a_log(tmp_path: Path) -> None:
    """A log with both was refused: what has NULs had to be UTF-8."""
    log = (
        b"10:00 \x1b[31mERROR\x1b[0m user=\xff\xfe caf\xc3\xa9 \xe2\x9c\x93" + b" the disk is full" * 9 + b"\0\0\nend\n"
    )
    [text] = read_bytes(tmp_path, "a.log", log)
    assert text.text.startswith("10:00 ERROR user=\ufffd\ufffd café ✓ the disk")
    assert text.text.endswith("full  \nend\n")
    assert "2 NUL bytes" in text.warnings[0]
    assert "2 broken bytes" in text.warnings[0]


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_text_in_any_encoding(seed: int) -> None:
    noise = random.Random(seed).randbytes(4000)
    with pytest.raises(Undecodable):
        decode(noise)


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
