"""A picture sheet of a detector's mistakes, to look at before believing its figures."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from detection.labelled_pictures import LabelledPicture

TILE_PX = 220
GREEN, RED, YELLOW = (80, 200, 80), (60, 60, 230), (60, 210, 240)


@dataclass(frozen=True)
class Mistake:
    """`kind` missed or false alarm; `box` xyxy of the person or detection; `detected` (D, 4) of the whole picture."""

    kind: str
    picture: LabelledPicture
    box: tuple[float, ...]
    detected: np.ndarray


def write_sheet(mistakes: Sequence[Mistake], path: str | Path, *, of_each: int = 20, columns: int = 8) -> None:
    """Write a PNG: a random `of_each` misses, then as many false alarms.

    Truth is green, detections are yellow, the mistake itself red. Raises OSError where it can't be written.
    """
    chosen: list[Mistake] = []
    for kind in ("missed", "false alarm"):
        of_kind = [mistake for mistake in mistakes if mistake.kind == kind]
        chosen += random.Random(0).sample(of_kind, min(of_each, len(of_kind)))
    tiles = [_tile(mistake) for mistake in chosen]
    tiles += [np.full((TILE_PX, TILE_PX, 3), 255, np.uint8)] * (-len(tiles) % columns or (0 if tiles else columns))
    rows = [np.hstack(tiles[first : first + columns]) for first in range(0, len(tiles), columns)]
    if not cv2.imwrite(str(path), np.vstack(rows)):
        raise OSError(f"cannot write {path}")


def _tile(mistake: Mistake) -> np.ndarray:
    """A square round the mistake, BGR, TILE_PX a side."""
    image = np.ascontiguousarray(mistake.picture.image[..., ::-1])
    for boxes, colour in ((mistake.picture.boxes, GREEN), (mistake.detected, YELLOW), ([mistake.box], RED)):
        for x1, y1, x2, y2 in np.asarray(boxes).round().astype(int).tolist():
            cv2.rectangle(image, (x1, y1), (x2, y2), colour, 1)
    x1, y1, x2, y2 = mistake.box
    half = max(x2 - x1, y2 - y1, 40.0) * 0.8
    height, width = image.shape[:2]
    left, top = (round(max(0, (a + b) / 2 - half)) for a, b in ((x1, x2), (y1, y2)))
    cut = image[top : min(height, round(top + 2 * half)), left : min(width, round(left + 2 * half))]
    scale = TILE_PX / max(cut.shape[:2])
    cut = cv2.resize(cut, None, fx=scale, fy=scale)[:TILE_PX, :TILE_PX]
    tile = np.full((TILE_PX, TILE_PX, 3), 255, np.uint8)
    tile[: cut.shape[0], : cut.shape[1]] = cut
    cv2.putText(tile, mistake.kind, (4, TILE_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.4, RED, 1, cv2.LINE_AA)
    return tile
