"""Store-local time on axes: hours since the store's midnight, written as the clock on the store's wall.

An axis of real elapsed time is right on days of 23 and 25 hours too, where a plain axis of local times would fold back
or leave a hole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np
import pandas as pd

from flows.config import StoreConfig

HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class DayClock:
    """One local day of one store."""

    store: StoreConfig
    day: date

    @cached_property
    def window_us(self) -> tuple[int, int]:
        return self.store.day_window(self.day)

    @property
    def hours(self) -> float:
        """Length of the day: 24, or 23 and 25 when the clocks change."""
        return (self.window_us[1] - self.window_us[0]) / HOUR_US

    @property
    def note(self) -> str | None:
        """What to say about a day whose clocks change."""
        if self.hours == 24:
            return None
        turn = "forward" if self.hours < 24 else "back"
        return f"Clocks went {turn}: this day has {self.hours:g} hours."

    @property
    def axis_title(self) -> str:
        noon = self._local_us(self.day, 12)
        offset = datetime.fromtimestamp(noon / 1e6, self.store.zone_info).strftime("%z")
        return f"Time of day, {self.store.timezone} (UTC{offset[:3]}:{offset[3:]})"

    def elapsed(self, times: pd.Series | Sequence[int] | np.ndarray) -> np.ndarray:
        """Hours since the store's midnight of UTC times (datetimes or microseconds)."""
        return (microseconds(times) - self.window_us[0]) / HOUR_US

    def elapsed_from(self, other: DayClock, times: pd.Series) -> np.ndarray:
        """Where the wall-clock times of another day fall on this day's axis."""
        local = times.dt.tz_convert(self.store.zone_info).dt.tz_localize(None) - pd.Timestamp(other.day)
        moved = (pd.Timestamp(self.day) + local).dt.tz_localize(
            self.store.zone_info, ambiguous=True, nonexistent="shift_forward"
        )
        return self.elapsed(moved.dt.tz_convert("UTC"))

    def clock(self, elapsed: float) -> str:
        """The wall clock after so many hours of the day."""
        return self.local(elapsed).strftime("%H:%M")

    def local(self, elapsed: float) -> datetime:
        return datetime.fromtimestamp(self.window_us[0] / 1e6 + elapsed * 3600, self.store.zone_info)

    def ticks(self, start: float, end: float, most: int = 14) -> tuple[list[float], list[str]]:
        """Tick places (elapsed hours) and wall-clock labels between two elapsed hours."""
        steps = (1 / 240, 1 / 60, 1 / 12, 1 / 6, 0.25, 0.5, 1, 2, 3, 6) if end - start < 2 else (1, 2, 3, 6)
        step = next((step for step in steps if (end - start) / step <= most), 6)
        places = np.arange(np.ceil(start / step - 1e-9), np.floor(end / step + 1e-9) + 1) * step
        form = "%H:%M" if step >= 1 / 60 else "%H:%M:%S"
        return places.tolist(), [self.local(float(place)).strftime(form) for place in places]

    def open_hours(self) -> list[tuple[float, float]]:
        """Opening hours as elapsed hours of the day."""
        start = self.window_us[0]
        return [((low - start) / HOUR_US, (high - start) / HOUR_US) for low, high in self.store.open_windows(self.day)]

    def span(self, *times: np.ndarray) -> tuple[float, float]:
        """The part of the day worth drawing: opening hours and everything measured, with some air."""
        values = [np.asarray(part, dtype=float) for part in times if len(part)]
        known = np.concatenate([*values, *[np.array(span) for span in self.open_hours()]]) if values else np.array([])
        if not len(known):
            return 0.0, self.hours
        low, high = float(known.min()), float(known.max())
        air = 0.5 if high - low > 2 else 0.1 * (high - low)
        return max(low - air, 0.0), min(high + air, self.hours)

    def _local_us(self, day: date, hour: int) -> int:
        moment = datetime(day.year, day.month, day.day, hour, tzinfo=self.store.zone_info)
        return int(moment.timestamp() * 1e6)


def microseconds(times: pd.Series | Sequence[int] | np.ndarray) -> np.ndarray:
    """UTC microseconds of datetimes with a zone, or of what is microseconds already."""
    if isinstance(times, pd.Series) and isinstance(times.dtype, pd.DatetimeTZDtype):
        return times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)
    return np.asarray(times, dtype=np.int64)


def weekday_before(day: date) -> date:
    return day - timedelta(days=7)


def say(day: date, *, year: bool = True) -> str:
    """A day as people write it: Friday, 14 March 2025."""
    return f"{day:%A}, {day.day} {day:%B}{f' {day.year}' if year else ''}"


def say_short(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: 48 s, 3 min 05 s, 1 h 12 min."""
    if seconds is None or seconds != seconds:
        return "-"
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"
