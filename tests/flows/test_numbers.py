"""The numbers over the tables: occupancy, dwell, density, queues, journeys, heat map, comparisons."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.comparisons import (
    PosError,
    change,
    conversion_by_hour,
    days_before,
    footfall_by_hour,
    local_hours,
    read_pos,
    within,
)
from flows.density import crowding_episodes, fruin_level, occupancy_steps
from flows.dwell import dwell_histogram, dwell_statistics, penetration
from flows.heatmap import heat_map
from flows.journeys import common_paths, first_and_last_zones, journeys, time_to_first_visit, transitions
from flows.occupancy import occupancy_by_crossings, occupancy_by_places, occupancy_disagreement, occupancy_mean
from flows.places import SECOND_US, Zone, microseconds, timestamps
from flows.queues import queue_lengths, waiting_times
from tests.flows.test_visits import DAY, rectangle_zone, walk

S = SECOND_US
WINDOW = (DAY, DAY + 7200 * S)


def crossings(*rows: tuple[int, str, float]) -> pd.DataFrame:
    """(person, in/out, second)"""
    person, direction, second = zip(*rows, strict=True) if rows else ((), (), ())
    times = timestamps(np.array([DAY + round(s * S) for s in second], np.int64))
    return pd.DataFrame(
        {"person_id": person, "role": "shopper", "entrance": "main", "time": times, "direction": direction}
    )


def stays(*rows: tuple[int, str, float, float], truncated: bool = False, role: str = "shopper") -> pd.DataFrame:
    """(person, zone, enter second, exit second)"""
    person, zone, enter, leave = zip(*rows, strict=True) if rows else ((), (), (), ())
    enter_us, leave_us = (np.array([DAY + round(s * S) for s in values], np.int64) for values in (enter, leave))
    return pd.DataFrame(
        {
            "person_id": person,
            "role": role,
            "zone": zone,
            "enter": timestamps(enter_us),
            "exit": timestamps(leave_us),
            "dwell_s": (leave_us - enter_us) / S,
            "truncated": truncated,
        }
    )


@pytest.mark.case("People-Counting-in-Real-Time 19, 31")
def test_occupancy_is_never_below_zero_and_says_who_was_inside() -> None:
    """Two leave before anyone was seen entering."""
    found = occupancy_by_crossings(crossings((1, "out", 10), (2, "out", 20), (3, "in", 30)), WINDOW)
    assert found["inside"].tolist() == [2, 1, 0, 1]
    assert set(found["inside_at_opening"]) == {2}
    hours = occupancy_mean(found, WINDOW)
    assert hours["peak"].tolist() == [2, 1]
    assert hours["mean"].iloc[0] == pytest.approx((2 * 10 + 1 * 10 + 0 * 10 + 1 * 3570) / 3600)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["in", "out"]), st.integers(0, 7199)), max_size=40))
def test_occupancy_by_crossings_never_below_zero(rows) -> None:
    found = occupancy_by_crossings(crossings(*rows), WINDOW)
    assert (found["inside"] >= 0).all()
    net = sum(1 if way == "in" else -1 for _, way, _ in rows)
    assert found["inside"].iloc[-1] - found["inside"].iloc[0] == net
    assert found["inside"].min() == 0 or found["inside_at_opening"].iloc[0] == 0


def test_the_night_resets_occupancy() -> None:
    left_inside = crossings((1, "in", 10), (2, "in", 20))
    tomorrow = (WINDOW[1], WINDOW[1] + 3600 * S)
    assert occupancy_by_crossings(left_inside, tomorrow)["inside"].tolist() == [0]


def test_crossings_and_places_are_compared() -> None:
    people = pd.concat([walk([0, 10, 20], [3, 3, 3]), walk([10, 20, 30], [3, 3, 3], person=2)])
    by_places = occupancy_by_places(people)
    assert by_places["inside"].tolist() == [1, 2, 1, 0]
    by_crossings = occupancy_by_crossings(crossings((1, "in", 0), (1, "out", 20)), WINDOW)
    compared = occupancy_disagreement(by_crossings, by_places, WINDOW)
    assert compared["difference"].tolist() == pytest.approx([(20 - 40) / 3600, 0])


def test_dwell_counts_truncated_visits_apart() -> None:
    visits = pd.concat(
        [stays((1, "a", 0, 5), (2, "a", 0, 15), (1, "a", 50, 90)), stays((3, "a", 0, 12), truncated=True)]
    )
    row = dwell_statistics(visits, engaged_s=10).iloc[0]
    assert row[["visits", "truncated", "visitors", "engaged"]].tolist() == [4, 1, 3, 3]
    assert row[["mean_s", "median_s", "p90_s"]].tolist() == pytest.approx([20, 15, 35])
    assert row["engaged_share"] == 0.75
    histogram = dwell_histogram(visits).set_index("from_s")["visits"]
    assert histogram[histogram > 0].to_dict() == {5: 1, 10: 1, 30: 1}
    only_cut = dwell_statistics(stays((3, "a", 0, 12), truncated=True)).iloc[0]
    assert np.isnan(only_cut["mean_s"])
    assert len(dwell_statistics(stays())) == 0


def test_penetration_counts_people_not_visits() -> None:
    visits = stays((1, "a", 0, 5), (1, "a", 9, 15), (2, "b", 0, 9))
    assert penetration(visits, people=4).to_numpy().tolist() == [["a", 1, 0.25], ["b", 1, 0.25]]
    assert penetration(visits)["penetration"].tolist() == [0.5, 0.5]


def test_fruin_levels_at_their_limits() -> None:
    levels = fruin_level(np.array([0, 0.309, 0.31, 0.43, 0.72, 1.08, 2.15, 9, np.nan]))
    assert levels.tolist() == ["A", "A", "B", "C", "D", "E", "F", "F", None]


def test_people_in_a_zone_at_every_change() -> None:
    visits = stays((1, "zone", 0, 30), (2, "zone", 10, 30), (3, "zone", 20, 25))
    assert occupancy_steps(visits)["people"].tolist() == [1, 2, 3, 2]


def test_crowding_is_told_with_start_end_and_peak() -> None:
    zone = rectangle_zone(0, 0, 2, 1, capacity=1)
    visits = stays((1, "zone", 0, 300), (2, "zone", 10, 100), (3, "zone", 50, 130), (4, "zone", 200, 210))
    found = crowding_episodes(visits, [zone])
    assert found[["zone", "seconds", "most_people", "capacity"]].to_numpy().tolist() == [["zone", 120.0, 3, 1]]
    assert microseconds(found["start"]).tolist() == [DAY + 10 * S]
    assert len(crowding_episodes(visits, [rectangle_zone(0, 0, 2, 1)])) == 0


def test_queues_at_checkouts_only() -> None:
    till = Zone("till", "Till", "checkout", "floor", np.zeros((3, 2)))
    visits = pd.concat(
        [
            stays((1, "till", 0, 100), (2, "till", 50, 250), (3, "till", 60, 65), (4, "other", 0, 900)),
            stays((5, "till", 0, 900), role="staff"),
        ]
    )
    waits = waiting_times(visits, [till, rectangle_zone(0, 0, 1, 1, "other")])
    assert waits.to_numpy().tolist() == [["till", 2, 0, 150.0, 150.0, 190.0]]
    lengths = queue_lengths(visits, [till], WINDOW, bucket_s=900)
    assert lengths["longest"].tolist() == [2] + [0] * 7
    assert lengths["mean"].iloc[0] == pytest.approx(300 / 900)
    assert len(queue_lengths(visits, [], WINDOW)) == 0


def test_journeys() -> None:
    visits = stays((1, "a", 0, 5), (1, "a", 8, 9), (1, "b", 10, 15), (2, "a", 0, 5), (2, "b", 6, 9), (2, "c", 9, 12))
    assert journeys(visits).to_dict() == {1: ("a", "b"), 2: ("a", "b", "c")}
    assert transitions(visits).to_numpy().tolist() == [["a", "b", 2, 1.0], ["b", "c", 1, 1.0]]
    assert common_paths(visits)["path"].tolist() == ["a > b", "a > b > c"]
    assert first_and_last_zones(visits).to_numpy().tolist() == [["a", 2, 0], ["b", 0, 1], ["c", 0, 1]]
    first = time_to_first_visit(visits, crossings((2, "in", -4), (2, "in", 8)))
    assert first.to_numpy().tolist() == [[2, "a", 4.0], [2, "b", 10.0], [2, "c", 13.0]]


def test_heat_map_holds_all_person_seconds() -> None:
    people = pd.concat([walk(np.arange(0, 10.1, 0.5), np.linspace(0.1, 3.9, 21)), walk([0, 9], [1.1, 1.1], person=2)])
    found = heat_map(people, 4.0, 2.0, cell_m=0.5)
    assert found.person_seconds_per_m2.shape == (4, 8)
    assert found.person_seconds_per_m2.sum() * 0.25 == pytest.approx(19)
    assert found.person_seconds_per_m2[2, 2] * 0.25 > 9
    assert found.direction_x[2, 5] == pytest.approx(1)
    assert np.isnan(found.direction_x[0, 0])


def test_the_days_a_day_is_held_against() -> None:
    others = days_before(date(2025, 3, 14))
    assert others["weekday"] == [date(2025, 3, 7)]
    assert len(others["week"]) == 7
    assert len(others["month"]) == 28
    assert change(11, [10, np.nan]) == pytest.approx(0.1)
    assert change(11, []) is None
    assert change(11, [0]) is None


@pytest.mark.case("prefect PR 10472, 326")
@pytest.mark.parametrize(
    ("zone", "day", "hours", "missing", "doubled"),
    [
        ("Europe/Berlin", date(2025, 3, 30), 23, "02:00", None),
        ("Europe/Berlin", date(2025, 10, 26), 25, None, "02:00"),
        ("America/Montreal", date(2025, 3, 9), 23, "02:00", None),
        ("America/Montreal", date(2025, 11, 2), 25, None, "01:00"),
        ("Europe/Berlin", date(2025, 6, 1), 24, None, None),
    ],
)
def test_hours_of_days_with_a_change_of_clocks(zone, day, hours, missing, doubled) -> None:
    table = local_hours(day, ZoneInfo(zone))
    assert len(table) == hours
    assert (np.diff(microseconds(table["start"])) == 3600 * S).all()
    assert table["label"].is_unique
    assert missing is None or not table["label"].str.startswith(missing).any()
    assert doubled is None or table["label"].str.startswith(doubled).sum() == 2


def test_footfall_by_local_hour_and_opening_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    day = date(2024, 10, 4)
    hours = local_hours(day, berlin)
    nine = microseconds(hours["start"])[9]
    rows = crossings((1, "in", 0), (2, "out", 1), (3, "in", 2)).assign(
        time=timestamps(np.array([nine, nine + 1, nine + 3600 * S]))
    )
    table = footfall_by_hour(rows, day, berlin).set_index("label")
    assert table.loc["09:00", ["in", "out"]].tolist() == [1, 1]
    assert table.loc["10:00", ["in", "out"]].tolist() == [1, 0]
    assert table[["in", "out"]].to_numpy().sum() == 3
    assert within(rows["time"], [(nine, nine + 3600 * S)]).tolist() == [True, True, False]


def test_conversion_from_a_pos_file(tmp_path: Path) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    file = tmp_path / "pos.csv"
    file.write_text("time,transactions\n2024-10-04 09:10,1\n2024-10-04T07:40+00:00,1\n2024-10-04 10:00,3\n")
    day = date(2024, 10, 4)
    nine = microseconds(local_hours(day, berlin)["start"])[9]
    footfall = crossings(*((n, "in", 0) for n in range(4))).assign(time=timestamps(np.full(4, nine)))
    table = conversion_by_hour(footfall, read_pos(file, berlin), day, berlin).set_index("label")
    assert table.loc["09:00", ["visitors", "transactions", "conversion"]].tolist() == [4, 2, 0.5]
    assert np.isnan(table.loc["10:00", "conversion"])
    file.write_text("time,transactions\nyesterday,1\n")
    with pytest.raises(PosError, match="line 2: yesterday,1 is not a time"):
        read_pos(file, berlin)
    file.write_text("when,transactions\n")
    with pytest.raises(PosError, match="no column 'time'"):
        read_pos(file, berlin)
