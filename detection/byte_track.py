"""ByteTrack (Zhang et al. 2022, arXiv:2110.06864) frame by frame, with the looks of detections in its costs.

Tracks are matched to sure detections first, those that are left to unsure ones; a track that is new counts once it
is found again in the very next frame. Where people stand close their boxes overlap one another's as well as their own,
and a track would pass from one to the other. So the cost of a match is raised by how unlike the two look
(detection/looks.py), and those who look like two people are never matched. Without looks boxes alone decide, as in the
paper.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from detection import box_motion
from detection.detector import Detections
from detection.looks import SIZE, TWO_PEOPLE, USUAL_CHANGE, unlikeness
from detection.matching import box_iou

LOW_SCORE = 0.1  # weaker detections are none
FIRST_COST = 0.9
"""Highest cost of a match with a sure detection: 1 - IoU * score. Higher than the paper's 0.8: small detectors on busy
shelves score people near 0.5, and a track that passed to somebody else is cut later (reid/switches.py), while one that
was lost leaves a piece without a good picture."""
UNSURE_COST = 0.5  # of a track with an unsure one: 1 - IoU
CONFIRMING_COST = 0.7  # of a new track with its second detection: 1 - IoU * score
DOUBLE_COST = 0.15  # highest 1 - IoU, looks included, of two tracks that are one person's
LOOKS_COST = 2.0  # of a match, for each unit of unlikeness beyond the usual
LOOKS_MEMORY = 0.8  # how much of a track's looks stays with each new detection
OUT_OF_REACH = 1e3


@dataclass(frozen=True)
class Tracks:
    """T tracks: `number` from 1, `motion` (T, 5, 4) of detection/box_motion.py, `looks` (T, 72), UTC
    microseconds of the `first` and the `last` detection, row of that among its frame's (`row`), whether it was
    `confirmed` by a second one, and whether it is `lost`: not found in the last frame."""

    number: np.ndarray
    motion: np.ndarray
    looks: np.ndarray
    first: np.ndarray
    last: np.ndarray
    row: np.ndarray
    confirmed: np.ndarray
    lost: np.ndarray

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: np.ndarray) -> Tracks:
        """Some of them, by index or by a mask."""
        return Tracks(*(getattr(self, field.name)[rows] for field in fields(self)))

    def and_also(self, others: Tracks) -> Tracks:
        pairs = ((getattr(self, field.name), getattr(others, field.name)) for field in fields(self))
        return Tracks(*map(np.concatenate, pairs))


@dataclass(frozen=True)
class _Found:
    """Detections of a frame: `row` of each in the frame, boxes (N, 4), scores (N,), looks (N, 72)."""

    time_us: int
    row: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    looks: np.ndarray

    def take(self, rows: np.ndarray) -> _Found:
        return _Found(self.time_us, self.row[rows], self.boxes[rows], self.scores[rows], self.looks[rows])


class ByteTrack:
    """Tracks of one camera, for frames at equal distances in order of time. It forgets no lost track by itself: see
    `keep`.

    Args:
        sure_score: detections from here on start tracks and are matched first; those between LOW_SCORE and it only
            continue tracks.
        by_looks: whether detections have looks.
    """

    def __init__(self, sure_score: float, *, by_looks: bool) -> None:
        self._sure_score, self._by_looks = sure_score, by_looks
        self._begun = 0
        none = np.zeros(0, np.int64)
        self.tracks = Tracks(
            none, np.zeros((0, 5, 4)), np.zeros((0, SIZE), np.float32), none, none, none, none > 0, none > 0
        )

    def keep(self, rows: np.ndarray) -> None:
        """Forget all tracks but these, a mask."""
        self.tracks = self.tracks.take(rows)

    def predict(self) -> None:
        """Move confirmed tracks on by a frame. A lost one grows no more: its height is a guess by then."""
        motion = self.tracks.motion.copy()
        motion[self.tracks.lost, box_motion.VELOCITY, box_motion.HEIGHT] = 0
        moving = self.tracks.confirmed
        motion[moving] = box_motion.predict(motion[moving])
        self.tracks = replace(self.tracks, motion=motion)

    def update(self, time_us: int, found: Detections, looks: np.ndarray | None) -> None:
        """Take in the next frame's detections, with looks (N, 72); `tracks` then says which track has which of them."""
        self.predict()
        seen = np.zeros((len(found), SIZE), np.float32) if looks is None else looks.astype(np.float32)
        everyone = _Found(time_us, np.arange(len(found)), found.boxes.astype(float), found.scores, seen)
        has_area = (everyone.boxes[:, 2:] > everyone.boxes[:, :2]).all(axis=1)
        sure = everyone.take(np.flatnonzero(has_area & (found.scores >= self._sure_score)))
        unsure = everyone.take(
            np.flatnonzero(has_area & (found.scores > LOW_SCORE) & (found.scores < self._sure_score))
        )
        before = self.tracks
        sure = self._match(before.confirmed, sure, FIRST_COST, fuse_score=True)
        missed = before.confirmed & (self.tracks.last < time_us)
        self._match(missed & ~before.lost, unsure, UNSURE_COST, fuse_score=False)
        sure = self._match(~before.confirmed, sure, CONFIRMING_COST, fuse_score=True)
        found_again = self.tracks.last == time_us
        self.tracks = replace(self.tracks, confirmed=before.confirmed | found_again, lost=~found_again)
        self.keep(self.tracks.confirmed)
        self._start(sure)
        self._end_doubles()

    def _match(self, rows: np.ndarray, found: _Found, most: float, *, fuse_score: bool) -> _Found:
        """Continue tracks, a mask, with detections; those of them that are left."""
        tracks = self.tracks
        own = np.flatnonzero(rows)
        if not (len(own) and len(found.row)):
            return found
        iou = box_iou(box_motion.boxes_of(tracks.motion[own]), found.boxes)
        costs = self._with_looks(1 - iou * found.scores if fuse_score else 1 - iou, tracks.looks[own], found.looks)
        matched, mates = assign(costs, most)
        own = own[matched]
        motion, looks, last, row = (one.copy() for one in (tracks.motion, tracks.looks, tracks.last, tracks.row))
        motion[own] = box_motion.correct(motion[own], found.boxes[mates])
        looks[own] = LOOKS_MEMORY * looks[own] + (1 - LOOKS_MEMORY) * found.looks[mates]
        last[own], row[own] = found.time_us, found.row[mates]
        self.tracks = replace(tracks, motion=motion, looks=looks, last=last, row=row)
        return found.take(np.setdiff1d(np.arange(len(found.row)), mates))

    def _start(self, found: _Found) -> None:
        count = len(found.row)
        number = self._begun + 1 + np.arange(count)
        self._begun += count
        now = np.full(count, found.time_us)
        no = np.zeros(count, bool)
        new = Tracks(number, box_motion.begin(found.boxes), found.looks, now, now, found.row, no, no)
        self.tracks = self.tracks.and_also(new)

    def _end_doubles(self) -> None:
        """Of a found and a lost track in one place end the shorter, unless it looks like nobody who is left."""
        tracks = self.tracks
        boxes = box_motion.boxes_of(tracks.motion)
        costs = 1 - box_iou(boxes, boxes)
        length = tracks.last - tracks.first
        shorter = (length[:, None] < length) | ((length[:, None] == length) & ~tracks.lost[:, None])
        ends = ((costs < DOUBLE_COST) & (tracks.lost[:, None] != tracks.lost) & shorter).any(axis=1)
        if self._by_looks and ends.any():
            costs = self._with_looks(costs, tracks.looks, tracks.looks)
            ends &= (costs[:, ~ends] < DOUBLE_COST).any(axis=1)
        self.keep(~ends)

    def _with_looks(self, costs: np.ndarray, looks: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Costs (T, N), raised by how unlike the two look; out of reach where they look like two people."""
        if not (self._by_looks and costs.size):
            return costs
        unlike = unlikeness(looks, others)
        return np.where(unlike > TWO_PEOPLE, OUT_OF_REACH, costs + LOOKS_COST * (unlike - USUAL_CHANGE))


def assign(costs: np.ndarray, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the cheapest one-to-one matches of costs (T, N), where going without costs `most` a pair."""
    gain = np.minimum(costs - most, 0)
    rows, columns = linear_sum_assignment(gain)
    worth = gain[rows, columns] < 0
    return rows[worth], columns[worth]
