"""Drawing on a plan and on a picture: the same zone, kept in metres."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dashboards import draft_calibration, drafts
from dashboards.editor import Edit, understand
from dashboards.surfaces import metre_grid
from flows.config import StoreConfig
from flows.store_reading import load_store
from flows.stores import DEMO


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> StoreConfig:
    state: dict = {}
    monkeypatch.setattr(
        drafts, "st", SimpleNamespace(session_state=state, toast=lambda *a, **k: state.setdefault("told", a))
    )
    return load_store(DEMO)


def edit(action: str, kind: str, points: tuple, key: str | None = None, inside=None) -> Edit:
    return Edit(action, kind, key, points, inside, "1")


def test_a_zone_drawn_on_a_picture_is_kept_in_metres(store: StoreConfig) -> None:
    draft = drafts.open_draft(store, "sha")
    camera = store.cameras[1]
    corners = np.array([(3.2, 2.8), (4.4, 2.8), (4.4, 5.0), (3.2, 5.0)])
    drawn = tuple(map(tuple, camera.floor_calibration.to_pixels(corners)))
    drafts.apply_edit(draft, edit("add", "polygon", drawn), camera, camera.floor_calibration)
    zone = draft.zones[-1]
    assert zone["camera"] is None
    np.testing.assert_allclose(zone["polygon"], corners, atol=0.011)
    on_plan = {shape.key: shape for shape in drafts.shapes_on(draft, None, None)}
    assert on_plan[zone["key"]].points == zone["polygon"]
    assert drafts.changes(store, draft) == ["zone zone_1 new"]


def test_a_zone_of_an_uncalibrated_camera_is_kept_in_its_pixels(store: StoreConfig) -> None:
    draft = drafts.open_draft(store, "sha")
    camera = store.cameras[0].model_copy(update={"calibration": None})
    drafts.apply_edit(draft, edit("add", "polygon", ((10, 10), (200, 10), (200, 90))), camera, None)
    assert draft.zones[-1]["camera"] == camera.id
    assert draft.zones[-1]["polygon"] == ((10, 10), (200, 10), (200, 90))
    assert draft.zones[-1]["key"] not in {shape.key for shape in drafts.shapes_on(draft, None, None)}


def test_an_entrance_gets_an_inner_side_that_can_be_moved(store: StoreConfig) -> None:
    draft = drafts.open_draft(store, "sha")
    drafts.apply_edit(draft, edit("add", "line", ((1, 0.5), (3, 0.5))), None, None)
    entrance = draft.entrances[-1]
    assert entrance["inside"] == (2.0, 1.0)
    drafts.apply_edit(draft, edit("move", "line", entrance["line"], entrance["key"], (2.0, 0.1)), None, None)
    assert draft.entrances[-1]["inside"] == (2.0, 0.1)
    drafts.remove(draft, entrance["key"])
    assert drafts.changes(store, draft) == []


def test_a_point_above_the_horizon_is_not_taken(store: StoreConfig) -> None:
    draft = drafts.open_draft(store, "sha")
    camera = store.cameras[1]
    sky = ((10.0, -4000.0), (300.0, -4000.0), (300.0, -3000.0))
    drafts.apply_edit(draft, edit("add", "polygon", sky), camera, camera.floor_calibration)
    assert drafts.changes(store, draft) == [] and "horizon" in drafts.st.session_state["told"][0]


def test_calibration_points_make_a_calibration(store: StoreConfig) -> None:
    draft = drafts.open_draft(store, "sha")
    camera = store.cameras[0]
    fitted = draft_calibration.calibration_of(store, draft, camera.id)
    assert fitted.reprojection_error_m == pytest.approx(camera.floor_calibration.reprojection_error_m)
    draft_calibration.apply_point(draft, camera, edit("add", "point", ((480.0, 270.0),)))
    assert draft.pairs[camera.id][-1] == {"px": 480.0, "py": 270.0, "x": None, "y": None}
    assert drafts.changes(store, draft) == [f"calibration of {camera.id} changed"]
    assert len(drafts.for_file(store, draft)["cameras"][camera.id]["calibration"]["points"]) == 8  # not yet placed


def test_the_metre_grid_lies_on_the_floor(store: StoreConfig) -> None:
    calibration = store.cameras[0].floor_calibration
    for _, points in metre_grid(store, calibration):
        floor = calibration.to_floor(np.array(points))
        off = np.abs(floor - np.round(floor))
        assert (off.min(axis=1) < 0.08).all() or (off[:, 0] < 0.05).mean() > 0.9 or (off[:, 1] < 0.05).mean() > 0.9


@pytest.mark.parametrize(
    "sent", [None, {}, {"action": "burn"}, {"action": "add", "points": [["x", 1]]}, {"action": "add", "points": [1]}]
)
def test_what_is_no_edit_is_not_taken(sent) -> None:
    assert understand(sent) is None
