"""Whether clocks are right: cameras against each other, and the day's course against that of the days before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import combinations

import numpy as np
import pandas as pd
import pyarrow as pa

from flows.config import StoreConfig
from flows.lake import Lake
from flows.places import SECOND_US, microseconds

CELL_M = 1.0
LONGEST_LAG_S = 300
LEAST_SECONDS, LEAST_CORRELATION, LEAST_GAIN = 300, 0.4, 0.1
DAYS_BACK, LEAST_DAYS = 14, 3
QUARTERS_OF_SHIFT = 12


def camera_lags(positions: pd.DataFrame) -> Iterator[tuple[str, str, float]]:
    """For each pair of cameras that see people on the same floor, how many seconds the first runs behind the second.

    How many people stand on the metre squares that both see, second by second, is correlated at every lag of up to
    five minutes; the best one is the lag, if it correlates to 0.4 and by 0.1 better than no lag, else it is 0. Pairs
    with less than five minutes of people in common tell nothing and are left out.

    Args:
        positions: camera, time, x_m, y_m; NaN where a camera is not calibrated.
    """
    known = positions.dropna(subset=["x_m"])
    frame = pd.DataFrame(
        {
            "camera": known["camera"],
            "second": microseconds(known["time"]) // SECOND_US,
            "cell": np.floor(known["x_m"] / CELL_M).astype(int) * 100_000 + np.floor(known["y_m"] / CELL_M).astype(int),
        }
    ).drop_duplicates()
    by_camera = {str(camera): own for camera, own in frame.groupby("camera", observed=True)}
    for first, second in combinations(sorted(by_camera), 2):
        shared = set(by_camera[first]["cell"]) & set(by_camera[second]["cell"])
        counts = [_by_second(own[own["cell"].isin(shared)]) for own in (by_camera[first], by_camera[second])]
        if min(len(own) for own in counts) >= LEAST_SECONDS:
            yield first, second, float(_lag(*counts))


def _by_second(rows: pd.DataFrame) -> pd.Series:
    return rows.groupby("second").size()


def _lag(first: pd.Series, second: pd.Series) -> int:
    """Seconds by which the first series comes after the second."""
    start = int(min(first.index.min(), second.index.min()))
    length = int(max(first.index.max(), second.index.max())) - start + 1
    a, b = np.zeros(length), np.zeros(length)
    a[first.index.to_numpy() - start], b[second.index.to_numpy() - start] = first.to_numpy(), second.to_numpy()
    a, b = a - a.mean(), b - b.mean()
    size = 2 ** int(np.ceil(np.log2(2 * length)))
    every = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    lags = np.arange(-LONGEST_LAG_S, LONGEST_LAG_S + 1)
    correlation = every[lags % size] / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-12)
    best, none = int(correlation.argmax()), LONGEST_LAG_S
    sure = correlation[best] >= LEAST_CORRELATION and correlation[best] - correlation[none] >= LEAST_GAIN
    return int(lags[best]) if sure else 0


def course_shift_h(config: StoreConfig, day: date, zone_counts: pa.Table, lake: Lake) -> float | None:
    """Hours by which the day's course comes later than the mean course of the days before (of the last two weeks).

    The course is how many people are in the zones in each quarter-hour of the store's clock. None with fewer than three
    days before, or where no shift of up to three hours makes the courses alike.
    """
    counts = zone_counts.select(["role_filter", "bucket_start", "occupancy_mean"]).to_pandas()
    counts = counts[counts["role_filter"] == "shoppers"]
    now = _course(config, counts["bucket_start"], counts["occupancy_mean"] / 15)  # minutes of a quarter-hour
    before = [one.date for one in lake.days([config.id]) if day - timedelta(days=DAYS_BACK) <= one.date < day]
    courses = []
    for other in before:
        rows = lake.read("zone_quarters", [config.id], [other]).to_pandas()
        rows = rows[rows["role_filter"] == "shoppers"]
        courses.append(_course(config, rows["quarter_start"], rows["person_s"] / 900))
    if len(courses) < LEAST_DAYS or not now.any():
        return None
    usual = np.mean(courses, axis=0)
    shifts = np.arange(-QUARTERS_OF_SHIFT, QUARTERS_OF_SHIFT + 1)
    alike = np.array([_correlation(np.roll(usual, shift), now) for shift in shifts])
    best, none = int(np.nanargmax(alike)), QUARTERS_OF_SHIFT
    if not alike[best] >= 2 * LEAST_CORRELATION:
        return None
    return float(shifts[best]) / 4 if alike[best] - alike[none] >= LEAST_GAIN else 0.0


def _course(config: StoreConfig, times: pd.Series, people: pd.Series) -> np.ndarray:
    """Mean people by quarter-hour of the store's clock: float64 (96,)."""
    local = times.dt.tz_convert(config.timezone)
    quarter = local.dt.hour * 4 + local.dt.minute // 15
    return np.bincount(quarter, weights=people.fillna(0.0), minlength=96)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
