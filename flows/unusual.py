"""Days that stand out among a store's other days of the same weekday."""

from __future__ import annotations

import numpy as np
import pandas as pd

DEVIATIONS, SHARE, LEAST_SHARE = 3.5, 0.4, 0.15
LEAST_DAYS = 3
LOW_COVERAGE = 0.95
COLUMNS = ["store", "date", "weekday", "footfall", "usual", "change", "coverage", "why", "strength"]


def unusual_days(numbers: pd.DataFrame) -> pd.DataFrame:
    """Store-days whose footfall or coverage stands out, the strongest first.

    `usual` is the median footfall of the store's other days of the same weekday that were covered to 95%, at least
    three of them. A day stands out when its footfall is more than 40% away from that, or more than 15% and more than
    3.5 robust deviations (1.4826 times the median absolute deviation, but never less than the square root of the
    usual, which is chance alone); or when less than 95% of it was seen.

    Args:
        numbers: store, date, footfall (NaN: not known), coverage; a row a store-day.

    Returns:
        store, date, weekday (0: Monday), footfall, usual, change (relative; NaN: unknown), coverage, why, strength.
    """
    weekday = numbers["date"].dt.dayofweek.to_numpy() if len(numbers) else np.zeros(0, int)
    footfall, coverage = numbers["footfall"].to_numpy(float), numbers["coverage"].fillna(0.0).to_numpy(float)
    low = coverage < LOW_COVERAGE
    usual, spread = np.full(len(numbers), np.nan), np.full(len(numbers), np.nan)
    group = pd.factorize(numbers["store"])[0] * 7 + weekday
    for rows in (np.flatnonzero(group == number) for number in np.unique(group)):
        usual[rows], spread[rows] = _of_others(footfall[rows], ~low[rows] & ~np.isnan(footfall[rows]))
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(usual > 0, (footfall - usual) / usual, np.nan)
        far = np.abs(footfall - usual) > DEVIATIONS * np.maximum(spread, np.sqrt(usual))
        odd = (np.abs(change) > SHARE) | ((np.abs(change) > LEAST_SHARE) & far)
    strength = np.maximum(np.abs(np.nan_to_num(change)), (1 - coverage) * 2)
    marked = np.flatnonzero(odd | low)
    found = (
        numbers[["store", "date", "footfall"]]
        .iloc[marked]
        .assign(
            weekday=weekday[marked],
            usual=usual[marked],
            change=change[marked],
            coverage=coverage[marked],
            why=[_why(odd[row], change[row], low[row], coverage[row]) for row in marked],
            strength=strength[marked],
        )
    )
    return found.sort_values("strength", ascending=False, kind="stable", ignore_index=True)[COLUMNS]


def _why(is_odd: bool, change: float, is_low: bool, coverage: float) -> str:
    said = [f"far {'more' if change > 0 else 'fewer'} people than usual"] if is_odd else []
    return "; ".join([*said, *([f"only {coverage:.1%} of the time was seen"] if is_low else [])])


def _of_others(values: np.ndarray, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of N values the median of the other usable ones, and 1.4826 times their median absolute deviation from
    it; NaN where there are too few."""
    places = np.flatnonzero(usable)
    table = np.tile(values[places], (len(values), 1))
    own = np.arange(len(values))[:, None] == places[None, :]
    count = len(places) - usable.astype(int)
    usual = _middle(np.where(own, np.inf, table), count)
    with np.errstate(invalid="ignore"):
        spread = 1.4826 * _middle(np.where(own, np.inf, np.abs(table - usual[:, None])), count)
    return usual, spread


def _middle(table: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Median of the `count` smallest values of each row; NaN where they are fewer than LEAST_DAYS."""
    if table.shape[1] < LEAST_DAYS:
        return np.full(len(table), np.nan)
    ordered = np.sort(table, axis=1)
    rows, low, high = np.arange(len(table)), np.maximum((count - 1) // 2, 0), np.minimum(count // 2, table.shape[1] - 1)
    return np.where(count >= LEAST_DAYS, (ordered[rows, low] + ordered[rows, high]) / 2, np.nan)
