"""Where a picture changed: a small grey difference picture, cheap enough for every sampled frame of a night.

Pictures are compared with the last key picture. What moved shows there however slowly it moves; what the camera does to
the whole picture (exposure, lights that fade) is taken out by the median of the difference, and its noise and the
codec's are measured in the same picture by the median of what is left. A picture that changed everywhere, lights that
went on say, simply changed everywhere.
"""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from detection.timestamps import MICROSECONDS

GRID = (24, 40)
"""Rows and columns of cells that a picture is divided into, whatever its size."""
PIXELS = 4
"""Side in pixels of a cell in the small picture."""
LEAST_CHANGE = 4
"""Grey levels of 255; people in dim light differ by more from what they cover, a quiet sensor by less."""
NOISES = 5
"""Standard deviations of the picture's noise that are a change."""
DEVIATION_BY_MEDIAN = 1.4826


class MotionTest:
    """Which cells of each picture changed since the last key picture. Pictures are given in order of time.

    The first picture of each `key_s` seconds of the clock (0: every one) is a key picture where anything changed, and
    so is the first of each `fresh_s`: that one is compared with nothing, so what is found from there on doesn't depend
    on what was before.
    """

    def __init__(self, key_s: float, fresh_s: float) -> None:
        if not (key_s >= 0 and fresh_s > 0):
            raise ValueError(f"seconds between key pictures can't be {key_s} and {fresh_s}")
        self._key_us, self._fresh_us = max(1, round(key_s * MICROSECONDS)), round(fresh_s * MICROSECONDS)
        self._spans: tuple[int | None, int | None] = (None, None)
        self._key: np.ndarray | None = None
        self._reformatter = VideoReformatter()

    def look(self, time_us: int, picture: av.VideoFrame) -> tuple[bool, np.ndarray]:
        """Whether a decoded picture is a key picture, and which cells changed, bool `GRID`."""
        rows, columns = GRID
        small = self._reformatter.reformat(
            picture, width=columns * PIXELS, height=rows * PIXELS, format="gray", interpolation=Interpolation.AREA
        )
        return self.compare(time_us, small.to_ndarray())

    def compare(self, time_us: int, small: np.ndarray) -> tuple[bool, np.ndarray]:
        """As `look`, from the small grey picture, uint8 (rows * PIXELS, columns * PIXELS)."""
        spans = time_us // self._fresh_us, time_us // self._key_us
        fresh, due = spans[0] != self._spans[0], spans != self._spans
        self._spans = spans
        small = small.astype(np.int16)
        if fresh or self._key is None:
            self._key = small
            return True, np.ones(GRID, bool)
        changed = changed_cells(self._key, small)
        # A picture without a change is no key picture: what moves slowly is held against where it was, not against
        # where it nearly is.
        key = due and bool(changed.any())
        if key:
            self._key = small
        return key, changed


def changed_cells(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Which cells differ, bool `GRID`, between two small grey pictures, int16."""
    difference = now - before
    difference = np.abs(difference - np.int16(np.median(difference)))
    noise = DEVIATION_BY_MEDIAN * float(np.median(difference))
    changed = difference > max(LEAST_CHANGE, NOISES * noise)
    return changed.reshape(GRID[0], PIXELS, GRID[1], PIXELS).any(axis=(1, 3))
