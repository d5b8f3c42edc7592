"""Today's store, and what every page shares: the choice of store and days, links, what is said above the numbers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from flows.lake import Lake
from flows.simulate import DemoLake
from tests.dashboards.shown import Open, chart, metrics, said


def test_today_shows_the_newest_day_and_says_so_in_the_link(page: Open, month: DemoLake) -> None:
    test = page("today", store="kiez")
    footfall = Lake(str(month.lake)).read("footfall", ["kiez"], [date(2025, 3, 15)]).to_pandas()
    inward = footfall[(footfall["direction"] == "in") & (footfall["role"] == "shopper")]
    assert metrics(test)["Footfall"] == f"{len(inward):,}"
    assert test.query_params["day"] == "2025-03-15" and test.query_params["store"] == "kiez"
    assert any("Simulated" in one.value for one in test.markdown)


def test_today_compares_with_the_same_weekday_before(page: Open, month: DemoLake) -> None:
    test = page("today", store="plateau", day="2025-03-15")
    lake = Lake(str(month.lake))
    now, before = (
        sum(
            row["direction"] == "in" and row["role"] == "shopper"
            for row in lake.read("footfall", ["plateau"], [day]).to_pylist()
        )
        for day in ("2025-03-15", "2025-03-08")
    )
    card = next(metric for metric in test.metric if metric.label == "Footfall")
    assert card.delta == f"{(now - before) / before:+.0%}"
    assert "vs Sat 8 Mar" in card.proto.delta_description


def test_a_link_reopens_the_view(page: Open) -> None:
    test = page("today", store="plateau", day="2025-03-11", staff="1")
    assert test.date_input[0].value == date(2025, 3, 11)
    assert test.selectbox[0].value == "plateau"
    assert test.toggle[0].value is True
    with_staff = metrics(test)["Peak occupancy"]
    test.toggle[0].set_value(False).run()
    assert int(metrics(test)["Peak occupancy"]) < int(with_staff)


@pytest.mark.case("sibling: a bookmark from another dashboard")
def test_a_link_with_nonsense_opens_the_default(page: Open) -> None:
    test = page("today", store="nowhere", day="yesterday-ish")
    assert test.date_input[0].value == date(2025, 3, 15)
    assert test.selectbox[0].value in ("kiez", "plateau")


def test_low_coverage_is_said_above_the_numbers(page: Open) -> None:
    test = page("today", store="plateau", day="2025-03-12")
    assert "under 95%" in test.warning[0].value
    figure = chart(test, "occupancy")
    assert any(shape["fillcolor"].startswith("rgba(213,94,0") for shape in figure["layout"]["shapes"])


def test_the_day_of_23_hours_says_so(page: Open) -> None:
    assert "this day has 23 hours" in said(page("today", store="plateau", day="2025-03-09"))
    assert "hours" not in said(page("today", store="plateau", day="2025-03-10")).split("·")[1]


@pytest.mark.case("sibling: the shop is closed that day")
def test_a_closed_day_is_not_a_day_of_zeros(page: Open) -> None:
    test = page("today", store="kiez", day="2025-03-09")
    assert "closed on Sundays" in said(test)
    assert not test.metric


def test_the_time_axis_names_the_zone(page: Open) -> None:
    figure = chart(page("today", store="plateau", day="2025-03-15"), "occupancy")
    assert figure["layout"]["xaxis"]["title"]["text"] == "Time of day, America/Montreal (UTC-04:00)"


def test_density_steps_through_the_day(page: Open) -> None:
    figure = chart(page("today", store="kiez", day="2025-03-15"), "density")
    steps = figure["layout"]["sliders"][0]["steps"]
    assert [step["label"] for step in steps] == [frame["name"] for frame in figure["frames"]]
    assert len(steps) > 40 and "08:00" in {step["label"] for step in steps}


def test_people_who_come_before_opening_are_told_apart(page: Open, stores: Path) -> None:
    assert "outside opening hours" not in said(page("today", store="kiez", day="2025-03-14"))
    file = stores / "kiez" / "store.yaml"
    file.write_text(file.read_text().replace("'08:00-20:00'", "'12:00-20:00'").replace("08:00-20:00", "12:00-20:00"))
    assert "outside opening hours)" in said(page("today", store="kiez", day="2025-03-14"))


@pytest.mark.case("viseron 807")
def test_a_store_without_entrances_has_no_footfall_rather_than_none(page: Open, stores: Path, month: DemoLake) -> None:
    file = stores / "kiez" / "store.yaml"
    text = file.read_text()
    file.write_text(text[: text.index("entrances:")])
    test = page("today", store="kiez")
    assert metrics(test)["Footfall"] == "not counted"
    assert "no entrance line" in said(test)
