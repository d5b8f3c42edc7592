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
BEYOND_M, WITHIN_M = 0.1, 0.4
"""A tracklet that begins or ends this far on the outer and on the inner side of a door has passed it."""
PASSING_US = 3_000_000
"""How long a passage may be seen by one camera before or after it is by another."""
NEVER = np.iinfo(np.int64).max // 2
ODDS = 2.0
"""Log odds against being first seen, or last seen, in the middle of the store."""
RETURN_ODDS, UNSEEN_PASSAGE_ODDS = 3.0, 6.0
"""Log odds against coming back on the same day, and against having passed a door unseen between."""


@dataclass(frozen=True)
class Lifetimes:
    """Of each group (T,): first and last sight start_us and end_us; the log odds against this birth and this death;
    in_us and out_us, when it was first seen to come in by a door and last seen to leave by one (never: NEVER, -NEVER).
    """

    start_us: np.ndarray
    end_us: np.ndarray
    birth: np.ndarray
    death: np.ndarray
    in_us: np.ndarray
    out_us: np.ndarray

    def against_passage(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Log odds (K,) against joining groups because of who was seen in the doors.

        Who comes in was outside: an earlier sight of the same person needs a way out between, and coming back is rare.
        Who leaves is gone until seen to come in again.
        """
        cost = np.zeros(len(first))
        passed = (self.in_us < NEVER) | (self.out_us > -NEVER)
        rows = np.flatnonzero(passed[first] | passed[second])
        cost[rows] = self._against_passage(first[rows], second[rows])
        return cost

    def _against_passage(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        cost = np.zeros(len(first))
        for one, other in ((first, second), (second, first)):
            came, left = self.in_us[one] - PASSING_US, self.out_us[one] + PASSING_US
            begins_so = (self.in_us[one] < NEVER) & (self.start_us[one] > came)
            left_before = (self.out_us[other] > -NEVER) & (self.out_us[other] < self.in_us[one])
            ends_so = (self.out_us[one] > -NEVER) & (self.end_us[one] < left)
            back_after = (self.in_us[other] < NEVER) & (self.in_us[other] > self.out_us[one])
            for contradicts, explained in (
                (begins_so & (self.start_us[other] < came), left_before),
                (ends_so & (self.end_us[other] > left), back_after),
            ):
                cost = np.maximum(cost, contradicts * np.where(explained, RETURN_ODDS, UNSEEN_PASSAGE_ODDS))
        return cost

    def saved(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Log odds (K,) gained by joining groups: the later birth and the earlier death are none."""
        birth = np.where(self.start_us[first] >= self.start_us[second], self.birth[first], self.birth[second])
        death = np.where(self.end_us[first] <= self.end_us[second], self.death[first], self.death[second])
        return birth + death

    def taken(self, rows: np.ndarray) -> Lifetimes:
        """Those of some groups, rows (K,)."""
        fields = (self.start_us, self.end_us, self.birth, self.death, self.in_us, self.out_us)
        return Lifetimes(*(values[rows] for values in fields))

    def of_groups(self, group: np.ndarray) -> Lifetimes:
        """After each was joined to the one that `group`, (T,), names; at those names."""
        born, died = np.lexsort((self.start_us, group)), np.lexsort((-self.end_us, group))
        born, died = (order[np.diff(group[order], prepend=-1) > 0] for order in (born, died))
        result = self.taken(np.arange(len(group)))
        result.start_us[group[born]], result.birth[group[born]] = self.start_us[born], self.birth[born]
        result.end_us[group[died]], result.death[group[died]] = self.end_us[died], self.death[died]
        np.minimum.at(result.in_us, group, self.in_us)
        np.maximum.at(result.out_us, group, self.out_us)
        return result

    def merged(self, kept: np.ndarray, gone: np.ndarray) -> Lifetimes:
        """After each group of `gone` was joined to that of `kept`."""
        start, end, birth, death = (a.copy() for a in (self.start_us, self.end_us, self.birth, self.death))
        came, left = self.in_us.copy(), self.out_us.copy()
        came[kept], left[kept] = np.minimum(came[kept], came[gone]), np.maximum(left[kept], left[gone])
        birth[kept] = np.where(start[gone] < start[kept], birth[gone], birth[kept])
        death[kept] = np.where(end[gone] > end[kept], death[gone], death[kept])
        start[kept], end[kept] = np.minimum(start[kept], start[gone]), np.maximum(end[kept], end[gone])
        return Lifetimes(start, end, birth, death, came, left)


def lifetimes_of(tracklets: Tracklets, samples: Samples, doors: np.ndarray) -> Lifetimes:
    """Births and deaths of tracklets. doors: (E, 3, 2) floor metres, the entrances' lines and a point inside."""
    first, last = (ends.xy for ends in ends_of(samples, len(tracklets)))
    opening, closing = tracklets.start_us.min(initial=0), tracklets.end_us.max(initial=0)
    opening = tracklets.start_us.min() if len(tracklets) else opening
    birth = ODDS * far_from_doors(first, doors)
    death = ODDS * far_from_doors(last, doors)
    birth *= 1 - np.exp(-(tracklets.start_us - opening) / (SETTLE_S * SECOND_US))
    death *= 1 - np.exp(-(closing - tracklets.end_us) / (SETTLE_S * SECOND_US))
    came, left = passages(tracklets, first, last, doors)
    return Lifetimes(tracklets.start_us.copy(), tracklets.end_us.copy(), birth, death, came, left)


def passages(
    tracklets: Tracklets, first: np.ndarray, last: np.ndarray, doors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """When each tracklet came in and left by a door, int64 microseconds (T,) each; NEVER and -NEVER where it did not.

    first, last: (T, 2) floor metres, its ends. It passed a door where it begins on one side of it and ends on the
    other, by more than places are off.
    """
    came, left = np.full(len(tracklets), NEVER), np.full(len(tracklets), -NEVER)
    for start, end, inside in np.asarray(doors, float).reshape(-1, 3, 2):
        along = (end - start) / max(np.linalg.norm(end - start), 1e-9)
        inward = np.array([-along[1], along[0]])
        inward *= np.sign((inside - start) @ inward)
        began, ended = (first - start) @ inward, (last - start) @ inward
        enters = (began < -BEYOND_M) & (ended > WITHIN_M) & (distance(first, start, end) < DOOR_REACH_M)
        leaves = (ended < -BEYOND_M) & (began > WITHIN_M) & (distance(last, start, end) < DOOR_REACH_M)
        came[enters], left[leaves] = tracklets.start_us[enters], tracklets.end_us[leaves]
    return came, left


def distance(xy: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Metres (N,) of places (N, 2) from the line between two points (2,)."""
    along = end - start
    share = np.clip(((xy - start) @ along) / max(along @ along, 1e-12), 0, 1)
    return np.asarray(np.linalg.norm(xy - (start + share[:, None] * along), axis=1))


def far_from_doors(xy: np.ndarray, doors: np.ndarray) -> np.ndarray:
    """0 at a door to 1 far from every one, (N,); 0 where the place is not known."""
    nearest = np.full(len(xy), np.inf)
    for start, end, _ in np.asarray(doors, float).reshape(-1, 3, 2):
        nearest = np.fmin(nearest, distance(xy, start, end))
    far = np.clip((nearest - DOOR_REACH_M) / DOOR_SLOPE_M, 0, 1)
    return np.where(np.isfinite(xy[:, 0]), far, 0.0)
