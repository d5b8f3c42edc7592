"""Zones: which ones draw people, how long they stay, when it gets tight, and the queue at the checkout."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, definitions, theme, zone_numbers
from dashboards.choices import choose, segmented
from dashboards.clock import duration
from dashboards.downloads import downloads
from dashboards.page import card, open_view
from dashboards.view import View
from dashboards.views import zones_crowding

RANKINGS = {
    "Visitors": ("visitors", definitions.UNIQUE),
    "Visits": ("visits", definitions.VISITS),
    "Median dwell": ("median_s", definitions.DWELL),
    "Mean people": ("mean_people", definitions.OCCUPANCY),
    "Density": ("density", definitions.DENSITY),
}
GRIDS = {
    "Mean people": ("person_s", "people", definitions.OCCUPANCY),
    "Density": ("density_s", "people/m²", definitions.DENSITY),
    "Entries": ("entries", "entries an hour", definitions.VISITS),
}


def render() -> None:
    """Draw the page."""
    view = open_view("Zones", days="span")
    above, week = st.container(), st.container()
    # First what is read at once: the browser draws it while the visits of all these days are being read.
    with week, card("Through the week", "Mean over the observed time of each local hour, staff as chosen above."):
        _week(view)
    table = zone_numbers.zone_numbers(view)
    if table.empty:
        above.info("Nothing was observed in any zone in these days.", icon=":material/visibility_off:")
        return
    with above:
        left, right = st.columns([1, 1], gap="medium")
    with left, card("Ranking"):
        _ranking(view, table)
    with right, card("How long people stay", f"{definitions.DWELL}\n\n{definitions.HIDDEN}"):
        _dwell(view, table)
    left, right = st.columns([1, 1], gap="medium")
    with left, card("Time at each Fruin level", definitions.DENSITY):
        zones_crowding.levels(view)
    with right, card("Crowding", definitions.CROWDED):
        zones_crowding.crowding(view)
    for zone in view.store.zones:
        if zone.kind == "checkout":
            with card(f"Queue and waiting: {zone.name or zone.id}", f"{definitions.QUEUE}\n\n{definitions.WAIT}"):
                _queue(view, zone.id)
    with card("All numbers", f"{definitions.PENETRATION}\n\n{definitions.ENGAGED}"):
        _table(view, table)


def _ranking(view: View, table: pd.DataFrame) -> None:
    chosen = segmented("rank", "Rank by", list(RANKINGS), "Visitors", label_visibility="collapsed")
    column, definition = RANKINGS[chosen]
    ranked = table.sort_values(column, ascending=False)
    texts = {
        "visitors": [f"{v:,}  ({p:.0%})" for v, p in zip(ranked["visitors"], ranked["penetration"], strict=True)],
        "visits": [f"{v:,}" for v in ranked["visits"]],
        "median_s": [duration(v) for v in ranked["median_s"]],
        "mean_people": [f"{v:.2f}" for v in ranked["mean_people"]],
        "density": [f"{v:.3f}  ({theme.fruin_level(v)[0]})" for v in ranked["density"]],
    }[column]
    unit = {"median_s": "seconds", "density": "people per m²"}.get(column, "people" if column != "visits" else "visits")
    figure = charts.bars(ranked["name"].tolist(), ranked[column].tolist(), 330, unit=unit, texts=texts)
    charts.draw(figure, "ranking", f"Zones ranked by {chosen}")
    st.caption(definition.replace("**", ""))
    shown = list(dict.fromkeys(["name", column, "visitors", "penetration"]))
    downloads("ranking", ranked[shown], view, counts=["visitors"])


def _zone_choice(view: View, name: str, table: pd.DataFrame) -> str:
    options = table.sort_values("visits", ascending=False)["zone"].tolist()
    passed_through = {zone.id for zone in view.store.zones if zone.kind == "entrance"}
    first = next((zone for zone in options if zone not in passed_through), options[0])
    return choose(
        name,
        "Zone",
        options,
        first,
        format_func=lambda zone: view.zone_names.get(zone, zone),
        label_visibility="collapsed",
    )


def _dwell(view: View, table: pd.DataFrame) -> None:
    zone = _zone_choice(view, "zone", table)
    row = table[table["zone"] == zone].iloc[0]
    histogram, bin_s = zone_numbers.histogram(view.scope, zone, row["p90_s"])
    longest_s = bin_s * zone_numbers.BINS
    if not histogram["visits"].sum():
        st.info("No whole visit of this zone in these days.", icon=":material/timer_off:")
        return
    labels = [
        f"{low:.0f} to {low + bin_s:.0f} s" if low < longest_s else f"{longest_s} s and longer"
        for low in histogram["from_s"]
    ]
    figure = go.Figure(
        go.Bar(
            x=histogram["from_s"] + bin_s / 2,
            y=histogram["visits"],
            customdata=labels,
            marker_color=theme.BLUE,
            width=bin_s * 0.86,
            hovertemplate="%{customdata}<br>%{y} visits<extra></extra>",
        )
    )
    theme.style(figure, 285, showlegend=False)
    for value, name, colour, lower in (
        (row["median_s"], "Median", theme.ORANGE, 0),
        (row["p90_s"], "p90", theme.VERMILION, -18),
    ):
        if value == value:
            figure.add_vline(
                x=min(value, longest_s),
                line={"color": colour, "width": 2},
                annotation={
                    "text": f"{name} {duration(value)}",
                    "font": {"color": theme.ink(), "size": 12},
                    "yshift": lower,
                },
                annotation_position="top left" if name == "Median" and value > 0.2 * longest_s else "top right",
            )
    figure.update_xaxes(
        title_text=f"Dwell in seconds (last bar: {longest_s} s and longer)", range=[0, longest_s + bin_s]
    )
    figure.update_yaxes(title_text="Visits", dtick=1 if histogram["visits"].max() <= 4 else None)
    charts.draw(figure, "dwell", "Dwell times of the zone")
    share = "" if row["engaged_share"] != row["engaged_share"] else f" {row['engaged_share']:.0%} are engaged"
    st.caption(
        f"{row['visits']:,} visits, mean {duration(row['mean_s'])}.{share} (at least "
        f"{view.store.counting.engaged_s:g} s). {row['truncated']:,} truncated visits are not in the picture."
    )
    downloads("dwell", histogram, view, counts=["visits"])


def _week(view: View) -> None:
    first, second = st.columns([1, 1])
    with first:
        measure = segmented("grid", "Measure", list(GRIDS), "Mean people", label_visibility="collapsed")
    everything = "All zones"
    options = [everything, *view.zone_names]
    zone = choose(
        "gridzone",
        "Zone of the grid",
        options,
        everything,
        second,
        label_visibility="collapsed",
        format_func=lambda name: view.zone_names.get(name, name),
    )
    grid = zone_numbers.week_grid(view, None if zone == everything else zone, GRIDS[measure][0])
    if grid.empty:
        st.info("Nothing was observed.", icon=":material/visibility_off:")
        return
    digits = {"Mean people": 1, "Density": 2, "Entries": 0}[measure]
    shown = grid.rename(columns=lambda hour: f"{hour:02d}")
    figure = charts.heat_grid(shown, GRIDS[measure][1], 290, digits=digits, x_title=f"Hour, {view.store.timezone}")
    charts.draw(figure, "week", f"{measure} by weekday and hour")
    st.caption(f"{GRIDS[measure][2].replace('**', '')} Empty fields: closed, or nothing observed.")
    downloads("week", grid.reset_index(), view)


def _queue(view: View, zone: str) -> None:
    joined = zone_numbers.queue_by_hour(view, zone)
    if joined.empty:
        st.info("Nobody waited here in these days.", icon=":material/hourglass_empty:")
        return
    left, right = st.columns(2, gap="medium")
    figure = go.Figure(
        go.Bar(
            x=joined["hour"], y=joined["queue"], marker_color=theme.BLUE, hovertemplate="%{y:.2f} people<extra></extra>"
        )
    )
    theme.style(figure, 260, showlegend=False, hovermode="x")
    figure.update_xaxes(title_text=f"Hour, {view.store.timezone}", dtick=1)
    figure.update_yaxes(title_text="Mean people in line", rangemode="tozero")
    with left:
        charts.draw(figure, f"queue.{zone}", "Queue length by hour")
    figure = go.Figure()
    for column, name, colour in (("wait_p90", "p90", theme.ORANGE), ("wait_median", "median", theme.BLUE)):
        figure.add_scatter(
            x=joined["hour"],
            y=joined[column] / 60,
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            customdata=[duration(value) for value in joined[column]],
            hovertemplate=f"{name}: %{{customdata}}<extra></extra>",
        )
    theme.style(figure, 260, hovermode="x unified")
    figure.update_xaxes(title_text=f"Hour of arrival, {view.store.timezone}", dtick=1)
    figure.update_yaxes(title_text="Waiting, minutes", rangemode="tozero")
    with right:
        charts.draw(figure, f"wait.{zone}", "Waiting time by hour")
    downloads(f"queue_{zone}", joined, view, counts=["waits"])


def _table(view: View, table: pd.DataFrame) -> None:
    shown = pd.DataFrame(
        {
            "Zone": table["name"],
            "Visits": table["visits"],
            "Visitors": table["visitors"],
            "Penetration": table["penetration"] * 100,
            "Engaged": table["engaged_share"] * 100,
            "Mean dwell (s)": table["mean_s"],
            "Median (s)": table["median_s"],
            "p90 (s)": table["p90_s"],
            "Truncated": table["truncated"],
            "Mean people": table["mean_people"],
            "Most": table["most"],
            "Density (/m²)": table["density"],
            "Coverage": table["coverage"] * 100,
        }
    ).sort_values("Visitors", ascending=False, ignore_index=True)
    percent = "%.1f%%"
    st.dataframe(
        shown,
        hide_index=True,
        placeholder="-",
        key="numbers.table",
        column_config={
            "Penetration": st.column_config.NumberColumn(help=definitions.PENETRATION, format=percent),
            "Engaged": st.column_config.NumberColumn(help=definitions.ENGAGED, format=percent),
            "Coverage": st.column_config.NumberColumn(help=definitions.COVERAGE, format=percent),
            "Visitors": st.column_config.NumberColumn(help=definitions.UNIQUE, format="localized"),
            "Visits": st.column_config.NumberColumn(help=definitions.VISITS, format="localized"),
            "Truncated": st.column_config.NumberColumn(help=definitions.DWELL, format="localized"),
            "Most": st.column_config.NumberColumn(help="Most people at one moment."),
            "Density (/m²)": st.column_config.NumberColumn(help=definitions.DENSITY, format="%.3f"),
            "Mean people": st.column_config.NumberColumn(help=definitions.OCCUPANCY, format="%.2f"),
            **{
                name: st.column_config.NumberColumn(help=definitions.DWELL, format="%.1f")
                for name in ("Mean dwell (s)", "Median (s)", "p90 (s)")
            },
        },
    )
    downloads("numbers", shown, view, counts=["Visitors", "Visits"])
