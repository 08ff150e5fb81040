"""Lines that were read on an image -> the text of a page, upright and level. Imports nothing but the layout of PDFs.

The engine reads lines wherever they are. Here the page is turned as most of its text stands, and by the few degrees
that it lay askew on the scanner. Then the same layout as for PDFs puts the words in order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reatt.parsers.pdf.layout import PARAGRAPH, text_of
from reatt.parsers.pdf.spaced import Word

Point = tuple[float, float]  # pixels from the left, and from above
Corners = tuple[Point, ...]  # four, clockwise from the upper left of the line as it lies on the image

UNSURE = 0.5  # a line that is less certain is no text, but the grain of a picture
_LONG = 3.0  # times as long as high: such a line tells how the page is skewed
_MARGIN = 0.1  # of the height of a line: what the engine puts around it
_LETTERS = 0.75  # of the height of a line: the size of its letters
_BASE = 0.35  # of the size of the letters: from the middle of a line to where they stand
_MOST_SKEW = math.radians(20)


class Line(NamedTuple):
    """A line of text on an image."""

    text: str
    confidence: float  # 0 to 1
    corners: Corners
    tall: bool  # it runs up or down the image
    flipped: bool  # it is upside down, after a quarter turn to the left if it is tall


class PageRead(NamedTuple):
    """What was read on a page."""

    text: str
    confidence: float  # 0 to 1, the mean over all characters; 0 where there are none
    characters: int


def page_of(lines: Sequence[Line], width: int, height: int) -> PageRead:
    """Put the lines of an image of some size in order."""
    found = [line for line in lines if line.text.strip()]
    characters = sum(len(line.text) for line in found)
    confidence = sum(line.confidence * len(line.text) for line in found) / max(characters, 1)
    clear = [line for line in found if line.confidence >= UNSURE]
    tall = 2 * sum(len(line.text) for line in clear if line.tall) > sum(len(line.text) for line in clear)
    upright = [line for line in clear if line.tall == tall]
    beside = " ".join(line.text.strip() for line in clear if line.tall != tall)
    boxes = [tuple(_turned(point, line, width, height) for point in line.corners) for line in upright]
    level = _levelled(boxes)
    words = [word for line, box in zip(upright, level, strict=True) for word in _words(line.text, box)]
    text = PARAGRAPH.join(filter(None, [text_of(words), beside]))
    return PageRead(text, confidence, characters)


def _turned(point: Point, line: Line, width: int, height: int) -> Point:
    """Turn a point as its line is turned to stand upright."""
    x, y = point
    if line.tall:
        return (height - y, x) if line.flipped else (y, width - x)
    return (width - x, height - y) if line.flipped else (x, y)


def _levelled(boxes: Sequence[Corners]) -> list[Corners]:
    """Turn all boxes by the angle that most of the text is skewed by."""
    angle = _skew(boxes)
    cosine, sine = math.cos(angle), math.sin(angle)
    return [tuple((x * cosine + y * sine, y * cosine - x * sine) for x, y in box) for box in boxes]


def _skew(boxes: Sequence[Corners]) -> float:
    """Return the angle of the middle line in radians; each counts by its length.

    >>> round(math.degrees(_skew([((0, 0), (100, 5), (99, 25), (-1, 20))])), 1)
    2.9
    """
    angles = []
    for box in boxes:
        left, right = _ends(box)
        length, angle = math.dist(left, right), math.atan2(right[1] - left[1], right[0] - left[0])
        if length > _LONG * _height(box, angle) and abs(angle) < _MOST_SKEW:
            angles.append((angle, length))
    left_over = sum(length for _, length in angles) / 2
    for angle, length in sorted(angles):
        left_over -= length
        if left_over <= 0:
            return angle
    return 0.0


def _ends(box: Corners) -> tuple[Point, Point]:
    """Return the middles of the left and the right edge, whichever corner comes first."""
    by_x = sorted(box)
    (a, b), (c, d) = by_x[:2], by_x[2:]
    return ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2), ((c[0] + d[0]) / 2, (c[1] + d[1]) / 2)


def _height(box: Corners, angle: float) -> float:
    across = [y * math.cos(angle) - x * math.sin(angle) for x, y in box]
    return max(across) - min(across)


def _words(text: str, box: Corners) -> Iterator[Word]:
    """Cut a line into words, each as wide as its share of the characters; heights count upwards."""
    height = _height(box, 0.0)
    left = min(x for x, _ in box) + _MARGIN * height
    right = max(max(x for x, _ in box) - _MARGIN * height, left)
    size = _LETTERS * height
    base = -sum(y for _, y in box) / len(box) - _BASE * size
    step, at = (right - left) / max(len(text), 1), 0
    for part in text.split(" "):
        if part.strip():
            yield Word(part, left + at * step, left + (at + len(part)) * step, base, size)
        at += len(part) + 1
