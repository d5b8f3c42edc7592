"""A draft's calibration points: pairs of a pixel and a place on the floor, and the calibration they make."""

from __future__ import annotations

from typing import Any

import numpy as np

from dashboards.drafts import Draft
from dashboards.editor import Edit
from detection.floor import CalibrationError, FloorCalibration
from flows.config import Camera, StoreConfig
from flows.sight import entrance_advice, floor_view, picture_view


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
