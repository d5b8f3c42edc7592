"""Uploads: pictures come through as pixels; everything that is more, or less, than a picture is refused."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from detection import isolated
from detection.guarded_picture import MOST_BYTES, PictureRefused, decode_picture


def encoded(kind: str, size: tuple[int, int] = (60, 90), **options: object) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("payload.py", "import os")
    return out.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(width: int, height: int) -> bytes:
    """A few kilobytes that claim to be a picture of any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(4_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def animation() -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", (20, 20), (shade, 0, 0)) for shade in (0, 200)]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        encoded("JPEG"),
        encoded("JPEG", progressive=True),
        encoded("JPEG", exif=b"Exif\0\0" + b"\xff\xd9" * 9),
        encoded("PNG"),
        encoded("WEBP"),
        encoded("WEBP", lossless=True),
    ],
)
def test_pictures_come_through(data):
    pixels = decode_picture(data)
    assert pixels.shape == (90, 60, 3) and pixels.dtype == np.uint8


def test_a_large_picture_comes_scaled_and_a_turned_one_upright():
    assert max(decode_picture(encoded("JPEG", (3000, 1500))).shape) == 2000
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_picture(encoded("JPEG", exif=exif)).shape == (60, 90, 3)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no JPEG, PNG or WebP"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "no JPEG, PNG or WebP"),
        (archive(), "no JPEG, PNG or WebP"),
        (b"GIF89a" + bytes(100), "no JPEG, PNG or WebP"),
        (encoded("JPEG") + archive(), "ZIP archive"),
        (encoded("PNG") + b"more", "something else is in the file"),
        (encoded("JPEG") + b"\xff\xd9", "something else is in the file"),
        (encoded("WEBP") + b"more", "something else is in the file"),
        (encoded("JPEG", comment=b"<script>alert(1)</script>"), "HTML"),
        (encoded("JPEG", comment=b"%PDF-1.7"), "PDF"),
        (encoded("JPEG")[:-400], "cut off"),
        (encoded("PNG")[:-30], "cut off"),
        (png_bomb(60_000, 60_000), "make it smaller"),
        (png_bomb(2**31 - 1, 2**31 - 1), "make it smaller"),
        (encoded("PNG") + bytes(MOST_BYTES), "make it smaller"),
        (animation(), "several pictures"),
    ],
)
def test_what_is_no_mere_picture_is_refused(data, why):
    with pytest.raises(PictureRefused, match=why):
        decode_picture(data)


def test_the_same_in_a_process_of_its_own():
    data = encoded("PNG")
    np.testing.assert_array_equal(isolated.decode_picture(data), decode_picture(data))
    with pytest.raises(PictureRefused, match="ZIP archive"):
        isolated.decode_picture(encoded("JPEG") + archive())
    with pytest.raises(PictureRefused, match="make it smaller"):
        isolated.decode_picture(png_bomb(60_000, 60_000))
