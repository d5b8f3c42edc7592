"""Zones: time at each Fruin level, and when a zone was over its capacity."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, theme, zone_numbers
from dashboards.clock import say_short
from dashboards.downloads import downloads
from dashboards.view import View
from flows.density import FRUIN_LEVELS, FRUIN_LIMITS
from flows.rollup import LEVEL_COLUMNS

CROWDED_DAYS, MOST_MARKS = 10, 400
SYMBOLS = ("circle", "diamond", "square", "cross")
"""A zone whose colour another one has already is told from it by the shape of its marks."""


def levels(view: View) -> None:
    """Share of the observed time that each zone spent at each level."""
    seconds = zone_numbers.time_at_levels(view)
    if seconds.empty:
        st.info("No zone has a known area; density needs zones drawn in floor metres.", icon=":material/map:")
        return
    share = seconds.div(seconds.sum(axis=1), axis=0).dropna()
    share = share.sort_values("level_a_s")
    figure = go.Figure()
    for column, level, limit in zip(LEVEL_COLUMNS, FRUIN_LEVELS, (*FRUIN_LIMITS, None), strict=True):
        text = f"{level} above" if limit is None else f"{level} < {limit:g}"
        figure.add_bar(
            y=[view.zone_names.get(zone, zone) for zone in share.index],
            x=share[column],
            name=text,
            orientation="h",
            marker_color=theme.FRUIN_COLOURS[level],
            customdata=seconds.loc[share.index, column] / 3600,
            hovertemplate="%{y}: %{x:.1%} at level " + level + " (%{customdata:.1f} h)<extra></extra>",
        )
    margin = {"l": 8, "r": 28, "t": 12, "b": 8}  # room for the last tick's text
    theme.style(figure, 330, barmode="stack", legend_traceorder="normal", margin=margin)
    figure.update_xaxes(tickformat=".0%", range=[0, 1], dtick=0.25, title_text="Share of the observed time")
    figure.update_yaxes(showgrid=False, autorange="reversed")
    charts.draw(figure, "levels", "Share of time at each Fruin level")
    downloads("fruin_levels", (seconds / 60).add_suffix("_minutes").reset_index(), view)


def crowding(view: View) -> None:
    """When zones held more people than their capacity."""
    if not any(zone.capacity for zone in view.store.zones):
        st.info("No zone has a capacity. Give one on *Set up* to see when it is exceeded.", icon=":material/groups:")
        return
    episodes = zone_numbers.crowding(view)
    if episodes.empty:
        st.success("No zone was over its capacity in these days.", icon=":material/check_circle:")
        return
    local = pd.to_datetime(episodes["start"], utc=True).dt.tz_convert(view.store.timezone)
    drawn = drawn_episodes(episodes.assign(local=local))
    charts.draw(_crowded_times(view, drawn), "crowding", "Crowding by day and time of day")
    table = pd.DataFrame(
        {
            "Day": local.dt.date,
            "From": local.dt.strftime("%H:%M"),
            "Zone": [view.zone_names.get(zone, zone) for zone in episodes["zone"]],
            "Minutes": episodes["seconds"] / 60,
            "Most people": episodes["most_people"],
            "Capacity": episodes["capacity"],
        }
    ).sort_values("Minutes", ascending=False)
    st.caption(
        f"{_episodes(len(table))}, {table['Minutes'].sum():,.0f} minutes in all; larger marks lasted longer."
        + (f" Drawn: the longest of the {CROWDED_DAYS} days with the most minutes." if len(drawn) < len(table) else "")
    )
    with st.expander("The episodes, the longest first", icon=":material/table_rows:"):
        st.dataframe(
            table,
            hide_index=True,
            height=theme.table_height(len(table), 295),
            key="crowding.table",
            column_config={
                "Minutes": st.column_config.ProgressColumn(format="%.1f", max_value=float(table["Minutes"].max())),
                "Day": st.column_config.DateColumn(format="ddd D MMM"),
            },
        )
    downloads("crowding", table, view, counts=["Most people"])


def _episodes(count: int) -> str:
    return "1 episode" if count == 1 else f"{count:,} episodes"


def drawn_episodes(episodes: pd.DataFrame) -> pd.DataFrame:
    """The longest episodes of the days with the most minutes, for a year may have tens of thousands of them; with
    minutes, and day by their `local` start."""
    found = episodes.assign(minutes=episodes["seconds"] / 60, day=episodes["local"].dt.date)
    worst = found.groupby("day")["minutes"].sum().nlargest(CROWDED_DAYS).index
    return found[found["day"].isin(worst)].nlargest(MOST_MARKS, "minutes").sort_values("local")


def _crowded_times(view: View, drawn: pd.DataFrame) -> go.Figure:
    """A mark an episode at its day and time on the clock, a colour and shape a zone; a mark's area is its length."""
    worst = sorted(drawn["day"].unique())
    drawn = drawn.assign(
        hour=drawn["local"].dt.hour + drawn["local"].dt.minute / 60,
        clock=drawn["local"].dt.strftime("%a %d %b, %H:%M"),
    )
    hour = drawn["hour"]
    figure = go.Figure()
    for number, zone in enumerate(view.store.zones):
        own = drawn[drawn["zone"] == zone.id]
        if own.empty:
            continue
        name = zone.name or zone.id
        figure.add_scatter(
            x=own["hour"],
            y=[say_short(day) for day in own["day"]],
            name=name,
            mode="markers",
            marker={
                "color": theme.CATEGORICAL[number % len(theme.CATEGORICAL)],
                "symbol": SYMBOLS[number // len(theme.CATEGORICAL) % len(SYMBOLS)],
                "size": own["minutes"],
                "sizemode": "area",
                "sizeref": 2 * float(drawn["minutes"].max()) / 26**2,
                "sizemin": 4,
                "opacity": 0.75,
            },
            customdata=own[["clock", "minutes", "most_people", "capacity"]],
            hovertemplate=f"<b>{name}</b>, %{{customdata[0]}}<br>%{{customdata[1]:.1f}} min, "
            "up to %{customdata[2]} people (capacity %{customdata[3]})<extra></extra>",
        )
    theme.style(figure, 112 + 20 * max(len(worst), 8), showlegend=True)
    figure.update_layout(legend_itemsizing="constant")
    places = list(range(int(hour.min()), int(hour.max()) + 2))
    labels = [f"{place % 24:02d}:00" for place in places]
    figure.update_xaxes(tickvals=places, ticktext=labels, range=[places[0] - 0.3, places[-1] + 0.3])
    figure.update_xaxes(title_text=f"Time of day, {view.store.timezone}")
    names = [say_short(day) for day in worst]
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=names, range=[len(names) - 0.4, -0.6], tickvals=names
    )
    return figure
