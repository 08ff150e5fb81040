"""The engine that reads images: RapidOCR, with the models that its package brings, whose hashes it checks.

It finds lines of text, and reads each. Whether a page is upside down is decided for the whole page: its longest lines
are read both ways, and the more certain one is right. Only the child loads this.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul
from typing import Any

import numpy as np

from reatt.parsers.ocr.placing import Corners, Line

_TALL = 1.5  # times as high as wide: the engine turns such a part of an image by a quarter before it reads it
_TRIED = 4  # lines that are read to learn which way up they are, the longest
_CLEAR = 0.9  # certainty of lines that need not be tried the other way up
_FOUND_AT = 1600  # pixels of the longer side that lines are looked for at; they are read from the image itself


class Engine:
    """Finds and reads lines of text; loads its models at once."""

    def __init__(self) -> None:
        import cv2
        import rapidocr

        cv2.setNumThreads(1)
        self._engine: Any = rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_preprocess_img": False,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "Det.limit_type": "max",
                "Det.limit_side_len": _FOUND_AT,
            }
        )
        self._warm()

    def _warm(self) -> None:
        """Load models and modules now: later no file can be opened."""
        strip = np.full((48, 192, 3), 255, dtype=np.uint8)
        strip[16:32, 32:160:16] = 0
        self._found(np.full((64, 256, 3), 255, dtype=np.uint8))
        self._certainty([strip])

    def lines(self, image: np.ndarray) -> list[Line]:
        """Read an image: rows of blue, green and red bytes."""
        boxes, parts = self._found(image)
        if not parts:
            return []
        tall = [_is_tall(box) for box in boxes]
        flipped = {turned: self._upside_down(_longest(parts, tall, turned)) for turned in set(tall)}
        upright = [np.rot90(part, 2) if flipped[turned] else part for part, turned in zip(parts, tall, strict=True)]
        read = self._engine.recognize_txt([np.ascontiguousarray(part) for part in upright])
        return [
            Line(text, float(score), box, turned, flipped[turned])
            for text, score, box, turned in zip(read.txts, read.scores, boxes, tall, strict=True)
        ]

    def _found(self, image: np.ndarray) -> tuple[list[Corners], list[np.ndarray]]:
        """Return where lines are, and the parts of the image that show them."""
        from rapidocr.main import RapidOCRError

        record: dict[str, Any] = {}
        try:
            parts, found = self._engine.detect_and_crop(image, record)
        except RapidOCRError:  # there are none
            return [], []
        above = record["padding_1"]["top"]  # a low image is put on a higher one
        boxes = [tuple((float(x), float(y) - above) for x, y in box) for box in found.boxes]
        kept = [at for at, part in enumerate(parts) if min(part.shape[:2]) > 1]
        return [boxes[at] for at in kept], [parts[at] for at in kept]

    def _upside_down(self, parts: Sequence[np.ndarray]) -> bool:
        """Return whether lines are read better the other way up."""
        certain = self._certainty(parts)
        return certain < _CLEAR and self._certainty([np.rot90(part, 2) for part in parts]) > certain

    def _certainty(self, parts: Sequence[np.ndarray]) -> float:
        """Read some lines; return how certain their characters are on average."""
        read = self._engine.recognize_txt([np.ascontiguousarray(part) for part in parts])
        lengths = [len(text) for text in read.txts]
        return float(sum(map(mul, read.scores, lengths)) / max(sum(lengths), 1))


def _is_tall(box: Corners) -> bool:
    """Return whether the engine has turned the part of the image within these corners."""
    (a, b, c, d) = (np.array(corner) for corner in box)
    width = int(max(np.linalg.norm(a - b), np.linalg.norm(c - d)))
    height = int(max(np.linalg.norm(a - d), np.linalg.norm(b - c)))
    return height >= _TALL * width


def _longest(parts: Sequence[np.ndarray], tall: Sequence[bool], turned: bool) -> list[np.ndarray]:
    same = [part for part, each in zip(parts, tall, strict=True) if each == turned]
    return sorted(same, key=lambda part: part.shape[0] - part.shape[1])[:_TRIED]
