"""SubRip (SRT), WebVTT and SubStation (ASS, SSA) subtitles -> running text, in paragraphs that begin with their time.

The lines of a cue end where the picture does, so they are joined. A paragraph ends with a sentence, a pause or a
speaker. Its time is its heading: that is where an answer is to be heard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import NamedTuple

from reatt.parsers.composing import LINE, PARAGRAPH, Composer
from reatt.parsers.content import Content

_CLOCK = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[,.](\d{1,3})"
_TIMES = re.compile(rf"[ \t]*{_CLOCK}[ \t]*-->[ \t]*{_CLOCK}(?![\d:])")
_DIALOGUE = re.compile(  # of SubStation: layer, start, end, style, name, three margins, effect, text
    rf"Dialogue:[^,]*,[ \t]*{_CLOCK}[ \t]*,[ \t]*{_CLOCK}[ \t]*,[^,]*,(?P<name>[^,]*),(?:[^,]*,){{4}}(?P<text>.*)"
)
_DRAWN = re.compile(r"\{[^{}]*\\p[1-9][^{}]*\}")  # lines and curves instead of words
_ALOUD = re.compile(r"<rt(?:\.[^\s<>]{0,80})?>([^<>]{1,200})(?:</rt>|(?=</ruby>)|\Z)")
_VOICE = re.compile(r"<v(?:\.[^\s<>]{0,80})?[ \t]([^<>]{1,200})>")
_TAG = re.compile(
    r"</?(?:[bius]|c|v|rt|ruby|lang|font)(?:[.\s][^<>]{0,200})?>|<\d[\d:.]{4,12}>|\{\\[^{}\n]{0,100}\}", re.IGNORECASE
)
_SILENT = ("NOTE", "STYLE", "REGION")  # blocks of WebVTT that are not shown
_TURN = re.compile(r"[-–—‐]\s*(?=\S)")  # somebody else speaks
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]]*\Z")
_UNSPACED = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
_PAUSE, _JOINED = 4000, 500  # thousandths of a second: that ends a paragraph; within which a cue goes on
_WORDS, _MOST_WORDS = 90, 140  # after which a paragraph ends with the next sentence; with the next cue


@dataclass
class _Cue:
    """What is shown at one time."""

    start: int = 0  # thousandths of a second
    end: int = 0
    lines: list[str] = field(default_factory=list)
    within: bool = True  # no empty line has come since its times


def subtitles(source: str) -> Content:
    """Join the cues of a file to text."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    writer = _Writer()
    for cue in _dialogues(lines) if lines[0].lstrip("\ufeff").startswith("[Script Info]") else _cues(lines):
        writer.take(cue)
    title = lines[0].removeprefix("WEBVTT").strip(" \t-") if lines[0].startswith("WEBVTT") else ""
    return writer.finished(title)


def _cues(lines: list[str]) -> Iterator[_Cue]:
    """Yield the cues; numbers and names that stand before their times are left out."""
    cue: _Cue | None = None
    block: list[str] = []  # the lines of this block, behind the times if there were any
    for line in [*lines, "", "0:00:00.000 --> 0:00:00.000"]:
        if found := _TIMES.match(line):
            if cue is not None:
                named = bool(block) and (block[-1].strip().isdecimal() or (len(block) == 1 and not cue.within))
                cue.lines += block[:-1] if named else block
                yield cue
            cue, block = _Cue(_thousandths(found, 1), _thousandths(found, 5)), []
        elif not line.strip():
            if cue is not None:
                cue.within = False
                cue.lines += [] if _is_silent(block) else block
            block = []
        else:
            block.append(line)


