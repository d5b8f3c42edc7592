"""Colours and figure defaults: one palette for every page, told apart by colour-blind readers, light and dark."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from plotly.colors import sample_colorscale

import flows.density
from flows.density import FRUIN_LEVELS

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

#: Colour of each Fruin level, from sparse to dense.
FRUIN_COLOURS = dict(zip(FRUIN_LEVELS, ("#2D4373", "#4F5D74", "#7C7B78", "#ABA074", "#DBC75A", "#FEE838"), strict=True))


def is_dark() -> bool:
    """Whether the reader sees the dark theme."""
    return getattr(st.context.theme, "type", None) == "dark"


def ink() -> str:
    """The colour of text in figures, where plotly needs one by name."""
    return "#E4EAF0" if is_dark() else "#1D2733"


def colours_at(shares: np.ndarray) -> list[str]:
    """The sequential scale's colours at shares (N,) of its length, 0 to 1; at once, for each call reads every scale."""
    return [str(colour) for colour in sample_colorscale(SEQUENTIAL, np.clip(shares, 0.0, 1.0).tolist())]


def fruin_level(density: float | None) -> tuple[str, str]:
    """Level (`flows.density.fruin_level`) and colour of a density in people per m2; ("-", grey) where it is unknown."""
    level = flows.density.fruin_level(np.array([np.nan if density is None else density]))[0]
    return ("-", "rgba(138,148,160,0.25)") if level is None else (level, FRUIN_COLOURS[level])


def table_height(rows: int, most: int) -> int:
    """Pixels of a table of that many rows with its head; it scrolls from `most` on."""
    return min(38 + 35 * rows, most)


def style(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """Give a figure the common look: no frame, light grid, room where it is needed, one hover box."""
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 8, "t": 12, "b": 8, "pad": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        colorway=CATEGORICAL,
        font={"color": ink(), "size": 12},
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "title": None},
        bargap=0.22,
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True, ticks="", title_font_size=12)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True, ticks="", title_font_size=12)
    figure.update_layout(**layout)
    figure.update_traces(selector={"type": "heatmap"}, colorbar=colour_bar())
    return figure


def colour_bar(title: str | None = None) -> dict[str, Any]:
    """The common look of a scale of colours, with its title where the figure has not said it yet."""
    text = {} if title is None else {"text": title}
    words = {"side": "right", "font": {"size": 12}}
    return {"thickness": 12, "outlinewidth": 0, "title": words | text, "tickfont": {"size": 11}}
