"""What *Set up* has changed and not yet saved: a copy of the store's zones, entrances and calibration points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st

from dashboards import theme
from dashboards.editor import Edit, Point, Shape
from detection.floor import CalibrationError, FloorCalibration
from flows.config import Camera, StoreConfig
from flows.sight import entrance_advice, floor_view, picture_view

SELECTED = "setup.selected"


@dataclass
class Draft:
    """Zones and entrances as plain mappings (`key` for the drawing, `was` for the id in the file), pairs by camera.

    `sizes`: of the pictures of cameras whose file names none. `version` rises with every change made on the drawing,
    so that tables are drawn anew.
    """

    read_as: str
    zones: list[dict[str, Any]]
    entrances: list[dict[str, Any]]
    pairs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    version: int = 0
    counter: int = 0


def open_draft(store: StoreConfig, read_as: str) -> Draft:
    """The store's draft of this session; a new one where there is none."""
    key = f"draft.{store.id}"
    if key not in st.session_state:
        st.session_state[key] = Draft(read_as, _zones(store), _entrances(store))
    return st.session_state[key]


def forget(store: StoreConfig) -> None:
    """Throw the draft away; the next one starts from the file."""
    st.session_state.pop(f"draft.{store.id}", None)
    st.session_state.pop(SELECTED, None)


def _zones(store: StoreConfig) -> list[dict[str, Any]]:
    return [
        {
            "key": f"zone:{zone.id}",
            "was": zone.id,
            "id": zone.id,
            "name": zone.name,
            "kind": zone.kind,
            "polygon": zone.polygon,
            "camera": zone.camera,
            "capacity": zone.capacity,
        }
        for zone in store.zones
    ]


def _entrances(store: StoreConfig) -> list[dict[str, Any]]:
    return [
        {
            "key": f"entrance:{one.id}",
            "was": one.id,
            "id": one.id,
            "name": one.name,
            "line": one.line,
            "inside": one.inside,
            "camera": one.camera,
        }
        for one in store.entrances
    ]


# Zones and entrances on a surface --------------------------------------------------------------------------------


def shapes_on(draft: Draft, camera: Camera | None, calibration: FloorCalibration | None) -> list[Shape]:
    """The draft's zones and entrances in the coordinates of the plan (camera None) or of a camera's picture."""
    shapes = []
    for number, zone in enumerate(draft.zones):
        points = _shown(zone["polygon"], zone["camera"], camera, calibration)
        if points:
            colour = theme.CATEGORICAL[number % len(theme.CATEGORICAL)]
            shapes.append(Shape(zone["key"], "polygon", points, zone["name"] or zone["id"], colour))
    for entrance in draft.entrances:
        points = _shown(entrance["line"], entrance["camera"], camera, calibration)
        inside = _shown((entrance["inside"],), entrance["camera"], camera, calibration)
        if points and inside:
            name = entrance["name"] or entrance["id"]
            shapes.append(Shape(entrance["key"], "line", points, name, theme.VERMILION, inside[0]))
    return shapes


def _shown(
    points: tuple[Point, ...], owner: str | None, camera: Camera | None, calibration: FloorCalibration | None
) -> tuple[Point, ...] | None:
    """Points in the coordinates of the surface; None where they have no place on it."""
    if (owner is None) == (camera is None):
        return tuple(points) if camera is None or owner == camera.id else None
    if owner is not None or calibration is None:
        return None
    pixels = calibration.to_pixels(np.array(points, dtype=float))
    width, height = calibration.image_size
    seen = np.isfinite(pixels).all() and ((pixels > -width) & (pixels < 2 * np.array([width, height]))).all()
    return tuple((float(x), float(y)) for x, y in pixels.round(1)) if seen else None


def _kept(points: tuple[Point, ...], calibration: FloorCalibration | None) -> tuple[Point, ...]:
    """Points of a surface as they are kept: metres where the surface has a calibration, else as drawn."""
    if calibration is None:
        return points
    floor = calibration.to_floor(np.array(points, dtype=float))
    if not np.isfinite(floor).all():
        raise ValueError("a point lies above the horizon, where there is no floor")
    return tuple((round(float(x), 2), round(float(y), 2)) for x, y in floor)


