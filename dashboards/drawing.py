"""What the drawing parts of *Set up* share: which surface, an edit done once, removing what is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboards import drafts, surfaces, view
from dashboards.choices import choose
from dashboards.drafts import Draft
from dashboards.editor import Edit, Surface
from flows.config import Camera, StoreConfig

PLAN = "Floor plan"


def choose_surface(store: StoreConfig) -> tuple[str, Camera | None, Surface | None]:
    """The plan or a camera's picture, as chosen: name, camera (None: the plan), surface (None: no picture found)."""
    names = [PLAN, *[camera.id for camera in store.cameras]]
    where = choose("surface", "On", names, PLAN, format_func=lambda n: n if n == PLAN else f"Camera {n}", width=190)
    camera = next((one for one in store.cameras if one.id == where), None)
    if camera is None:
        return where, None, surfaces.plan_surface(store, view.store_file(store.id))
    return where, camera, surfaces.camera_surface(store, camera)


def no_picture(camera: str) -> None:
    """Say what to do where a camera has no picture to draw on."""
    st.info(
        f"No picture of camera {camera} can be read: no recording was found. Draw on the floor plan instead, "
        "or put a recording where store.yaml's `recordings.path` says.",
        icon=":material/no_photography:",
    )


def apply_once(edit: Edit | None, last: str, then: Callable[[Edit], Any]) -> None:
    """Do an edit once: the component's trigger is seen once, but a rerun in between must not repeat it."""
    if edit is not None and st.session_state.get(last) != edit.number:
        st.session_state[last] = edit.number
        then(edit)
        st.rerun()


def remover(kind: str, draft: Draft, names: dict[str, str]) -> None:
    """A button that removes the chosen one of these (key -> name)."""
    article = "an" if kind[0] in "aeiou" else "a"
    if not names:
        st.caption(f"No {kind} yet: choose *Draw {article} {kind}* and click on the drawing.")
        return
    selected = st.session_state.get(drafts.SELECTED)
    chosen = selected if selected in names else None

    def remove() -> None:
        drafts.remove(draft, str(chosen))

    st.button(
        f"Remove {names[chosen]}" if chosen else f"Remove {article} {kind}",
        icon=":material/delete:",
        key=f"remove.{kind}",
        on_click=remove,
        disabled=chosen is None,
        help=None if chosen else "Choose it on the drawing first.",
    )
