"""Queues: people in zones of kind checkout, and how long they wait."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from flows.places import SECOND_US, Window, Zone, microseconds, timestamps
from flows.zone_counts import cut_at_buckets, most_at_once

PASSED_BY_S = 10.0
"""Who stays at a till for less only passed by."""


def waiting_times(visits: pd.DataFrame, zones: Sequence[Zone], *, at_least_s: float = PASSED_BY_S) -> pd.DataFrame:
    """Waiting at checkouts: shoppers' dwell in zones of kind checkout, from joining the queue to leaving the till.

    It includes being served. Who stayed less than `at_least_s` seconds only passed by. Truncated waits are counted but
    left out of the statistics. Returns zone, waits, truncated, mean_s, median_s, p90_s.
    """
    rows = []
    for zone in zones:
        if zone.kind != "checkout":
            continue
        own = visits[(visits["zone"] == zone.id) & (visits["role"] == "shopper") & (visits["dwell_s"] >= at_least_s)]
        whole = own.loc[~own["truncated"].to_numpy(bool), "dwell_s"].to_numpy()
        figures = (whole.mean(), np.median(whole), np.quantile(whole, 0.9)) if len(whole) else (np.nan,) * 3
        rows.append((zone.id, len(own), len(own) - len(whole), *figures))
    return pd.DataFrame(rows, columns=["zone", "waits", "truncated", "mean_s", "median_s", "p90_s"])


def queue_lengths(
    visits: pd.DataFrame,
    zones: Sequence[Zone],
    window: Window,
    *,
    bucket_s: int = 900,
    at_least_s: float = PASSED_BY_S,
) -> pd.DataFrame:
    """Shoppers at each checkout, the one who is served included: time-weighted mean and longest queue by bucket.

    Passers-by as in `waiting_times` are left out. Buckets begin at the window's start; times that were not observed
    count as empty, so hold it against the coverage. Returns zone, bucket_start, person_s (waited), mean, longest.
    """
    length, start = bucket_s * SECOND_US, window[0]
    number = -(-(window[1] - start) // length)
    edges = np.append(start + np.arange(number) * length, window[1])
    waits = visits[(visits["role"] == "shopper") & (visits["dwell_s"] >= at_least_s)]
    parts = []
    for till in [zone.id for zone in zones if zone.kind == "checkout"]:
        own = waits[waits["zone"] == till]
        enter, leave = (microseconds(own[name]).clip(*window) - start for name in ("enter", "exit"))
        inside = leave > enter
        pieces = cut_at_buckets(np.arange(inside.sum()), enter[inside], leave[inside], length)
        spent_us = np.bincount(pieces.bucket, weights=pieces.end_us - pieces.start_us, minlength=number)
        rows = {
            "zone": till,
            "bucket_start": timestamps(edges[:-1]),
            "person_s": spent_us / SECOND_US,
            "mean": spent_us / np.diff(edges),
            "longest": most_at_once(pieces, 0, number),
        }
        parts.append(pd.DataFrame(rows))
    names = ["zone", "bucket_start", "person_s", "mean", "longest"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)
