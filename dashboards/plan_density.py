"""Zones of the plan coloured by density, with a play button and a time slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboards import theme
from dashboards.plan import floor_zones, ring
from flows.config import StoreConfig, Zone
from flows.density import fruin_level


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
    fills = _fills(zones, frames, highest)
    for zone, (colour, text) in zip(zones, fills[start], strict=True):
        x, y = ring(zone.polygon)
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
                "colorbar": theme.colour_bar("people/m²") | {"len": 0.8},
            },
        )
    )
    if len(frames) > 1:
        places = list(range(first, first + len(zones)))
        # What of a zone changes from frame to frame; every attribute more costs time, in Python and in the browser.
        figure.frames = [
            {
                "name": label,
                "data": [{"type": "scatter", "fillcolor": colour, "text": text} for colour, text in of_frame],
                "traces": places,
            }
            for (label, _), of_frame in zip(frames, fills, strict=True)
        ]
        _add_player(figure, [label for label, _ in frames], start)


def _fills(
    zones: Sequence[Zone], frames: Sequence[tuple[str, Mapping[str, float]]], highest: float
) -> list[list[tuple[str, str]]]:
    """Colour and hover text of each zone in each frame."""
    densities = np.array([[values.get(zone.id, np.nan) for zone in zones] for _, values in frames], dtype=float)
    seen = ~np.isnan(densities)
    colours = np.full(densities.shape, "rgba(138,148,160,0.2)", dtype=object)
    colours[seen] = theme.colours_at(densities[seen] / highest)
    levels = fruin_level(densities.ravel()).reshape(densities.shape)
    names = [f"<b>{zone.name or zone.id}</b><br>" for zone in zones]
    return [
        [
            (colour, f"{name}{density:.2f} people/m², Fruin level {level}" if level else f"{name}not observed")
            for name, density, level, colour in zip(names, *rows, strict=True)
        ]
        for rows in zip(densities.tolist(), levels, colours, strict=True)
    ]


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
