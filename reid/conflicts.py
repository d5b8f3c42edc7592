"""Two tracks of one camera at one time are two people, or nearly always.

Only pictures in which both have a box count: a tracker that loses somebody may go on with a new track in the gaps of
the old one. It may also hold one person twice for a moment, when it hands over from one track to the next, or box
head and body; and a second of somebody else that got into a group must not keep the rest of it from where it belongs.
So being seen apart speaks against one person with its length, and with how much the tracklets have to say; what is
long is two people however little was seen of them. Whatever is still in two places in the end is parted: a person has
one track a camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reid.floor_agreement import PAIRS_AT_ONCE, pairs_in_slots
from reid.tracklets import SECOND_US, Samples, Tracklets

FREE_S = 1.0
"""An overlap up to this long says nothing."""
ODDS_A_SECOND, MOST_S = 4.0, 8.0
"""Log odds against one person for each further second, up to so many."""
CERTAIN_S = 10.0
"""An overlap this long counts in full, whatever the tracklets' influence."""
NESTED = 0.6
"""Share of the smaller of two boxes in the other from which they may be one person's, head and body."""


@dataclass(frozen=True)
class Overlaps:
    """Pairs first < second (K,) of one camera that are apart at once for longer than FREE_S, and for how many seconds
    (K,)."""

    first: np.ndarray
    second: np.ndarray
    seconds: np.ndarray

    def odds_against(self, influence: np.ndarray) -> np.ndarray:
        """Log odds (K,) against each pair being one person. influence: (T,), how much each tracklet has to say."""
        beyond = self.seconds - FREE_S
        share = np.maximum(influence[self.first] * influence[self.second], np.minimum(beyond / CERTAIN_S, 1.0))
        return ODDS_A_SECOND * np.minimum(beyond, MOST_S) * share

    def parted(self, group: np.ndarray, influence: np.ndarray) -> np.ndarray:
        """Whether each tracklet (T,) has to leave its group (T,) because a member that has more to say is in the same
        camera at the same time. The longest overlaps are parted first."""
        rows = np.flatnonzero(group[self.first] == group[self.second])
        gone = np.zeros(len(group), bool)
        for row in rows[np.lexsort((self.second[rows], self.first[rows], -self.seconds[rows]))]:
            one, other = self.first[row], self.second[row]
            if not (gone[one] or gone[other]):
                gone[other if influence[one] >= influence[other] else one] = True
        return gone


def overlaps(tracklets: Tracklets, samples: Samples) -> Overlaps:
    """All overlaps of a day's tracklets. Where the samples have no boxes, tracklets overlap from start to end."""
    found = []
    for camera in np.unique(tracklets.camera):
        rows = np.flatnonzero(tracklets.camera == camera)
        if samples.boxes is None:
            found.append(_spans(tracklets, rows))
        else:
            own = np.flatnonzero(np.isin(samples.tracklet, rows))
            found.append(_seen_apart(samples.tracklet[own], samples.time_us[own], samples.boxes[own]))
    first, second, seconds = (np.concatenate(part) for part in zip(*found, strict=True))
    long = seconds > FREE_S
    first, second = first[long], second[long]
    return Overlaps(np.minimum(first, second), np.maximum(first, second), seconds[long])


def _spans(tracklets: Tracklets, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs among the rows of one camera, and the seconds from the later start to the earlier end."""
    rows = rows[np.argsort(tracklets.start_us[rows], kind="stable")]
    starts, ends = tracklets.start_us[rows], tracklets.end_us[rows]
    sizes = np.searchsorted(starts, ends, side="right") - np.arange(len(rows)) - 1
    one = np.repeat(np.arange(len(rows)), sizes)
    other = one + 1 + np.arange(len(one)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    overlap_s = (np.minimum(ends[one], ends[other]) - starts[other]) / SECOND_US
    return rows[one], rows[other], overlap_s


def _seen_apart(
    tracklet: np.ndarray, time_us: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of tracklets of one camera, by their samples, and the seconds in whose pictures both have a box, neither in
    the other."""
    order = np.argsort(time_us, kind="stable")
    tracklet, time_us, boxes = tracklet[order].astype(np.int64), time_us[order], boxes[order].astype(np.float32)
    pictures_us = np.unique(time_us)
    step_us = float(np.median(np.diff(pictures_us))) if len(pictures_us) > 1 else 0.0
    count = int(tracklet.max(initial=0)) + 1
    keys, pictures = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for one, other in pairs_in_slots(time_us, PAIRS_AT_ONCE):
        apart = _shared(boxes[one], boxes[other]) < NESTED
        low = np.minimum(tracklet[one], tracklet[other])[apart]
        high = np.maximum(tracklet[one], tracklet[other])[apart]
        key, number = np.unique(low * count + high, return_counts=True)
        keys.append(key)
        pictures.append(number)
    key, place = np.unique(np.concatenate(keys), return_inverse=True)
    seconds = np.bincount(place, weights=np.concatenate(pictures), minlength=len(key)) * step_us / SECOND_US
    return key // count, key % count, seconds


def _shared(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Share (K,) of the smaller box of each pair, (K, 4) each, that lies in the other."""
    low, high = np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])
    areas = [(box[:, 2:] - box[:, :2]).prod(axis=1) for box in (one, other)]
    return np.asarray(np.clip(high - low, 0, None).prod(axis=1) / np.maximum(np.minimum(*areas), 1e-6))
