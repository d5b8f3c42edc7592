"""Two tracks of one camera at one time are two people, or nearly always.

A tracker may hold one person twice for a moment, when it hands over from one track to the next or boxes head and body;
and a second of somebody else that got into a group must not keep the rest of it from where it belongs. So an overlap
speaks against one person with its length, and with how much the tracklets have to say; what is long is two people
however little was seen of them. Whatever still overlaps in the end is parted: a person has one track a camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reid.tracklets import SECOND_US, Tracklets

FREE_S = 1.0
"""An overlap up to this long says nothing."""
ODDS_A_SECOND, MOST_S = 4.0, 3.0
"""Log odds against one person for each further second, up to so many."""
CERTAIN_S = 10.0
"""An overlap this long counts in full, whatever the tracklets' influence."""


@dataclass(frozen=True)
class Overlaps:
    """Pairs first < second (K,) of one camera that overlap for longer than FREE_S, and by how many seconds (K,)."""

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


def overlaps(tracklets: Tracklets) -> Overlaps:
    """All overlaps of a day's tracklets."""
    firsts, seconds, shared = [], [], []
    for camera in np.unique(tracklets.camera):
        rows = np.flatnonzero(tracklets.camera == camera)
        rows = rows[np.argsort(tracklets.start_us[rows], kind="stable")]
        starts, ends = tracklets.start_us[rows], tracklets.end_us[rows]
        sizes = np.searchsorted(starts, ends, side="right") - np.arange(len(rows)) - 1
        one = np.repeat(np.arange(len(rows)), sizes)
        other = one + 1 + np.arange(len(one)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        overlap_s = (np.minimum(ends[one], ends[other]) - starts[other]) / SECOND_US
        long = overlap_s > FREE_S
        firsts.append(rows[one[long]])
        seconds.append(rows[other[long]])
        shared.append(overlap_s[long])
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    return Overlaps(np.minimum(first, second), np.maximum(first, second), np.concatenate(shared))
