"""Data quality: gaps, coverage, two ways of counting."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from tests.dashboards.shown import Open, chart, metrics, said


def test_coverage_through_the_day_is_saved_on_the_stores_clock(
    page: Open, saved: Callable[[str], pd.DataFrame]
) -> None:
    page("quality", store="plateau", day="2025-03-12")
    table = saved("coverage_through_day")
    lowest = table.loc[table["coverage"].idxmin()]
    assert lowest["coverage"] < 0.95 and lowest["time"].startswith("2025-03-12T1") and "-0400" in lowest["time"]
    assert 13 <= int(lowest["time"][11:13]) <= 15, "the camera was out from 13:10 to 15:25"


def test_quality_lists_gaps_on_the_stores_clock(page: Open) -> None:
    test = page("quality", store="plateau")
    gaps = next(one.value for one in test.dataframe if "Reason" in one.value.columns)
    assert gaps.loc[0, ["Camera", "From", "To", "Minutes"]].tolist() == ["west", "13:10:00", "15:25:00", 135.0]
    assert metrics(test)["Days under 95%"] == "1 of 8"


def test_quality_holds_two_ways_of_counting_beside_each_other(page: Open) -> None:
    test = page("quality", store="kiez")
    figure = chart(test, "twoways")
    assert [trace["name"].split()[0] for trace in figure["data"]] == ["in", "first", "seen"]
    assert "crossings and places differ by" in said(test)
