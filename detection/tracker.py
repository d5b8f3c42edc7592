"""Detections of a camera into tracks, by the clock: ByteTrack (detection/byte_track.py) at any distance of frames.

Looks (detection/looks.py) keep a track from passing to somebody else in the same place; where one passed all the same,
from somebody who stands to somebody who walks by, it is given back afterwards (detection/takeovers.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detection.byte_track import ByteTrack
from detection.detector import Detections
from detection.takeovers import Tracked, given_back

MICROSECONDS = 1_000_000
HIGH_SCORE = 0.25  # first association, and new tracks
# Boxes are compared widened (buffered IoU, Yang et al. 2023, arXiv:2211.14317): at a few frames a second someone who
# walks past leaves their own narrow box between two frames, and would have no track at all. Shares of the height.
BUFFER_X, BUFFER_Y = 0.2, 0.1


def track(
    times_us: np.ndarray,
    detections: Sequence[Detections],
    *,
    fps: float,
    looks: Sequence[np.ndarray] | None = None,
    patience_s: float = 2.0,
    new_track_score: float = HIGH_SCORE,
) -> list[np.ndarray]:
    """Track number of every detection of one camera.

    A track is confirmed when its first detection is found again in the very next frame; both then have its number. A
    detection without a confirmed track has -1 and must not be counted: a false box that flickers makes no person. A
    confirmed track, however young, survives `patience_s` without a detection, by the clock: where frames are missing
    its motion is predicted over the missing time, and a gap longer than the patience ends every track.

    Args:
        times_us: int64 (F,), UTC microseconds of the frames, increasing.
        detections: people of each frame; scores below `new_track_score` only continue tracks, up to 0.1 are left out.
        fps: nominal sampled frames per second.
        looks: of each frame's detections, uint8 (N_f, 72) of detection/looks.py; None where there are no pictures
            (detections from elsewhere): boxes alone then decide.
        patience_s: longest time without a detection that a track survives; at 10 frames/s, 0.1 s bridges one miss.
        new_track_score: lowest score that starts a track and takes part in the first association.

    Returns:
        For each frame int64 (N_f,): track numbers from 1 in order of first appearance, or -1. The same input gives
        the same numbers, whatever was tracked before.

    Raises:
        ValueError: times do not increase, or `patience_s` does not cover one missed frame.
    """
    times_us = np.asarray(times_us, np.int64)
    if len(times_us) != len(detections):
        raise ValueError(f"{len(times_us)} times do not belong to the detections of {len(detections)} frames")
    if looks is not None and [len(rows) for rows in looks] != [len(found) for found in detections]:
        raise ValueError("looks must be given for every detection of every frame")
    if (np.diff(times_us) <= 0).any():
        raise ValueError("times of frames must increase")
    if not fps > 0 or round(patience_s * fps) < 1:
        raise ValueError(
            f"a patience of {patience_s} s does not cover one missed frame at {fps} frames/s, so one missed detection"
            " would make a new person; raise the patience or the frame rate"
        )
    camera = _Camera(fps, patience_s, new_track_score, by_looks=looks is not None)
    per_frame = [None] * len(detections) if looks is None else looks
    numbers = [
        camera.step(int(time_us), found, seen)
        for time_us, found, seen in zip(times_us, detections, per_frame, strict=True)
    ]
    return _given_back(times_us, detections, looks, _renumber(numbers, camera.confirmed))


def _given_back(
    times_us: np.ndarray,
    detections: Sequence[Detections],
    looks: Sequence[np.ndarray] | None,
    numbers: list[np.ndarray],
) -> list[np.ndarray]:
    counts = [len(frame) for frame in numbers]
    if not sum(counts):
        return numbers
    every = np.concatenate(numbers)
    kept = every > 0
    every[kept] = given_back(
        Tracked(
            np.repeat(times_us, counts)[kept],
            np.concatenate([found.boxes for found in detections])[kept],
            None if looks is None else np.concatenate(looks)[kept],
            every[kept],
        )
    )
    return np.split(every, np.cumsum(counts)[:-1])


class _Camera:
    """ByteTrack by the clock: tracks end by time, and move on where frames are missing."""

    def __init__(self, fps: float, patience_s: float, new_track_score: float, *, by_looks: bool) -> None:
        self._tracker = ByteTrack(new_track_score, by_looks=by_looks)
        self._interval_us = MICROSECONDS / fps
        self._longest_us = patience_s * MICROSECONDS + 1.5 * self._interval_us  # half a frame for uneven sampling
        self._last_us = 0
        self.confirmed: set[int] = set()

    def step(self, time_us: int, found: Detections, looks: np.ndarray | None) -> np.ndarray:
        """ByteTrack's number of each detection of the next frame, -1 where it has none."""
        self._tracker.keep(self._tracker.tracks.last >= time_us - self._longest_us)
        self._predict_missing_frames(time_us)
        self._last_us = time_us
        if not (len(found) or len(self._tracker.tracks)):  # most frames of a night
            return np.zeros(0, np.int64)
        self._tracker.update(time_us, _widened(found), looks)
        tracks = self._tracker.tracks
        numbers = np.full(len(found), -1, np.int64)
        numbers[tracks.row[~tracks.lost]] = tracks.number[~tracks.lost]
        self.confirmed.update(tracks.number[tracks.confirmed].tolist())
        return numbers

    def _predict_missing_frames(self, time_us: int) -> None:
        if len(self._tracker.tracks):  # none is left after a gap longer than the patience, so these are a few steps
            missing = round((time_us - self._last_us) / self._interval_us) - 1
            for _ in range(missing):
                self._tracker.predict()


def _widened(found: Detections) -> Detections:
    height = found.boxes[:, 3:] - found.boxes[:, 1:2]
    return Detections(
        found.boxes + height * np.array([-BUFFER_X, -BUFFER_Y, BUFFER_X, BUFFER_Y], np.float32), found.scores
    )


def _renumber(numbers: list[np.ndarray], confirmed: set[int]) -> list[np.ndarray]:
    """Confirmed tracks to 1, 2, ... in order of first appearance, all others to -1."""
    new: dict[int, int] = {}
    for frame in numbers:
        for number in frame.tolist():
            if number in confirmed:
                new.setdefault(number, len(new) + 1)
    return [np.array([new.get(number, -1) for number in frame.tolist()], np.int64) for frame in numbers]
