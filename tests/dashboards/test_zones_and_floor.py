"""Zones and Floor: what they draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from flows.lake import Lake
from flows.simulate import DemoLake
from tests.dashboards.shown import Open, chart, numbers, said


def test_zones_ranks_and_charts(page: Open, month: DemoLake) -> None:
    test = page("zones", store="kiez")
    visits = Lake(str(month.lake)).read("visits", ["kiez"]).to_pandas()
    shoppers = visits[visits["role"] == "shopper"]
    top = shoppers.groupby("zone").apply(lambda part: part[["date", "person_id"]].drop_duplicates().shape[0]).max()
    assert numbers(chart(test, "ranking")["data"][0]["x"]).max() == top
    week = chart(test, "week")["data"][0]
    assert week["y"] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert np.isnan(numbers(week["z"])[6]).all()  # closed on Sundays: empty, not 0


def test_floor_without_positions_says_which_days_have_them(page: Open) -> None:
    test = page("floor", store="kiez", day="2025-03-08")
    assert "no single positions" in said(test) and "2025-03-10" in said(test)


def test_floor_draws_heat_ways_and_flows(page: Open) -> None:
    test = page("floor", store="kiez", day="2025-03-15")
    for key in ("heat", "flows", "tracks"):
        assert chart(test, key)["data"]
    assert "people from" in said(test)


def test_floor_tells_how_soon_people_come_to_a_zone(page: Open) -> None:
    test = page("floor", store="kiez", day="2025-03-15", flows="First visit")
    bars = chart(test, "first")["data"][0]
    assert bars["y"][0] == "Entrance" and "first for" in bars["text"][0]


def test_the_picture_of_the_plan_lies_under_the_floor(page: Open, stores: Path) -> None:
    file = stores / "kiez" / "store.yaml"
    data = yaml.safe_load(file.read_text())
    data["floor"]["plan"] = "plan.png"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    Image.new("RGB", (8, 8), "white").save(file.with_name("plan.png"))
    for name, key in (("today", "density"), ("floor", "heat")):
        (picture,) = chart(page(name, store="kiez"), key)["layout"]["images"]
        assert picture["source"].startswith("data:image/png;base64,")