def apply_edit(draft: Draft, edit: Edit, camera: Camera | None, calibration: FloorCalibration | None) -> None:
    """Do to the draft what was done on the drawing."""
    if edit.action == "select":
        st.session_state[SELECTED] = edit.key
        return
    try:
        points = _kept(edit.points, calibration)
        inside = _kept((edit.inside,), calibration)[0] if edit.inside else None
    except ValueError as error:
        st.toast(f"Not drawn: {error}", icon=":material/block:")
        return
    owner = camera.id if camera is not None and calibration is None else None
    if edit.action == "add" and edit.kind in ("polygon", "line"):
        _add(draft, edit.kind, points, owner)
    for item in (*draft.zones, *draft.entrances):
        if edit.action == "move" and item["key"] == edit.key:
            item["polygon" if "polygon" in item else "line"] = points
            if inside is not None and "inside" in item:
                item["inside"] = inside
    draft.version += 1


def _add(draft: Draft, kind: str, points: tuple[Point, ...], owner: str | None) -> None:
    draft.counter += 1
    stem, items = ("zone", draft.zones) if kind == "polygon" else ("entrance", draft.entrances)
    taken = {item["id"] for item in items}
    name = next(f"{stem}_{number}" for number in range(1, len(taken) + 2) if f"{stem}_{number}" not in taken)
    item: dict[str, Any] = {"key": f"new:{draft.counter}", "was": None, "id": name, "name": None, "camera": owner}
    if kind == "polygon":
        item |= {"kind": "other", "polygon": points, "capacity": None}
    else:
        item |= {"line": points, "inside": _beside(points)}
    items.append(item)
    st.session_state[SELECTED] = item["key"]


def _beside(line: tuple[Point, ...]) -> Point:
    """A point a quarter of the line's length to its left, as a first guess of the inner side."""
    (x1, y1), (x2, y2) = line
    return round((x1 + x2) / 2 - (y2 - y1) / 4, 2), round((y1 + y2) / 2 + (x2 - x1) / 4, 2)


def remove(draft: Draft, key: str) -> None:
    """Take a zone or an entrance out of the draft."""
    draft.zones = [zone for zone in draft.zones if zone["key"] != key]
    draft.entrances = [one for one in draft.entrances if one["key"] != key]
    draft.version += 1
    st.session_state.pop(SELECTED, None)


# Calibration -----------------------------------------------------------------------------------------------------


def pairs_of(draft: Draft, camera: Camera) -> list[dict[str, Any]]:
    """The camera's point pairs: px, py (pixels) and x, y (metres; None where not yet known)."""
    if camera.id not in draft.pairs:
        points = (camera.calibration.points or ()) if camera.calibration else ()
        draft.pairs[camera.id] = [
            {"px": p.pixel[0], "py": p.pixel[1], "x": p.floor[0], "y": p.floor[1]} for p in points
        ]
    return draft.pairs[camera.id]


def apply_point(draft: Draft, camera: Camera, edit: Edit) -> None:
    """Add or move a calibration point on the picture."""
    pairs = pairs_of(draft, camera)
    if edit.action == "add" and edit.points:
        (x, y) = edit.points[0]
        pairs.append({"px": x, "py": y, "x": None, "y": None})
    if edit.action == "move" and edit.key and edit.points:
        number = int(edit.key.rsplit("-", 1)[1])
        if number < len(pairs):
            pairs[number] |= {"px": edit.points[0][0], "py": edit.points[0][1]}
    draft.version += 1


def set_pairs(draft: Draft, camera: Camera, fresh: list[dict[str, Any]]) -> bool:
    """Take the pairs of the table; True where they differ from those that were drawn."""
    clean = [{name: None if value != value else value for name, value in pair.items()} for pair in fresh]
    if clean == pairs_of(draft, camera):
        return False
    draft.pairs[camera.id] = clean
    draft.version += 1  # the table begins anew: it would apply what was added or removed a second time
    return True


