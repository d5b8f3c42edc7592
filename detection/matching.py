"""Which detections are people: one to one at an IoU, best score first (the matching rule of PASCAL VOC and COCO).

People who are too small or too hidden to be asked for are *ignored*: a detection at least half inside one of them is
neither hit nor false alarm. A second box on one person is a false alarm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Match:
    """`truth_of`: int64 (D,), index of the person each detection found, -1 none. `false_alarm`: bool (D,).

    A detection that is neither lies on an ignored person.
    """

    truth_of: np.ndarray
    false_alarm: np.ndarray


def intersection(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Area shared by boxes (A, 4) and (B, 4) xyxy, as (A, B)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.prod(np.clip(high - low, 0, None), axis=2)


def area(boxes: np.ndarray) -> np.ndarray:
    """Area of boxes (N, 4) xyxy."""
    return np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)


def box_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (A, 4) and (B, 4) xyxy, as (A, B); 0 for empty boxes."""
    shared = intersection(first, second)
    union = area(first)[:, None] + area(second)[None] - shared
    return shared / np.where(union > 0, union, 1)


def match_people(
    boxes: np.ndarray, scores: np.ndarray, truth: np.ndarray, counted: np.ndarray, *, least_iou: float = 0.5
) -> Match:
    """Match detections (D, 4) with scores (D,) to people (T, 4), of whom `counted` (T,) bool are asked for."""
    truth_of = np.full(len(boxes), -1, np.int64)
    asked, ignored = np.flatnonzero(counted), truth[~counted]
    overlap = box_iou(boxes, truth[asked])
    for detection in np.argsort(-scores, kind="stable"):
        if not overlap.size:
            break
        best = int(np.argmax(overlap[detection]))
        if overlap[detection, best] >= least_iou:
            truth_of[detection] = asked[best]
            overlap[:, best] = 0.0
    inside = intersection(boxes, ignored).max(axis=1, initial=0.0) >= 0.5 * area(boxes)
    return Match(truth_of, (truth_of < 0) & ~(inside & bool(len(ignored))))


def agreed(
    first: np.ndarray,
    first_scores: np.ndarray,
    second: np.ndarray,
    second_scores: np.ndarray,
    *,
    least_iou: float = 0.5,
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes both detectors found, as the first drew them, and the boxes only one found: (A, 4), (B, 4)."""
    everyone = np.ones(len(second), bool)
    pairs = match_people(first, first_scores, second, everyone, least_iou=least_iou).truth_of
    alone = np.setdiff1d(np.arange(len(second)), pairs[pairs >= 0])
    return first[pairs >= 0], np.concatenate([first[pairs < 0], second[alone]])
