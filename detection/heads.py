"""Heads of people in a picture made unrecognisable, by the people's boxes."""

from __future__ import annotations

import cv2
import numpy as np

HEAD_SHARE = 0.2
"""Of a standing person's box, with the margin that a child's larger head and a nod need."""
HEAD_WIDTHS = 0.55
"""A box that ends at a shelf is short: its head is at least this many box widths high."""
BLOCKS = 4
MARGIN = 0.1


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
    height, width = image.shape[:2]
    for x1, y1, x2, y2 in np.asarray(boxes, float).reshape(-1, 4):
        wide, tall = x2 - x1, y2 - y1
        head = min(max(HEAD_SHARE * tall, HEAD_WIDTHS * wide), 0.5 * tall)
        left, right = np.clip([x1 - MARGIN * wide, x2 + MARGIN * wide], 0, width)
        top, bottom = np.clip([y1 - MARGIN * tall, y1 + head], 0, height)
        rows, columns = slice(int(top), int(np.ceil(bottom))), slice(int(left), int(np.ceil(right)))
        region = result[rows, columns]
        if region.size:
            few = cv2.resize(region, (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA)
            result[rows, columns] = cv2.resize(few, region.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return result
