"""Heads of people in a picture made unrecognisable, by the people's boxes; a fixed camera's picture without people."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

HEAD_SHARE = 0.2
"""Of a standing person's box, with the margin that a child's larger head and a nod need."""
HEAD_WIDTHS = 0.55
"""A box that ends at a shelf is short: its head is at least this many box widths high."""
BLOCKS = 4
MARGIN = 0.1
SAME_SIGHT = 20.0
"""Mean absolute difference of a head's pixels (of 255) up to which two pictures of a camera may show the same head."""
STRIP = 64


def coarse(image: np.ndarray, width: int) -> np.ndarray:
    """A picture, uint8 RGB (H, W, 3), of the same size with the detail of one that is `width` pixels wide: whole, for
    where nobody is to be known and nobody may be missed."""
    height, full = image.shape[:2]
    if full <= width:
        return image
    small = cv2.resize(image, (width, max(round(height * width / full), 1)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (full, height), interpolation=cv2.INTER_LINEAR)


def blur_heads(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Copy of uint8 RGB (H, W, 3) in which the head of each box (N, 4) xyxy is `BLOCKS` blocks wide and smoothed.

    So few values are left of a head that nothing can be restored from them.
    """
    result = image.copy()
    for box in np.asarray(boxes, float).reshape(-1, 4):
        where = head_of(box, image.shape[:2])
        region = result[where]
        if region.size:
            few = cv2.resize(region, (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA)
            result[where] = cv2.resize(few, region.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return result


def head_of(box: np.ndarray, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the head of a box (4,) xyxy in a picture of a size (height, width); empty where outside."""
    x1, y1, x2, y2 = box
    wide, tall = x2 - x1, y2 - y1
    head = min(max(HEAD_SHARE * tall, HEAD_WIDTHS * wide), 0.5 * tall)
    left, right = np.clip([x1 - MARGIN * wide, x2 + MARGIN * wide], 0, size[1])
    top, bottom = np.clip([y1 - MARGIN * tall, y1 + head], 0, size[0])
    return slice(int(top), int(np.ceil(bottom))), slice(int(left), int(np.ceil(right)))


def without_movers(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """The median of a fixed camera's pictures, uint8 (H, W, 3) of one size: who is at the same place in fewer than half
    of them is gone. Raises ValueError where there are none."""
    if not pictures:
        raise ValueError("a median needs at least one picture")
    result = np.empty_like(pictures[0])
    for top in range(0, len(result), STRIP):  # a few rows at a time: pictures are large, and sorting copies them
        rows = np.stack([picture[top : top + STRIP] for picture in pictures])
        result[top : top + STRIP] = np.partition(rows, len(rows) // 2, axis=0)[len(rows) // 2]
    return result


def still_there(median: np.ndarray, picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Which boxes (N,) of people in a picture have heads that its camera's median shows as well: they stood still."""
    heads = [head_of(box, picture.shape[:2]) for box in np.asarray(boxes, float).reshape(-1, 4)]
    differences = [np.abs(median[head].astype(np.int16) - picture[head]) for head in heads]
    return np.array([one.size > 0 and one.mean() <= SAME_SIGHT for one in differences], bool)
