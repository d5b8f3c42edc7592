"""Sales beside the visitors: conversion on *Today's store*, and what is said where there is no till or no file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from streamlit.testing.v1 import AppTest

from flows.comparisons import read_pos
from flows.lake import Lake
from flows.simulate import DemoLake
from flows.store_reading import load_store
from tests.dashboards.shown import chart, numbers, said

Open = Callable[..., AppTest]


def test_conversion_is_sales_over_shoppers_who_came_in(page: Open, month: DemoLake) -> None:
    test = page("today", store="plateau", day="2025-03-14")
    store = load_store(month.stores / "plateau" / "store.yaml")
    sold = read_pos(month.stores / "plateau" / "sales" / "2025-03-14.csv", store.zone_info)["transactions"].sum()
    footfall = Lake(str(month.lake)).read("footfall", ["plateau"], ["2025-03-14"]).to_pandas()
    came = ((footfall["direction"] == "in") & (footfall["role"] == "shopper")).sum()
    assert 0.5 * came < sold < came
    assert f"{sold:,.0f} transactions, {came:,} shoppers who came in, conversion {sold / came:.0%}" in said(test)
    assert numbers(chart(test, "conversion")["data"][0]["y"]).sum() == sold


def test_no_till_says_how_to_connect_one(page: Open) -> None:
    assert "No till is connected" in said(page("today", store="kiez", day="2025-03-14"))


def test_sales_that_cannot_be_read_are_told_with_their_line(page: Open, stores: Path) -> None:
    (stores / "plateau" / "sales" / "2025-03-14.csv").write_text("time,transactions\n2025-03-14 09:00,many\n")
    assert "line 2: 2025-03-14 09:00,many" in said(page("today", store="plateau", day="2025-03-14"))
    (stores / "plateau" / "sales" / "2025-03-14.csv").unlink()
    assert "could not be read" in said(page("today", store="plateau", day="2025-03-14"))


def test_sales_of_the_day_the_clocks_change_fall_into_its_hours(month: DemoLake) -> None:
    store = load_store(month.stores / "plateau" / "store.yaml")
    sold = read_pos(month.stores / "plateau" / "sales" / "2025-03-09.csv", store.zone_info)
    local = pd.to_datetime(sold["time"]).dt.tz_convert(store.timezone)
    assert local.dt.hour.between(10, 17).all()  # Sunday's opening hours
