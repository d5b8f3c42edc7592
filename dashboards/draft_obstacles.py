"""A draft's fixtures, which stand on the floor and hide feet, and its masks, parts of a picture that are left out."""

from __future__ import annotations

import streamlit as st

from dashboards import theme
from dashboards.drafts import SELECTED, Draft
from dashboards.editor import Edit, Shape
from flows.config import Camera

SHELF_M = 1.6


def obstacles_on(draft: Draft, camera: Camera | None) -> list[Shape]:
    """Fixtures on the plan (camera None), or the masks of a camera on its picture."""
    if camera is None:
        return [Shape(one["key"], "polygon", one["polygon"], one["kind"], theme.GREY) for one in draft.fixtures]
    masks = draft.masks.setdefault(camera.id, [])
    return [Shape(one["key"], "polygon", one["polygon"], "left out", theme.VERMILION) for one in masks]


def apply_obstacle(draft: Draft, edit: Edit, camera: Camera | None) -> None:
    """Do to the draft what was done on the drawing: a fixture on the plan, a mask on a picture."""
    if edit.action == "select":
        st.session_state[SELECTED] = edit.key
        return
    items = draft.fixtures if camera is None else draft.masks.setdefault(camera.id, [])
    if edit.action == "add" and edit.kind == "polygon":
        draft.counter += 1
        more = {"kind": "shelf", "height_m": SHELF_M} if camera is None else {}
        items.append({"key": f"new:{draft.counter}", "was": None, **more, "polygon": edit.points})
        st.session_state[SELECTED] = items[-1]["key"]
    for one in items:
        if edit.action == "move" and one["key"] == edit.key:
            one["polygon"] = edit.points
    draft.version += 1
