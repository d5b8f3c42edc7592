"""The dashboard and what is odd about a store: an entrance out of view, a zone that is gone, a day nobody saw."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboards.draft_calibration import entrances_out_of_view
from dashboards.drafts import open_draft
from dashboards.verbatim import in_prose
from flows.lake import Lake
from flows.schemas import from_columns
from flows.simulate import DemoLake
from flows.store_reading import load_store
from tests.dashboards.conftest import LAST, OPEN_PAGE

ROOT = Path(__file__).parents[2]
Open = Callable[..., AppTest]


def said(test: AppTest) -> str:
    return "\n".join(element.value for kind in ("info", "warning", "error", "caption") for element in test.get(kind))


@pytest.mark.case("supervision 1838")
def test_the_editor_says_which_entrance_can_not_be_seen_crossed(page: Open) -> None:
    test = page("setup", store="kiez")
    assert "on both sides of this entrance" not in said(test)
    draft = test.session_state["draft.kiez"]
    (x0, _), (x1, _) = draft.entrances[0]["line"]
    draft.entrances[0]["line"] = ((x0, -0.4), (x1, -0.4))
    test.run()
    assert not test.exception
    assert "Main entrance: nowhere do the cameras see 0.2 m on both sides of this entrance" in said(test)


@pytest.mark.case("supervision 1838")
def test_a_line_in_a_pictures_pixels_needs_room_on_both_sides(stores: Path) -> None:
    store = load_store(stores / "kiez" / "store.yaml")
    draft = open_draft(store, "as read")
    st.session_state.clear()
    draft.sizes["door"] = (320, 240)
    draft.entrances[0] |= {"name": None, "id": "door", "camera": "door", "inside": (160.0, 100.0)}
    for y, room in ((230.0, True), (235.0, False)):
        draft.entrances[0]["line"] = ((0.0, y), (320.0, y))
        assert (entrances_out_of_view(store, draft) == []) == room


@pytest.mark.case("ultralytics PR 9998, 15697")
def test_the_definition_of_footfall_stands_beside_the_number(page: Open) -> None:
    test = page("today", store="kiez")
    (footfall,) = [metric for metric in test.metric if metric.label == "Footfall"]
    assert re.search(r"entrance", footfall.help or "", re.IGNORECASE)
    assert re.search(r"inward|came in|come in", footfall.help or "", re.IGNORECASE)


@pytest.mark.case("streamlit-drawable-canvas 156, 157")
def test_the_editor_is_the_pinned_streamlits_own() -> None:
    """It needs no component of others, which could be abandoned."""
    locked = (ROOT / "requirements.lock").read_text().lower()
    assert "drawable" not in locked and "canvas" not in locked
    assert hasattr(st.components.v2, "component")


@pytest.mark.case("sibling: a zone taken out of store.yaml, on days that counted it")
@pytest.mark.parametrize("name", ["today", "zones", "floor", "quality"])
def test_pages_open_where_a_counted_zone_is_no_longer_drawn(page: Open, stores: Path, name: str) -> None:
    file = stores / "kiez" / "store.yaml"
    text = file.read_text()
    first = load_store(file).zones[0].id
    start = text.index(f"- id: {first}")
    file.write_text(text[:start] + text[text.index("- id:", start + 5) :])
    assert first not in {zone.id for zone in load_store(file).zones}
    test = page(name, store="kiez")
    assert not test.error


@pytest.mark.case("sibling: names and places in files that a terminal library takes for colours and pictures")
def test_a_mistake_in_line_100_is_shown_as_it_is(page: Open, stores: Path) -> None:
    file = stores / "kiez" / "store.yaml"
    file.write_text("#\n" * 99 + "id: no id\n" + file.read_text().replace("id: kiez\n", "", 1))
    test = page("today", store="plateau")
    (error,) = test.error
    last = error.value.splitlines()[-1]
    assert last.startswith(f"- `{file}:100: id:") and last.endswith("`")


def test_names_in_prose_stay_as_they_are() -> None:
    assert in_prose("a_b*.mp4 of ~x~ for $5 in [1](2)") == r"a\_b\*.mp4 of \~x\~ for \$5 in \[1\](2)"


@pytest.mark.case("sibling: a day on which every camera was dark")
def test_a_day_nobody_saw_shows_no_zeros(
    month: DemoLake, stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    day = Lake(str(month.lake)).read_day("kiez", LAST)
    counts = day["zone_counts"].to_pandas().assign(coverage=0.0)
    for column in ("occupancy_mean", "density_mean", "dwell_s"):
        counts[column] = float("nan")
    for column in ("occupancy_max", "entries", "exits", "unique_people"):
        counts[column] = pd.array([pd.NA] * len(counts), dtype="Int32")
    (run,) = day["runs"].to_pylist()
    for camera in run["cameras"]:
        camera |= {"seconds_seen": 0.0, "seconds_missing": camera["seconds_expected"], "frames": 0}
    tables = {
        "visits": day["visits"].slice(0, 0),
        "footfall": day["footfall"].slice(0, 0),
        "zone_counts": counts,
        "runs": from_columns("runs", {name: [value] for name, value in run.items()}),
    }
    lake.write_day("kiez", LAST, tables)
    monkeypatch.setenv("AISLEFLOW_LAKE", lake.root)
    monkeypatch.setenv("AISLEFLOW_STORES", str(stores))
    st.cache_data.clear()
    for name in ("today", "zones"):
        test = AppTest.from_string(OPEN_PAGE.format(name), default_timeout=120)
        test.query_params["store"] = "kiez"
        test.run()
        assert not test.exception, test.exception[0].message
        assert re.search(r"\b0(\.0)? ?%|nothing|no picture|not observed", said(test)), said(test)
        assert not [metric for metric in test.metric if re.fullmatch(r"0(\.0+)?", metric.value)], [
            (metric.label, metric.value) for metric in test.metric
        ]
    st.cache_data.clear()
