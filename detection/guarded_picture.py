"""Uploaded pictures: untrusted bytes to pixels, or a refusal that says why.

Only JPEG, PNG and WebP, one picture a file, nothing before or after it, no file that is something else as well, and a
size that is checked in the header before anything is decoded. What goes on from here is pixels; no byte of the file is
kept. `detection.isolated.decode_picture` does it in a process of its own.
"""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageOps

MOST_BYTES = 8_000_000
MOST_PIXELS = 25_000_000
LONGEST_SIDE = 12_000
SHOWN_SIDE = 2_000
"""Longer sides are scaled down to this: a person needs no more."""
FOREIGN = {b"%pdf-": "PDF", b"<svg": "SVG", b"<html": "HTML", b"<script": "HTML", b"<?php": "PHP", b"#!/": "script"}
SNIFFED = 4096


class PictureRefused(ValueError):
    """An upload that is not decoded; the message says why, and what is accepted."""


def refuse_large(data: bytes) -> None:
    """Raises PictureRefused for more bytes than a picture may have."""
    if len(data) > MOST_BYTES:
        raise PictureRefused(f"the file has more bytes than the {MOST_BYTES:,} of a picture: make it smaller")


def decode_picture(data: bytes) -> np.ndarray:
    """Pixels, uint8 RGB (H, W, 3), upright, sides at most SHOWN_SIDE. Raises PictureRefused."""
    refuse_large(data)
    kind = _kind(data)
    _refuse_foreign(data)
    end = _ENDS[kind](data)
    if end != len(data):
        raise PictureRefused(f"the {kind} ends after {end:,} of {len(data):,} bytes: something else is in the file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=(kind,))
            _check_size(picture)
            picture.draft("RGB", (SHOWN_SIDE, SHOWN_SIDE))
            picture.load()
    except PictureRefused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureRefused(f"the picture has more than {MOST_PIXELS:,} pixels: make it smaller") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureRefused(f"the {kind} is damaged or no picture: {error}") from None
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    upright.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    return np.array(upright)


def _kind(data: bytes) -> str:
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    raise PictureRefused("the file is no JPEG, PNG or WebP picture; save it as one of these")


def _refuse_foreign(data: bytes) -> None:
    if zipfile.is_zipfile(io.BytesIO(data)):
        raise PictureRefused("the file is a ZIP archive as well as a picture; save the picture anew")
    start = data[:SNIFFED].lower()
    for mark, name in FOREIGN.items():
        if mark in start:
            raise PictureRefused(f"the file holds {name} as well as a picture; save the picture anew")


def _check_size(picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise PictureRefused(f"the picture is {width} x {height}; it may have {MOST_PIXELS:,} pixels: make it smaller")
    if getattr(picture, "n_frames", 1) > 1:
        raise PictureRefused("the file holds several pictures; give one")


def _png_end(data: bytes) -> int:
    """Offset after the IEND chunk (PNG specification, section 5)."""
    at = 8
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        if kind == b"IEND":
            return at
    raise PictureRefused("the PNG is cut off")


def _jpeg_end(data: bytes) -> int:
    """Offset after the end-of-image marker (ITU-T T.81, annex B), over segments and scans."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise PictureRefused("the JPEG is damaged")
        marker = data[at + 1]
        if marker == 0xD9:
            return at + 2
        if marker == 0xFF or 0xD0 <= marker <= 0xD7:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
        if marker == 0xDA:
            at = _scan_end(data, at)
    if data[at : at + 2] == b"\xff\xd9":
        return at + 2
    raise PictureRefused("the JPEG is cut off")


def _scan_end(data: bytes, at: int) -> int:
    while (at := data.find(b"\xff", at)) >= 0:
        if at + 1 < len(data) and data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2
    raise PictureRefused("the JPEG is cut off")


def _webp_end(data: bytes) -> int:
    """The RIFF container says how long it is (RFC 9649, section 2.3)."""
    return 8 + int.from_bytes(data[4:8], "little")


_ENDS: dict[str, Callable[[bytes], int]] = {"PNG": _png_end, "JPEG": _jpeg_end, "WEBP": _webp_end}
