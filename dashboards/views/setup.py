"""Set up: draw zones and entrances, calibrate cameras, write store.yaml. The one page that writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import drafts, editor, page, surfaces, theme, view
from dashboards.choices import choose, segmented
from dashboards.drafts import Draft
from dashboards.editor import Edit, Shape, Surface
from dashboards.store_file import StoreFileChanged, fingerprint, save_changes
from detection.floor import CalibrationError, FloorCalibration
from flows.config import StoreConfig, StoreConfigError
from flows.stores import find_store

KINDS = ["aisle", "display", "checkout", "entrance", "staff", "other"]
TOOLS: dict[str, editor.Tool] = {"Choose and move": "select", "Draw a zone": "polygon", "Draw an entrance": "line"}
PLAN = "Floor plan"


def render() -> None:
    """Draw the page."""
    known, problems = view.stores()
    for problem in problems:
        st.error(str(problem), icon=":material/rule:")
    with st.container(horizontal=True, vertical_alignment="bottom", key="head"):
        with st.container(key="heading", width="stretch"):
            st.title("Set up", anchor=False)
            subtitle = st.empty()
        if not known:
            st.info(
                "No store can be read. Put a store's file at `STORES/ID/store.yaml` and set `AISLEFLOW_STORES`.",
                icon=":material/storefront:",
            )
            return
        options = sorted(known, key=lambda name: known[name].name)
        store_id = choose("store", "Store", options, options[0], format_func=lambda name: known[name].name, width=250)
        part = segmented("part", "What", ["Zones and entrances", "Calibration"], "Zones and entrances")
    store, path = known[store_id], find_store(store_id)
    subtitle.caption(f"{store.name} · zones, entrances and calibration. Nothing is written before you save.")
    draft = drafts.open_draft(store, fingerprint(path))
    _tell_saved()
    if part == "Calibration":
        _calibration(store, draft)
    else:
        _zones(store, draft)
    _save_bar(store, draft)


def _tell_saved() -> None:
    said = st.session_state.pop("setup.saved", None)
    if said:
        st.success(said, icon=":material/check_circle:")


def _apply(edit: Edit | None, last: str, then: Any) -> None:
    """Do an edit once: the component's trigger is seen once, but a rerun in between must not repeat it."""
    if edit is not None and st.session_state.get(last) != edit.number:
        st.session_state[last] = edit.number
        then(edit)
        st.rerun()


# Zones and entrances ---------------------------------------------------------------------------------------------


