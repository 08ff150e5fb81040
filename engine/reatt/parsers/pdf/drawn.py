"""The drawn lines of a page that are upright or level, as pdfium has them. Only the child loads this."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from typing import Any

import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

from reatt.parsers.pdf.grids import Drawn, Lines, merged

_MOST = 20_000  # objects and pieces of a page that are looked at
_DEEPEST = 3  # drawings within drawings
_THIN = 2.5  # points: a filled shape that is not wider is a line
_STRAIGHT = 1.0  # points that a line may lean

_Point = tuple[float, float]
_Matrix = tuple[float, float, float, float, float, float]
_ITSELF: _Matrix = (1, 0, 0, 1, 0, 0)


def lines_of(page: Any) -> Lines:
    """Return the lines of a page, as they are without its turn."""
    upright, level = list[Drawn](), list[Drawn]()
    for number, (one, other) in enumerate(_pieces(page)):
        if number >= _MOST:
            return Lines()
        (x, y), (to_x, to_y) = one, other
        if abs(x - to_x) < _STRAIGHT:
            upright.append(Drawn((x + to_x) / 2, min(y, to_y), max(y, to_y)))
        elif abs(y - to_y) < _STRAIGHT:
            level.append(Drawn((y + to_y) / 2, min(x, to_x), max(x, to_x)))
    return Lines(merged(upright), merged(level))


def _pieces(page: Any) -> Iterator[tuple[_Point, _Point]]:
    """Yield the straight pieces of all paths."""
    pending = [(pdfium.FPDFPage_GetObject(page, at), _ITSELF, 0) for at in range(_count(page))]
    pending.reverse()
    looked = 0
    while pending and looked < _MOST:
        thing, outer, depth = pending.pop()
        looked += 1
        kind = pdfium.FPDFPageObj_GetType(thing)
        if kind not in (pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_FORM):
            continue
        matrix = _within(_matrix(thing), outer)
        if kind == pdfium.FPDF_PAGEOBJ_PATH:
            yield from _of_path(thing, matrix)
        elif depth < _DEEPEST:
            inner = range(min(pdfium.FPDFFormObj_CountObjects(thing), _MOST))
            pending += [(pdfium.FPDFFormObj_GetObject(thing, at), matrix, depth + 1) for at in inner]


def _count(page: Any) -> int:
    return min(int(pdfium.FPDFPage_CountObjects(page)), _MOST)


def _of_path(path: Any, matrix: _Matrix) -> Iterator[tuple[_Point, _Point]]:
    """Yield the pieces of a path that is stroked, or that is filled and as thin as a line."""
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    if not pdfium.FPDFPath_GetDrawMode(path, fill, stroke):
        return
    if stroke.value:
        yield from _outline(path, matrix)
    elif fill.value:
        yield from _thin(list(_outline(path, matrix)))


def _outline(path: Any, matrix: _Matrix) -> Iterator[tuple[_Point, _Point]]:
    x, y = ctypes.c_float(), ctypes.c_float()
    first = before = (0.0, 0.0)
    for at in range(min(pdfium.FPDFPath_CountSegments(path), _MOST)):
        segment = pdfium.FPDFPath_GetPathSegment(path, at)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        point = _moved((x.value, y.value), matrix)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            first = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield before, point
        before = point
        if pdfium.FPDFPathSegment_GetClose(segment):
            yield before, first
            before = first


def _thin(outline: Sequence[tuple[_Point, _Point]]) -> Iterator[tuple[_Point, _Point]]:
    """Yield the middle line of a filled shape, if it is thin."""
    points = [point for piece in outline for point in piece]
    if not points:
        return
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    if right - left <= _THIN:
        yield ((left + right) / 2, low), ((left + right) / 2, high)
    elif high - low <= _THIN:
        yield (left, (low + high) / 2), (right, (low + high) / 2)


def _matrix(thing: Any) -> _Matrix:
    found = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(thing, found):
        return _ITSELF
    return found.a, found.b, found.c, found.d, found.e, found.f


def _within(inner: _Matrix, outer: _Matrix) -> _Matrix:
    a, b, c, d, e, f = inner
    (x, y), (to_x, to_y) = (_moved(point, (*outer[:4], 0, 0)) for point in ((a, b), (c, d)))
    return x, y, to_x, to_y, *_moved((e, f), outer)


def _moved(point: _Point, matrix: _Matrix) -> _Point:
    """Return where a matrix puts a point.

    >>> _moved((1, 2), (2, 0, 0, 2, 10, 20))
    (12, 24)
    """
    a, b, c, d, e, f = matrix
    return a * point[0] + c * point[1] + e, b * point[0] + d * point[1] + f
