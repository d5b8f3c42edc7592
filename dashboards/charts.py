"""Charts the pages share. Axes of a day are hours since the store's midnight (see `dashboards.clock`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import theme
from dashboards.clock import DayClock

ASSETS = Path(__file__).parent / "assets"
Spans = Sequence[tuple[float, float]]
DAY_MS = 86_400_000
BAR_MS = 0.8 * DAY_MS
"""Width of a day's bar: of a single one plotly can't guess it."""
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def draw(figure: go.Figure, key: str, alt: str) -> None:
    """Show a figure, under a key and with words for who can't see it."""
    _component()(key=key, data={"figure": figure.to_json(), "alt": alt})


def fetch_library() -> None:
    """Have the browser fetch what draws charts, its largest part by far, while the page's numbers are being read."""
    with st.container(key="chart-library"):
        _component()(key="chart-library.none", data={})


def _component() -> Callable[..., Any]:
    """Registered once a session. `st.plotly_chart` would bring all of plotly, draw each chart twice, and take a second
    longer to show a page."""
    if "aisleflow_chart" not in st.session_state:
        st.session_state["aisleflow_chart"] = st.components.v2.component(
            "aisleflow_chart",
            html='<div class="chart" role="figure"></div>',
            js=(ASSETS / "chart.js").read_text(encoding="utf-8"),
            isolate_styles=False,  # the library writes its styles into the page
        )
    component: Callable[..., Any] = st.session_state["aisleflow_chart"]
    return component


def shade(figure: go.Figure, spans: Spans, colour: str, text: str | None = None) -> None:
    """Shade spans of the x axis; the widest gets the text."""
    widest = max(spans, key=lambda span: span[1] - span[0], default=None)
    for span in spans:
        named = {"annotation_text": text, "annotation_position": "top left"} if text and span == widest else {}
        figure.add_vrect(x0=span[0], x1=span[1], fillcolor=colour, line_width=0, layer="below", **named)
    figure.update_annotations(font={"size": 11, "color": theme.GREY})


def closed_spans(clock: DayClock, low: float, high: float) -> list[tuple[float, float]]:
    """What of [low, high] lies outside opening hours."""
    spans, reached = [], low
    for start, end in sorted(clock.open_hours()):
        if start > reached:
            spans.append((reached, min(start, high)))
        reached = max(reached, end)
    if reached < high:
        spans.append((reached, high))
    return [(a, b) for a, b in spans if b - a > 1e-6]


def day_axis(figure: go.Figure, clock: DayClock, low: float, high: float, most: int = 14) -> None:
    """Write the store's wall clock on the x axis, at `most` places."""
    places, labels = clock.ticks(low, high, most)
    figure.update_xaxes(range=[low, high], tickvals=places, ticktext=labels, tickangle=0, title_text=clock.axis_title)


def date_axis(figure: go.Figure, first: pd.Timestamp, last: pd.Timestamp, most: int, form: str = "%d %b") -> None:
    """Write days on the x axis, each at most once, however few they are."""
    days = pd.date_range(first, last)
    places = days[:: -(-len(days) // most)]
    air = pd.Timedelta(hours=14 if len(days) > 4 else 60)  # a single day is no bar from wall to wall
    figure.update_xaxes(
        range=[days[0] - air, days[-1] + air], tickvals=places, ticktext=[day.strftime(form) for day in places]
    )


def heat_grid(
    values: pd.DataFrame,
    unit: str,
    height: int,
    *,
    digits: int = 0,
    x_title: str | None = None,
    highest: float | None = None,
) -> go.Figure:
    """A grid of numbers as colours, numbers written where there is room. Rows as given, first on top."""
    z = values.to_numpy(dtype=float)
    top = highest if highest is not None else (np.nanmax(z) if np.isfinite(z).any() else 1)
    text = [["" if not np.isfinite(cell) else f"{cell:.{digits}f}" for cell in row] for row in z]
    figure = go.Figure(
        go.Heatmap(
            z=z,
            x=[str(name) for name in values.columns],
            y=[str(name) for name in values.index],
            text=text,
            texttemplate="%{text}" if values.shape[1] <= 16 else None,
            textfont={"size": 11},
            colorscale=theme.SEQUENTIAL,
            zmin=0,
            zmax=top or 1,
            xgap=2,
            ygap=2,
            colorbar={"title": {"text": unit, "side": "right"}, "thickness": 12},
            hovertemplate="%{y} %{x}<br>%{z:." + str(digits) + "f} " + unit + "<extra></extra>",
        )
    )
    theme.style(figure, height)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(showgrid=False, type="category", title_text=x_title)
    return figure


def bars(
    labels: Sequence[str],
    values: Sequence[float],
    height: int,
    *,
    unit: str,
    colours: Sequence[str] | str = theme.BLUE,
    texts: Sequence[str] | None = None,
) -> go.Figure:
    """Horizontal bars, the first on top, their values written beside them."""
    figure = go.Figure(
        go.Bar(
            y=list(labels),
            x=list(values),
            orientation="h",
            marker={"color": colours},
            text=texts,
            cliponaxis=False,
            textposition="outside",
            hovertemplate="%{y}: %{text}<extra></extra>" if texts else None,
        )
    )
    theme.style(figure, height, showlegend=False)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(title_text=unit, rangemode="tozero")
    top = max([value for value in values if value == value], default=0)
    room = 1.1 + 0.016 * max([len(text) for text in texts or ()], default=6)  # for the words beside the longest bar
    figure.update_xaxes(range=[0, top * room or 1])
    return figure
