"""Laws of characters and scripts: what docs/search.md promises of words, each row of its table and more of its kind."""

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt_store.lexical.characters import folded, origins, plain
from reatt_store.lexical.terms import marked
from reatt_store.library import Chunk, Document, Library

PAGE = Path(__file__).parents[2] / "docs" / "search.md"
TABLE = PAGE.read_text(encoding="utf-8").partition("| what | a document says")[2].partition("\n\n")[0]
ROWS = [[cell.strip() for cell in row.strip("| ").split("|")] for row in TABLE.splitlines()[2:]]
ESCAPE = re.compile(r"\\u([0-9a-f]{4})")
# More of each kind: what a document says, and a question that finds it.
MORE = [
    ("借书证由李娜办理。", "李娜"), ("图书\n馆今天休息", "图书馆"), ("第3章：价格", "价格"),
    ("我有一只猫。", "猫"), ("鍵は田中さんが持っています。", "田中"),
    ("コンピューターの値段", "コンピューター"), ("東京タワー２階", "東京 2階"), ("부산에서 출발합니다", "부산"),
    ("학교는 크다", "학교"), ("서울특별시청", "서울"), ("ราคาห้าสิบบาท", "ห้าสิบ"),
    ("โรงเรียนเปิดแปดโมง", "โรงเรียน"), ("น้ำดื่มสะอาด", "น้ำ"), ("ໂຮງຮຽນເປີດ", "ໂຮງຮຽນ"),
    ("ລາຄາຫ້າສິບກີບ", "ຫ້າສິບ"), ("ນ້ຳດື່ມ", "ນ້ຳ"), ("សាលារៀនបើក", "សាលារៀន"), ("តម្លៃហាសិប", "ហាសិប"),
    ("ទឹកស្អាត", "ទឹក"), ("ကျောင်းဖွင့်သည်", "ကျောင်း"), ("ရေသန့်", "ရေ"), ("မြန်မာနိုင်ငံ", "မြန်မာ"),
    ("விடுமுறை நாள்", "விடுமுறை"), ("বাংলাদেশের রাজধানী", "রাজধানী"), ("क़िला बंद है", "क़िला"),
    ("مُحَمَّد", "محمد"), ("كتـــاب", "كتاب"), ("کتاب فارسی", "كتاب"), ("ﻛﺘﺎﺏ", "كتاب"), ("שָׁלוֹם", "שלום"),
    ("Ἀθῆναι", "Αθηναι"), ("ΟΔΟΣ", "οδός"), ("ещё", "еще"), ("Ёлка", "елка"), ("Søren Kierkegaard", "Soren"),
    ("Đorđe", "Dorde"), ("Iğdır", "Igdir"), ("Nguyễn", "Nguyen"), ("Šiauliai", "siauliai"),
    ("Zu\u0308rich", "Zürich"), ("Zürich", "Zu\u0308rich"), ("n\u0303andu\u0301", "ñandú"),
    ("STRASSE", "straße"), ("œuvre", "oeuvre"), ("encyclopædia", "encyclopaedia"), ("aﬄuent", "affluent"),
    ("Graﬃti ﬂoor", "graffiti floor"), ("aﬀord eﬃcient", "afford efficient"), ("Ｆｉｎｃｈ", "Finch"),
    ("１２３４", "1234"), ("Finch", "Ｆｉｎｃｈ"), ("ﾃﾚﾋﾞ", "テレビ"), ("ｱｲｽ", "アイス"),
    ("𝔽𝕚𝕟𝕕 𝟙𝟚", "find 12"), ("𝙘𝙤𝙙𝙚", "code"), ("\u2170\u2171 chapter", "iii chapter"),
    ("co\u00adop\u00ader\u00ada\u00adtion", "cooperation"), ("infor\u00ad\n mation", "information"),
    ("co\u00adop", "co\u00adop"), ("zero\u200cwidth", "zerowidth"), ("\ufeffstart", "start"),
    ("left\u200emark", "leftmark"), ("va\ufe0friant", "variant"), ("d’Artagnan", "d'Artagnan"),
    ("it\u02bcs Hawaiʻi", "Hawai'i"), ("rock ‘n’ roll", "rock 'n' roll"), ("co\u2010operate", "co-operate"),
    ("2019—2021", "2021"), ("x\u22125", "x-5"), ("०१२३", "0123"), ("໕໖", "56"), ("๔๗", "47"), ("x² km²", "km2"),
    ("5 km^2", "km²"), ("about 10^9", "10⁹"), ("¾ cup", "3/4"), ("② second", "2"), ("5 ㎡", "m2"),
]  # fmt: skip
SINGLE = ["猫がいる", "白い猫", "猫"]


