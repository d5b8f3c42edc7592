"""Tiles: parts of a camera's picture in which the floor calibration says that people are too small for the detector.

A detector sees a picture scaled to its input. At the far end of a large store a person may then be thirty pixels high,
where few are found. Tiles are searched at a larger scale beside the whole picture; where they lie, and how large they
are, follows from how high a person appears at each place of the floor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detection.detector import Detections
from detection.floor import FloorCalibration
from detection.windows import Found, Window

Tile = tuple[float, float, float, float]
"""Left, top, right and bottom as shares of a picture's width and height, so that it fits recordings of any size."""

ADULT_M = 1.65
LEAST_PX = 64.0
"""Height of an adult in the detector's input below which they count as too small: there recall begins to fall."""
LEAST_ENLARGED = 1.3
"""Less is not worth a second look."""
SMALL_SHARE = 0.05
"""Of the far points, those that may stay smaller: one corner of the floor would else decide for all of it."""
MOST_TILES = 6
TALLER = 1.3
"""How much taller than that a tile may still find somebody: two looks at one person differ a little."""
OVERLAP_WIDTH = 0.6
"""Overlap of two tiles side by side, of the height of the tallest person who needs them: arms and bags included."""


def expected_heights(calibration: FloorCalibration, floor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 4) xyxy px of adults who stand at the points `floor` (M, 2) that show whole in the picture, and their
    heights (N,) px. None of either where the camera's pose can't be told from its calibration."""
    pose = calibration.pose()
    if pose is None:
        return np.zeros((0, 4)), np.zeros(0)
    feet = calibration.to_pixels(floor)
    heads = pose.project(np.column_stack([floor, np.full(len(floor), ADULT_M)]))
    heights = feet[:, 1] - heads[:, 1]
    half = heights / 6  # of the width of someone who stands upright
    boxes = np.column_stack([heads[:, 0] - half, heads[:, 1], feet[:, 0] + half, feet[:, 1]])
    width, height = calibration.image_size
    with np.errstate(invalid="ignore"):
        inside = (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2:] <= (width, height)).all(axis=1) & (heights > 0)
    return boxes[inside], heights[inside]


def far_height(calibration: FloorCalibration, floor: np.ndarray, input_px: int) -> float | None:
    """Height in the detector's input, px, of adults at the far end of the points `floor`; None where nobody shows."""
    _, heights = expected_heights(calibration, floor)
    scale = min(input_px / max(calibration.image_size), 1.0)
    return float(np.quantile(heights, SMALL_SHARE)) * scale if len(heights) else None


def tiles_for(calibration: FloorCalibration, floor: np.ndarray, input_px: int) -> tuple[Tile, ...]:
    """Tiles of a camera's pictures; none where everyone is large enough as it is.

    Args:
        floor: (M, 2) metres, points where people are to be seen.
        input_px: longer side of the detector's input.

    No tile enlarges beyond the own pixels of a picture as it was calibrated, and there are at most MOST_TILES: people
    who would need more become as large as these allow.
    """
    size = np.array(calibration.image_size, float)
    scale = input_px / size.max()
    boxes, heights = expected_heights(calibration, floor)
    small = heights * scale < LEAST_PX
    if scale >= 1 or not small.any():
        return ()
    farthest = min(float(np.quantile(heights, SMALL_SHARE)) * scale, LEAST_PX)
    tallest = LEAST_PX / scale
    low, high = boxes[small, :2].min(axis=0), boxes[small, 2:].max(axis=0)
    overlap = np.array([OVERLAP_WIDTH * tallest, tallest])
    enlarged = min(max(LEAST_PX / farthest, LEAST_ENLARGED), 1 / scale)
    counts = _counts(high - low, size / enlarged, overlap)
    while counts.prod() > MOST_TILES:
        enlarged *= 0.95
        counts = _counts(high - low, size / enlarged, overlap)
    # So many tiles may enlarge more than was needed.
    needed = (high - low + (counts - 1) * overlap) / counts
    tile = size / min(float((size / needed).min()), 1 / scale)
    columns, rows = (_starts(*side) for side in zip(low, high, tile, counts, size, strict=True))
    corners = np.array([(x, y, x + tile[0], y + tile[1]) for y in rows for x in columns]) / np.tile(size, 2)
    return tuple(tuple(corner) for corner in corners.clip(0, 1).round(4).tolist())


def window_of(tile: Tile, size: tuple[int, int]) -> Window:
    """A tile of a picture of `size` (height, width), on even pixels."""
    x1, y1, x2, y2 = (round(share * side / 2) * 2 for share, side in zip(tile, (size[1], size[0]) * 2, strict=True))
    return x1, y1, min(x2, size[1]), min(y2, size[0])


def best_seen(found: Sequence[Found], tallest_px: float) -> list[Found]:
    """What was found in a whole picture (first) and in its tiles, with everybody once: who lies in a tile and is not
    taller than `tallest_px` is told by the tile alone, everyone else by the whole picture."""
    everything, *tiles = found
    boxes = everything.people.boxes
    in_tile = np.zeros(len(boxes), bool)
    for tile in tiles:
        x1, y1, x2, y2 = tile.part.window
        in_tile |= (boxes[:, :2] >= (x1, y1)).all(axis=1) & (boxes[:, 2:] <= (x2, y2)).all(axis=1)
    own = [_kept(everything, ~(in_tile & (_heights(boxes) < tallest_px)))]
    return own + [_kept(tile, ~tile.cut & (_heights(tile.people.boxes) < TALLER * tallest_px)) for tile in tiles]


def _heights(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, 3] - boxes[:, 1]


def _kept(found: Found, keep: np.ndarray) -> Found:
    people = Detections(found.people.boxes[keep], found.people.scores[keep])
    return Found(found.part, people, np.zeros(len(people), bool))


def _counts(region: np.ndarray, tile: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """How many tiles side by side cover a region, across and down; all (2,) px."""
    step = np.maximum(tile - overlap, tile / 4)
    return np.maximum(1, np.ceil((region - tile) / step) + 1).astype(int)


def _starts(low: float, high: float, tile: float, count: int, end: float) -> list[float]:
    """Where `count` tiles begin along one side of length `end`, so that they cover low..high evenly."""
    if count == 1:
        return [float(np.clip((low + high - tile) / 2, 0, end - tile))]
    first = min(max(low, 0.0), end - tile)
    return np.linspace(first, max(min(high, end) - tile, first), count).tolist()
