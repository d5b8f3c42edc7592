"""The logic of each page, run by Streamlit's AppTest on a small simulated lake."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
import yaml
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboards.draft_obstacles import apply_obstacle
from dashboards.editor import Edit
from flows.lake import Lake
from flows.places import zones_of
from flows.schemas import from_columns
from flows.simulate import DemoLake
from flows.store_reading import load_store
from flows.stores import DEMO
from flows.visits import zone_visits
from flows.zone_counts import zone_counts
from tests.dashboards.conftest import OPEN_PAGE

Open = Callable[..., AppTest]


def metrics(test: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in test.metric}


def said(test: AppTest) -> str:
    return "\n".join(
        element.value for kind in ("info", "warning", "error", "success", "caption") for element in test.get(kind)
    )


def chart(test: AppTest, key: str) -> dict:
    """The plotly figure of a chart, as the browser gets it."""
    drawn = {one.proto.id: one.proto.json for one in test.get("bidi_component")}
    found = [sent for name, sent in drawn.items() if key in name]
    assert found, f"no chart {key!r} among {sorted(drawn)}"
    return json.loads(json.loads(found[0])["figure"])


def numbers(values: list | dict) -> np.ndarray:
    """Numbers of a trace; plotly sends arrays as base64."""
    if not isinstance(values, dict):
        return np.array(values, dtype=float)
    array = np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
    return array.reshape([int(size) for size in str(values.get("shape", len(array))).split(",")])


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


def test_people_who_come_before_opening_are_told_apart(page: Open, stores: Path) -> None:
    assert "outside opening hours" not in said(page("today", store="kiez", day="2025-03-14"))
    file = stores / "kiez" / "store.yaml"
    file.write_text(file.read_text().replace("'08:00-20:00'", "'12:00-20:00'").replace("08:00-20:00", "12:00-20:00"))
    assert "outside opening hours)" in said(page("today", store="kiez", day="2025-03-14"))


def test_a_chain_with_a_store_without_entrances_says_not_counted(minute: None, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    lake.replace_tables("demo", "2025-03-14", {"footfall": None}, reason="no entrance")
    tables = {name: lake.read(name, ["demo"], ["2025-03-14"]).to_pandas() for name in ("visits", "zone_counts")}
    runs = lake.read("runs", ["demo"], ["2025-03-14"]).drop_columns(["store", "date"])
    own = {name: table.drop(columns=["store", "date"]) for name, table in tables.items()}
    lake.write_day("demo", "2025-03-14", own | {"runs": runs})
    test = AppTest.from_string(OPEN_PAGE.format("chain"), default_timeout=120).run()
    assert not test.exception, test.exception[0].message
    assert list(metrics(test).values()) == ["not counted"]


def test_chain_puts_the_crowded_saturday_and_the_failed_camera_first(page: Open) -> None:
    test = page("chain")
    table = next(one.value for one in test.dataframe if "What" in one.value.columns)
    assert "was seen" in " ".join(table.loc[table["Store"].str.startswith("Plateau"), "What"])
    assert set(metrics(test)) == {"Plateau Market, Montréal", "Kiezladen, Berlin"}


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], pd.DataFrame]:
    """What the CSV button of a page's table saves, by the end of its file's name."""
    files: dict[str, Callable[[], bytes]] = {}
    button = st.download_button

    def keep(label: str, content: Callable[[], bytes], file_name: str, kind: str, **more: Any) -> bool:
        files[file_name] = content
        return button(label, content, file_name, kind, **more)

    monkeypatch.setattr(st, "download_button", keep)

    def read(ending: str) -> pd.DataFrame:
        (found,) = [name for name in files if name.endswith(f"_{ending}.csv")]
        return pd.read_csv(BytesIO(files[found]()))

    return read


def test_every_table_of_a_chain_is_saved(page: Open, saved: Callable[[str], pd.DataFrame]) -> None:
    test = page("chain")
    shown = {column: one.value for one in test.dataframe for column in ("What", "Fullest day") if column in one.value}
    pd.testing.assert_series_equal(saved("unusual")["Footfall"], shown["What"]["Footfall"], check_dtype=False)
    compared = saved("stores")
    assert compared["Store"].tolist() == shown["Fullest day"]["Store"].tolist()
    assert compared["Footfall a day"].tolist() == (compared["Footfall"] / compared["Days"]).tolist()
    days, weekdays = saved("days"), saved("weekdays")
    own = days[(days["store"] == "kiez") & (pd.to_datetime(days["date"]).dt.dayofweek == 5)]
    row = weekdays[(weekdays["store"] == "kiez") & (weekdays["weekday"] == "Sat")].iloc[0]
    assert (row["footfall_median"], row["people"]) == (own["footfall"].median(), own["people"].sum())


def test_small_counts_of_a_chain_are_withheld_from_every_file(
    page: Open, stores: Path, saved: Callable[[str], pd.DataFrame]
) -> None:
    file = stores / "kiez" / "store.yaml"
    file.write_text(f"{file.read_text()}\nprivacy: {{least_count: 1000000}}\n")
    page("chain")
    for name, numbers in (
        ("unusual", ["Footfall", "Usual", "Change"]),
        ("stores", ["Footfall", "Footfall a day", "Mean dwell (s)", "People", "Visits"]),
        ("days", ["footfall", "people", "dwell_s"]),
        ("weekdays", ["footfall_median", "people"]),
    ):
        table = saved(name)
        assert len(table) and table["suppressed"].all() and table[numbers].isna().all(axis=None), name


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


def test_first_run_says_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AISLEFLOW_STORES", raising=False)
    monkeypatch.setenv("AISLEFLOW_LAKE", str(tmp_path / "none"))
    for name in ("today", "zones", "floor", "chain", "quality"):
        test = AppTest.from_string(f"from dashboards.views import {name}\n{name}.render()", default_timeout=60).run()
        assert not test.exception and "make demo" in said(test)


def test_no_store_says_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLEFLOW_STORES", str(tmp_path))
    test = AppTest.from_string("from dashboards.views import today\ntoday.render()", default_timeout=60).run()
    assert not test.exception and "STORES/ID/store.yaml" in said(test)
    test = AppTest.from_string(OPEN_PAGE.format("setup"), default_timeout=60).run()
    assert [title.value for title in test.title] == ["Set up"] and "STORES/ID/store.yaml" in said(test)


@pytest.mark.case("sibling: one store file of many is spoilt")
def test_a_faulty_store_file_is_told_and_the_others_are_shown(page: Open, stores: Path) -> None:
    faulty = stores / "kiez" / "store.yaml"
    faulty.write_text(faulty.read_text().replace("kind: checkout", "kind: till") + "\nnonsense: 1\n")
    test = page("today", store="plateau")
    (error,) = test.error
    assert "zones" in error.value and "store.yaml" in error.value and "2 mistakes" in error.value
    assert "Footfall" in metrics(test)


def test_the_picture_of_the_plan_lies_under_the_floor(page: Open, stores: Path) -> None:
    file = stores / "kiez" / "store.yaml"
    data = yaml.safe_load(file.read_text())
    data["floor"]["plan"] = "plan.png"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    Image.new("RGB", (8, 8), "white").save(file.with_name("plan.png"))
    for name, key in (("today", "density"), ("floor", "heat")):
        (picture,) = chart(page(name, store="kiez"), key)["layout"]["images"]
        assert picture["source"].startswith("data:image/png;base64,")


@pytest.mark.case("viseron 807")
def test_a_store_without_entrances_has_no_footfall_rather_than_none(page: Open, stores: Path, month: DemoLake) -> None:
    file = stores / "kiez" / "store.yaml"
    text = file.read_text()
    file.write_text(text[: text.index("entrances:")])
    test = page("today", store="kiez")
    assert metrics(test)["Footfall"] == "not counted"
    assert "no entrance line" in said(test)


def test_set_up_saves_a_changed_zone(page: Open, stores: Path) -> None:
    test = page("setup", store="kiez")
    assert "No changes" in test.markdown[-1].value
    draft = test.session_state["draft.kiez"]
    draft.zones[0]["capacity"] = 3
    draft.version += 1
    test.run()
    assert not test.exception
    assert "zone aisle_1 changed" in test.markdown[-1].value
    test.button(key="setup.save").click().run()
    assert not test.exception and "Saved to" in said(test)
    assert load_store(stores / "kiez" / "store.yaml").zones[0].capacity == 3
    assert len(list((stores / "kiez").glob("store.yaml.bak-*"))) == 1


def test_set_up_refuses_a_crossing_zone_and_leaves_the_file(page: Open, stores: Path) -> None:
    before = (stores / "kiez" / "store.yaml").read_text()
    test = page("setup", store="kiez")
    test.session_state["draft.kiez"].zones[0]["polygon"] = ((1, 1), (3, 3), (1, 3), (3, 1))
    test.run()
    test.button(key="setup.save").click().run()
    assert "crosses or touches itself" in test.error[0].value
    assert (stores / "kiez" / "store.yaml").read_text() == before


def test_set_up_saves_fixtures_and_masks(page: Open, stores: Path) -> None:
    test = page("setup", store="kiez", part="Fixtures and masks")
    draft = test.session_state["draft.kiez"]
    shelves = len(draft.fixtures)
    draft.fixtures[0]["height_m"] = 2.2
    drafts_edit = Edit("add", "polygon", None, ((1.0, 0.5), (2.0, 0.5), (2.0, 1.0)), None, "1")
    apply_obstacle(draft, drafts_edit, None)
    camera = load_store(stores / "kiez" / "store.yaml").cameras[0]
    apply_obstacle(draft, Edit("add", "polygon", None, ((0.0, 0.0), (90.0, 0.0), (90.0, 80.0)), None, "2"), camera)
    test.run()
    assert not test.exception
    assert f"fixtures changed; mask of {camera.id} changed" in test.markdown[-1].value
    test.button(key="setup.save").click().run()
    assert not test.exception and "Saved to" in said(test)
    saved = load_store(stores / "kiez" / "store.yaml")
    assert len(saved.floor.fixtures) == shelves + 1 and saved.floor.fixtures[0].height_m == 2.2
    assert saved.cameras[0].mask == (((0.0, 0.0), (90.0, 0.0), (90.0, 80.0)),)
    assert saved.zones == load_store(next((stores / "kiez").glob("store.yaml.bak-*"))).zones


def test_audit_of_a_simulated_store_says_that_there_is_no_video(page: Open) -> None:
    test = page("audit", store="kiez")
    assert "simulated days have no video" in said(test) and "No answer yet" in said(test)


def test_audit_asks_takes_a_count_and_reports(minute: None, tmp_path: Path) -> None:
    test = AppTest.from_string(OPEN_PAGE.format("audit"), default_timeout=120).run()
    assert not test.exception, test.exception[0].message
    counts = {field.label: field for field in test.number_input}
    counts["Came in"].set_value(5)
    next(one for one in test.button if one.label == "Save the count").click().run()
    assert "Enter both counts" in said(test)
    {field.label: field for field in test.number_input}["Went out"].set_value(3)
    next(one for one in test.button if one.label == "Save the count").click().run()
    assert not test.exception, test.exception[0].message
    assert "You counted 5 in and 3 out; the lake has" in said(test)
    assert metrics(test)["Accuracy"].endswith("%")
    assert len(list((tmp_path / "lake" / "_audits").rglob("*.json"))) == 1


def test_set_up_shows_the_calibration_error(page: Open) -> None:
    test = page("setup", store="kiez", part="Calibration")
    assert metrics(test)["Error on the floor"].endswith("cm")
    assert float(metrics(test)["Error on the floor"].split()[0]) < 2


@pytest.fixture
def minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake with the bundled demo's minute: its true places through the metrics, as if a recording had been read."""
    store, truth = load_store(DEMO), DEMO.parent / "truth"
    places = pd.read_parquet(truth / "positions.parquet")
    time_us = places["time_us"]
    people = places.rename(columns={"x_m": "x", "y_m": "y"}).assign(plane="floor")
    roles = places.drop_duplicates("person_id").set_index("person_id")["role"]
    doors = pd.read_parquet(truth / "footfall.parquet").rename(columns={"time_us": "time"})
    window = (int(time_us.min()), int(time_us.max()))
    visits = zone_visits(people, zones_of(store), window)
    span = {"seconds_expected": 60.0, "seconds_seen": 60.0, "seconds_missing": 0.0, "frames": 300, "gaps": []}
    run = {
        "run_id": "r",
        "started": window[1],
        "finished": window[1] + 30_000_000,
        "code_version": "0",
        "config_sha256": "0",
        "models": [{"name": "detector", "sha256": "ab"}],
        "simulated": False,
        "problems": ["west: a word"],
        "cameras": [{"camera": camera.id, **span} for camera in store.cameras],
        "stage_seconds": {"chunks": 20.0},
    }
    tables = {
        "visits": visits,
        "zone_counts": zone_counts(visits, zones_of(store), window),
        "footfall": doors.assign(role=doors["person_id"].map(roles), entrance="main"),
        "runs": from_columns("runs", {name: [value] for name, value in run.items()}),
    }
    Lake(str(tmp_path / "lake")).write_day(store.id, "2025-03-14", tables)
    monkeypatch.setenv("AISLEFLOW_LAKE", str(tmp_path / "lake"))
    monkeypatch.delenv("AISLEFLOW_STORES", raising=False)


@pytest.mark.parametrize("name", ["today", "zones", "floor", "chain", "quality", "audit", "setup"])
def test_a_minute_of_video_fills_every_page(name: str, minute: None) -> None:
    test = AppTest.from_string(OPEN_PAGE.format(name), default_timeout=120).run()
    assert not test.exception, test.exception[0].message
    assert not any("Simulated" in one.value for one in test.markdown)
    if name == "today":
        assert metrics(test)["Footfall"] == "6" and metrics(test)["Peak occupancy"] != "-"
        assert len(chart(test, "occupancy")["data"][-1]["x"]) >= 1


def test_set_up_shows_a_camera_picture_of_the_demo(minute: None) -> None:
    test = AppTest.from_string(OPEN_PAGE.format("setup"), default_timeout=120)
    test.query_params["part"], test.query_params["camera"] = "Calibration", "west"
    test.run()
    assert not test.exception and "No picture" not in said(test)
