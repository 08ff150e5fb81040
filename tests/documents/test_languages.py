"""Laws of telling languages: what the model does not know is named, and English never is."""

import doctest
import json
import time

import pytest

from reatt.documents import languages
from reatt.documents.languages import foreign, known_to, language, long_enough

SENTENCES = {
    "German": "Die Elternzeit beträgt neunundvierzig Wochen und wird nicht auf den Urlaub angerechnet.",
    "French": "Le congé parental est de quarante-neuf semaines et il est payé par la caisse dans tous les cas.",
    "Spanish": "El permiso parental es de cuarenta y nueve semanas y se paga por completo en los casos que son claros.",
    "Italian": "Il congedo parentale è di quarantanove settimane e non è previsto per gli altri che sono già assunti.",
    "Portuguese": "A licença parental é de quarenta e nove semanas e não se paga no caso em que os pais são vizinhos.",
    "Dutch": "Het ouderschapsverlof is negenenveertig weken en wordt niet van het loon van een werknemer afgetrokken.",
    "Swedish": "Föräldraledigheten är fyrtionio veckor och det är inte möjligt att ta den med lön till nästa år.",
    "Danish or Norwegian": "Foreldrepermisjonen er på førtini uker og det er ikke mulig å ta den med til neste år.",
    "Polish": "Urlop rodzicielski trwa czterdzieści dziewięć tygodni i nie jest to czas, który się traci.",
    "Turkish": "Ebeveyn izni kırk dokuz hafta ve bu izin için tam ücret ödenir, daha çok bir hak gibi değil.",
    "Cyrillic": "Отпуск по уходу за ребёнком составляет сорок девять недель.",
    "Greek": "Η γονική άδεια είναι σαράντα εννέα εβδομάδες.",
    "Chinese or Japanese": "育儿假为四十九周，全额支付。",
    "Korean": "육아 휴직은 사십구 주입니다.",
    "Arabic": "إجازة الوالدين تسعة وأربعون أسبوعا.",
}
ENGLISH = [
    "How long is parental leave in Norway?",
    "Who founded Debian?",
    "Parental leave is 49 weeks at full pay, and it is paid in advance.",
    "The café in São Paulo serves a crème brûlée to the Müller family.",
    "restart nginx on ubuntu",
    "GmbH",
    "SELECT a FROM b WHERE c = 1",
    "x = Δy / λ",
    "1, 2, 3",
    "",
]


@pytest.mark.parametrize(("name", "text"), SENTENCES.items(), ids=list(SENTENCES))
def test_a_language_is_told_by_one_sentence(name, text):
    assert language(text) == name


@pytest.mark.parametrize("text", ENGLISH)
def test_english_and_what_says_nothing_are_never_called_foreign(text):
    assert foreign(text, known_to({})) is None


def test_an_adapted_model_and_one_that_says_so_know_more():
    german = SENTENCES["German"]
    assert foreign(german, known_to({})) == "German"
    assert foreign(german, known_to({"languages": ["English", "German"]})) is None
    assert foreign(german, known_to({"parent": "0a"})) is None


def test_a_book_costs_no_more_than_a_page():
    started = time.process_time()
    assert language(SENTENCES["French"] * 20_000) == "French"
    assert time.process_time() - started < 0.1


def test_the_examples_in_docstrings_hold():
    result = doctest.testmod(languages)
    assert result.attempted
    assert not result.failed


def test_a_question_in_another_language_is_searched_by_words_and_that_is_said(reatt, library, home):
    (home / "work" / "urlaub.md").write_text("Die Elternzeit dauert neunundvierzig Wochen und ist nicht kurz. " * 5)
    ingested = json.loads(reatt("ingest", "--json", "urlaub.md").out)
    assert "does not know the language of some documents (1 in German)" in str(ingested["warnings"])
    found = json.loads(reatt("search", "--json", "Wie lange dauert die Elternzeit?").out)
    assert found["hits"][0]["path"].endswith("urlaub.md")
    assert found["hits"][0]["retrieval"]["attention"] is None
    assert "does not know German; searched by words" in str(found["warnings"])
    assert json.loads(reatt("search", "--json", "How long is the leave?").out)["warnings"] == []


@pytest.mark.parametrize(
    "text",
    [
        "la, le, un, di, per: 12\nil, e, con, non: 14\n",
        "Die Elternzeit dauert neunundvierzig Wochen und ist nicht kurz.",
        "item;la;42\n" * 20,
        "图书馆的开放时间是上午九点到下午六点。",
        "",
    ],
)
def test_few_letters_are_too_few_to_be_sure_of_a_language(text):
    assert not long_enough(text)


@pytest.mark.parametrize(
    "text", [SENTENCES["French"] * 5, "图书馆的开放时间是上午九点到下午六点。" * 15, "1 " * 500 + "a" * 200]
)
def test_two_hundred_letters_are_enough_wherever_they_stand(text):
    assert long_enough(text)
