"""People of every sampled picture, while the detector sees only what changed.

A key picture is searched whole; but after one without anybody only where it differs from that, so an empty store costs
next to nothing. A picture between two key pictures is searched where it differs from the one before, if anywhere, and
who stands where nothing changed is there still: nobody is dropped for standing still. Parts of several pictures share a
run of the detector (detection/windows.py).

Where people are small (detection/tiles.py) a picture in which anything changed is searched whole and tile by tile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detection.boxes import suppress
from detection.detector import Detections, Detector
from detection.matching import area, intersection
from detection.tiles import LEAST_PX, Tile, best_seen, window_of
from detection.video import Frame
from detection.windows import Found, Part, Window, lift, own_canvas, paste, whole, windows_of

SAME_IOU = 0.5
"""Two boxes that overlap more are one person's."""
PIECE = 0.6
"""Share of a box cut off by a window's border that lies in another box, from which it is a piece of that person."""


@dataclass(frozen=True)
class Looked:
    """People in a frame. `repeats`, int (N,): the row among the last key frame's people where somebody stands
    unchanged since; -1 for who was found in this picture."""

    frame: Frame
    people: Detections
    repeats: np.ndarray


class Looker:
    """Runs a detector on the frames of one recording, in order of time, as a reader with a motion test gives them.

    Frames of a reader without one are searched whole. `tiles` are parts of every picture that are searched besides.
    `runs` counts the pictures and canvases that the detector saw.
    """

    def __init__(self, detector: Detector, tiles: Sequence[Tile] = ()) -> None:
        self._detector = detector
        self._tiles = tuple(tiles)
        self._key = Detections.none()
        self.runs = 0

    def look(self, frames: Sequence[Frame]) -> list[Looked]:
        """People of the next frames. Several at once keep all cores busy."""
        looked: list[Looked] = []
        while len(looked) < len(frames):
            looked += self._look(self._next(frames[len(looked) :]))
        return looked

    def _next(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """The first frames that can be searched at once: key frames that are searched whole whatever is in those before
        them, or else the frames up to the next key frame."""
        keys = next((number for number, frame in enumerate(frames) if not frame.key), len(frames))
        if keys and (len(self._key) or frames[0].changed is None):
            return frames[:keys]
        others = next((number for number, frame in enumerate(frames) if frame.key), len(frames))
        return frames[: others + 1]

    def _look(self, frames: Sequence[Frame]) -> list[Looked]:
        plans = [self._plan(frame) for frame in frames]
        found = self._search([windows for windows, _ in plans], frames)
        if self._tiles:
            found = [self._without_pieces(own, frame) for own, frame in zip(found, frames, strict=True)]
        people = [_people(self._key, stays, own) for (_, stays), own in zip(plans, found, strict=True)]
        torn = [one is None for one in people]
        if any(torn):
            wholes = [[whole(_size(frame))] if cut else [] for frame, cut in zip(frames, torn, strict=True)]
            again = self._search(wholes, frames)
            nobody = np.zeros(len(self._key), bool)
            people = [one or _people(self._key, nobody, own) for one, own in zip(people, again, strict=True)]
        looked = [Looked(frame, *one) for frame, one in zip(frames, people, strict=True) if one is not None]
        if frames[-1].key:
            self._key = looked[-1].people
        return looked

    def _plan(self, frame: Frame) -> tuple[list[Window], np.ndarray]:
        """What of a frame to search, and who of the key frame stays where they were."""
        size = _size(frame)
        everything = [whole(size), *(window_of(tile, size) for tile in self._tiles)], np.zeros(len(self._key), bool)
        if frame.changed is None or (frame.key and len(self._key)):
            return everything
        windows, stays = windows_of(frame.changed, self._key.boxes, size)
        return everything if windows and self._tiles else (windows, stays)

    def _search(self, windows: Sequence[Sequence[Window]], frames: Sequence[Frame]) -> list[list[Found]]:
        """What is found in the windows of each frame."""
        parts = [Part(number, window) for number, own in enumerate(windows) for window in own]
        images = [frame.image for frame in frames]
        # A tile is a picture of its own, so that it fills the detector's input; other windows share one.
        canvases = [own_canvas(part, images) for part in parts] if self._tiles else paste(parts, images)
        found: list[list[Found]] = [[] for _ in frames]
        if canvases:
            self.runs += len(canvases)
            seen = self._detector.detect([canvas.image for canvas in canvases])
            for canvas, people in zip(canvases, seen, strict=True):
                for one in lift(canvas, people, [_size(frame) for frame in frames]):
                    found[one.part.picture].append(one)
        return found

    def _without_pieces(self, found: Sequence[Found], frame: Frame) -> list[Found]:
        """What was found in all of a picture and in its tiles, each told by where it is seen best."""
        return best_seen(found, LEAST_PX * max(_size(frame)) / max(self._detector.input_size)) if found else []


def _size(frame: Frame) -> tuple[int, int]:
    return frame.image.shape[0], frame.image.shape[1]


def _people(key: Detections, stays: np.ndarray, found: Sequence[Found]) -> tuple[Detections, np.ndarray] | None:
    """Who was found, and who of the key frame stays; None where somebody is cut by a window and nowhere whole."""
    rows = np.flatnonzero(stays)
    boxes = np.concatenate([key.boxes[rows], *(one.people.boxes for one in found)])
    scores = np.concatenate([key.scores[rows], *(one.people.scores for one in found)])
    cut = np.concatenate([np.zeros(len(rows), bool), *(one.cut for one in found)])
    repeats = np.concatenate([rows, np.full(len(boxes) - len(rows), -1)])
    inside = intersection(boxes, boxes[~cut]).max(axis=1, initial=0) / np.maximum(area(boxes), 1e-9)
    if (cut & (inside < PIECE)).any():
        return None
    kept = np.flatnonzero(~cut)
    kept = kept[suppress(boxes[kept], scores[kept], iou=SAME_IOU)]
    return Detections(boxes[kept], scores[kept]), repeats[kept]
