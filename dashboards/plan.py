"""The floor plan: walls, shelves, entrances, zones, and what is laid over them."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboards import theme
from flows.config import StoreConfig, Zone

Corners = Sequence[tuple[float, float]]


def floor_zones(store: StoreConfig) -> list[Zone]:
    """Zones drawn in floor metres; those of uncalibrated cameras have no place on the plan."""
    return [zone for zone in store.zones if zone.camera is None]


def empty_plan(store: StoreConfig, height: int = 460, store_file: Path | None = None) -> go.Figure:
    """Walls, fixtures, entrances and a scale bar of a store; both axes in metres, equal scales."""
    figure = go.Figure()
    width, depth = store.floor.width_m, store.floor.depth_m
    picture = _picture(store, store_file)
    if picture:
        figure.add_layout_image(
            source=picture,
            x=0,
            y=depth,
            sizex=width,
            sizey=depth,
            xref="x",
            yref="y",
            sizing="stretch",
            layer="below",
            opacity=0.55,
        )
    figure.add_shape(type="rect", x0=0, y0=0, x1=width, y1=depth, line={"color": theme.WALL, "width": 2}, layer="below")
    for fixture in store.floor.fixtures:
        figure.add_shape(
            type="path", path=_path(fixture.polygon), fillcolor=theme.FIXTURE, line={"width": 0}, layer="below"
        )
    for entrance in store.entrances:
        if entrance.camera is None:
            (x1, y1), (x2, y2) = entrance.line
            figure.add_shape(
                type="line", x0=x1, y0=y1, x1=x2, y1=y2, line={"color": theme.VERMILION, "width": 4, "dash": "dot"}
            )
            figure.add_annotation(
                x=(x1 + x2) / 2,
                y=(y1 + y2) / 2,
                text=entrance.name or entrance.id,
                showarrow=False,
                yshift=-13,
                font={"size": 11, "color": "#FFFFFF"},
                bgcolor=theme.VERMILION,
                borderpad=1,
            )
    bar = 5 if width > 14 else 2
    figure.add_shape(type="line", x0=0.3, x1=0.3 + bar, y0=-0.35, y1=-0.35, line={"color": theme.GREY, "width": 2})
    figure.add_annotation(
        x=0.3 + bar,
        y=-0.35,
        text=f"{bar} m",
        showarrow=False,
        xanchor="left",
        xshift=4,
        font={"size": 11, "color": theme.GREY},
    )
    theme.style(figure, height, showlegend=False)
    figure.update_xaxes(visible=False, range=[-0.3, width + 0.3], constrain="domain")
    figure.update_yaxes(visible=False, range=[-0.7, depth + 0.3], scaleanchor="x", constrain="domain")
    return figure


def add_zone_outlines(figure: go.Figure, store: StoreConfig, *, labels: bool = True) -> None:
    """Zones as thin outlines with their names, to lie over a heat map or tracks."""
    for zone in floor_zones(store):
        x, y = ring(zone.polygon)
        figure.add_trace(
            go.Scatter(x=x, y=y, mode="lines", line={"color": theme.GREY, "width": 1, "dash": "dot"}, hoverinfo="skip")
        )
        if labels:
            _label(figure, zone, zone.name or zone.id)


def add_zone_names(figure: go.Figure, store: StoreConfig) -> None:
    """Names on filled zones, readable on every colour of the scale."""
    for zone in floor_zones(store):
        _label(figure, zone, zone.name or zone.id, on_fill=True)


def _label(figure: go.Figure, zone: Zone, text: str, on_fill: bool = False) -> None:
    corners = np.array(zone.polygon)
    low, high = corners.min(axis=0), corners.max(axis=0)
    narrow = (high - low)[0] < 0.13 * len(text) + 0.9 and (high - low)[1] > (high - low)[0]
    style: dict[str, Any] = {"font": {"size": 11, "color": theme.ink()}}
    if on_fill:
        style = {
            "font": {"size": 11, "color": "#FFFFFF"},
            "bgcolor": "rgba(20,28,38,0.62)",
            "borderpad": 2,
        }
    figure.add_annotation(
        x=float(corners[:, 0].mean()),
        y=float(corners[:, 1].mean()),
        text=text,
        showarrow=False,
        textangle=-90 if narrow else 0,
        **style,
    )


def ring(polygon: Corners) -> tuple[list[float], list[float]]:
    """x and y of a closed outline."""
    closed = [*polygon, polygon[0]]
    return [x for x, _ in closed], [y for _, y in closed]


def _path(polygon: Corners) -> str:
    return "M " + " L ".join(f"{x},{y}" for x, y in polygon) + " Z"


def _picture(store: StoreConfig, store_file: Path | None) -> str | None:
    """The plan picture as a data address, where the store has one that can be read."""
    if not store.floor.plan or store_file is None:
        return None
    path = store_file.parent / store.floor.plan
    if not path.is_file():
        return None
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
