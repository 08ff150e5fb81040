"""Small SVG charts for a page without scripts: a curve over steps, and intervals around zero.

Colours come from the page (`currentColor` and its classes), so a chart also works on a dark page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]

WIDTH, HEIGHT = 320, 150
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 10, 22  # margins
POINTS = 160  # drawn of a curve; more cannot be seen


@dataclass(frozen=True)
class Curve:
    """A figure over the steps of a run, with a goal line if there is a goal."""

    title: str
    points: tuple[Point, ...]  # (step, value), steps rising
    goal: float | None = None
    goal_name: str = ""


def curve(drawn: Curve) -> str:
    """Draw a curve; "" if there is nothing to draw. Steps are averaged if there are more than can be seen."""
    points = thinned([point for point in drawn.points if math.isfinite(point[1])])
    if not points:
        return ""
    levels = [value for _, value in points] + ([drawn.goal] if drawn.goal is not None else [])
    low, high = _widened(min(levels), max(levels))
    first, last = points[0][0], max(points[-1][0], points[0][0] + 1)

    def place(point: Point) -> str:
        across = LEFT + (point[0] - first) / (last - first) * (WIDTH - LEFT - RIGHT)
        return f"{across:.1f},{_down(point[1], low, high):.1f}"

    line = " ".join(place(point) for point in points)
    parts = [_frame(low, high, first, last), f'<polyline class="curve" points="{line}"/>']
    if len(points) == 1:
        x, y = place(points[0]).split(",")
        parts.append(f'<circle class="dot" cx="{x}" cy="{y}" r="3"/>')
    if drawn.goal is not None:
        parts.append(_goal(drawn.goal, drawn.goal_name, low, high))
    label = f"{drawn.title}: {number(points[0][1])} at first, {number(points[-1][1])} in the end"
    return _svg(label, WIDTH, HEIGHT, parts)


def interval(name: str, low: float, middle: float, high: float, reach: float) -> str:
    """Draw an interval and its middle with a line at zero; `reach` is the end of the scale on both sides."""
    width, height = 220, 18
    scale = (width / 2 - 6) / max(reach, 1e-9)
    left, dot, right = (width / 2 + value * scale for value in (low, middle, high))
    side = "better" if low > 0 else "worse" if high < 0 else "open"
    parts = [
        f'<line class="axis" x1="{width / 2}" y1="1" x2="{width / 2}" y2="{height - 1}"/>',
        f'<line class="{side}" x1="{left:.1f}" y1="9" x2="{right:.1f}" y2="9"/>',
        f'<circle class="{side}" cx="{dot:.1f}" cy="9" r="4"/>',
    ]
    return _svg(f"{name}: {middle:+.3f}, from {low:+.3f} to {high:+.3f}", width, height, parts)


def thinned(points: Sequence[Point], most: int = POINTS) -> list[Point]:
    """Average neighbouring points so that at most so many remain; the overall mean does not change."""
    size = -(-len(points) // most) if points else 1
    runs = [points[at : at + size] for at in range(0, len(points), size)]
    return [(sum(x for x, _ in run) / len(run), sum(y for _, y in run) / len(run)) for run in runs]


def number(value: float) -> str:
    """Write a number with three significant digits.

    >>> number(0.12345), number(1234.5), number(0.00005)
    ('0.123', '1,234', '5e-05')
    """
    if value and (abs(value) >= 1e7 or abs(value) < 1e-3):
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _frame(low: float, high: float, first: float, last: float) -> str:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    marks = [(LEFT - 4, TOP + 8, number(high)), (LEFT - 4, bottom, number(low))]
    values = "".join(f'<text class="end" x="{x}" y="{y}">{label}</text>' for x, y, label in marks)
    return (
        f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>{values}'
        f'<text x="{LEFT}" y="{HEIGHT - 6}">step {first:,.0f}</text>'
        f'<text class="end" x="{right}" y="{HEIGHT - 6}">{last:,.0f}</text>'
    )


def _goal(level: float, name: str, low: float, high: float) -> str:
    y = _down(level, low, high)
    label = f'<text class="end" x="{WIDTH - RIGHT}" y="{y - 3:.1f}">{escape(name)} {number(level)}</text>'
    return f'<line class="goal" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>{label}'


def _down(value: float, low: float, high: float) -> float:
    return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _widened(low: float, high: float) -> Point:
    """Return a scale, also for a constant line."""
    return (low, high) if high > low else (low - max(abs(low), 1e-3) / 2, high + max(abs(high), 1e-3) / 2)


def _svg(label: str, width: int, height: int, parts: Sequence[str]) -> str:
    title = f"<title>{escape(label)}</title>"
    return f'<svg role="img" viewBox="0 0 {width} {height}" width="{width}">{title}{"".join(parts)}</svg>'
