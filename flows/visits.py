"""Visits: stays of people in zones, from their paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from detection.zones import points_in_polygon
from flows.places import SECOND_US, Paths, Window, Zone, observed_spans, paths, timestamps

EDGE_S = 0.5
"""A path that ends so near to the end of what was observed is held to have reached it."""


class Spans(NamedTuple):
    """M spans of time, in order of person and time: `stay`, `first` (a row of the person) and times, all int64."""

    stay: np.ndarray
    first: np.ndarray
    start_us: np.ndarray
    end_us: np.ndarray


def zone_visits(
    trajectories: pd.DataFrame,
    zones: Sequence[Zone],
    window: Window,
    *,
    observed: Mapping[str, Sequence[Sequence[float]]] | None = None,
    hysteresis_s: float = 1.0,
    max_hidden_s: float = 20.0,
    edge_s: float = EDGE_S,
) -> pd.DataFrame:
    """Visits: a person is in a zone from when their foot point crosses its border inward until it crosses outward.

    Hysteresis: a visit begins only with a stay inside of more than `hysteresis_s`, and ends only with one outside of
    more than that; its times are those of the crossings, interpolated between places. A person out of sight for up to
    `max_hidden_s` is held to walk straight from where they vanished to where they are seen again; out of sight for
    longer, they left when last seen. A visit goes on whatever camera or track sees the person. It is cut where the zone
    was not observed, and `truncated` where it touches an end of what was observed: its true length is not known.

    Args:
        trajectories: person_id, role, plane, time_us, x, y, one row a person, plane and time.
        zones: where visits are looked for; one seen by no plane in the trajectories has none.
        window: [from, to) in UTC microseconds.
        observed: by zone id, the spans (from_us, to_us[, share]) in which it was observed; a zone left out was observed
            for the whole window.
        edge_s: a stay that begins or ends at most so near to an end of what was observed reaches it. Where people are
            looked at less often than that, give a little more than the time between two looks.

    Returns:
        Rows of the lake's table `visits`: person_id, role, zone, enter, exit, dwell_s, truncated; ordered by zone,
        person and time.
    """
    hysteresis_us = round(hysteresis_s * SECOND_US)
    by_plane: dict[str, Paths] = {}
    found = []
    for zone in zones:
        if zone.plane not in by_plane:
            by_plane[zone.plane] = paths(trajectories, zone.plane, max_hidden_s)
        own = by_plane[zone.plane]
        spans = observed_spans(None if observed is None else observed.get(zone.id), window)
        inside = _reach_edges(inside_spans(own, zone.polygon), own, spans, round(edge_s * SECOND_US))
        found.append(_visits(own, zone.id, _observed_only(_with_hysteresis(inside, hysteresis_us), spans), spans))
    return pd.concat(found, ignore_index=True) if found else _visits_table([], [], [], [], [], [])


def inside_spans(own: Paths, polygon: np.ndarray) -> Spans:
    """When each path was inside a polygon (M, 2), to the microsecond, by the segments between its places."""
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    rows = np.flatnonzero(_may_touch(own, low, high))
    if not len(rows):
        return Spans(*(np.zeros(0, np.int64) for _ in range(4)))
    start = np.column_stack([own.x[rows], own.y[rows]])
    step = np.column_stack([own.x[rows + 1], own.y[rows + 1]]) - start
    shares = _crossing_shares(start, step, polygon)
    crossed = np.flatnonzero(np.isfinite(shares).any(axis=1))
    owner = np.concatenate([np.arange(len(rows)), np.repeat(crossed, shares.shape[1])])
    from_share = np.concatenate([np.zeros(len(rows)), shares[crossed].ravel()])
    keep = np.isfinite(from_share)
    order = np.lexsort((from_share[keep], owner[keep]))
    owner, from_share = owner[keep][order], from_share[keep][order]
    is_last = np.append(owner[1:] != owner[:-1], True)
    to_share = np.where(is_last, 1.0, np.append(from_share[1:], 1.0))
    inside = points_in_polygon(start[owner] + ((from_share + to_share) / 2)[:, None] * step[owner], polygon)
    owner, from_share, to_share = owner[inside], from_share[inside], to_share[inside]
    row = rows[owner]
    duration = own.time_us[row + 1] - own.time_us[row]
    begin = own.time_us[row] + np.rint(from_share * duration).astype(np.int64)
    end = own.time_us[row] + np.rint(to_share * duration).astype(np.int64)
    return _join_pieces(own.stay[row], row, begin, end)


def _may_touch(own: Paths, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Which segments (row to next row, within a stay) have a bounding box that meets the polygon's."""
    if len(own) < 2:
        return np.zeros(0, bool)
    touch = own.stay[1:] == own.stay[:-1]
    for values, least, most in ((own.x, low[0], high[0]), (own.y, low[1], high[1])):
        below, above = values < least, values > most
        touch &= ~(below[1:] & below[:-1])
        touch &= ~(above[1:] & above[:-1])
    return touch


