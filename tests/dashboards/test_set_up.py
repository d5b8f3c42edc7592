"""Set up: what is saved, what is refused, and what is seen of a camera."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from dashboards.draft_obstacles import apply_obstacle
from dashboards.editor import Edit
from flows.store_reading import load_store
from tests.dashboards.conftest import OPEN_PAGE
from tests.dashboards.shown import Open, metrics, said


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


def test_set_up_shows_the_calibration_error(page: Open) -> None:
    test = page("setup", store="kiez", part="Calibration")
    assert metrics(test)["Error on the floor"].endswith("cm")
    assert float(metrics(test)["Error on the floor"].split()[0]) < 2


def test_set_up_shows_a_camera_picture_of_the_demo(minute: None) -> None:
    test = AppTest.from_string(OPEN_PAGE.format("setup"), default_timeout=120)
    test.query_params["part"], test.query_params["camera"] = "Calibration", "west"
    test.run()
    assert not test.exception and "No picture" not in said(test)
