"""Store-local time on axes, on days of 23, 24 and 25 hours."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from dashboards.clock import DayClock
from flows.config import StoreConfig


def store(time_zone: str) -> StoreConfig:
    return StoreConfig.model_validate(
        {
            "id": "s",
            "name": "S",
            "timezone": time_zone,
            "opening_hours": {day: ["00:00-05:00"] for day in ("saturday", "sunday")},
            "floor": {"width_m": 5, "depth_m": 5},
            "recordings": {"path": "{camera}.mp4"},
            "cameras": [{"id": "a"}],
        }
    )


@pytest.mark.parametrize(
    ("time_zone", "day", "hours", "labels"),
    [
        ("Europe/Berlin", date(2025, 3, 30), 23, ["00:00", "01:00", "03:00", "04:00"]),
        ("Europe/Berlin", date(2025, 10, 26), 25, ["00:00", "01:00", "02:00", "02:00", "03:00"]),
        ("America/Montreal", date(2025, 3, 9), 23, ["00:00", "01:00", "03:00", "04:00"]),
        ("America/Montreal", date(2025, 3, 8), 24, ["00:00", "01:00", "02:00", "03:00"]),
    ],
)
def test_the_axis_is_elapsed_time_with_the_clock_written_on_it(time_zone, day, hours, labels) -> None:
    clock = DayClock(store(time_zone), day)
    assert clock.hours == hours
    places, said = clock.ticks(0, len(labels) - 1)
    assert places == list(range(len(labels))) and said == labels
    assert (clock.note is None) == (hours == 24)


def test_opening_hours_lie_where_the_clock_says() -> None:
    assert DayClock(store("Europe/Berlin"), date(2025, 3, 30)).open_hours() == [(0.0, 4.0)]
    assert DayClock(store("Europe/Berlin"), date(2025, 10, 26)).open_hours() == [(0.0, 6.0)]


def test_the_week_before_is_laid_under_by_the_clock() -> None:
    shop = store("Europe/Berlin")
    today, before = DayClock(shop, date(2025, 3, 30)), DayClock(shop, date(2025, 3, 23))
    ten = pd.Series([pd.Timestamp("2025-03-23 10:00", tz="Europe/Berlin").tz_convert("UTC")])
    place = today.elapsed_from(before, ten)[0]
    assert place == 9.0 and today.clock(place) == "10:00"