def unescaped(cell: str) -> str:
    return ESCAPE.sub(lambda found: chr(int(found[1], 16)), cell)


def finds(folder: Path, text: str, question: str, path: str = "/d/a.md") -> bool:
    other = "Nothing of this kind stands here at all."
    with Library.create(folder / "store") as library:
        with library.writing() as writer:
            rows = [(path, text), ("/d/other.md", other)]
            documents = [(Document(where, None, "", "text", "", 1, 0), said) for where, said in rows]
            writer.publish([(row, [Chunk(0, 0, len(said), 1, None, "", said)]) for row, said in documents], None, 0)
        return [id for id, _ in library.words(question, 9)] == [1] and library.check().ok


@pytest.mark.parametrize(("what", "text", "question"), ROWS, ids=[row[0] for row in ROWS])
def test_each_row_of_the_page_holds(tmp_path, what, text, question):
    named = what.startswith("names")
    path = f"/d/{text}" if named else "/d/a.md"
    assert finds(tmp_path, "Rows of dates." if named else unescaped(text), unescaped(question), path)


def test_the_page_has_the_scripts_and_disguises():
    assert len(ROWS) >= 25
    assert all(len(row) == 3 for row in ROWS)


@pytest.mark.parametrize(("text", "question"), MORE)
def test_more_of_each_kind_is_found(tmp_path, text, question):
    assert finds(tmp_path, text, question)


@pytest.mark.parametrize("text", SINGLE)
def test_a_single_character_is_found_wherever_it_stands(tmp_path, text):
    assert finds(tmp_path, text, "猫")


@pytest.mark.parametrize(
    ("text", "question"), [("106 people came", "10⁶"), ("a word1", "word"), ("图片", "图书馆"), ("Wie", "ie")]
)
def test_what_differs_is_not_found(tmp_path, text, question):
    assert not finds(tmp_path, text, question)


def test_plain_ascii_stays_as_it_is():
    assert plain("It's 5 o'clock - Now") == folded("It's 5 o'clock - Now") == "It's 5 o'clock - Now"


@given(st.text(max_size=40))
def test_origins_lead_from_the_plain_form_to_the_text(text):
    places = origins(text)
    assert len(places) == len(plain(text)) + 1
    assert places == sorted(places)
    for place, character in zip(places, plain(text), strict=False):
        assert character in plain(text[place])


@given(st.text(max_size=40))
def test_folding_twice_is_folding_once(text):
    once = folded(text)
    assert unicodedata.normalize("NFC", folded(once)) == folded(folded(once))


@pytest.mark.parametrize(
    ("question", "text", "shown"),
    [
        ("finance officer", "The ﬁnance oﬃcer left", ["ﬁnance", "oﬃcer"]),
        ("李娜", "借书证由李娜办理", ["李娜"]),
        ("cafe", "The cafe\u0301 is open", ["cafe\u0301"]),
        ("information", "infor\u00admation desk", ["infor\u00admation"]),
        ("Who approves travel?", "Travels are approved; who knows", ["Travels"]),
        ("Finch", "Ｆｉｎｃｈ and finch", ["Ｆｉｎｃｈ", "finch"]),
    ],
)
def test_marks_stand_in_the_text_as_it_is(question, text, shown):
    assert [text[start:end] for start, end in marked(question, text)] == shown


@given(st.text(max_size=30), st.text(max_size=60))
def test_marks_are_places_of_the_text(question, text):
    assert all(0 <= start < end <= len(text) for start, end in marked(question, text))
