"""The drawing surface of *Set up*: zones, entrance lines and points on a plan or a camera's picture.

A component of Streamlit's own second generation: it lives in the page, without a frame and without files to fetch, so
it works on any sub-page and behind `server.baseUrlPath`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import streamlit as st

ASSETS = Path(__file__).parent / "assets"
Point = tuple[float, float]
Tool = Literal["select", "polygon", "line", "point"]


@dataclass(frozen=True)
class Surface:
    """What is drawn on: a plan in metres (y up) or a picture in pixels (y down)."""

    name: str
    width: float
    height: float
    is_plan: bool
    image: str | None = None
    fixtures: tuple[tuple[Point, ...], ...] = ()
    grid: tuple[tuple[bool, tuple[Point, ...]], ...] = ()
    snap: float | None = None


@dataclass(frozen=True)
class Shape:
    """A zone (polygon), an entrance (line with a point inside) or a calibration point, in the surface's coordinates."""

    key: str
    kind: Literal["polygon", "line", "point"]
    points: tuple[Point, ...]
    label: str
    colour: str
    inside: Point | None = None


@dataclass(frozen=True)
class Edit:
    """What the reader did: drew a shape, moved one, or chose one."""

    action: Literal["add", "move", "select"]
    kind: str | None
    key: str | None
    points: tuple[Point, ...]
    inside: Point | None
    number: str


def _mount() -> Callable[..., Any]:
    """Register the component once a process; registering again would reset what is drawn."""
    return st.components.v2.component(
        "aisleflow_editor",
        html='<div class="editor"></div><div class="hint"></div>',
        css=(ASSETS / "editor.css").read_text(encoding="utf-8"),
        js=(ASSETS / "editor.js").read_text(encoding="utf-8"),
    )


def draw(surface: Surface, shapes: Sequence[Shape], tool: Tool, selected: str | None, key: str) -> Edit | None:
    """Show the surface with its shapes; returns what the reader has just done to it, once."""
    if "aisleflow_editor" not in st.session_state:
        st.session_state["aisleflow_editor"] = _mount()
    result = st.session_state["aisleflow_editor"](
        key=key,
        data={
            "label": f"Drawing surface: {surface.name}",
            "surface": surface.name,
            "image": surface.image,
            "width": surface.width,
            "height": surface.height,
            "flip": surface.is_plan,
            "digits": 2 if surface.is_plan else 1,
            "step": surface.snap,
            "tool": tool,
            "selected": selected,
            "fixtures": surface.fixtures,
            "grid": [{"strong": strong, "points": points} for strong, points in surface.grid],
            "shapes": [
                {
                    "key": shape.key,
                    "kind": shape.kind,
                    "points": shape.points,
                    "label": shape.label,
                    "colour": shape.colour,
                    "inside": shape.inside,
                }
                for shape in shapes
            ],
        },
        on_edit_change=lambda: None,
    )
    return understand(result.edit)


def understand(edit: dict[str, Any] | None) -> Edit | None:
    """An edit as the browser sent it, checked. None where there is none, or where it is not one."""
    if not isinstance(edit, dict) or edit.get("action") not in ("add", "move", "select"):
        return None
    try:
        points = tuple((float(x), float(y)) for x, y in edit.get("points") or ())
        inside = edit.get("inside")
        place = (float(inside[0]), float(inside[1])) if inside else None
    except (TypeError, ValueError):
        return None
    return Edit(edit["action"], edit.get("kind"), edit.get("key"), points, place, str(edit.get("number")))
