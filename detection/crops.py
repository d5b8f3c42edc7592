"""The best picture of each person in each few seconds: what a person is recognised by later.

Tracking runs over the whole day, crops are chosen while a chunk is decoded; so inside each slice of wall-clock time
detections are chained by overlap alone. Where people cross a chain passes from one to another, so it is parted by looks
(detection/looks.py), and the best crop of each part is kept. A chain of one detection makes no track either, and has
none. 10 s are as good for the joining of tracks as 4 s, with two fifths fewer crops; 20 s are worse (docs/speed.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from detection.detector import Detections
from detection.looks import unlikeness
from detection.matching import box_iou, intersection
from detection.video import Frame

MICROSECONDS = 1_000_000
CHAIN_IOU = 0.3
LEAST_FOUND = 2
SOMEBODY_ELSE = 0.2
"""Unlikeness of looks from which a chain's next detection may show somebody else. Lower than what keeps two detections
apart for a tracker: a crop too many costs an embedding, one too few leaves a person in a track of somebody else's."""
LOOKS_MEMORY = 0.9  # how much of a part's looks stays with each new detection
LEAST_FOUND_OF_PART = 3  # a part of a chain found less often is a moment of a crossing
MARGIN = 0.05  # of the box, on each side: detectors cut close
BORDER_PIXELS = 2.0
WANTED_HEIGHT = 256.0  # the re-identification networks' input height, pixels
SHARP_VARIANCE = 100.0  # of the Laplacian at 128 pixels of height: half of full marks


@dataclass(frozen=True)
class SelectedCrop:
    """One crop: `frame_index` counts the frames added to the selector, `detection_index` is within that frame.

    `quality` lies between 0 and 1; `image` is uint8 RGB (h, w, 3), a copy.
    """

    frame_index: int
    detection_index: int
    quality: float
    image: np.ndarray


@dataclass
class _Part:
    """Detections of a chain that look alike."""

    looks: np.ndarray
    best: SelectedCrop
    found: int = 1


@dataclass
class _Chain:
    box: np.ndarray
    last_frame: int
    parts: list[_Part] = field(default_factory=list)

    def like(self, looks: np.ndarray) -> _Part | None:
        """The part that looks (72,) are most like; None where they are like none."""
        if not self.parts:
            return None
        unlike = unlikeness(np.stack([part.looks for part in self.parts]), looks[None])[:, 0]
        return self.parts[int(unlike.argmin())] if unlike.min() < SOMEBODY_ELSE else None

    def crops(self) -> list[SelectedCrop]:
        """The best crop of each part that is more than a moment."""
        least = max(LEAST_FOUND, min(LEAST_FOUND_OF_PART, max(part.found for part in self.parts)))
        return [part.best for part in self.parts if part.found >= least]


@dataclass
class _Slice:
    number: int
    chains: list[_Chain] = field(default_factory=list)


class CropSelector:
    """Best crop per person and slice, for frames that come in order of time.

    Slices are aligned with the clock (multiples of `slice_s` since the epoch), so chunks that are cut at multiples of
    `slice_s` select what the whole recording selects. Memory: a crop or two a person in the current slice.

    Args:
        slice_s: length of a slice, seconds.
        max_missed_frames: frames that a chain survives without its person being found.
        min_quality: crops below are not worth embedding.
    """

    def __init__(self, slice_s: float = 10.0, *, max_missed_frames: int = 5, min_quality: float = 0.02) -> None:
        if not slice_s > 0:
            raise ValueError(f"a slice must be longer than 0 s, not {slice_s}")
        self._slice_us = round(slice_s * MICROSECONDS)
        self._max_missed = max_missed_frames
        self._min_quality = min_quality
        self._frame_index = -1
        self._slice: _Slice | None = None

    def add(
        self, frame: Frame, detections: Detections, looks: np.ndarray, candidates: np.ndarray | None = None
    ) -> list[SelectedCrop]:
        """Take in a frame; returns the crops of the slice that it closes, mostly none.

        `looks`: of the detections, uint8 (N, 72) of detection/looks.py. `candidates`, bool (N,): who may be chosen,
        None everybody; the others' pictures were seen before.
        """
        self._frame_index += 1
        number = frame.time_us // self._slice_us
        closed: list[SelectedCrop] = []
        if self._slice is None or number != self._slice.number:
            closed = self.finish()
            self._slice = _Slice(number)
        assert self._slice is not None
        qualities = crop_qualities(frame.image, detections, candidates)
        for index, chain in enumerate(self._match(detections.boxes)):
            box, seen = detections.boxes[index], looks[index].astype(np.float32)
            if chain is None:
                chain = _Chain(box, self._frame_index)
                self._slice.chains.append(chain)
            chain.box, chain.last_frame = box, self._frame_index
            part = chain.like(seen)
            if part is None:
                chain.parts.append(_Part(seen, self._crop(frame, box, index, qualities[index])))
                continue
            part.looks, part.found = LOOKS_MEMORY * part.looks + (1 - LOOKS_MEMORY) * seen, part.found + 1
            if qualities[index] > part.best.quality:
                part.best = self._crop(frame, box, index, qualities[index])
        return closed

    def finish(self) -> list[SelectedCrop]:
        """Close the current slice, at the end of the recording; its crops in order of frame and detection."""
        if self._slice is None:
            return []
        crops = [crop for chain in self._slice.chains for crop in chain.crops() if crop.quality >= self._min_quality]
        self._slice = None
        return sorted(crops, key=lambda crop: (crop.frame_index, crop.detection_index))

    def _match(self, boxes: np.ndarray) -> Iterator[_Chain | None]:
        """The chain that each box continues, or None."""
        assert self._slice is not None
        oldest = self._frame_index - 1 - self._max_missed
        alive = [chain for chain in self._slice.chains if chain.last_frame >= oldest]
        continued: dict[int, _Chain] = {}
        if alive and len(boxes):
            overlap = box_iou(np.stack([chain.box for chain in alive]), boxes)
            for row, column in zip(*linear_sum_assignment(-overlap), strict=True):
                if overlap[row, column] >= CHAIN_IOU:
                    continued[int(column)] = alive[row]
        for index in range(len(boxes)):
            yield continued.get(index)

    def _crop(self, frame: Frame, box: np.ndarray, detection_index: int, quality: float) -> SelectedCrop:
        return SelectedCrop(self._frame_index, detection_index, float(quality), cut_out(frame.image, box, MARGIN))


