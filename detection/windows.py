"""Parts of pictures, pasted side by side on canvases: a detector sees several pictures' moving parts in one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from detection.boxes import PADDING_VALUE
from detection.detector import Detections

CONTEXT_CELLS = 1
"""Around what changed: feet and hair that look like the floor behind them."""
BOX_MARGIN = 0.1
"""Of a person's box, on each side."""
GAP = 16
"""Pixels between two windows of a canvas."""
WHOLE_FROM = 0.5
"""Share of the picture from which all of it is searched."""
BORDER = 2.0

Window = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixels of a picture."""


@dataclass(frozen=True)
class Part:
    """A window of one picture. `picture`: its number among those given together."""

    picture: int
    window: Window


@dataclass(frozen=True)
class Found:
    """People in a part, boxes in pixels of its picture. `cut`, bool (N,): whose box ends at the window's border, where
    the picture goes on."""

    part: Part
    people: Detections
    cut: np.ndarray


@dataclass(frozen=True)
class Canvas:
    """Windows pasted on one picture, uint8 RGB (H, W, 3); `places`: left and top of each part on it."""

    image: np.ndarray
    parts: tuple[Part, ...]
    places: tuple[tuple[int, int], ...]


def windows_of(changed: np.ndarray, boxes: np.ndarray, size: tuple[int, int]) -> tuple[list[Window], np.ndarray]:
    """Windows that hold all that changed, with whole people.

    Args:
        changed: bool (rows, columns), cells of the picture.
        boxes: (N, 4) xyxy px, people in the picture that it was compared with.
        size: height and width of the picture.

    Returns:
        Windows, which may overlap: none where nothing changed, the whole picture where much did. And which of the
        people are untouched by any change, bool (N,): the others lie whole in a window.
    """
    height, width = size
    side = 2 * CONTEXT_CELLS + 1
    near = cv2.dilate(changed.astype(np.uint8), np.ones((side, side), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    cell = np.array([width / changed.shape[1], height / changed.shape[0]])
    labels = np.where(changed, labels, 0)
    touches = np.array([_touched(labels, box, cell, count) for box in boxes], bool).reshape(-1, count)
    windows = []
    for number in range(1, count):
        left, top, wide, high = stats[number, :4]
        corners = np.array([left, top, left + wide, top + high]) * np.tile(cell, 2)
        windows.append(_around(np.concatenate([corners[None], _widened(boxes[touches[:, number]])]), size))
    windows = _joined(windows)
    if sum(map(_area, windows)) > WHOLE_FROM * width * height:
        return [whole(size)], np.zeros(len(boxes), bool)
    return windows, np.logical_not(touches[:, 1:].any(axis=1))


def whole(size: tuple[int, int]) -> Window:
    """The window of all of a picture of `size` (height, width)."""
    return 0, 0, size[1], size[0]


def _touched(labels: np.ndarray, box: np.ndarray, cell: np.ndarray, count: int) -> np.ndarray:
    """Which of the `count` labels lie in a box (4,), bool (count,)."""
    left, top = np.floor(box[:2] / cell).astype(int)
    right, bottom = np.ceil(box[2:] / cell).astype(int)
    result = np.zeros(count, bool)
    result[labels[top:bottom, left:right]] = True
    return result


def _widened(boxes: np.ndarray) -> np.ndarray:
    margin = BOX_MARGIN * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)


def _around(boxes: np.ndarray, size: tuple[int, int]) -> Window:
    """The window around boxes, on even pixels, which a picture scaled to half begins with."""
    x1, y1 = np.maximum(np.floor(boxes[:, :2].min(axis=0) / 2) * 2, 0).astype(int).tolist()
    x2, y2 = np.minimum(np.ceil(boxes[:, 2:].max(axis=0) / 2) * 2, size[::-1]).astype(int).tolist()
    return x1, y1, x2, y2


def _joined(windows: list[Window]) -> list[Window]:
    """Windows, two of them in one wherever that is no larger than both."""
    done: list[Window] = []
    left = list(windows)
    while left:
        window = left.pop()
        for other in done:
            (x1, y1), (x2, y2) = map(min, window[:2], other[:2]), map(max, window[2:], other[2:])
            both = x1, y1, x2, y2
            if _area(both) <= _area(window) + _area(other):
                done.remove(other)
                left.append(both)
                break
        else:
            done.append(window)
    return done


def _area(window: Window) -> int:
    return (window[2] - window[0]) * (window[3] - window[1])


def own_canvas(part: Part, images: Sequence[np.ndarray]) -> Canvas:
    """A part as a picture of its own, not a copy."""
    x1, y1, x2, y2 = part.window
    return Canvas(images[part.picture][y1:y2, x1:x2], (part,), ((0, 0),))


def paste(parts: Sequence[Part], images: Sequence[np.ndarray]) -> list[Canvas]:
    """Parts on as few canvases of the pictures' size as shelves give (highest first). Pictures are of one size.

    A whole picture is its own canvas, not a copy.
    """
    canvases: list[Canvas] = []
    small: list[Part] = []
    for part in parts:
        height, width = images[part.picture].shape[:2]
        if part.window == whole((height, width)):
            canvases.append(own_canvas(part, images))
        else:
            small.append(part)
    if not small:
        return canvases
    height, width = images[small[0].picture].shape[:2]
    for shelf in _shelves(small, height, width):
        # No higher than it is filled; a network whose size is fixed scales it by its width all the same.
        used = max(top + part.window[3] - part.window[1] for part, (_, top) in shelf)
        image = np.full((used if width >= height else height, width, 3), PADDING_VALUE, np.uint8)
        for part, (left, top) in shelf:
            x1, y1, x2, y2 = part.window
            image[top : top + y2 - y1, left : left + x2 - x1] = images[part.picture][y1:y2, x1:x2]
        canvases.append(Canvas(image, tuple(part for part, _ in shelf), tuple(place for _, place in shelf)))
    return canvases


@dataclass
class _Shelf:
    """A row of a canvas: `free` is where its next part begins."""

    canvas: int
    top: int
    height: int
    free: int = 0


def _shelves(parts: Sequence[Part], height: int, width: int) -> list[list[tuple[Part, tuple[int, int]]]]:
    """Left and top of each part, canvas by canvas: on shelves, highest parts first, on the first that has room."""
    canvases: list[list[tuple[Part, tuple[int, int]]]] = []
    shelves: list[_Shelf] = []
    ends: list[int] = []
    for part in sorted(parts, key=lambda part: part.window[1] - part.window[3]):
        x1, y1, x2, y2 = part.window
        wide, high = x2 - x1, y2 - y1
        shelf = next((one for one in shelves if high <= one.height and one.free + wide <= width), None)
        if shelf is None:
            canvas = next((number for number, end in enumerate(ends) if end + high <= height), len(canvases))
            if canvas == len(canvases):
                canvases.append([])
                ends.append(0)
            shelf = _Shelf(canvas, ends[canvas], high)
            shelves.append(shelf)
            ends[canvas] += high + GAP
        canvases[shelf.canvas].append((part, (shelf.free, shelf.top)))
        shelf.free += wide + GAP
    return canvases


def lift(canvas: Canvas, found: Detections, sizes: Sequence[tuple[int, int]]) -> list[Found]:
    """What was found in each part of a canvas, in pixels of its picture. `sizes`: height and width of each picture."""
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    result = []
    for part, (left, top) in zip(canvas.parts, canvas.places, strict=True):
        x1, y1, x2, y2 = part.window
        inside = np.all((middles >= [left, top]) & (middles < [left + x2 - x1, top + y2 - y1]), axis=1)
        boxes = found.boxes[inside] + np.array([x1 - left, y1 - top] * 2, np.float32)
        boxes = np.clip(boxes, [x1, y1, x1, y1], [x2, y2, x2, y2]).astype(np.float32)
        height, width = sizes[part.picture]
        cut = (boxes[:, 0] < x1 + BORDER) & (x1 > 0) | (boxes[:, 2] > x2 - BORDER) & (x2 < width)
        cut |= (boxes[:, 1] < y1 + BORDER) & (y1 > 0) | (boxes[:, 3] > y2 - BORDER) & (y2 < height)
        result.append(Found(part, Detections(boxes, found.scores[inside]), cut))
    return result
