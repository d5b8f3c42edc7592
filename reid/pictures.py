"""From crops to pictures of the size that the network takes: checks and resize."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

SMALLEST = 8  # pixels; a person of fewer has no appearance to compare


class CropError(ValueError):
    """A crop that cannot be embedded. ``index`` is its place in the sequence."""

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(f"crop {index} {problem}")
        self.index = index


def resize(crops: Sequence[NDArray[np.uint8]], image_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Checked crops of any size, RGB, to one array (N, H, W, 3); shrinking averages, growing interpolates.

    Raises:
        CropError: a crop that is empty, under 8 pixels, not uint8, or not of three channels.
    """
    height, width = image_size
    pictures = np.empty((len(crops), height, width, 3), dtype=np.uint8)
    for index, crop in enumerate(crops):
        check_crop(index, crop)
        shrinks = crop.shape[0] >= height and crop.shape[1] >= width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        pictures[index] = cv2.resize(np.ascontiguousarray(crop), (width, height), interpolation=method)
    return pictures


def check_crop(index: int, crop: object) -> None:
    """Raises CropError where ``crop`` is no uint8 RGB picture (h, w, 3) of at least 8 x 8 pixels."""
    if not isinstance(crop, np.ndarray):
        raise CropError(index, f"is a {type(crop).__name__}: give a numpy array, uint8 (height, width, 3), RGB")
    if crop.ndim != 3 or crop.shape[2] != 3:
        raise CropError(index, f"has shape {crop.shape}: it must be (height, width, 3), RGB")
    if crop.dtype != np.uint8:
        broken = crop.dtype.kind == "f" and not np.isfinite(crop).all()
        raise CropError(
            index, f"is {crop.dtype}{' with values that are not finite' if broken else ''}: it must be uint8, 0..255"
        )
    if crop.size == 0:
        raise CropError(index, f"is empty, {crop.shape}: leave out boxes without area")
    if min(crop.shape[:2]) < SMALLEST:
        raise CropError(index, f"is {crop.shape[0]} x {crop.shape[1]} pixels: both sides need at least {SMALLEST}")
