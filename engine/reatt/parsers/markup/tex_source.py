"""The source of a LaTeX text as TeX reads it: signs, commands, groups in braces, options in brackets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"\\(?P<name>[A-Za-z]+)\*?[ \t]*(?:\n[ \t]*(?!\n))?"
    r"|\\(?P<sign>.|\n)"
    r"|%[^\n]*(?:\n[ \t]*)?"
    r"|(?P<blank>\s*\n[ \t]*\n\s*)|(?P<space>\s+)"
    r"|(?P<other>\$\$?|[{}~&^_]|-{1,3}|`{1,2}|'{1,2})"
    r"|(?P<words>[^\\%\s${}~&^_`'-]+)"
)
BRACES = re.compile(r"\\.|%[^\n]*|[{}]", re.DOTALL)
_OVERLAY = re.compile(r"<[\d+.][\d+.,|@:a-z-]{0,40}>")  # of slides: when a part is shown
_LONGEST_OPTION = 1000


@dataclass
class _Frame:
    """A source that is being read: the file, or what a new command means."""

    text: str
    at: int = 0
    closes: dict[int, int] = field(default_factory=dict)  # where each brace is closed

    def __post_init__(self) -> None:
        """Find the braces that belong together."""
        opened: list[int] = []
        for found in BRACES.finditer(self.text):
            if found[0] == "{":
                opened.append(found.start())
            elif found[0] == "}" and opened:
                self.closes[opened.pop()] = found.start()


class TexSource:
    """A source that is read from its start; what a new command means is read in its place."""

    def __init__(self, text: str) -> None:
        self._frames = [_Frame(text)]

    def push(self, text: str) -> None:
        """Read a text before what follows."""
        self._frames.append(_Frame(text))

    def end(self) -> None:
        """Read no more."""
        self._frames.clear()

    def token(self) -> re.Match[str] | None:
        """Return the next sign, command or stretch of words; None at the end."""
        while self._frames:
            frame = self._frames[-1]
            found = TOKEN.match(frame.text, frame.at)
            if found is not None and found[0]:
                frame.at = found.end()
                return found
            self._frames.pop()
        return None

    def find(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read on behind the next place that a pattern matches."""
        return self._behind(pattern.search(self._frames[-1].text, self._frames[-1].at) if self._frames else None)

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read on behind what matches here."""
        return self._behind(pattern.match(self._frames[-1].text, self._frames[-1].at) if self._frames else None)

    def _behind(self, found: re.Match[str] | None) -> re.Match[str] | None:
        if found is not None:
            self._frames[-1].at = found.end()
        return found

    def next(self) -> str:
        """Return the next character."""
        frame = self._frames[-1]
        return frame.text[frame.at : frame.at + 1]

    def argument(self) -> str:
        """Return the source of the next argument: a group, a command or a character."""
        frame = self._frames[-1]
        while frame.text[frame.at : frame.at + 1].isspace():
            frame.at += 1
        start = frame.at
        if frame.text[start : start + 1] == "{" and start in frame.closes:
            frame.at = frame.closes[start] + 1
            return frame.text[start + 1 : frame.at - 1]
        found = TOKEN.match(frame.text, start)
        if found is None or found["blank"] or found["other"] in ("{", "}"):
            return ""
        frame.at = found.end() if found["words"] is None else start + 1
        return frame.text[start : frame.at]

    def option(self) -> str | None:
        """Return the source of an argument in brackets; None if there is none."""
        frame = self._frames[-1]
        if overlay := _OVERLAY.match(frame.text, frame.at):
            frame.at = overlay.end()
        if self.next() != "[":
            return None
        at = frame.at + 1
        while at < min(len(frame.text), frame.at + _LONGEST_OPTION):
            sign = frame.text[at]
            if sign == "]":
                option = frame.text[frame.at + 1 : at]
                frame.at = at + 1
                return option
            at = frame.closes.get(at, at) + 1 if sign == "{" else at + 2 if sign == "\\" else at + 1
        return None

    def until(self, mark: str) -> str:
        """Return the source up to a mark, and read on behind it."""
        frame = self._frames[-1]
        end = frame.text.find(mark, frame.at)
        text = frame.text[frame.at : end if end >= 0 else len(frame.text)]
        frame.at = end + len(mark) if end >= 0 else len(frame.text)
        return text
