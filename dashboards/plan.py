"""The floor plan: walls, shelves, entrances, zones, and what is laid over them."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
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
                yshift=-11,
                font={"size": 11, "color": theme.VERMILION},
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
        x, y = _ring(zone.polygon)
        figure.add_trace(
            go.Scatter(x=x, y=y, mode="lines", line={"color": theme.GREY, "width": 1, "dash": "dot"}, hoverinfo="skip")
        )
        if labels:
            _label(figure, zone, zone.name or zone.id)


def add_density(
    figure: go.Figure, store: StoreConfig, frames: Sequence[tuple[str, Mapping[str, float]]], *, start: int = 0
) -> None:
    """Zones filled by their density on one scale for all frames; several frames get a play button and a slider.

    Args:
        figure: a plan, from `empty_plan`.
        store: whose zones are drawn.
        frames: (label, {zone: people/m2}), what the slider steps through.
        start: index of the frame shown first.
    """
    zones = floor_zones(store)
    known = [value for _, values in frames for value in values.values() if value == value]
    highest = max(float(np.quantile(known, 0.995)), 0.05) if known else 0.05
    first = len(figure.data)
    for zone in zones:
        x, y = _ring(zone.polygon)
        colour, text = _fill(zone, frames[start][1].get(zone.id), highest)
        figure.add_trace(
            go.Scatter(
                x=x,
                y=y,
                mode="lines",
                fill="toself",
                fillcolor=colour,
                text=text,
                hoverinfo="text",
                hoveron="fills",
                line={"color": "rgba(255,255,255,0.65)", "width": 1.5},
            )
        )
    figure.add_trace(
        go.Scatter(
            x=[None],
            y=[None],
            mode="markers",
            hoverinfo="skip",
            marker={
                "color": [0],
                "cmin": 0,
                "cmax": highest,
                "colorscale": theme.SEQUENTIAL,
                "showscale": True,
                "colorbar": {
                    "title": {"text": "people/m²", "side": "right", "font": {"size": 12}},
                    "tickfont": {"size": 11},
                    "thickness": 12,
                    "len": 0.8,
                },
            },
        )
    )
    if len(frames) > 1:
        places = list(range(first, first + len(zones)))
        figure.frames = [
            {"name": label, "data": [_frame(zone, values.get(zone.id), highest) for zone in zones], "traces": places}
            for label, values in frames
        ]
        _add_player(figure, [label for label, _ in frames], start)


def _frame(zone: Zone, density: float | None, highest: float) -> dict[str, str]:
    """What of a zone changes from frame to frame; every attribute more costs time, in Python and in the browser."""
    colour, text = _fill(zone, density, highest)
    return {"type": "scatter", "fillcolor": colour, "text": text}


def _fill(zone: Zone, density: float | None, highest: float) -> tuple[str, str]:
    """Colour and hover text of a zone at a density."""
    name = f"<b>{zone.name or zone.id}</b><br>"
    if density is None or density != density:
        return "rgba(138,148,160,0.2)", f"{name}not observed"
    return theme.colour_at(
        density / highest
    ), f"{name}{density:.2f} people/m², Fruin level {theme.fruin_level(density)[0]}"


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


def _add_player(figure: go.Figure, labels: list[str], start: int) -> None:
    """Play, pause and a time slider under the plan."""
    step: dict[str, Any] = {
        "mode": "immediate",
        "frame": {"duration": 350, "redraw": True},
        "transition": {"duration": 0},
    }
    colours: dict[str, Any] = {
        "bgcolor": "rgba(138,148,160,0.18)",
        "bordercolor": theme.GRID,
        "font": {"color": theme.ink()},
    }
    figure.update_layout(
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "x": 0,
                "xanchor": "left",
                "y": -0.03,
                "yanchor": "top",
                "pad": {"t": 14},
                "showactive": False,
                **colours,
                "buttons": [
                    {"label": "▶ Play", "method": "animate", "args": [None, {**step, "fromcurrent": True}]},
                    {"label": "❚❚", "method": "animate", "args": [[None], {**step, "mode": "immediate"}]},
                ],
            }
        ],
        sliders=[
            {
                "active": start,
                "x": 0.27,
                "len": 0.73,
                "y": -0.03,
                "pad": {"t": 6},
                "currentvalue": {"prefix": "", "font": {"size": 13, "color": theme.ink()}, "xanchor": "right"},
                "font": {"size": 1, "color": "rgba(0,0,0,0)"},
                "ticklen": 0,
                "minorticklen": 0,
                "bgcolor": "rgba(138,148,160,0.35)",
                "activebgcolor": theme.BLUE,
                "bordercolor": theme.GRID,
                "steps": [{"label": label, "method": "animate", "args": [[label], step]} for label in labels],
            }
        ],
        margin_b=78,
    )


def add_heat(
    figure: go.Figure, store: StoreConfig, values: np.ndarray, cell_m: float, title: str, highest: float
) -> None:
    """A heat map of cells (rows north, columns east) over the plan; cells without anything stay clear."""
    rows, columns = values.shape
    figure.add_trace(
        go.Heatmap(
            z=np.where(values > 0, values, np.nan),
            x=(np.arange(columns) + 0.5) * cell_m,
            y=(np.arange(rows) + 0.5) * cell_m,
            colorscale=theme.SEQUENTIAL,
            zmin=0,
            zmax=highest,
            opacity=0.85,
            colorbar={
                "title": {"text": title, "side": "right", "font": {"size": 12}},
                "tickfont": {"size": 11},
                "thickness": 12,
                "len": 0.85,
            },
            hovertemplate="%{x:.1f} m, %{y:.1f} m<br>%{z:.0f} " + title + "<extra></extra>",
        )
    )


def add_arrows(figure: go.Figure, arrows: Sequence[tuple[float, float, float, float]], colour: str) -> None:
    """Arrows (x, y, dx, dy) in metres, as one trace: hundreds of single annotations would make the page slow."""
    if not len(arrows):
        return
    x, y, dx, dy = np.array(arrows, dtype=float).T
    gap = np.full(len(x), np.nan)
    figure.add_trace(
        go.Scatter(
            x=np.stack([x, x + dx, gap], axis=1).ravel(),
            y=np.stack([y, y + dy, gap], axis=1).ravel(),
            mode="lines",
            line={"color": colour, "width": 1.2},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=x + dx,
            y=y + dy,
            mode="markers",
            hoverinfo="skip",
            marker={"symbol": "arrow", "size": 8, "color": colour, "angle": np.degrees(np.arctan2(dx, dy))},
        )
    )


def add_ways(figure: go.Figure, ways: pd.DataFrame, time_zone: str) -> None:
    """People's ways (person_id, time, x, y, in order), a colour a person, with a dot where each was last.

    One trace a colour: its people's lines are kept apart by gaps.
    """
    people = ways["person_id"].drop_duplicates().tolist()
    number = ways["person_id"].map({person: index for index, person in enumerate(people)})
    clock = ways["time"].dt.tz_convert(time_zone).dt.strftime("%H:%M:%S")
    said = "person " + ways["person_id"].astype(str) + ", " + clock
    for slot, colour in enumerate(theme.CATEGORICAL):
        mine = (number % len(theme.CATEGORICAL) == slot).to_numpy()
        if not mine.any():
            continue
        rows, owner = np.flatnonzero(mine), number.to_numpy()[mine]
        breaks = np.flatnonzero(np.diff(owner)) + 1
        x, y = (np.insert(ways[name].to_numpy()[rows], breaks, np.nan) for name in ("x", "y"))
        text = np.insert(said.to_numpy(dtype=object)[rows], breaks, "")
        last = np.append(breaks - 1, len(rows) - 1)
        figure.add_trace(
            go.Scatter(
                x=x,
                y=y,
                text=text,
                mode="lines",
                opacity=0.8,
                line={"color": colour, "width": 1.8},
                hovertemplate="%{text}<extra></extra>",
            )
        )
        figure.add_trace(
            go.Scatter(
                x=ways["x"].to_numpy()[rows[last]],
                y=ways["y"].to_numpy()[rows[last]],
                mode="markers",
                hoverinfo="skip",
                marker={"color": colour, "size": 8, "line": {"color": "white", "width": 1}},
            )
        )


def _ring(polygon: Corners) -> tuple[list[float], list[float]]:
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
