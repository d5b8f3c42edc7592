"""What pages make of days: hours a camera saw, steps of a short recording, stages of a run, unusual days of a chain."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from dashboards import queries, runs_of_days
from dashboards.day import camera_hours, occupancy_steps
from dashboards.lake_query import Scope
from dashboards.views import chain
from flows.config import StoreConfig
from flows.lake import Lake
from flows.places import timestamps
from flows.unusual import unusual_days
from tests.dashboards.test_clock import store as night_store


def shop(time_zone: str = "Europe/Berlin", hours: str = "08:30-11:00") -> StoreConfig:
    opened = {"opening_hours": {day: [hours] for day in ("saturday", "sunday")}}
    return StoreConfig.model_validate(night_store(time_zone).model_dump(exclude_unset=True) | opened)


def cameras(store: StoreConfig, *rows: tuple[date, str, list[tuple[str, str]]]) -> pd.DataFrame:
    """Rows of `dashboards.queries.cameras`; gaps as times of the store's clock."""
    zone = ZoneInfo(store.timezone)

    def moment(day: date, text: str) -> datetime:
        return datetime.fromisoformat(f"{day} {text}").replace(tzinfo=zone)

    return pd.DataFrame(
        [
            {"date": pd.Timestamp(day), "camera": camera, "gaps": [
                {"start": moment(day, a), "end": moment(day, b), "reason": "no recording"} for a, b in gaps
            ]}
            for day, camera, gaps in rows
        ]
    )  # fmt: skip


SATURDAY, SUNDAY = date(2025, 3, 8), date(2025, 3, 9)


def test_a_camera_is_covered_hour_by_hour_of_the_opening_hours() -> None:
    store = shop()
    table = cameras(
        store, (SATURDAY, "a", [("08:45", "09:15")]), (SUNDAY, "a", []), (SUNDAY, "b", [("07:00", "10:30")])
    )
    share = camera_hours(store, table)
    assert share.loc["a", [8, 9, 10]].tolist() == [1 - 15 / 60, 1 - 15 / 120, 1]  # two days, half an hour each at 8
    assert share.loc["b", [8, 9, 10]].tolist() == [0, 0, 0.5]  # what it missed before opening counts for nothing
    assert share.drop(columns=[8, 9, 10]).isna().all(axis=None)


def test_the_hour_that_the_clock_strikes_twice_counts_twice() -> None:
    store, day = shop(hours="00:00-05:00"), date(2025, 10, 26)
    start = store.day_window(day)[0]
    gap = {"start": pd.Timestamp(start + 2 * 3_600_000_000, unit="us", tz="UTC"), "reason": "no recording"}
    gap["end"] = gap["start"] + pd.Timedelta(hours=1)  # the first of the two hours from 2 to 3
    table = pd.DataFrame({"date": [pd.Timestamp(day)], "camera": ["a"], "gaps": [[gap]]})
    assert camera_hours(store, table).loc["a", [1, 2, 3]].tolist() == [1, 0.5, 1]


def test_a_short_recording_is_drawn_in_seconds(tmp_path: Path) -> None:
    store = shop(hours="10:00-10:01")
    start = int(datetime(2025, 3, 8, 10, tzinfo=ZoneInfo(store.timezone)).timestamp()) * 1_000_000
    visits = pd.DataFrame(
        {
            "person_id": [1, 2],
            "role": "shopper",
            "zone": "z",
            "enter": timestamps(np.array([start, start + 10_000_000])),
            "exit": timestamps(np.array([start + 20_000_000, start + 30_000_000])),
            "dwell_s": 20.0,
            "truncated": False,
        }
    )
    minute = {"zone": "z", "bucket_start": timestamps(np.array([start])), "bucket_s": 60, "role_filter": "shoppers"}
    counts = {"occupancy_mean": 0.7, "occupancy_max": 2, "entries": 2, "exits": 2, "unique_people": 2, "dwell_s": 40.0}
    table = pd.DataFrame(minute | counts | {"density_mean": 0.1, "coverage": 1.0})
    Lake(str(tmp_path)).write_day("s", SATURDAY, {"visits": visits, "zone_counts": table})
    steps = occupancy_steps(store, Scope(str(tmp_path), ("s",), SATURDAY, SATURDAY), 5)
    assert steps is not None
    assert steps["mean"].tolist() == [1, 1, 2, 2, 1, 1, *[0] * 6]
    assert np.allclose(np.diff(steps["elapsed"]) * 3600, 5) and (steps["coverage"] == 1).all()


def test_the_stages_of_a_run_add_up_to_its_time() -> None:
    stages = {"video": 90.0, "video: detect": 120.0, "video: decode": 60.0, "tables": 10.0}  # two machines
    runs = pd.DataFrame({"date": [pd.Timestamp(SATURDAY)], "stage_seconds": [stages]})
    table = runs_of_days.stage_seconds(runs)
    assert table.drop(columns="date").iloc[0].to_dict() == {"video: detect": 60, "video: decode": 30, "tables": 10}


@pytest.mark.parametrize("days", [1, 35])
def test_a_day_of_a_chain_is_unusual_however_few_are_chosen(days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Scope] = []

    def numbers(scope: Scope) -> pd.DataFrame:
        asked.append(scope)
        dates = pd.date_range(SATURDAY - timedelta(days=35), SATURDAY)
        footfall = np.where(dates == pd.Timestamp(SATURDAY), 300.0, 100.0)
        return pd.DataFrame({"store": "s", "date": dates, "footfall": footfall, "coverage": 1.0})

    monkeypatch.setattr(queries, "day_numbers", numbers)
    scope = Scope("lake", ("s",), SATURDAY - timedelta(days=days - 1), SATURDAY)
    found = chain.of_days(unusual_days(chain.chain_numbers(scope)), scope)
    assert found["date"].tolist() == [pd.Timestamp(SATURDAY)] and found.loc[0, "usual"] == 100
    (wide,) = asked
    assert wide.first == scope.first - timedelta(days=56) and wide.last == SATURDAY + timedelta(days=56)
