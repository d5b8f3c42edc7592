"""Zone counts: every zone in buckets of a minute, from its visits and what was observed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from flows.places import SECOND_US, Window, Zone, microseconds, observed_spans, timestamps

ROLE_FILTERS = {"shoppers": ("shopper",), "all": None}
"""Name of a role filter -> the roles it counts; None: every role."""


class Pieces(NamedTuple):
    """Visits cut at the buckets' borders: person, bucket number, and times."""

    person: np.ndarray
    bucket: np.ndarray
    start_us: np.ndarray
    end_us: np.ndarray


def zone_counts(
    visits: pd.DataFrame,
    zones: Sequence[Zone],
    window: Window,
    *,
    observed: Mapping[str, Sequence[Sequence[float]]] | None = None,
    bucket_s: int = 60,
) -> pd.DataFrame:
    """Count every zone in buckets aligned to multiples of `bucket_s` since the epoch.

    Of each bucket, over the part of it that was observed:
    dwell_s: person-seconds inside, the exact sum of the visits' parts in the bucket. occupancy_mean: dwell_s over the
    observed seconds. occupancy_max: most people at one moment. entries, exits: visits that began or ended in
    [start, end); one that was there when the video began, or still there when it ended, is none. So, while the zone was
    observed, entries - exits is the change in occupancy. unique_people: different people inside at any moment.
    density_mean: occupancy_mean over the zone's area. coverage: share of the bucket that was observed, times the share
    of the zone's area that was seen in it. A bucket that was not observed has coverage 0 and nulls, never zeros.

    Args:
        visits: the lake's table (`zone_visits`), cut to what was observed.
        zones: the zones to count; each has rows, with or without visits.
        window: [from, to) in UTC microseconds.
        observed: as for `zone_visits`.

    Returns:
        Rows of the lake's table `zone_counts`, ordered by zone, role_filter and time.
    """
    length = bucket_s * SECOND_US
    first, end = window[0] // length, -(-window[1] // length)
    parts = []
    for zone in zones:
        seen = None if observed is None else observed.get(zone.id)
        spans = observed_spans(seen, window)
        observed_us = _bucket_sums(spans, np.ones(len(spans)), first, end, length)
        coverage = _coverage(seen, window, first, end, length)
        own = visits[visits["zone"] == zone.id]
        for name, roles in ROLE_FILTERS.items():
            rows = own if roles is None else own[own["role"].isin(roles)]
            counts = _count(rows, spans, first, end, length)
            parts.append(_rows(zone, name, counts, observed_us, coverage, first, bucket_s))
    return pd.concat(parts, ignore_index=True) if parts else _rows_without_zones()


def _count(visits: pd.DataFrame, observed: np.ndarray, first: int, end: int, length: int) -> dict[str, np.ndarray]:
    """dwell_us, occupancy_max, entries, exits and unique_people by bucket, int64 (end - first,)."""
    person = visits["person_id"].to_numpy(np.int64)
    enter, leave = microseconds(visits["enter"]), microseconds(visits["exit"])
    pieces = cut_at_buckets(person, enter, leave, length)
    number = end - first
    entered = enter[~np.isin(enter, observed[:, 0])] // length - first
    left = leave[~np.isin(leave, observed[:, 1])] // length - first
    dwell = np.zeros(number, np.int64)
    np.add.at(dwell, pieces.bucket - first, pieces.end_us - pieces.start_us)
    pairs = np.unique(np.column_stack([pieces.bucket, pieces.person]), axis=0)
    return {
        "dwell_us": dwell,
        "occupancy_max": most_at_once(pieces, first, number),
        "entries": np.bincount(entered[entered < number], minlength=number),
        "exits": np.bincount(left[left < number], minlength=number),
        "unique_people": np.bincount(pairs[:, 0] - first, minlength=number),
    }


