"""Queues: people in zones of kind checkout, and how long they wait."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from flows.density import occupancy_steps
from flows.places import SECOND_US, Window, Zone, microseconds, timestamps


def waiting_times(visits: pd.DataFrame, zones: Sequence[Zone], *, at_least_s: float = 10.0) -> pd.DataFrame:
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
    visits: pd.DataFrame, zones: Sequence[Zone], window: Window, *, bucket_s: int = 900, at_least_s: float = 10.0
) -> pd.DataFrame:
    """Shoppers at each checkout, the one who is served included: time-weighted mean and longest queue by bucket.

    Passers-by as in `waiting_times` are left out. Buckets begin at the window's start; times that were not observed
    count as empty, so hold it against the coverage. Returns zone, bucket_start, mean, longest.
    """
    tills = [zone.id for zone in zones if zone.kind == "checkout"]
    waits = visits[(visits["role"] == "shopper") & (visits["dwell_s"] >= at_least_s) & visits["zone"].isin(tills)]
    steps = occupancy_steps(waits)
    edges = np.append(np.arange(window[0], window[1], bucket_s * SECOND_US), window[1])
    parts = []
    for till in tills:
        own = steps[steps["zone"] == till]
        start, end, people = microseconds(own["start"]), microseconds(own["end"]), own["people"].to_numpy(float)
        overlap = np.minimum(end[:, None], edges[1:]) - np.maximum(start[:, None], edges[:-1])
        overlap = np.maximum(overlap, 0)
        mean = (overlap * people[:, None]).sum(axis=0) / np.diff(edges)
        longest = ((overlap > 0) * people[:, None]).max(axis=0, initial=0)
        rows = {"zone": till, "bucket_start": timestamps(edges[:-1]), "mean": mean, "longest": longest.astype(int)}
        parts.append(pd.DataFrame(rows))
    return (
        pd.concat(parts, ignore_index=True)
        if parts
        else pd.DataFrame(columns=["zone", "bucket_start", "mean", "longest"])
    )