def _crossing_shares(start: np.ndarray, step: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Where along each segment (C) it cuts each edge (E) of a polygon: (C, E) in (0, 1), NaN where it does not."""
    shares = np.full((len(start), len(polygon)), np.nan)
    for number, (a, b) in enumerate(zip(polygon, np.roll(polygon, -1, axis=0), strict=True)):
        edge, to_edge = b - a, a - start
        parallel = step[:, 0] * edge[1] - step[:, 1] * edge[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (to_edge[:, 0] * edge[1] - to_edge[:, 1] * edge[0]) / parallel
            along = (to_edge[:, 0] * step[:, 1] - to_edge[:, 1] * step[:, 0]) / parallel
        cut = (parallel != 0) & (share > 0) & (share < 1) & (along >= 0) & (along <= 1)
        shares[cut, number] = share[cut]
    return shares


def _join_pieces(stay: np.ndarray, row: np.ndarray, begin: np.ndarray, end: np.ndarray) -> Spans:
    keep = end > begin
    stay, row, begin, end = stay[keep], row[keep], begin[keep], end[keep]
    new = np.ones(len(stay), bool)
    new[1:] = (stay[1:] != stay[:-1]) | (begin[1:] != end[:-1])
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(stay)) - 1 if len(stay) else first
    return Spans(stay[first], row[first], begin[first], end[last])


def _reach_edges(spans: Spans, own: Paths, observed: np.ndarray, edge_us: int) -> Spans:
    """Let spans that begin or end with their stay reach an end of what was observed that is at most `edge_us` away."""
    if not len(spans.stay) or not len(observed):
        return spans
    bounds = own.stay_bounds
    stay_start = own.time_us[bounds[:-1]][spans.stay - own.stay[0]]
    stay_end = own.time_us[bounds[1:] - 1][spans.stay - own.stay[0]]
    starts, ends = observed[:, 0], observed[:, 1]
    before = starts[np.maximum(np.searchsorted(starts, spans.start_us, "right") - 1, 0)]
    near = (spans.start_us == stay_start) & (before <= spans.start_us) & (spans.start_us - before <= edge_us)
    start = np.where(near, before, spans.start_us)
    after = ends[np.minimum(np.searchsorted(ends, spans.end_us, "left"), len(ends) - 1)]
    near = (spans.end_us == stay_end) & (after >= spans.end_us) & (after - spans.end_us <= edge_us)
    return Spans(spans.stay, spans.first, start, np.where(near, after, spans.end_us))


def _with_hysteresis(spans: Spans, hysteresis_us: int) -> Spans:
    """Join spans with at most `hysteresis_us` between them, and let each begin with its first part longer than that."""
    if not len(spans.stay):
        return spans
    new = np.ones(len(spans.stay), bool)
    new[1:] = (spans.stay[1:] != spans.stay[:-1]) | (spans.start_us[1:] - spans.end_us[:-1] > hysteresis_us)
    group = np.cumsum(new) - 1
    long = np.flatnonzero(spans.end_us - spans.start_us > hysteresis_us)
    groups, position = np.unique(group[long], return_index=True)
    first = long[position]
    last = np.append(np.flatnonzero(new)[1:], len(new))[groups] - 1
    return Spans(spans.stay[first], spans.first[first], spans.start_us[first], spans.end_us[last])


def _observed_only(spans: Spans, observed: np.ndarray) -> Spans:
    """The parts of spans that were observed."""
    first = np.searchsorted(observed[:, 1], spans.start_us, "right")
    last = np.searchsorted(observed[:, 0], spans.end_us, "left")
    count = np.maximum(last - first, 0)
    owner = np.repeat(np.arange(len(count)), count)
    which = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count) + first[owner]
    start = np.maximum(spans.start_us[owner], observed[which, 0])
    end = np.minimum(spans.end_us[owner], observed[which, 1])
    keep = end > start
    return Spans(spans.stay[owner][keep], spans.first[owner][keep], start[keep], end[keep])


def _visits(own: Paths, zone: str, spans: Spans, observed: np.ndarray) -> pd.DataFrame:
    truncated = np.isin(spans.start_us, observed[:, 0]) | np.isin(spans.end_us, observed[:, 1])
    role = own.roles[own.role[spans.first]] if len(own) else []
    return _visits_table(
        own.person[spans.first], role, [zone] * len(truncated), spans.start_us, spans.end_us, truncated
    )


def _visits_table(person, role, zone, start_us, end_us, truncated) -> pd.DataFrame:
    start_us, end_us = np.asarray(start_us, np.int64), np.asarray(end_us, np.int64)
    return pd.DataFrame(
        {
            "person_id": np.asarray(person, np.int64),
            "role": pd.Series(role, dtype="str"),
            "zone": pd.Series(zone, dtype="str"),
            "enter": timestamps(start_us),
            "exit": timestamps(end_us),
            "dwell_s": (end_us - start_us) / SECOND_US,
            "truncated": np.asarray(truncated, bool),
        }
    )
