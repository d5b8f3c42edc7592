"""What is laid over the plan: heat, arrows, people's ways."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboards import theme
from flows.config import StoreConfig


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
