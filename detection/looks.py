"""How a detection looks to a tracker: the colours of its upper, middle and lower third, a few bytes a box.

Between two sampled frames someone's clothes stay what they were, while boxes in a crowd overlap anyhow. The measure is
made to be cheap and to compare a person with themselves a moment later in the same camera; who someone is, across
cameras and hours, is the business of the re-identification network.
"""

from __future__ import annotations

from math import ceil

import cv2
import numpy as np

BANDS, BINS = 3, 8
SIZE = BANDS * 3 * BINS
WIDTH_SHARE = 0.6
"""Of a box's width, its middle: the sides show more of the shop than of the person."""
PATCH = (12, 24)
"""Width and height in pixels that a box is shrunk to."""
LOWEST = np.array([0, -40, -40], np.float32)
RANGE = np.array([100, 80, 80], np.float32)
"""Of L*, a* and b*; colours beyond it count in the outermost bin."""
USUAL_CHANGE, TWO_PEOPLE = 0.12, 0.32
"""Unlikeness of one person in two frames in a row that is nothing special, and one that only two people have."""


def looks_of(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Looks of people, uint8 (N, 72): for each third of the box a histogram of L*, a* and b* with 8 bins, in 255ths.

    image: uint8 RGB (H, W, 3); boxes: (N, 4) xyxy px, which may reach beyond the picture.
    """
    if len(boxes) == 0:
        return np.zeros((0, SIZE), np.uint8)
    patches = np.stack([_patch(image, *box) for box in np.asarray(boxes, float).tolist()])
    pixels = patches.reshape(-1, PATCH[0], 3).astype(np.float32) / 255
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    place = np.clip((lab - LOWEST) / RANGE, 0, 1) * (BINS - 1)
    lower = np.minimum(place.astype(np.int64), BINS - 2)
    upper_share = place - lower
    rows = len(boxes) * BANDS
    histogram = (np.arange(rows)[:, None, None] * 3 + np.arange(3)) * BINS
    lower = lower.reshape(rows, -1, 3)
    upper_share = upper_share.reshape(rows, -1, 3)
    bins = np.bincount((histogram + lower).ravel(), (1 - upper_share).ravel(), rows * 3 * BINS)
    bins += np.bincount((histogram + lower + 1).ravel(), upper_share.ravel(), rows * 3 * BINS)
    shares = bins / lower.shape[1]
    return np.rint(shares * 255).astype(np.uint8).reshape(len(boxes), SIZE)


def _patch(image: np.ndarray, x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
    """The middle of a box, shrunk; at least one pixel of the picture."""
    height, width = image.shape[:2]
    margin = (x2 - x1) * (1 - WIDTH_SHARE) / 2
    left, top = (int(min(max(low, 0), size - 1)) for low, size in ((x1 + margin, width), (y1, height)))
    right = min(max(ceil(x2 - margin), left + 1), width)
    bottom = min(max(ceil(y2), top + 1), height)
    return cv2.resize(image[top:bottom, left:right], PATCH, interpolation=cv2.INTER_AREA)


def unlikeness(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How unlike the looks (A, 72) and (B, 72) are, (A, B): share of colour that would have to change, 0 to 1."""
    difference = np.abs(first[:, None].astype(np.float32) - second[None].astype(np.float32))
    return difference.sum(axis=2) / (2 * 255 * BANDS * 3)
