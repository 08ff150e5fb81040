"""Sentences that only repeat the question, as in chats, mails and lists of questions: they do not answer it.

The model reads a passage that repeats the question as one that fits it best, and whoever asks there as the answer.
What stands in such a sentence is taken out of what may be the answer, and so are the times at which the messages
around it were written. What the model makes of it counts for the next sentence, since a question is answered by what
follows it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from reatt.answering.sentences import pieces
from reatt.answering.sureness import sure_of
from reatt.model.backbone import Answer, Span, Stretch, Weights
from reatt_store.lexical.terms import marked, terms

_MOSTLY = 0.6  # of the telling words of a question stand in a sentence that repeats it
_MORE = 2  # words that a message without a question mark may have beside those of the question
_WORDS = re.compile(r"[^\W_]+")
_ASKING = frozenset("how what when where which who whom whose why".split())
_ABOUT_ASKING = frozenset("ask asked asker asking asks question questions wonder wondered wonders".split())
_TIMES = re.compile(
    r"(?m)^[^\S\n]*(?:\[[^\]\n]{0,30}\d[:/.-]\d[^\]\n]{0,30}\]"
    r"|(?:[\d./-]{6,10},?[^\S\n]+)?\d{1,2}:\d\d(?::\d\d)?(?=[^\S\n]+(?:-[^\S\n]+)?(?:<|[^:\n]{1,40}:\s)))"
)
_SPEAKER = re.compile(
    r"\s*+(?:>\s*+)*+(?:\[[^\]\n]{1,40}\]|[\d./:,\s-]{4,24})?\s*+(?:<[^<>\n]{1,40}>|[^:\n]{1,40}:(?=\s))?"
)


def echoes(question: str, text: str) -> list[Span]:
    """Return the sentences of a text that only repeat a question, and the names of those who say them.

    >>> text = "Olu: Hello. Who has the tickets?\\nMarek: I have them."
    >>> [text[slice(*span)] for span in echoes("Who has the tickets?", text)]
    ['Olu:', 'Who has the tickets?']
    """
    asked = _words(question)
    if not asked or _ABOUT_ASKING.intersection(asked):
        return []
    wanted, found = terms(question), list[Span]()
    for start, end in pieces(text):
        if _repeats(asked, wanted, text[start:end]):
            line = text.rfind("\n", 0, start) + 1
            speaker = _SPEAKER.match(text, line, max(line, start))
            found += [(line, speaker.end())] if speaker and speaker.end() > line else []
            found.append((start, end))
    return found


def without_echoes(question: str, told: Answer, texts: Sequence[str]) -> Answer:
    """Take what only repeats the question out of an answer: the best of the other stretches is the answer then.

    If there is no other stretch, none is left.
    """
    found = [echoes(question, text) for text in texts]
    if not any(found):
        return told
    out = [[*spans, *_times(text)] if spans else [] for text, spans in zip(texts, found, strict=True)]
    behind = [_behind(each, texts[each.source], found[each.source]) for each in told.stretches]
    stretches = tuple(each for each in behind if not _within(each.span, out[each.source]))
    weights = tuple(_moved(text, each, spans) for text, each, spans in zip(texts, told.weights, found, strict=False))
    if told.source is None or told.span is None or not _within(told.span, out[told.source]):
        return replace(told, stretches=stretches, weights=weights)
    if not stretches:
        return replace(told, stretches=(), weights=weights, confidence=0.0)
    best = stretches[0]
    text, sure = texts[best.source][slice(*best.span)], sure_of(told, best.source, math.exp(best.log_probability))
    told = replace(told, stretches=stretches, weights=weights, confidence=sure)
    return replace(told, text=text, source=best.source, span=best.span, log_probability=best.log_probability)


def _behind(stretch: Stretch, text: str, found: Sequence[Span]) -> Stretch:
    """Cut off what repeats the question where a stretch goes on into the message behind it."""
    start, end = stretch.span
    for first, last in found:
        if first <= start < last < end:
            speaker = _SPEAKER.match(text, last + text[last:end].startswith("\n"))
            start = speaker.end() if speaker else last
            start += len(text[start:end]) - len(text[start:end].lstrip())
    return replace(stretch, span=(start, end)) if start < end else stretch


def _repeats(asked: Sequence[str], wanted: Sequence[str], sentence: str) -> bool:
    """Return whether a sentence asks the same: with a question mark, or as a message that begins and ends so."""
    speaker = _SPEAKER.match(sentence)
    said = sentence[speaker.end() :] if speaker else sentence
    begin, words = [word for word in asked if word in _ASKING][:1] or asked[:1], _words(said)
    message = words[:1] == begin and len(words) <= len(asked) + _MORE
    return (message or _asks(sentence)) and set(begin) <= set(_words(sentence)) and _shares(wanted, said)


def _asks(sentence: str) -> bool:
    """Return whether a sentence ends with a question mark, whatever stands behind it."""
    return any(sign in "?？" for sign in takewhile(lambda sign: not sign.isalnum(), reversed(sentence)))


def _shares(wanted: Sequence[str], said: str) -> bool:
    """Return whether a sentence has most of the words of a question, or no others than these."""
    held = [term for term in wanted if marked(term, said)]
    return len(held) >= _MOSTLY * len(wanted) or (
        bool(held) and all(any(marked(term, each) for term in held) for each in terms(said))
    )


def _times(text: str) -> list[Span]:
    """Return where lines begin with a time, as messages do."""
    return [match.span() for match in _TIMES.finditer(text)]


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(text)]


def _within(span: Span, found: Sequence[Span]) -> bool:
    """Return whether a stretch touches one of the spans."""
    return any(start < span[1] and span[0] < end for start, end in found)


def _moved(text: str, weights: Weights, found: Sequence[Span]) -> Weights:
    """Give the weight of what repeats the question to the first token of what follows it."""
    if not found:
        return weights
    kept = {number: weight for number, ((_, end), weight) in enumerate(weights) if not _holds(end - 1, found)}
    for start, end in found:
        mass = sum(weight for (first, _), weight in weights if start <= first < end)
        following = next((number for number in sorted(kept) if weights[number][0][0] >= end), None)
        if following is not None:
            kept[following] += mass
    return tuple((span, kept.get(number, 0.0)) for number, (span, _) in enumerate(weights))


def _holds(place: int, found: Sequence[Span]) -> bool:
    return any(start <= place < end for start, end in found)