def _dialogues(lines: list[str]) -> Iterator[_Cue]:
    """Yield the cues of SubStation in the order in which they are shown; whoever speaks is written as WebVTT does."""
    cues = []
    for line in lines:
        found = _DIALOGUE.match(line)
        if found and not _DRAWN.search(found["text"]):
            voice = f"<v {found['name'].strip()}>" if found["name"].strip() else ""
            words = found["text"].replace("\\h", " ").replace("\\n", "\\N").split("\\N")
            cues.append(_Cue(_thousandths(found, 1), _thousandths(found, 5), [voice + words[0], *words[1:]]))
    yield from sorted(cues, key=lambda cue: cue.start)


def _is_silent(block: list[str]) -> bool:
    return bool(block) and block[0].split(maxsplit=1)[0] in _SILENT


class _Line(NamedTuple):
    """A line as it is shown."""

    words: str
    speaker: str


def _shown(line: str) -> _Line:
    voice = _VOICE.search(line)
    speaker = " ".join(unescape(voice[1]).split()) if voice else ""
    words = _TAG.sub("", _ALOUD.sub(r"(\1)", _VOICE.sub("", line)))
    return _Line(" ".join(unescape(words).split()), speaker)


def _thousandths(found: re.Match[str], first: int) -> int:
    hours, minutes, seconds, rest = (found[group] or "0" for group in range(first, first + 4))
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(rest.ljust(3, "0"))


class _Writer:
    """Joins cues to paragraphs."""

    def __init__(self) -> None:
        self._composer = Composer()
        self._words = ""  # of the open paragraph
        self._began = 0  # when it began
        self._speaker = ""
        self._last = _Cue(end=-_PAUSE)

    def take(self, cue: _Cue) -> None:
        """Write a cue."""
        lines = [line for each in cue.lines if (line := _shown(each)).words]
        self._end_paragraph(cue.start)
        words = [line.words for line in lines]
        new = lines[self._said_before(cue, words) :]
        if new == lines and new and self._goes_on(cue) and self._last.lines:  # one line that grows word by word
            new[0] = new[0]._replace(words=new[0].words.removeprefix(f"{self._last.lines[-1]} "))
        for line in new:
            self._line(line, cue.start)
        self._last = _Cue(cue.start, cue.end, words)

    def _said_before(self, cue: _Cue, lines: list[str]) -> int:
        """Return how many lines of a cue are still shown from the cue before, as rolling captions are."""
        if not self._goes_on(cue):
            return 0
        before = self._last.lines
        most = min(len(before), len(lines))
        return next((count for count in range(most, 0, -1) if before[-count:] == lines[:count]), 0)

    def _goes_on(self, cue: _Cue) -> bool:
        """Return whether a cue begins before the one before it is gone, or at once."""
        return self._last.start <= cue.start <= self._last.end + _JOINED

    def _line(self, line: _Line, start: int) -> None:
        if not self._words:
            self._began, self._speaker = start, ""
        other = line.speaker != "" and line.speaker != self._speaker
        said = f"{line.speaker}: {line.words}" if other else line.words
        self._speaker = line.speaker or self._speaker
        self._words += _between(self._words, said, other or _TURN.match(line.words) is not None) + said

    def _end_paragraph(self, start: int) -> None:
        """End the paragraph if it is long enough, or if there is a pause before what comes next."""
        count = self._words.count(" ")
        long = count > _MOST_WORDS or (count > _WORDS and _SENTENCE_END.search(self._words))
        if self._words and (long or start - self._last.end > _PAUSE or start < self._last.start):
            self._write()

    def _write(self) -> None:
        seconds = self._began // 1000
        clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        self._composer.add(clock, LINE, heading=clock)
        self._composer.add(self._words, PARAGRAPH)
        self._words = ""

    def finished(self, title: str) -> Content:
        """Return the document."""
        if self._words:
            self._write()
        return self._composer.content(title)


def _between(before: str, after: str, turn: bool) -> str:
    """Return what separates two lines."""
    if not before or turn:
        return "\n" if before else ""
    return "" if _UNSPACED.match(before[-1]) and _UNSPACED.match(after[0]) else " "