def calibration_of(
    store: StoreConfig, draft: Draft, camera_id: str, *, strict: bool = False
) -> FloorCalibration | None:
    """The calibration of the draft's pairs, or the file's where they were not touched; None where there is none.

    With `strict` a calibration that does not fit raises CalibrationError; otherwise it counts as none.
    """
    camera = next(one for one in store.cameras if one.id == camera_id)
    if camera.calibration is not None and camera.calibration.homography is not None and not draft.pairs.get(camera_id):
        return camera.floor_calibration
    pairs = [pair for pair in pairs_of(draft, camera) if pair["x"] is not None and pair["y"] is not None]
    size = camera.image_size or draft.sizes.get(camera_id)
    if not pairs or size is None:
        return None
    limit = camera.calibration.max_error_m if camera.calibration else 0.5
    try:
        return FloorCalibration.fit(
            np.array([(p["px"], p["py"]) for p in pairs], dtype=float),
            np.array([(p["x"], p["y"]) for p in pairs], dtype=float),
            size,
            max_error_m=limit,
        )
    except CalibrationError:
        if strict:
            raise
        return None


def entrances_out_of_view(store: StoreConfig, draft: Draft) -> list[tuple[str, str]]:
    """Entrances that the cameras can't, or can't wholly, see crossed: name, and what to do about it."""
    fitted = {camera.id: calibration_of(store, draft, camera.id) for camera in store.cameras}
    calibrations = {name: calibration for name, calibration in fitted.items() if calibration is not None}
    sizes = {camera.id: camera.image_size for camera in store.cameras if camera.image_size} | draft.sizes
    told = []
    for one in draft.entrances:
        if one["camera"] is None:
            view = floor_view(calibrations)
        elif one["camera"] in sizes:
            view = picture_view(sizes[one["camera"]])
        else:
            continue
        advice = entrance_advice(np.array(one["line"], float), view, pixels=one["camera"] is not None)
        if advice:
            told.append((one["name"] or one["id"], advice))
    return told


# What to save ----------------------------------------------------------------------------------------------------


def changes(store: StoreConfig, draft: Draft) -> list[str]:
    """What differs from the file, in words."""
    said = []
    for name, now, before in (("zone", draft.zones, _zones(store)), ("entrance", draft.entrances, _entrances(store))):
        old = {item["was"]: item for item in before}
        added = [item["id"] for item in now if item["was"] is None]
        gone = [was for was in old if was not in {item["was"] for item in now}]
        changed = [item["id"] for item in now if item["was"] in old and not _same(item, old[item["was"]])]
        for word, ids in (("new", added), ("removed", gone), ("changed", changed)):
            if ids:
                said.append(f"{name}{'s' if len(ids) > 1 else ''} {', '.join(ids)} {word}")
    return [*said, *[f"calibration of {camera} changed" for camera in _changed_cameras(store, draft)]]


def _same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return {k: v for k, v in first.items() if k != "key"} == {k: v for k, v in second.items() if k != "key"}


def _changed_cameras(store: StoreConfig, draft: Draft) -> list[str]:
    changed = []
    for camera in store.cameras:
        points = (camera.calibration.points or ()) if camera.calibration else ()
        before = [{"px": p.pixel[0], "py": p.pixel[1], "x": p.floor[0], "y": p.floor[1]} for p in points]
        if camera.id in draft.pairs and draft.pairs[camera.id] != before:
            changed.append(camera.id)
    return changed


def for_file(store: StoreConfig, draft: Draft) -> dict[str, Any]:
    """The draft as arguments of `dashboards.store_file.save_changes`."""
    cameras: dict[str, dict[str, Any]] = {}
    for camera in store.cameras:
        if camera.id in _changed_cameras(store, draft):
            points = [
                {"pixel": [p["px"], p["py"]], "floor": [p["x"], p["y"]]}
                for p in draft.pairs[camera.id]
                if p["x"] is not None and p["y"] is not None
            ]
            old = camera.calibration
            calibration: dict[str, Any] = {"points": points}
            if old is not None and "max_error_m" in old.model_fields_set:
                calibration["max_error_m"] = old.max_error_m
            cameras[camera.id] = {"calibration": calibration if points else None}
        drawn_on = camera.id in cameras or any(one["camera"] == camera.id for one in (*draft.zones, *draft.entrances))
        if camera.image_size is None and drawn_on and camera.id in draft.sizes:
            cameras.setdefault(camera.id, {})["image_size"] = list(draft.sizes[camera.id])
    return {
        "zones": [{k: v for k, v in zone.items() if k != "key"} for zone in draft.zones],
        "entrances": [{k: v for k, v in one.items() if k != "key"} for one in draft.entrances],
        "cameras": cameras,
    }
