"""Colours and figure defaults: one palette for every page, told apart by colour-blind readers, light and dark."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import streamlit as st
from plotly.colors import sample_colorscale

# Okabe and Ito (2008), "Color Universal Design".
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
GREY = "#8A94A0"
CATEGORICAL = (BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, "#B8A100", "#7A5195")
SEQUENTIAL = "Cividis"
GRID = "rgba(138,148,160,0.22)"
CLOSED = "rgba(138,148,160,0.13)"
GAP = "rgba(213,94,0,0.16)"
WALL = "rgba(110,122,135,0.9)"
FIXTURE = "rgba(138,148,160,0.38)"

#: Levels of service for standing and slow walking (Fruin, 1971): level, below this many people per m2, colour.
FRUIN = (
    ("A", 0.31, "#2D4373"),
    ("B", 0.43, "#4F5D74"),
    ("C", 0.72, "#7C7B78"),
    ("D", 1.08, "#ABA074"),
    ("E", 2.15, "#DBC75A"),
    ("F", float("inf"), "#FEE838"),
)


def is_dark() -> bool:
    """Whether the reader sees the dark theme."""
    return getattr(st.context.theme, "type", None) == "dark"


def ink() -> str:
    """The colour of text in figures, where plotly needs one by name."""
    return "#E4EAF0" if is_dark() else "#1D2733"


def colour_at(share: float) -> str:
    """The sequential scale's colour at a share of its length, 0 to 1."""
    return str(sample_colorscale(SEQUENTIAL, [min(max(float(share), 0.0), 1.0)])[0])


def fruin_level(density: float | None) -> tuple[str, str]:
    """Level and colour of a density in people per m2; ("-", grey) where it is unknown."""
    if density is None or density != density:
        return "-", "rgba(138,148,160,0.25)"
    return next((level, colour) for level, limit, colour in FRUIN if density < limit)


def style(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """Give a figure the common look: no frame, light grid, room where it is needed, one hover box."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 12, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        colorway=CATEGORICAL,
        font={"color": ink(), "size": 13},
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "title": None},
        bargap=0.22,
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True, title_font_size=12)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True, title_font_size=12)
    figure.update_layout(**layout)
    bar = {"thickness": 12, "title": {"side": "right", "font": {"size": 12}}, "tickfont": {"size": 11}}
    figure.update_traces(selector={"type": "heatmap"}, colorbar=bar)
    return figure
