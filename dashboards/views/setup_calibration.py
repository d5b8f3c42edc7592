"""Set up: where a camera's pixels lie on the floor."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import draft_calibration, editor, page, surfaces, theme
from dashboards.choices import choose
from dashboards.drafts import Draft
from dashboards.drawing import apply_once
from dashboards.editor import Shape, Surface
from detection.floor import CalibrationError, FloorCalibration
from flows.config import StoreConfig


def calibrate(store: StoreConfig, draft: Draft) -> None:
    """Draw the part of the page."""
    names = [camera.id for camera in store.cameras]
    left, right = st.columns([1.55, 1], gap="medium")
    with left, page.card("Picture", "At least four spots whose place on the floor you know, spread over the picture."):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = choose("camera", "Camera", names, names[0], width=190)
            tool = (
                st.segmented_control(
                    "Tool", ["Add a point", "Move points"], key="setup.point", required=True, default="Move points"
                )
                or "Move points"
            )
        camera = next(one for one in store.cameras if one.id == name)
        pairs = draft_calibration.pairs_of(draft, camera)
        surface = surfaces.camera_surface(store, camera)
        if surface is None:
            st.info(
                f"No picture of camera {name} can be read: no recording was found where store.yaml's "
                "`recordings.path` says. Points can be typed beside, if `image_size` is in the file.",
                icon=":material/no_photography:",
            )
            if camera.image_size is None:
                return
            width, height = camera.image_size
            surface = Surface(f"empty {name}", float(width), float(height), is_plan=False)
        draft.sizes[name] = (round(surface.width), round(surface.height))
        calibration, why_not = _fit(store, draft, name)
        surface = replace(surface, grid=surfaces.metre_grid(store, calibration))
        shapes = [
            Shape(f"point-{i}", "point", ((p["px"], p["py"]),), str(i + 1), theme.ORANGE) for i, p in enumerate(pairs)
        ]
        edit = editor.draw(
            surface, shapes, "point" if tool == "Add a point" else "select", None, key=f"points.{store.id}.{name}"
        )
        apply_once(edit, "setup.point.edit", lambda one: draft_calibration.apply_point(draft, camera, one))
        if calibration is not None:
            st.caption(
                "Blue: a grid of one metre as this calibration lays it on the floor; orange: every five metres. "
                "It should run along shelves and tiles."
            )
    with (
        right,
        page.card("Pairs of points", "Pixels as clicked; metres from the store's south-west corner, x east, y north."),
    ):
        _pair_table(store, draft, camera, pairs)
        _fit_report(calibration, why_not, camera.calibration.max_error_m if camera.calibration else 0.5)


def _fit(store: StoreConfig, draft: Draft, camera: str) -> tuple[FloorCalibration | None, str | None]:
    try:
        return draft_calibration.calibration_of(store, draft, camera, strict=True), None
    except CalibrationError as error:
        return None, str(error)


def _pair_table(store: StoreConfig, draft: Draft, camera: Any, pairs: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(
        [
            {"Point": i + 1, "Pixel x": p["px"], "Pixel y": p["py"], "Floor x (m)": p["x"], "Floor y (m)": p["y"]}
            for i, p in enumerate(pairs)
        ],
        columns=["Point", "Pixel x", "Pixel y", "Floor x (m)", "Floor y (m)"],
    )
    number = st.column_config.NumberColumn
    metres = partial(number, format="%.2f", min_value=-1.0)
    edited = st.data_editor(
        frame,
        key=f"pairs.{store.id}.{camera.id}.{draft.version}",
        hide_index=True,
        num_rows="dynamic",
        column_config={
            "Point": number(disabled=True, width=50),
            "Pixel x": number(format="%.1f", min_value=0.0, width=70),
            "Pixel y": number(format="%.1f", min_value=0.0, width=70),
            "Floor x (m)": metres("x (m)", help="On the floor, eastward.", max_value=store.floor.width_m + 1),
            "Floor y (m)": metres("y (m)", help="On the floor, northward.", max_value=store.floor.depth_m + 1),
        },
    )
    fresh = [
        {"px": row["Pixel x"], "py": row["Pixel y"], "x": row["Floor x (m)"], "y": row["Floor y (m)"]}
        for row in edited.to_dict("records")
    ]
    if draft_calibration.set_pairs(draft, camera, fresh):
        st.rerun()


def _fit_report(calibration: FloorCalibration | None, why_not: str | None, limit_m: float) -> None:
    if why_not:
        st.warning(why_not, icon=":material/straighten:")
        return
    if calibration is None:
        st.caption("Not calibrated: give at least four pairs.")
        return
    first, second = st.columns(2)
    first.metric(
        "Error on the floor",
        f"{calibration.reprojection_error_m * 100:.1f} cm",
        border=True,
        help=f"Root mean square over the points; above {limit_m * 100:.0f} cm the calibration is refused.",
    )
    second.metric(
        "Error in the picture",
        f"{calibration.reprojection_error_px:.1f} px",
        border=True,
        help="Root mean square distance between a clicked point and where the calibration puts its floor place.",
    )
