"""Small courses: of a number, and of each store of a chain, by day or on a long span by week."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboards.lake_query import Scope
from dashboards.sparkline import sparkline
from dashboards.views.chain_courses import COLOURS, courses, is_weekly, small_multiples
from dashboards.views.zones_crowding import CROWDED_DAYS, MOST_MARKS, drawn_episodes
from flows.simulate import DemoLake
from flows.store_reading import load_store
from tests.dashboards.shown import chart

NO_DAY = pd.DataFrame({"store": pd.Series(dtype=str), "date": pd.Series(dtype="datetime64[us]")})


def numbers_of(first: str, counts: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"store": "a", "date": pd.date_range(first, periods=len(counts)), "footfall": counts})


def test_bars_of_a_course_are_as_high_as_their_values() -> None:
    heights = [float(height) for height in re.findall(r'height="([\d.]+)"', sparkline([0, 1, 4], "bar"))]
    assert heights == [0.0, 0.25, 1.0]


def test_a_course_of_zeros_lies_on_the_ground() -> None:
    assert set(re.findall(r'height="([\d.]+)"', sparkline([0, 0, 0], "bar"))) == {"0.000"}
    assert "M0,1.040 L1,1.040 L2,1.040" in sparkline([0, 0, 0], "area")


def test_a_month_is_drawn_by_day_and_a_year_by_week() -> None:
    assert not is_weekly(Scope("lake", ("a",), date(2025, 3, 1), date(2025, 3, 31)))
    assert is_weekly(Scope("lake", ("a",), date(2024, 4, 1), date(2025, 3, 31)))


def test_days_are_weekdays_weekends_or_unusual() -> None:
    numbers = numbers_of("2025-03-13", [10, 20, 30, 40])  # Thursday to Sunday
    bars = courses(numbers, numbers.iloc[[2]], "footfall", weekly=False)
    assert bars["kind"].tolist() == ["Weekday", "Weekday", "Unusual", "Weekend"]
    assert bars["value"].tolist() == [10, 20, 30, 40]


def test_a_week_is_the_mean_of_the_days_it_has() -> None:
    numbers = numbers_of("2025-03-15", [10, 20, 30, float("nan"), 50])  # Saturday to Wednesday
    weeks = courses(numbers, numbers.iloc[[4]], "footfall", weekly=True)
    assert weeks["date"].dt.strftime("%a %d").tolist() == ["Mon 10", "Mon 17"]
    assert weeks["value"].tolist() == [15, 40] and weeks["days"].tolist() == [2, 2]
    assert weeks["kind"].tolist() == ["Week", "Unusual"]


def test_seconds_are_drawn_in_minutes() -> None:
    numbers = numbers_of("2025-03-10", [0]).assign(stay_s=[90.0])
    assert courses(numbers, NO_DAY, "stay_s", weekly=False)["value"].tolist() == [1.5]


@pytest.mark.parametrize("weekly", [False, True])
def test_a_store_that_counts_nobody_keeps_its_place(month: DemoLake, weekly: bool) -> None:
    numbers = numbers_of("2025-03-10", [float("nan")] * 3)
    store = load_store(next(month.stores.glob("*/store.yaml")))
    figure = small_multiples({"a": store}, courses(numbers, NO_DAY, "footfall", weekly), weekly, is_time=False)
    assert [note.text for note in figure.layout.annotations] == [store.name]


def test_a_chain_of_days_has_a_colour_a_kind(page: Callable[..., AppTest]) -> None:
    """Names, for plotly 7 warns of every bar whose colour is a number: a second for a year."""
    colours = {trace["marker"]["color"] for trace in chart(page("chain"), "multiples")["data"]}
    assert colours == {COLOURS["Weekday"], COLOURS["Weekend"], COLOURS["Unusual"]}


def test_of_many_episodes_the_longest_of_the_worst_days_are_drawn() -> None:
    starts = pd.date_range("2025-03-01", periods=20 * 60, freq="24min", tz="Europe/Berlin")  # 60 a day
    episodes = pd.DataFrame({"local": starts, "seconds": [30 + number % 60 for number in range(len(starts))]})
    episodes.loc[0, "seconds"] = 100_000
    drawn = drawn_episodes(episodes)
    assert len(drawn) == MOST_MARKS and drawn["day"].nunique() == CROWDED_DAYS
    assert drawn["minutes"].max() == 100_000 / 60 and drawn["local"].is_monotonic_increasing