def _zones(store: StoreConfig, draft: Draft) -> None:
    left, right = st.columns([1.55, 1], gap="medium")
    with left, page.card("Draw"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            names = [PLAN, *[camera.id for camera in store.cameras]]
            where = choose(
                "surface", "On", names, PLAN, format_func=lambda n: n if n == PLAN else f"Camera {n}", width=190
            )
            tool = (
                st.segmented_control("Tool", list(TOOLS), key="setup.tool", required=True, default="Choose and move")
                or "Choose and move"
            )
        camera = next((one for one in store.cameras if one.id == where), None)
        surface = (
            surfaces.plan_surface(store, find_store(store.id))
            if camera is None
            else surfaces.camera_surface(store, camera)
        )
        if surface is None:
            st.info(
                f"No picture of camera {where} can be read: no recording was found. Draw on the floor plan instead, "
                "or put a recording where store.yaml's `recordings.path` says.",
                icon=":material/no_photography:",
            )
            return
        if camera is not None:
            draft.sizes[camera.id] = (round(surface.width), round(surface.height))
        calibration = None if camera is None else drafts.calibration_of(store, draft, camera.id)
        shapes = drafts.shapes_on(draft, camera, calibration)
        edit = editor.draw(
            surface, shapes, TOOLS[tool], st.session_state.get("setup.selected"), key=f"draw.{store.id}.{where}"
        )
        _apply(edit, "setup.edit", lambda one: drafts.apply_edit(draft, one, camera, calibration))
        if camera is not None:
            st.caption(
                "Drawn on the picture, kept in floor metres."
                if calibration
                else "This camera is not calibrated: zones drawn here are kept in its pixels and have no density."
            )
    with right:
        with page.card("Zones", "Capacity is the number of people at which a zone counts as crowded."):
            _zone_table(store, draft)
        with page.card("Entrances", "People who cross the line towards its inner side are counted in."):
            _entrance_table(store, draft)


def _zone_table(store: StoreConfig, draft: Draft) -> None:
    frame = pd.DataFrame(
        [{"Id": z["id"], "Name": z["name"] or "", "Kind": z["kind"], "Capacity": z["capacity"]} for z in draft.zones],
        columns=["Id", "Name", "Kind", "Capacity"],
    ).astype({"Capacity": "Int64"})
    edited = st.data_editor(
        frame,
        key=f"zones.{store.id}.{draft.version}",
        hide_index=True,
        num_rows="fixed",
        height=min(38 + 36 * max(len(frame), 1), 330),
        column_config={
            "Id": st.column_config.TextColumn(
                required=True, validate=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", width="small"
            ),
            "Name": st.column_config.TextColumn(max_chars=80),
            "Kind": st.column_config.SelectboxColumn(options=KINDS, required=True, width="small"),
            "Capacity": st.column_config.NumberColumn(min_value=1, step=1, width="small"),
        },
    )
    for zone, row in zip(draft.zones, edited.to_dict("records"), strict=True):
        capacity = row["Capacity"]
        changed = {
            "id": row["Id"],
            "name": row["Name"] or None,
            "kind": row["Kind"],
            "capacity": None if pd.isna(capacity) else int(capacity),
        }
        zone.update(changed)
    _remover(
        "zone", draft, [zone["key"] for zone in draft.zones], {z["key"]: z["name"] or z["id"] for z in draft.zones}
    )


def _entrance_table(store: StoreConfig, draft: Draft) -> None:
    frame = pd.DataFrame([{"Id": e["id"], "Name": e["name"] or ""} for e in draft.entrances], columns=["Id", "Name"])
    edited = st.data_editor(
        frame,
        key=f"entrances.{store.id}.{draft.version}",
        hide_index=True,
        num_rows="fixed",
        column_config={
            "Id": st.column_config.TextColumn(
                required=True, validate=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", width="small"
            ),
            "Name": st.column_config.TextColumn(max_chars=80),
        },
    )
    for entrance, row in zip(draft.entrances, edited.to_dict("records"), strict=True):
        entrance.update({"id": row["Id"], "name": row["Name"] or None})
    for name, advice in drafts.entrances_out_of_view(store, draft):
        st.warning(f"{name}: {advice}.", icon=":material/visibility_off:")
    _remover(
        "entrance",
        draft,
        [e["key"] for e in draft.entrances],
        {e["key"]: e["name"] or e["id"] for e in draft.entrances},
    )


def _remover(kind: str, draft: Draft, keys: list[str], names: dict[str, str]) -> None:
    if not keys:
        st.caption(f"No {kind} yet: choose *Draw {'an' if kind == 'entrance' else 'a'} {kind}* and click on the plan.")
        return
    selected = st.session_state.get("setup.selected")
    chosen = selected if selected in keys else None

    def remove() -> None:
        drafts.remove(draft, str(chosen))

    st.button(
        f"Remove {names[chosen]}" if chosen else f"Remove a {kind}" if kind == "zone" else f"Remove an {kind}",
        icon=":material/delete:",
        key=f"remove.{kind}",
        on_click=remove,
        disabled=chosen is None,
        help=None if chosen else "Choose it on the drawing first.",
    )


# Calibration -----------------------------------------------------------------------------------------------------


def _calibration(store: StoreConfig, draft: Draft) -> None:
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
        pairs = drafts.pairs_of(draft, camera)
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
        _apply(edit, "setup.point.edit", lambda one: drafts.apply_point(draft, camera, one))
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
        return drafts.calibration_of(store, draft, camera, strict=True), None
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
    edited = st.data_editor(
        frame,
        key=f"pairs.{store.id}.{camera.id}.{draft.version}",
        hide_index=True,
        num_rows="dynamic",
        column_config={
            "Point": number(disabled=True, width=50),
            "Pixel x": number(format="%.1f", min_value=0.0, width=70),
            "Pixel y": number(format="%.1f", min_value=0.0, width=70),
            "Floor x (m)": number(format="%.2f", min_value=-1.0, max_value=store.floor.width_m + 1, width=80),
            "Floor y (m)": number(format="%.2f", min_value=-1.0, max_value=store.floor.depth_m + 1, width=80),
        },
    )
    fresh = [
        {"px": row["Pixel x"], "py": row["Pixel y"], "x": row["Floor x (m)"], "y": row["Floor y (m)"]}
        for row in edited.to_dict("records")
    ]
    if drafts.set_pairs(draft, camera, fresh):
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


# Saving ----------------------------------------------------------------------------------------------------------


def _save_bar(store: StoreConfig, draft: Draft) -> None:
    changes = drafts.changes(store, draft)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="savebar"):
        st.markdown("**" + ("; ".join(changes) if changes else "No changes") + "**", width="stretch")
        if st.button("Discard", disabled=not changes, icon=":material/undo:", key="setup.discard"):
            drafts.forget(store)
            st.rerun()
        save = st.button(
            "Check and save", type="primary", disabled=not changes, icon=":material/save:", key="setup.save"
        )
    if save:
        path = find_store(store.id)
        try:
            backup = save_changes(path, draft.read_as, **drafts.for_file(store, draft))
        except StoreConfigError as error:
            st.error(
                "Not saved; the file is as it was. Mend these first:\n\n"
                + "\n".join(f"- `{problem.field}` {problem.message}" for problem in error.problems),
                icon=":material/rule:",
            )
            return
        except (StoreFileChanged, OSError) as error:
            st.error(f"Not saved: {error}", icon=":material/sync_problem:")
            return
        drafts.forget(store)
        st.session_state["setup.saved"] = (
            f"Saved to `{path}`. The file before is kept as `{backup.name}`. "
            "Days processed from now on use it; `aisleflow run` processes an older day anew."
        )
        st.rerun()
