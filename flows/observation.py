"""What was observed of each zone, and when: cameras' pictures in time, and their view of the floor in space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from detection.floor import FloorCalibration
from detection.zones import points_in_polygon

Span = tuple[int, int]
GRID_M = 0.2


def filled(polygon: np.ndarray) -> np.ndarray:
    """Points (M, 2) every GRID_M inside a polygon (N, 2) in floor metres; its centre where it is too small for any."""
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    axes = [np.arange(a + GRID_M / 2, b, GRID_M) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    points = points[points_in_polygon(points, polygon)]
    return points if len(points) else polygon.mean(axis=0, keepdims=True)


def seen_points(polygon: np.ndarray, calibrations: Mapping[str, FloorCalibration]) -> dict[str, np.ndarray]:
    """Which points of a zone each camera's picture holds.

    The polygon (N, 2) is in floor metres; returns for each camera a bool array over the points that fill it. Shelves
    that hide a part are not considered.
    """
    points = filled(polygon)
    seen: dict[str, np.ndarray] = {}
    for camera, calibration in calibrations.items():
        pixels = calibration.to_pixels(points)
        width, height = calibration.image_size
        seen[camera] = np.all((pixels >= 0) & (pixels <= (width, height)), axis=1)
    return seen


def observed_share(
    seen: Mapping[str, np.ndarray], observed: Mapping[str, Sequence[Span]]
) -> list[tuple[int, int, float]]:
    """How much of a zone was seen, as (from, to, share of its area), UTC microseconds, in order, without overlap.

    `seen` as given by `seen_points`, `observed` each camera's spans with pictures.
    """
    cameras = [camera for camera in seen if seen[camera].any() and observed.get(camera)]
    times = sorted({time for camera in cameras for span in observed[camera] for time in span})
    shares: list[tuple[int, int, float]] = []
    for start, end in pairwise(times):
        awake = [seen[c] for c in cameras if any(a <= start and end <= b for a, b in observed[c])]
        if not awake:
            continue
        share = float(np.logical_or.reduce(awake).mean())
        if shares and shares[-1][1] == start and shares[-1][2] == share:
            shares[-1] = (shares[-1][0], end, share)
        else:
            shares.append((start, end, share))
    return shares


def missing_spans(expected: Sequence[Span], seen: Sequence[Span]) -> list[Span]:
    """The parts of expected spans that no seen span covers; both in order, UTC microseconds."""
    missing = []
    for start, end in expected:
        at = start
        for a, b in sorted(seen):
            if b <= at or a >= end:
                continue
            if a > at:
                missing.append((at, a))
            at = max(at, b)
        if at < end:
            missing.append((at, end))
    return missing
