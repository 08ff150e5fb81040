"""The pages of a document: made storable, run together to one text, and named."""

from __future__ import annotations

from collections.abc import Sequence

BETWEEN = "\n\n"


def clean(text: str) -> str:
    """Make a parser's text storable: valid characters, \\n line ends, no NULs."""
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip("\n")


def starts(pages: Sequence[str]) -> tuple[int, ...]:
    """Return where each page starts in the text of all, with `BETWEEN` after each."""
    places, at = [], 0
    for page in pages:
        places.append(at)
        at += len(page) + len(BETWEEN)
    return tuple(places)


def ranges(numbers: Sequence[int]) -> str:
    """Abbreviate a list of page numbers.

    >>> ranges([1, 2, 3, 7, 9, 10])
    '1-3, 7, 9-10'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def named(numbers: Sequence[int]) -> str:
    """Name pages: "page 3", "pages 3, 7-9"."""
    return f"{'page' if len(numbers) == 1 else 'pages'} {ranges(numbers)}"
