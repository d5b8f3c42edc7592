"""Tracks that went along with a passer-by are given back to who stayed.

Where somebody walks in front of a person who stands still, one box hides the other for a moment, and the track of the
one who stands may leave with the one who walks: a new track then begins in the old place. From then on one person has
two tracks at a time, which no later step can join. The sign is plain: a track begins where another one stood until just
then, which moves away while the new one stays, and the new one looks more like the old one did than what moved away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detection.looks import unlikeness
from detection.matching import box_iou

MICROSECONDS = 1_000_000
BEFORE_S, AFTER_S = 2.0, 2.0
"""How long before and after a track's begin is looked at."""
STOOD_S = 1.0
"""The other one must have stood there for so long, and the new one must stay so long."""
SAME_PLACE = 0.5
"""Least IoU of two boxes in one place."""
AWAY = 0.1
"""Highest IoU with the place of who has left it."""


@dataclass(frozen=True)
class Tracked:
    """N detections with a track, in order of time: `time_us` int64 (N,), `boxes` (N, 4) px, `looks` uint8 (N, 72) or
    None, `track` int64 (N,)."""

    time_us: np.ndarray
    boxes: np.ndarray
    looks: np.ndarray | None
    track: np.ndarray


def given_back(tracked: Tracked) -> np.ndarray:
    """Track numbers int64 (N,) with those swapped, from the moment on, that a passer-by took along."""
    number = tracked.track.copy()
    _, first = np.unique(number, return_index=True)
    for begin in np.sort(first):  # in order of time: a later look sees what an earlier one mended
        new, now = number[begin], tracked.time_us[begin]
        stays = _window(tracked, number, new, now, now + round(AFTER_S * MICROSECONDS))
        if not _lasts(tracked, stays):
            continue
        place = np.median(tracked.boxes[stays], axis=0)
        if box_iou(tracked.boxes[stays], place[None]).min() < SAME_PLACE:
            continue
        for other in _alive(tracked, number, now):
            if other != new and _left(tracked, number, other, now, place, stays):
                after = tracked.time_us >= now
                old, young = after & (number == other), after & (number == new)
                number[old], number[young] = new, other
                break
    return number


def _window(tracked: Tracked, number: np.ndarray, track: int, start_us: int, end_us: int) -> np.ndarray:
    """Rows of a track from `start_us` on and before `end_us`."""
    low, high = np.searchsorted(tracked.time_us, [start_us, end_us])
    return low + np.flatnonzero(number[low:high] == track)


def _lasts(tracked: Tracked, rows: np.ndarray) -> bool:
    return len(rows) > 1 and tracked.time_us[rows[-1]] - tracked.time_us[rows[0]] >= STOOD_S * MICROSECONDS


def _alive(tracked: Tracked, number: np.ndarray, now: int) -> np.ndarray:
    """Tracks with a detection both shortly before and shortly after."""
    start, middle, end = np.searchsorted(
        tracked.time_us, [now - round(BEFORE_S * MICROSECONDS), now, now + round(AFTER_S * MICROSECONDS)]
    )
    return np.intersect1d(number[start:middle], number[middle:end])


def _left(tracked: Tracked, number: np.ndarray, other: int, now: int, place: np.ndarray, stays: np.ndarray) -> bool:
    """Whether `other` stood in the place before and is away from it after, with the looks of somebody else."""
    before = _window(tracked, number, other, now - round(BEFORE_S * MICROSECONDS), now)
    after = _window(tracked, number, other, now, now + round(AFTER_S * MICROSECONDS))
    stood = before[box_iou(tracked.boxes[before], place[None])[:, 0] >= SAME_PLACE]
    away = after[box_iou(tracked.boxes[after], place[None])[:, 0] <= AWAY]
    if not _lasts(tracked, stood) or len(away) < 2:
        return False
    if tracked.looks is None:
        return True
    looks = tracked.looks
    return bool(unlikeness(looks[stood], looks[stays]).mean() < unlikeness(looks[stood], looks[away]).mean())
