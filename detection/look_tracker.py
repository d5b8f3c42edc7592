"""ultralytics' ByteTrack with the looks of detections in its costs. Import it after `import_ultralytics` only.

Where people stand close their boxes overlap one another's as well as their own, and a track would pass from one to the
other. So the cost of a match is raised by how unlike the two look (detection/looks.py), and those who look like two
people are never matched. Detections without looks are matched as the library does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ultralytics.trackers.basetrack import TrackState
from ultralytics.trackers.byte_tracker import BYTETracker, STrack
from ultralytics.trackers.utils import matching

from detection.looks import TWO_PEOPLE, USUAL_CHANGE, unlikeness

SECOND_MATCH_COST = 0.5  # highest 1 - IoU of a match in the second association
LOOKS_COST = 2.0  # of a match, for each unit of unlikeness beyond the usual
OUT_OF_REACH = 1e3
DOUBLE_COST = 0.15  # highest 1 - IoU, looks included, of two tracks that are one person's
LOOKS_MEMORY = 0.8  # how much of a track's looks stays with each new detection


class Track(STrack):
    looks: np.ndarray | None = None

    def update(self, found: Any, frame_id: int) -> None:
        super().update(found, frame_id)
        self._remember(found)

    def re_activate(self, found: Any, frame_id: int, new_id: bool = False) -> None:
        super().re_activate(found, frame_id, new_id)
        self._remember(found)

    def _remember(self, found: Track) -> None:
        if self.looks is not None and found.looks is not None:
            self.looks = LOOKS_MEMORY * self.looks + (1 - LOOKS_MEMORY) * found.looks


class LookTracker(BYTETracker):
    track_class = Track

    def init_track(self, results: Any, looks: np.ndarray | None = None) -> list[Any]:
        tracks: list[Any] = super().init_track(results)
        if looks is not None:
            for one, row in zip(tracks, looks, strict=True):
                one.looks = row.astype(np.float32)
        return tracks

    def update(self, results: Any, *more: Any, **named: Any) -> np.ndarray:
        """As the library's; but of two tracks in one place it ends one only if the two look like one person."""
        candidates: list[Any] = [*self.tracked_stracks, *self.lost_stracks]
        result: np.ndarray = super().update(results, *more, **named)
        candidates += self._begun
        left = [*self.tracked_stracks, *self.lost_stracks]
        ended = [one for one in candidates if one not in left and one.state != TrackState.Removed]
        if ended and ended[0].looks is not None:
            costs = _with_looks(matching.iou_distance(ended, left), ended, left)
            for one, is_double in zip(ended, np.any(costs < DOUBLE_COST, axis=1).tolist(), strict=True):
                if not is_double:
                    (self.tracked_stracks if one.state == TrackState.Tracked else self.lost_stracks).append(one)
        return result

    def _init_new_tracks(
        self, unmatched: list[int], found: list[Any], activated: list[Any], refound: list[Any] | None = None
    ) -> None:
        count = len(activated)
        super()._init_new_tracks(unmatched, found, activated, refound)
        self._begun = activated[count:]

    def get_dists(self, tracks: list[Any], found: list[Any]) -> np.ndarray:
        return _with_looks(super().get_dists(tracks, found), tracks, found)

    def _second_association(
        self,
        pool: list[Any],
        unmatched: list[int],
        found: list[Any],
        activated: list[Any],
        refound: list[Any],
        lost: list[Any],
    ) -> None:
        """As the library's, which has no method for its costs."""
        tracks = [pool[row] for row in unmatched if pool[row].state == TrackState.Tracked]
        costs = _with_looks(matching.iou_distance(tracks, found), tracks, found)
        matches, without, _ = matching.linear_assignment(costs, thresh=SECOND_MATCH_COST)
        self._apply_matches(matches, tracks, found, activated, refound)
        for row in without:
            tracks[row].mark_lost()
            lost.append(tracks[row])


def _with_looks(costs: np.ndarray, tracks: Sequence[Any], found: Sequence[Any]) -> np.ndarray:
    """Costs (T, N) of matches, raised by how unlike the two look; out of reach where they look like two people."""
    if costs.size == 0 or any(one.looks is None for one in (*tracks, *found)):
        return costs
    unlike = unlikeness(np.array([one.looks for one in tracks]), np.array([one.looks for one in found]))
    return np.where(unlike > TWO_PEOPLE, OUT_OF_REACH, costs + LOOKS_COST * (unlike - USUAL_CHANGE))
