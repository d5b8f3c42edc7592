"""People come and go through doors: one who first appears in the middle of the store was there before, unseen.

Where the entrances are known, a group's first and last sight away from them, after the recording has begun and before
it ends, is unlikely. Joining two groups removes the later one's birth and the earlier one's death; if those happened in
the middle of the store, the join is that much more likely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reid.floor_agreement import ends_of
from reid.tracklets import SECOND_US, Samples, Tracklets

DOOR_REACH_M = 2.0
DOOR_SLOPE_M = 2.0
SETTLE_S = 15.0
ODDS = 2.0
"""Log odds against being first seen, or last seen, in the middle of the store."""


@dataclass(frozen=True)
class Lifetimes:
    """Of each group (T,): start_us and end_us, and the log odds against this birth and this death."""

    start_us: np.ndarray
    end_us: np.ndarray
    birth: np.ndarray
    death: np.ndarray

    def saved(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Log odds (K,) gained by joining groups: the later birth and the earlier death are none."""
        birth = np.where(self.start_us[first] >= self.start_us[second], self.birth[first], self.birth[second])
        death = np.where(self.end_us[first] <= self.end_us[second], self.death[first], self.death[second])
        return birth + death

    def merged(self, kept: np.ndarray, gone: np.ndarray) -> Lifetimes:
        """After each group of `gone` was joined to that of `kept`."""
        start, end, birth, death = (a.copy() for a in (self.start_us, self.end_us, self.birth, self.death))
        birth[kept] = np.where(start[gone] < start[kept], birth[gone], birth[kept])
        death[kept] = np.where(end[gone] > end[kept], death[gone], death[kept])
        start[kept], end[kept] = np.minimum(start[kept], start[gone]), np.maximum(end[kept], end[gone])
        return Lifetimes(start, end, birth, death)


def lifetimes_of(tracklets: Tracklets, samples: Samples, doors: np.ndarray) -> Lifetimes:
    """Births and deaths of tracklets. doors: (E, 2, 2) floor metres, the entrances' lines."""
    first, last = ends_of(samples, len(tracklets))
    opening, closing = tracklets.start_us.min(initial=0), tracklets.end_us.max(initial=0)
    opening = tracklets.start_us.min() if len(tracklets) else opening
    birth = ODDS * far_from_doors(first[:, :2], doors)
    death = ODDS * far_from_doors(last[:, :2], doors)
    birth *= 1 - np.exp(-(tracklets.start_us - opening) / (SETTLE_S * SECOND_US))
    death *= 1 - np.exp(-(closing - tracklets.end_us) / (SETTLE_S * SECOND_US))
    return Lifetimes(tracklets.start_us.copy(), tracklets.end_us.copy(), birth, death)


def far_from_doors(xy: np.ndarray, doors: np.ndarray) -> np.ndarray:
    """0 at a door to 1 far from every one, (N,); 0 where the place is not known."""
    nearest = np.full(len(xy), np.inf)
    for start, end in np.asarray(doors, float).reshape(-1, 2, 2):
        along = end - start
        share = np.clip(((xy - start) @ along) / max(along @ along, 1e-12), 0, 1)
        nearest = np.fmin(nearest, np.linalg.norm(xy - (start + share[:, None] * along), axis=1))
    far = np.clip((nearest - DOOR_REACH_M) / DOOR_SLOPE_M, 0, 1)
    return np.where(np.isfinite(xy[:, 0]), far, 0.0)
