"""Pages as images, with bounded pixels: those of a PDF, and of a PNG, JPEG or TIFF file. Only the child loads this.

A page of a PDF is drawn at 200 dots per inch. Whatever is larger than an A4 page at that resolution is made smaller,
because the engine needs some 250 bytes for each pixel. Sizes are compared with the limits before anything is unpacked.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Protocol

import numpy as np
import pypdfium2  # type: ignore[import-untyped]
from PIL import Image, ImageOps, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin

DPI = 200
MOST_PIXELS = 120_000_000  # of a picture as it is stored: A3 at 700 dots per inch
READ_PIXELS = 4_200_000  # of what is read: A4 at 200 dots per inch and a little
FEW_PIXELS, ENLARGED = 1_000_000, 2  # a smaller picture, such as a part of a screen, has small letters
LEAST_SIDE = 12  # pixels: no line of text is lower
_FORMATS = ("PNG", "JPEG", "TIFF")
_MANY_FRAMES = "TIFF"  # the others have more frames for movement or previews
_PDFIUM_IMAGE = 3  # FPDF_PAGEOBJ_IMAGE
# Modules are imported here and not when a picture is opened, because the child may then open no file.
_PLUGINS = (JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin)
Image.preinit()


class NoImage(Exception):
    """A page cannot be made an image; the message says why."""


class Pages(Protocol):
    """The pages of a file."""

    count: int

    def image(self, number: int) -> np.ndarray | None:
        """Return a page, counted from 1, as rows of blue, green and red bytes; None if it is blank."""
        ...


def pages_of(kind: str, data: bytes, passwords: Sequence[str]) -> Pages:
    """Open a file that is a "pdf" or a "picture"; raises NoImage, or an exception of the library that reads it."""
    return _PdfPages(data, passwords) if kind == "pdf" else _Frames(data)


class _Frames:
    """The pages of a picture file."""

    def __init__(self, data: bytes) -> None:
        Image.MAX_IMAGE_PIXELS = None  # ours is checked, and says more
        self._file = Image.open(io.BytesIO(data), formats=_FORMATS)
        _check(self._file.size)
        self.count = getattr(self._file, "n_frames", 1) if self._file.format == _MANY_FRAMES else 1

    def image(self, number: int) -> np.ndarray | None:
        self._file.seek(number - 1)
        _check(self._file.size)
        width, height = self._file.size
        if min(width, height) < LEAST_SIDE:
            return None
        size = _read_size(width, height)
        self._file.draft("RGB", size)  # a JPEG can be unpacked at half its size and less
        return _array(_smaller(ImageOps.exif_transpose(self._file), size))


def _check(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise NoImage(f"a picture of {size[0]:,} x {size[1]:,} pixels; at most {MOST_PIXELS:,} are unpacked")


def _read_size(width: int, height: int) -> tuple[int, int]:
    """Return the size that a picture is read at.

    >>> _read_size(7016, 9921), _read_size(400, 300), _read_size(1654, 2339)
    ((1723, 2437), (800, 600), (1654, 2339))
    """
    pixels = width * height
    scale = min(1.0, math.sqrt(READ_PIXELS / pixels)) if pixels >= FEW_PIXELS else ENLARGED
    return max(1, int(width * scale)), max(1, int(height * scale))


def _smaller(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Bring a picture to about the size that it is read at; it may lie on its side meanwhile."""
    if image.mode.startswith(("I", "F")):
        image = _grey(image)
    elif image.mode == "1":
        image = image.convert("L")  # a bit cannot be a mean of others
    elif image.mode == "P":
        image = image.convert("RGBA")
    if (image.width > image.height) != (size[0] > size[1]):
        size = size[::-1]
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _grey(image: Image.Image) -> Image.Image:
    """Bring numbers of 16 bits or more to those of 8, between the darkest and the lightest."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))


def _array(image: Image.Image) -> np.ndarray | None:
    """Return the pixels as the engine wants them; what is transparent becomes white."""
    if "A" in image.getbands():
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return _unless_blank(np.asarray(image.convert("RGB"))[:, :, ::-1])


def _unless_blank(pixels: np.ndarray) -> np.ndarray | None:
    return None if pixels.min() == pixels.max() else np.ascontiguousarray(pixels)


class _PdfPages:
    """The pages of a PDF, drawn by pdfium."""

    def __init__(self, data: bytes, passwords: Sequence[str]) -> None:
        self._document = _opened(data, passwords)
        self.count = len(self._document)

    def image(self, number: int) -> np.ndarray | None:
        with closing(self._document[number - 1]) as page:
            for size in _sizes(page):
                _check(size)
            width, height = page.get_size()
            if not 0 < width * height < math.inf:
                raise NoImage("a page without a size")
            scale = min(DPI / 72, math.sqrt(READ_PIXELS / (width * height)))
            with closing(page.render(scale=scale, rev_byteorder=False, prefer_bgrx=False)) as bitmap:
                pixels = bitmap.to_numpy()
                return _unless_blank(pixels[:, :, :3] if pixels.shape[2] > 1 else np.repeat(pixels, 3, axis=2))


def _opened(data: bytes, passwords: Sequence[str]) -> Any:
    for password in passwords:
        try:
            return pypdfium2.PdfDocument(data, password=password or None)
        except pypdfium2.PdfiumError as error:
            if "password" not in str(error).lower():
                raise
    raise NoImage("no password opens it")


def _sizes(page: Any) -> Iterator[tuple[int, int]]:
    """Yield the sizes of the pictures on a page, as their heads state them."""
    for item in page.get_objects(filter=[_PDFIUM_IMAGE], max_depth=3):
        yield item.get_px_size()