def cut_at_buckets(person: np.ndarray, enter: np.ndarray, leave: np.ndarray, length: int) -> Pieces:
    """Spans of time cut at the multiples of `length` (all int64 microseconds)."""
    first, last = enter // length, (leave - 1) // length
    count = last - first + 1
    owner = np.repeat(np.arange(len(person)), count)
    bucket = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count) + first[owner]
    start = np.maximum(enter[owner], bucket * length)
    return Pieces(person[owner], bucket, start, np.minimum(leave[owner], (bucket + 1) * length))


def most_at_once(pieces: Pieces, first: int, number: int) -> np.ndarray:
    """Highest occupancy by bucket: a sweep over comings and goings; at the same microsecond going comes first."""
    most = np.zeros(number, np.int64)
    if not len(pieces.bucket):
        return most
    bucket = np.concatenate([pieces.bucket, pieces.bucket]) - first
    time_us = np.concatenate([pieces.start_us, pieces.end_us])
    change = np.repeat([1, -1], len(pieces.bucket))
    order = np.lexsort((change, time_us, bucket))
    bucket, inside = bucket[order], np.cumsum(change[order])  # every bucket's changes sum to 0
    starts = np.flatnonzero(np.concatenate([[True], bucket[1:] != bucket[:-1]]))
    most[bucket[starts]] = np.maximum.reduceat(inside, starts)
    return most


def _coverage(seen: Sequence[Sequence[float]] | None, window: Window, first: int, end: int, length: int) -> np.ndarray:
    """Share of each bucket, in time and area, that was observed."""
    if seen is None:
        seen = [(*window, 1.0)]
    spans = np.array([(max(int(s[0]), window[0]), min(int(s[1]), window[1])) for s in seen], np.int64).reshape(-1, 2)
    shares = np.array([float(s[2]) if len(s) > 2 else 1.0 for s in seen])
    keep = spans[:, 1] > spans[:, 0]
    return np.minimum(_bucket_sums(spans[keep], shares[keep], first, end, length) / length, 1.0)


def _bucket_sums(spans: np.ndarray, weights: np.ndarray, first: int, end: int, length: int) -> np.ndarray:
    """Sum over spans (K, 2) of their time in each bucket times their weight, float64 microseconds (end - first,)."""
    number = np.arange(len(spans), dtype=np.int64)
    pieces = cut_at_buckets(number, spans[:, 0], spans[:, 1], length)
    amount = (pieces.end_us - pieces.start_us) * weights[pieces.person]
    return np.bincount(pieces.bucket - first, weights=amount, minlength=end - first)


def _rows(
    zone: Zone,
    role_filter: str,
    counts: dict[str, np.ndarray],
    observed_us: np.ndarray,
    coverage: np.ndarray,
    first: int,
    bucket_s: int,
) -> pd.DataFrame:
    unseen = observed_us <= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(unseen, np.nan, counts["dwell_us"] / observed_us)
    start = (first + np.arange(len(unseen))) * bucket_s * SECOND_US
    whole = {
        name: pd.array(np.where(unseen, 0, counts[name]), dtype="Int32")
        for name in ("occupancy_max", "entries", "exits", "unique_people")
    }
    for values in whole.values():
        values[unseen] = pd.NA
    return pd.DataFrame(
        {
            "zone": pd.Series([zone.id] * len(unseen), dtype="str"),
            "bucket_start": timestamps(start),
            "bucket_s": np.full(len(unseen), bucket_s, np.int32),
            "role_filter": pd.Series([role_filter] * len(unseen), dtype="str"),
            "occupancy_mean": mean,
            **whole,
            "dwell_s": np.where(unseen, np.nan, counts["dwell_us"] / SECOND_US),
            "density_mean": mean / zone.area_m2 if zone.area_m2 else np.full(len(unseen), np.nan),
            "coverage": np.where(unseen, 0.0, coverage),
        }
    )


def _rows_without_zones() -> pd.DataFrame:
    nothing = np.zeros(0, np.int64)
    counts = dict.fromkeys(("dwell_us", "occupancy_max", "entries", "exits", "unique_people"), nothing)
    return _rows(Zone("", "", "", "", np.zeros((0, 2))), "all", counts, np.zeros(0), np.zeros(0), 0, 60)
