"""Chain: the course of each store over the chosen days, small and side by side."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboards import charts, theme
from dashboards.lake_query import Scope
from flows.config import StoreConfig

MOST_DAYS = 70
"""A longer span is drawn in weeks: a bar a day would be thinner than a hair, and a year of them slow."""
COLOURS = {"Weekday": theme.BLUE, "Weekend": theme.SKY, "Week": theme.BLUE, "Unusual": theme.ORANGE}


def is_weekly(scope: Scope) -> bool:
    """Whether the days of a scope are so many that they are drawn in weeks."""
    return (scope.last - scope.first).days >= MOST_DAYS


def courses(numbers: pd.DataFrame, unusual: pd.DataFrame, column: str, weekly: bool) -> pd.DataFrame:
    """The bars of each store: store, date, value, days (with a value), kind (one of `COLOURS`).

    A bar is a day, or a week by its Monday: then the mean of its days, "Unusual" where one of them is. A column in
    seconds is given in minutes.
    """
    marked = pd.MultiIndex.from_frame(unusual[["store", "date"]])
    kind = (numbers["date"].dt.dayofweek >= 5).map({False: "Weekday", True: "Weekend"})
    days = pd.DataFrame(
        {
            "store": numbers["store"],
            "date": numbers["date"],
            "value": numbers[column].astype(float) / (60 if column.endswith("_s") else 1),
            "kind": kind.mask(pd.MultiIndex.from_frame(numbers[["store", "date"]]).isin(marked), "Unusual"),
        }
    )
    if not weekly:
        return days.assign(days=days["value"].notna().astype(int))
    mondays = days["date"] - pd.to_timedelta(days["date"].dt.dayofweek, unit="D")
    weeks = days.assign(date=mondays, unusual=days["kind"] == "Unusual").groupby(["store", "date"], as_index=False)
    bars = weeks.agg(value=("value", "mean"), days=("value", "count"), unusual=("unusual", "any"))
    return bars.assign(kind=bars.pop("unusual").map({False: "Week", True: "Unusual"}))


def small_multiples(known: Mapping[str, StoreConfig], bars: pd.DataFrame, weekly: bool, is_time: bool) -> go.Figure:
    """A small chart a store of the bars that `courses` gives, the stores in the order of the bars."""
    stores = list(bars["store"].unique())
    across = min(len(stores), 3)
    down = -(-len(stores) // across)
    figure = make_subplots(
        rows=down,
        cols=across,
        shared_xaxes=True,
        subplot_titles=[known[store].name for store in stores],
        horizontal_spacing=0.05,
        vertical_spacing=0.35 / max(down, 1) + 0.02,
    )
    value = "%{y:,.1f} min" if is_time else "%{y:,.0f}"
    said = (
        f"Week of %{{x|%a %d %b %Y}}<br>{value} a day, of %{{customdata}} days"
        if weekly
        else f"%{{x|%a %d %b}}: {value}"
    )
    named = set()
    for kind, colour in COLOURS.items():
        for number, store in enumerate(stores):
            own = bars[(bars["store"] == store) & (bars["kind"] == kind)]
            if own.empty:
                continue
            figure.add_bar(
                x=own["date"],
                y=own["value"],
                customdata=own["days"],
                marker_color=colour,
                width=charts.BAR_MS * (7 if weekly else 1),
                offset=0 if weekly else None,
                name="With an unusual day" if weekly and kind == "Unusual" else kind,
                legendgroup=kind,
                showlegend=kind not in named,
                hovertemplate=f"{said}<extra></extra>",
                row=number // across + 1,
                col=number % across + 1,
            )
            named.add(kind)
    theme.style(figure, 120 + 190 * down, barmode="overlay", margin={"l": 8, "r": 8, "t": 40, "b": 8})
    figure.update_layout(legend={"y": 1.14 if down == 1 else 1.06, "x": 1, "xanchor": "right"})
    figure.update_annotations(font={"size": 13, "color": theme.ink()})
    last = bars["date"].max() + pd.Timedelta(days=6 if weekly else 0)
    charts.date_axis(figure, bars["date"].min(), last, most=4)
    figure.update_yaxes(rangemode="tozero", title_text=None)
    if is_time:
        figure.update_yaxes(title_text="Minutes", col=1)
    return figure
