"""Set up: fixtures, which hide feet, and masks, parts of a picture in which nobody is counted."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from dashboards import editor, page
from dashboards.draft_obstacles import apply_obstacle, obstacles_on
from dashboards.drafts import SELECTED, Draft
from dashboards.drawing import apply_once, choose_surface, no_picture, remover
from flows.config import StoreConfig

KINDS = ["shelf", "counter", "table", "wall", "other"]
CHOOSE = "Choose and move"


def draw_obstacles(store: StoreConfig, draft: Draft) -> None:
    """Draw the part of the page."""
    left, right = st.columns([1.55, 1], gap="medium")
    with left, page.card("Draw"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            where, camera, surface = choose_surface(store)
            draw = "Draw a fixture" if camera is None else "Draw a mask"
            tool = st.segmented_control("Tool", [CHOOSE, draw], key=f"tool.{draw}", required=True, default=CHOOSE)
        if surface is None:
            no_picture(where)
            return
        if camera is not None:
            draft.sizes[camera.id] = (round(surface.width), round(surface.height))
        edit = editor.draw(
            replace(surface, fixtures=()),
            obstacles_on(draft, camera),
            "polygon" if tool == draw else "select",
            st.session_state.get(SELECTED),
            key=f"obstacles.{store.id}.{where}",
        )
        apply_once(edit, "setup.obstacle", lambda one: apply_obstacle(draft, one, camera))
    with right:
        if camera is None:
            with page.card("Fixtures", "Shelves and counters hide feet: people behind them are placed by their heads."):
                _fixture_table(store, draft)
        else:
            with page.card("Masks", "People whose feet are in one are left out: a shop window, a screen, the street."):
                masks = draft.masks.get(camera.id, [])
                st.caption(f"{len(masks)} mask{'' if len(masks) == 1 else 's'} on {camera.id}.")
                remover("mask", draft, {one["key"]: f"mask {n}" for n, one in enumerate(masks, start=1)})


def _fixture_table(store: StoreConfig, draft: Draft) -> None:
    frame = pd.DataFrame(
        [{"Kind": one["kind"], "Height (m)": one["height_m"]} for one in draft.fixtures],
        columns=["Kind", "Height (m)"],
    )
    known = sorted({*KINDS, *(one["kind"] for one in draft.fixtures)})
    edited = st.data_editor(
        frame,
        key=f"fixtures.{store.id}.{draft.version}",
        hide_index=True,
        num_rows="fixed",
        height=min(38 + 36 * max(len(frame), 1), 420),
        column_config={
            "Kind": st.column_config.SelectboxColumn(options=known, required=True),
            "Height (m)": st.column_config.NumberColumn(min_value=0.05, max_value=10.0, step=0.05, required=True),
        },
    )
    for fixture, row in zip(draft.fixtures, edited.to_dict("records"), strict=True):
        fixture.update({"kind": row["Kind"], "height_m": float(row["Height (m)"])})
    names = {one["key"]: f"{one['kind']} {n}" for n, one in enumerate(draft.fixtures, start=1)}
    remover("fixture", draft, names)
