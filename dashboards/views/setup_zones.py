"""Set up: zones and entrances."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboards import draft_calibration, drafts, editor, page
from dashboards.drafts import Draft
from dashboards.drawing import apply_once, choose_surface, no_picture, remover
from flows.config import StoreConfig

KINDS = ["aisle", "display", "checkout", "entrance", "staff", "other"]
TOOLS: dict[str, editor.Tool] = {"Choose and move": "select", "Draw a zone": "polygon", "Draw an entrance": "line"}


def draw_zones(store: StoreConfig, draft: Draft) -> None:
    """Draw the part of the page."""
    left, right = st.columns([1.55, 1], gap="medium")
    with left, page.card("Draw"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            where, camera, surface = choose_surface(store)
            tool = (
                st.segmented_control("Tool", list(TOOLS), key="setup.tool", required=True, default="Choose and move")
                or "Choose and move"
            )
        if surface is None:
            no_picture(where)
            return
        if camera is not None:
            draft.sizes[camera.id] = (round(surface.width), round(surface.height))
        calibration = None if camera is None else draft_calibration.calibration_of(store, draft, camera.id)
        shapes = drafts.shapes_on(draft, camera, calibration)
        edit = editor.draw(
            surface, shapes, TOOLS[tool], st.session_state.get("setup.selected"), key=f"draw.{store.id}.{where}"
        )
        apply_once(edit, "setup.edit", lambda one: drafts.apply_edit(draft, one, camera, calibration))
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
    remover("zone", draft, {zone["key"]: zone["name"] or zone["id"] for zone in draft.zones})


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
    for name, advice in draft_calibration.entrances_out_of_view(store, draft):
        st.warning(f"{name}: {advice}.", icon=":material/visibility_off:")
    remover("entrance", draft, {one["key"]: one["name"] or one["id"] for one in draft.entrances})
