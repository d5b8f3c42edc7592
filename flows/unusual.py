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

    `usual` is the median footfall of the store's other days of the same weekday that were covered to 95 %, at least
    three of them. A day stands out when its footfall is more than 40 % away from that, or more than 15 % and more than
    3.5 robust deviations (1.4826 times the median absolute deviation, but never less than the square root of the
    usual, which is chance alone); or when less than 95 % of it was seen.

    Args:
        numbers: store, date, footfall, coverage; a row a store-day.

    Returns:
        store, date, weekday (0: Monday), footfall, usual, change (relative; NaN: unknown), coverage, why, strength.
    """
    parts = [_marked(group) for _, group in numbers.groupby(["store", numbers["date"].dt.dayofweek], sort=True)]
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows["why"] != ""].sort_values("strength", ascending=False, kind="stable", ignore_index=True)[COLUMNS]


def _marked(group: pd.DataFrame) -> pd.DataFrame:
    """All days of one store and weekday, with what stands out of each in words ("" where nothing does)."""
    footfall, coverage = group["footfall"].to_numpy(float), group["coverage"].fillna(0.0).to_numpy(float)
    others = np.where((coverage >= LOW_COVERAGE)[None, :] & ~np.eye(len(group), dtype=bool), footfall[None, :], np.nan)
    enough = (~np.isnan(others)).sum(axis=1) >= LEAST_DAYS
    others[~enough] = 0.0  # of these nothing is taken
    usual = np.where(enough, np.nanmedian(others, axis=1), np.nan)
    spread = 1.4826 * np.nanmedian(np.abs(others - np.nan_to_num(usual)[:, None]), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(usual > 0, (footfall - usual) / usual, np.nan)
        far = np.abs(footfall - usual) > DEVIATIONS * np.maximum(spread, np.sqrt(usual))
        odd = (np.abs(change) > SHARE) | ((np.abs(change) > LEAST_SHARE) & far)
    low = coverage < LOW_COVERAGE
    why = []
    for is_odd, moved, is_low, seen in zip(odd, change, low, coverage, strict=True):
        said = [f"far {'more' if moved > 0 else 'fewer'} people than usual"] if is_odd else []
        why.append("; ".join([*said, *([f"only {seen:.1%} of the time was seen"] if is_low else [])]))
    return group[["store", "date", "footfall"]].assign(
        weekday=group["date"].dt.dayofweek,
        usual=usual,
        change=change,
        coverage=coverage,
        why=why,
        strength=np.maximum(np.abs(np.nan_to_num(change)), (1 - coverage) * 2),
    )
