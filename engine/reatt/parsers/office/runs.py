"""A paragraph of an Office file while it is read: its runs of text, the raised ones set apart, and the fields in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from reatt.parsers.superscripts import raised


@dataclass
class Paragraph:
    """A paragraph that is being read; paragraphs nest, because text boxes do."""

    runs: list[str] = field(default_factory=list)
    heading: bool = False
    style: str = ""
    list_id: str | None = None  # the list that it is an item of; "0" for none
    level: int = 0
    pages: bool = False  # it holds the number of a page
    joined: bool = False  # its end was deleted, or it is a large first letter: the next one goes on
    drawn: list[str] = field(default_factory=list)  # lines of the charts in it
    _raised: list[str] = field(default_factory=list)  # raised runs that follow one another are one

    def put(self, text: str, *, up: bool = False) -> None:
        """Add a run of text."""
        if up:
            self._raised.append(text)
        elif text:
            self._end_raised(text)
            self.runs.append(text)

    def text(self) -> str:
        """Return what has been added."""
        self._end_raised("")
        return "".join(self.runs)

    def _end_raised(self, after: str) -> None:
        if self._raised:
            self.runs.append(raised("".join(self.runs[-3:]), "".join(self._raised), after))
            self._raised.clear()


class Fields:
    """Which fields are open: what stands in the code of one is not shown, not even the results of others in it."""

    def __init__(self) -> None:
        self._in_code: list[bool] = []

    def mark(self, kind: str) -> None:
        """Take the mark that begins a field, begins its result, or ends it."""
        if kind == "begin":
            self._in_code.append(True)
        elif self._in_code and kind == "separate":
            self._in_code[-1] = False
        elif self._in_code and kind == "end":
            self._in_code.pop()

    def hide(self) -> bool:
        """Return whether what follows is part of a code."""
        return any(self._in_code)

    def end_paragraph(self) -> None:
        """Give up codes that do not end: they would hide all that follows."""
        self._in_code = [False for _ in self._in_code]