def crop_qualities(image: np.ndarray, detections: Detections, asked: np.ndarray | None = None) -> np.ndarray:
    """How well each person can be recognised: float (N,) from 0 to 1; 0 who is not `asked` for, bool (N,).

    The product of size (height against what the network wants), sharpness, the share not overlapped by people
    nearer to the camera, being whole (not cut by the picture's border), and the detector's score.
    """
    boxes = detections.boxes.astype(float)
    if not len(boxes):
        return np.zeros(0)
    heights = boxes[:, 3] - boxes[:, 1]
    size = np.clip(heights / WANTED_HEIGHT, 0, 1) ** 0.5
    asked = np.ones(len(boxes), bool) if asked is None else asked
    sharpness = np.array([_sharpness(image, box) if wanted else 0.0 for box, wanted in zip(boxes, asked, strict=True)])
    return size * sharpness * _share_in_front(boxes) * _wholeness(boxes, image.shape[:2]) * detections.scores


def cut_out(image: np.ndarray, box: np.ndarray, margin: float = 0.0) -> np.ndarray:
    """Copy of a box (4,) xyxy of the picture, widened by `margin` of its sides, at least one pixel."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = np.asarray(box, float)
    widen_x, widen_y = margin * (x2 - x1), margin * (y2 - y1)
    left = int(np.clip(np.floor(x1 - widen_x), 0, width - 1))
    top = int(np.clip(np.floor(y1 - widen_y), 0, height - 1))
    right = int(np.clip(np.ceil(x2 + widen_x), left + 1, width))
    bottom = int(np.clip(np.ceil(y2 + widen_y), top + 1, height))
    return image[top:bottom, left:right].copy()


def _share_in_front(boxes: np.ndarray) -> np.ndarray:
    """Share of each box that no nearer person (whose box ends lower in the picture) overlaps."""
    shared = intersection(boxes, boxes)
    nearer = boxes[None, :, 3] > boxes[:, None, 3]
    hidden = np.where(nearer, shared, 0).max(axis=1)
    areas = np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), 1e-9)
    # Half hidden is already another person's picture for a network, hence the square.
    return np.clip(1 - hidden / areas, 0, 1) ** 2


def _wholeness(boxes: np.ndarray, picture_size: tuple[int, int]) -> np.ndarray:
    """1 inside the picture; halved for each border that cuts the box."""
    height, width = picture_size
    cuts = (boxes[:, :2] < BORDER_PIXELS).sum(axis=1) + (boxes[:, 2] > width - BORDER_PIXELS)
    return 0.5 ** (cuts + (boxes[:, 3] > height - BORDER_PIXELS))


def _sharpness(image: np.ndarray, box: np.ndarray) -> float:
    """Between 0 (blurred) and 1, from the Laplacian's variance at one scale for all sizes."""
    grey = cv2.cvtColor(cut_out(image, box), cv2.COLOR_RGB2GRAY)
    shrinks = grey.shape[0] >= 128
    small = cv2.resize(grey, (64, 128), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    variance = float(cv2.Laplacian(small, cv2.CV_32F).var())
    return variance / (variance + SHARP_VARIANCE)
