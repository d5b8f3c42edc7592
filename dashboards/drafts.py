"""What *Set up* has changed and not yet saved: a copy of what can be drawn, and how it differs from the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st

from dashboards import theme
from dashboards.editor import Edit, Point, Shape
from detection.floor import FloorCalibration
from flows.config import Camera, StoreConfig

SELECTED = "setup.selected"


@dataclass
class Draft:
    """Zones and entrances as plain mappings (`key` for the drawing, `was` for the id in the file), pairs by camera;
    fixtures and, by camera, masks as mappings, too (`was`: their place in the file).

    `sizes`: of the pictures of cameras whose file names none. `version` rises with every change made on the drawing,
    so that tables are drawn anew.
    """

    read_as: str
    zones: list[dict[str, Any]]
    entrances: list[dict[str, Any]]
    fixtures: list[dict[str, Any]] = field(default_factory=list)
    masks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    pairs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    version: int = 0
    counter: int = 0


def open_draft(store: StoreConfig, read_as: str) -> Draft:
    """The store's draft that the browser has open; a new one where there is none."""
    key = f"draft.{store.id}"
    if key not in st.session_state:
        st.session_state[key] = Draft(read_as, _zones(store), _entrances(store), _fixtures(store), _masks(store))
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


def _fixtures(store: StoreConfig) -> list[dict[str, Any]]:
    return [
        {"key": f"fixture:{n}", "was": n, "kind": one.kind, "height_m": one.height_m, "polygon": one.polygon}
        for n, one in enumerate(store.floor.fixtures)
    ]


def _masks(store: StoreConfig) -> dict[str, list[dict[str, Any]]]:
    return {
        camera.id: [{"key": f"mask:{n}", "was": n, "polygon": polygon} for n, polygon in enumerate(camera.mask)]
        for camera in store.cameras
    }


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
    """Take a zone, an entrance, a fixture or a mask out of the draft."""
    for items in (draft.zones, draft.entrances, draft.fixtures, *draft.masks.values()):
        items[:] = [one for one in items if one["key"] != key]
    draft.version += 1
    st.session_state.pop(SELECTED, None)


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
    if [_plain(one) for one in draft.fixtures] != [_plain(one) for one in _fixtures(store)]:
        said.append("fixtures changed")
    said += [f"mask of {camera} changed" for camera in _changed_masks(store, draft)]
    return [*said, *[f"calibration of {camera} changed" for camera in _changed_cameras(store, draft)]]


def _changed_masks(store: StoreConfig, draft: Draft) -> list[str]:
    before = _masks(store)
    return [camera for camera, own in draft.masks.items() if [*map(_plain, own)] != [*map(_plain, before[camera])]]


def _same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return _plain(first) == _plain(second)


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    """An item without what the drawing alone knows it by."""
    return {name: value for name, value in item.items() if name != "key"}


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
        if camera.id in _changed_masks(store, draft):
            drawn = [one["polygon"] for one in draft.masks[camera.id]]
            cameras.setdefault(camera.id, {})["mask"] = drawn or None
        drawn_on = camera.id in cameras or any(one["camera"] == camera.id for one in (*draft.zones, *draft.entrances))
        if camera.image_size is None and drawn_on and camera.id in draft.sizes:
            cameras.setdefault(camera.id, {})["image_size"] = list(draft.sizes[camera.id])
    return {
        "zones": [_plain(zone) for zone in draft.zones],
        "entrances": [_plain(one) for one in draft.entrances],
        "fixtures": [_plain(one) for one in draft.fixtures],
        "cameras": cameras,
    }
