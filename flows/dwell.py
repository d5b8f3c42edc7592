"""Dwell: how long visits were, how many were engaged, and which share of the visitors a zone got."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

HISTOGRAM_S = (0, 5, 10, 20, 30, 60, 120, 300, 600, 1800)


def dwell_statistics(visits: pd.DataFrame, *, engaged_s: float = 10.0) -> pd.DataFrame:
    """By zone: visits, visitors and dwell (exit - enter).

    mean, median and p90 are of whole visits; truncated ones, whose length is not known, are counted apart, in
    `truncated`. `engaged`: visits of at least `engaged_s` seconds, and their share of all; a truncated visit that
    lasted as long already is one. `visitors`: different people.

    Returns:
        zone, visits, truncated, visitors, mean_s, median_s, p90_s (NaN without whole visits), engaged, engaged_share.
    """
    rows = []
    needed = visits[["zone", "person_id", "dwell_s", "truncated"]]  # sorting by zone copies every column there is
    for zone, own in needed.groupby("zone", sort=True, observed=True):
        whole = own.loc[~own["truncated"].to_numpy(bool), "dwell_s"].to_numpy()
        known = len(whole) > 0
        engaged = int((own["dwell_s"] >= engaged_s).sum())
        rows.append(
            (
                zone,
                len(own),
                len(own) - len(whole),
                own["person_id"].nunique(),
                whole.mean() if known else np.nan,
                np.median(whole) if known else np.nan,
                np.quantile(whole, 0.9) if known else np.nan,
                engaged,
                engaged / len(own),
            )
        )
    names = ("visits", "truncated", "visitors", "mean_s", "median_s", "p90_s", "engaged", "engaged_share")
    return pd.DataFrame(rows, columns=["zone", *names])


def dwell_histogram(visits: pd.DataFrame, edges_s: Sequence[float] = HISTOGRAM_S) -> pd.DataFrame:
    """Whole visits by zone and length: zone, from_s, to_s (inf: longer than the last edge), visits."""
    edges = np.append(np.asarray(edges_s, float), np.inf)
    rows = []
    for zone, own in visits[~visits["truncated"].to_numpy(bool)].groupby("zone", sort=True, observed=True):
        place = np.searchsorted(edges, own["dwell_s"].to_numpy(), "right") - 1
        counts = np.bincount(place[place >= 0], minlength=len(edges) - 1)[: len(edges) - 1]
        rows += [(zone, *row) for row in zip(edges[:-1], edges[1:], counts, strict=True)]
    return pd.DataFrame(rows, columns=["zone", "from_s", "to_s", "visits"])


def penetration(visits: pd.DataFrame, people: int | None = None) -> pd.DataFrame:
    """The share of the store's visitors who were in a zone at least once.

    `people`: different visitors of the store; None: everyone who was in any zone. Returns zone, visitors, penetration
    (0..1; NaN without visitors).
    """
    everyone = visits["person_id"].nunique() if people is None else people
    counts = visits.groupby("zone", observed=True)["person_id"].nunique().sort_index()
    share = counts / everyone if everyone else counts * np.nan
    return pd.DataFrame({"zone": counts.index, "visitors": counts.to_numpy(), "penetration": share.to_numpy(float)})
