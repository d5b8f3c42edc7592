"""Comparisons: the same numbers of other days, opening hours, days of 23 and 25 hours, and sales."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from flows.places import SECOND_US, Window, microseconds, timestamps

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
POS_COLUMNS = ("time", "transactions")


class PosError(ValueError):
    """A point-of-sale file can't be used; the message says which line, and what to do."""


def days_before(day: date) -> dict[str, list[date]]:
    """The days a day is held against: `weekday` the same weekday a week before, `week` the 7 days before it,
    `month` the 28 days before it (four of each weekday, so that weekends weigh the same)."""
    return {
        "weekday": [day - timedelta(days=7)],
        "week": [day - timedelta(days=number) for number in range(1, 8)],
        "month": [day - timedelta(days=number) for number in range(1, 29)],
    }


def change(now: float, before: Sequence[float]) -> float | None:
    """Relative change of a day's number against the mean of others (+0.1: a tenth more); None where there are none
    (NaN counts as none), or their mean is 0."""
    known = [value for value in before if not np.isnan(value)]
    if not known or np.isnan(now) or np.mean(known) == 0:
        return None
    return float(now / np.mean(known) - 1)


def local_hours(day: date, zone: ZoneInfo) -> pd.DataFrame:
    """The hours of a local day: 23, 24 or 25 rows of label, start, end.

    Labels are the clock's ("02:00"); where the clock strikes an hour twice they carry the offset ("02:00+02:00",
    "02:00+01:00"), and the hour that is skipped has no row.
    """
    first, last = (_microseconds(datetime(d.year, d.month, d.day, tzinfo=zone)) for d in (day, day + timedelta(days=1)))
    edges = np.append(np.arange(first, last, 3600 * SECOND_US), last)
    clocks = [(EPOCH + timedelta(microseconds=int(edge))).astimezone(zone) for edge in edges[:-1]]
    names = [clock.strftime("%H:%M") for clock in clocks]
    labels = [
        name + f"{clock:%z}"[:3] + ":" + f"{clock:%z}"[3:] if names.count(name) > 1 else name
        for name, clock in zip(names, clocks, strict=True)
    ]
    return pd.DataFrame({"label": labels, "start": timestamps(edges[:-1]), "end": timestamps(edges[1:])})


def _microseconds(moment: datetime) -> int:
    return (moment.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def count_by_hour(times: pd.Series, hours: pd.DataFrame) -> np.ndarray:
    """How many of `times` fall into each row of `local_hours`: int64 (H,)."""
    starts = microseconds(hours["start"])
    moments = microseconds(times)
    inside = (moments >= starts[0]) & (moments < microseconds(hours["end"])[-1])
    return np.bincount(np.searchsorted(starts, moments[inside], "right") - 1, minlength=len(hours))


def within(times: pd.Series, windows: Sequence[Window]) -> np.ndarray:
    """Which times lie in one of the windows (opening hours, [from, to) in UTC microseconds): bool (N,)."""
    moments = microseconds(times)
    inside = np.zeros(len(moments), bool)
    for start, end in windows:
        inside |= (moments >= start) & (moments < end)
    return inside


def footfall_by_hour(footfall: pd.DataFrame, day: date, zone: ZoneInfo, role: str | None = "shopper") -> pd.DataFrame:
    """Footfall of each entrance and local hour: entrance, label, start, in, out."""
    hours = local_hours(day, zone)
    rows = footfall if role is None else footfall[footfall["role"] == role]
    parts = []
    for entrance, own in rows.groupby("entrance", sort=True, observed=True):
        counts = {way: count_by_hour(own["time"][own["direction"] == way], hours) for way in ("in", "out")}
        parts.append(pd.DataFrame({"entrance": entrance, "label": hours["label"], "start": hours["start"], **counts}))
    return (
        pd.concat(parts, ignore_index=True)
        if parts
        else pd.DataFrame(columns=["entrance", "label", "start", "in", "out"])
    )


def sales_file(store_file: Path, template: str, day: date) -> Path:
    """The point-of-sale file of a day: a path beside store.yaml (or absolute) with %Y, %m and %d."""
    return store_file.parent / day.strftime(template)


def read_pos(path: str | Path, zone: ZoneInfo) -> pd.DataFrame:
    """A point-of-sale CSV with the columns time and transactions (`2025-03-14 09:00,31`; local to the store unless it
    says its offset). Returns time (UTC), transactions. Raises PosError."""
    try:
        table = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise PosError(f"{path}: is no CSV file: {error}") from None
    missing = [name for name in POS_COLUMNS if name not in table.columns]
    if missing:
        raise PosError(f"{path}: no column {missing[0]!r}; the first line must be {','.join(POS_COLUMNS)}")
    times = []
    for number, (text, count) in enumerate(zip(table["time"], table["transactions"], strict=True), start=2):
        try:
            moment = datetime.fromisoformat(str(text))
            if float(count) < 0:
                raise ValueError
        except ValueError:
            message = (
                f"line {number}: {text},{count} is not a time and a number of transactions, as 2025-03-14 09:00,31"
            )
            raise PosError(f"{path}: {message}") from None
        times.append(_microseconds(moment if moment.tzinfo else moment.replace(tzinfo=zone)))
    return pd.DataFrame(
        {"time": timestamps(np.array(times, np.int64)), "transactions": table["transactions"].to_numpy(float)}
    )


def conversion_by_hour(footfall: pd.DataFrame, pos: pd.DataFrame, day: date, zone: ZoneInfo) -> pd.DataFrame:
    """Conversion: transactions / shoppers who came in, by local hour.

    People buy some time after they came in, so an hour by itself may be above 1; the day's is their sums' quotient.
    Returns label, start, visitors, transactions, conversion (NaN in hours without visitors).
    """
    hours = local_hours(day, zone)
    entered = footfall[(footfall["direction"] == "in") & (footfall["role"] == "shopper")]
    visitors = count_by_hour(entered["time"], hours)
    starts, moments = microseconds(hours["start"]), microseconds(pos["time"])
    inside = (moments >= starts[0]) & (moments < microseconds(hours["end"])[-1])
    place = np.searchsorted(starts, moments[inside], "right") - 1
    sold = np.bincount(place, weights=pos["transactions"].to_numpy(float)[inside], minlength=len(hours))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(visitors > 0, sold / visitors, np.nan)
    return hours[["label", "start"]].assign(visitors=visitors, transactions=sold, conversion=share)
