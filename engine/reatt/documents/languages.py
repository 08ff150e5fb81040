"""Fast language detection: does the model know the language of a text?

It uses the script of the letters and, for Latin, the most common words of eighteen languages. Texts with too few such
words get no language: tables, code, names. A few kilobytes of a document are examined, in about a millisecond.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

from reatt_store.errors import Notice

ENGLISH = "English"
FEWEST_LETTERS = 200  # of a document that a warning counts; a table of names may look like any language
_SAMPLE = 1500  # characters, from three places
_WORDS = {
    ENGLISH: "the of and to in is that for it with as was on are by this be at from or an what who which how when where"
    " does did do a not no so its he she you we",
    "German": "der die und das ist nicht ein eine mit für auf den von zu dem sich des wird sind auch im wie wer wann"
    " welche wo werden einer",
    "French": "le la les des et est une dans pour que qui sur pas du avec par ce sont au quel quelle où quand comment"
    " en un de",
    "Spanish": "el la los las y es una en para que por con del se no al como son su qué quién cuándo cómo dónde un de",
    "Italian": "il la le gli e è una in per che di con del della non sono si come da chi quando dove quale un dei nel",
    "Portuguese": "o a os as e é uma em para que de com do da não no na por se um quem quando como onde qual dos são",
    "Dutch": "de het een en van is niet in op te dat die voor met zijn aan er om wie wat wanneer hoe waar welke worden",
    "Swedish": "och att det som en är på för med av till den inte har ett de om vem vad när hur var vilken jag kan",
    "Danish or Norwegian": "og det at som en er på for med av af til den ikke har et de om hvem hva hvad når hvordan"
    " hvor jeg kan",
    "Finnish": "ja on ei että se oli mutta kun niin hän ovat myös tai kuin joka mikä kuka milloin miten missä kuinka",
    "Polish": "i w na z się do jest nie że to jak o po od za przez są co kto kiedy gdzie jaki oraz dla",
    "Czech": "a v na se je že to s z do o jako pro ale by jsou kdo kdy kde jak co který není nebo při",
    "Romanian": "și în de la cu pe este nu că un o care din pentru sunt mai ce cine când cum unde prin fi au",
    "Hungarian": "a az és hogy nem is egy van ez meg de csak el ha már mint volt ki mi mikor hol hogyan vagy",
    "Turkish": "ve bir bu da de için ile ne olarak daha çok gibi en var değil kim nasıl nerede hangi olan mi ya",
    "Indonesian or Malay": "yang dan di itu dengan untuk tidak ini dari dalam akan pada adalah apa siapa kapan"
    " bagaimana ke oleh juga",
    "Vietnamese": "và của là có không được cho một các người trong những để với này khi ở như bao nhiêu gì ai nào",
    "Catalan": "el la els les i és una en per que de amb del no al com són qui quan on quin un dels pel aquest",
}
_LANGUAGES: dict[str, list[str]] = {}  # that have a word
for _name, _words in _WORDS.items():
    for _word in set(_words.split()):
        _LANGUAGES.setdefault(_word, []).append(_name)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_FEWEST = 0.12  # minimum share of common words; English prose has 0.3 and more
_CERTAIN = 1.4  # times as many common words as of English
_SCRIPTS = {"CJK": "Chinese or Japanese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean"}


def language(text: str) -> str | None:
    """Name the language, or the script if it is not Latin; None if the text does not show it.

    >>> language("Wie lange dauert die Elternzeit?"), language("How long is parental leave?"), language("Δ = 4")
    ('German', 'English', None)
    """
    sample = text if len(text) <= 3 * _SAMPLE else "\n".join(_cuts(text))
    letters = [letter for letter in sample if letter.isalpha()]
    if not letters:
        return None
    script, count = Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in letters).most_common(1)[0]
    if script != "LATIN":
        name = _SCRIPTS.get(script, script.capitalize())
        return name if len(letters) > 3 and count > len(letters) / 2 else None
    return _latin([word.lower() for word in _WORD.findall(sample)])


def long_enough(text: str) -> bool:
    """Return whether a document has enough letters to be sure of its language."""
    return sum(1 for _ in islice(filter(str.isalpha, text), FEWEST_LETTERS)) == FEWEST_LETTERS


def foreign(text: str, known: frozenset[str] | None) -> str | None:
    """Name the language of a text if the model does not know it; `known` None means all languages."""
    if known is None:
        return None
    name = language(text)
    return None if name in known else name


def known_to(settings: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the languages in a model's config: English by default; None, for all, if the model was adapted."""
    return None if "parent" in settings else frozenset(settings.get("languages", [ENGLISH]))


def notices(found: Mapping[str | None, int], model: str, settings: Mapping[str, Any]) -> list[Notice]:
    """Return a warning about documents in languages that the model does not know."""
    known = known_to(settings)
    unknown = {} if known is None else {name: count for name, count in found.items() if name and name not in known}
    if not unknown:
        return []
    listed = ", ".join(f"{count:,} in {name}" for name, count in sorted(unknown.items(), key=lambda item: -item[1]))
    does = f"{model} does not know the language of some documents ({listed})"
    return [Notice("LANGUAGE", f"{does}; questions in it are searched by words until you run reatt adapt")]


def _cuts(text: str) -> list[str]:
    middle = len(text) // 2
    return [text[:_SAMPLE], text[middle : middle + _SAMPLE], text[-_SAMPLE:]]


def _latin(words: list[str]) -> str | None:
    """Name the language that most of the common words belong to."""
    votes = Counter(name for word in words for name in _LANGUAGES.get(word, ()))
    if not votes:
        return None
    name, count = votes.most_common(1)[0]
    if votes[ENGLISH] * _CERTAIN >= count:  # a false report would do most harm for English
        name, count = ENGLISH, votes[ENGLISH]
    return name if count >= max(2, _FEWEST * len(words)) else None
