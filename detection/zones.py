"""Geometry of zones and entrances: points in polygons, and paths across lines. Units are those of the points given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely

INWARD, OUTWARD = 1, -1


class LineCrossings(NamedTuple):
    """`indices` int64 (K,): the first place beyond the line; `directions` int8 (K,): 1 inward, -1 outward."""

    indices: np.ndarray
    directions: np.ndarray


def polygon_problem(points: np.ndarray) -> str | None:
    """Why these corners (N, 2) are no polygon, as a sentence for whoever drew them; None where they are one."""
    points = np.asarray(points, float)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        return "corners must be pairs of finite numbers"
    if len(np.unique(points, axis=0)) < 3:
        return f"a polygon needs at least 3 different corners, not {len(np.unique(points, axis=0))}"
    polygon = shapely.Polygon(points)
    if not polygon.is_valid:
        reason = shapely.is_valid_reason(polygon)
        where = reason[reason.find("[") + 1 : reason.find("]")].split() if "[" in reason else []
        at = f" near ({', '.join(f'{float(value):.2f}' for value in where)})" if len(where) == 2 else ""
        return f"the polygon crosses or touches itself{at}; list its corners in order around the zone"
    return None if polygon.area > 0 else "the polygon has no area"


def polygon_area(points: np.ndarray) -> float:
    """Area of a polygon (N, 2)."""
    return float(shapely.Polygon(np.asarray(points, float)).area)


def overlap_area(first: np.ndarray, second: np.ndarray) -> float:
    """Area that two polygons share; 0 where they only touch."""
    return float(
        shapely.Polygon(np.asarray(first, float)).intersection(shapely.Polygon(np.asarray(second, float))).area
    )


def points_in_polygon(xy: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Which points (N, 2) lie in a polygon (M, 2): bool (N,), False for NaN.

    Even-odd rule with half-open edges, so a point on the edge that two zones share is in exactly one of them.
    """
    xy = np.asarray(xy, float).reshape(-1, 2)
    x, y = xy[:, 0], xy[:, 1]
    inside = np.zeros(len(xy), bool)
    for start, end in _edges(polygon):
        if start[1] == end[1]:
            continue
        # Lower end first: the neighbour, whose edge runs the other way, must compute the very same number.
        low, high = (start, end) if start[1] < end[1] else (end, start)
        at_height = (low[1] <= y) & (y < high[1])
        inside ^= at_height & (x < low[0] + (y - low[1]) * ((high[0] - low[0]) / (high[1] - low[1])))
    return inside


def distance_to_border(xy: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Distance of points (N, 2) to the border of a polygon: float (N,), negative outside, NaN for NaN."""
    xy = np.asarray(xy, float).reshape(-1, 2)
    nearest = np.full(len(xy), np.inf)
    for start, end in _edges(polygon):
        nearest = np.minimum(nearest, distance_to_segment(xy, start, end))
    return np.where(points_in_polygon(xy, polygon), nearest, -nearest)


def signed_side(xy: np.ndarray, line: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Distance of points (N, 2) to the infinite line through `line` (2, 2): positive on the side of `inside` (2,).

    Raises:
        ValueError: the line's two points are the same, or `inside` lies on the line.
    """
    line, inside = np.asarray(line, float), np.asarray(inside, float)
    along = line[1] - line[0]
    length = float(np.hypot(*along))
    if not length > 0:
        raise ValueError("an entrance line needs two different points")
    normal = np.array([-along[1], along[0]]) / length
    reference = float((inside - line[0]) @ normal)
    if abs(reference) < 1e-9 * length:
        raise ValueError("the inside point lies on the entrance line; put it clearly to one side")
    return (np.asarray(xy, float).reshape(-1, 2) - line[0]) @ normal * np.sign(reference)


def line_crossings(xy: np.ndarray, line: np.ndarray, inside: np.ndarray, *, hysteresis_m: float = 0.2) -> LineCrossings:
    """Crossings of an entrance by one person's path.

    A person changes sides when they have got `hysteresis_m` beyond the line; until then they are where they were, so
    trembling about the line counts nothing. A path's first and last place are taken as they are, however near to the
    line: people come into view and vanish in doorways. So a path that stays within the hysteresis counts one crossing
    at most.

    A change of sides is a crossing where the segment between two consecutive places that led to it (the last one
    that changed sides) cuts the line between its two ends. Beyond the ends it changes sides uncounted. The segment
    counts, not the places: a path of every 6th place crosses as the whole one does.

    Args:
        xy: (N, 2) places in order of time; rows with NaN are skipped.
        line: (2, 2) the entrance's ends.
        inside: (2,) a point on the inner side.
        hysteresis_m: how far beyond the line a change of sides is certain, in the unit of the points, >= 0.

    Returns:
        Indices into `xy` of the first place beyond the line, and directions. They alternate where the line is closed,
        that is where nobody can walk round its ends.
    """
    if hysteresis_m < 0:
        raise ValueError(f"hysteresis must not be below 0, not {hysteresis_m}")
    xy = np.asarray(xy, float).reshape(-1, 2)
    side = signed_side(xy, line, inside)
    rows = np.flatnonzero(np.isfinite(side) & (side != 0))
    if len(rows) < 2:
        return LineCrossings(np.zeros(0, np.int64), np.zeros(0, np.int8))
    places, side = xy[rows], side[rows]
    sign = np.sign(side).astype(np.int8)
    certain = np.abs(side) >= hysteresis_m
    certain[[0, -1]] = True
    settled = sign[_last_true(certain)]
    changed = np.flatnonzero(settled[1:] != settled[:-1]) + 1
    sign_changed = np.concatenate([[False], sign[1:] != sign[:-1]])
    after = _last_true(sign_changed)[changed]
    share = side[after - 1] / (side[after - 1] - side[after])
    cut = places[after - 1] + share[:, None] * (places[after] - places[after - 1])
    start, along = np.asarray(line[0], float), np.asarray(line[1], float) - np.asarray(line[0], float)
    position = (cut - start) @ along / (along @ along)
    on_line = (position >= 0) & (position <= 1)
    return LineCrossings(rows[after[on_line]], settled[changed[on_line]])


def _last_true(flags: np.ndarray) -> np.ndarray:
    """For each row the index of the last True up to it (0 where there is none)."""
    return np.maximum.accumulate(np.where(flags, np.arange(len(flags)), 0))


def _edges(polygon: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    corners = np.asarray(polygon, float)
    return list(zip(corners, np.roll(corners, -1, axis=0), strict=True))


def distance_to_segment(xy: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distance (N,) of points (N, 2) from the straight line between two points (2,), in their unit."""
    along = end - start
    length_squared = along @ along
    share = np.clip((xy - start) @ along / length_squared, 0, 1) if length_squared > 0 else np.zeros(len(xy))
    return np.hypot(*(xy - start - share[:, None] * along).T)
