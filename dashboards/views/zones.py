"""Zones: which ones draw people, how long they stay, when it gets tight, and the queue at the checkout."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, definitions, queries, theme
from dashboards.clock import DayClock
from dashboards.page import View, card, choose, downloads, duration, open_view, segmented
from flows.config import StoreConfig
from flows.density import crowding_episodes
from flows.places import zones_of

RANKINGS = {
    "Visitors": ("unique_people", definitions.UNIQUE),
    "Visits": ("visits", definitions.VISITS),
    "Median dwell": ("dwell_median", definitions.DWELL),
    "Mean people": ("mean_people", definitions.OCCUPANCY),
    "Density": ("density", definitions.DENSITY),
}
GRIDS = {
    "Mean people": ("person_s", "people", definitions.OCCUPANCY),
    "Density": ("density_s", "people/m²", definitions.DENSITY),
    "Entries": ("entries", "entries an hour", definitions.VISITS),
}
BINS_S, BINS = (1, 2, 5, 10, 20, 30, 60, 120, 300), 30
PASSER_BY_S = 10.0  # as in flows.queues


def render() -> None:
    """Draw the page."""
    view = open_view("Zones", days="span")
    table = zone_numbers(view)
    if table.empty:
        st.info("Nothing was observed in any zone in these days.", icon=":material/visibility_off:")
        return
    left, right = st.columns([1, 1], gap="medium")
    with left, card("Ranking"):
        _ranking(view, table)
    with right, card("How long people stay", definitions.DWELL):
        _dwell(view, table)
    with card("Through the week", "Mean over the observed time of each local hour, staff as chosen above."):
        _week(view)
    left, right = st.columns([1, 1], gap="medium")
    with left, card("Time at each Fruin level", definitions.DENSITY):
        _levels(view)
    with right, card("Crowding", definitions.CROWDED):
        _crowding(view)
    for zone in view.store.zones:
        if zone.kind == "checkout":
            with card(f"Queue and waiting: {zone.name or zone.id}", f"{definitions.QUEUE}\n\n{definitions.WAIT}"):
                _queue(view, zone.id)
    with card("All numbers", f"{definitions.PENETRATION}\n\n{definitions.ENGAGED}"):
        _table(view, table)


def zone_numbers(view: View) -> pd.DataFrame:
    """A row a zone over the chosen days: visits, people, dwell, share of the store's people, occupancy, density."""
    visits = queries.zone_visits(view.scope, view.store.counting.engaged_s)
    hours = queries.zone_time(view.scope, view.store.timezone)
    if visits is None or hours is None or hours.empty:
        return pd.DataFrame()
    hours = hours.assign(density_s=hours["density"] * hours["observed_s"])
    time = hours.groupby("zone", as_index=False).agg(
        person_s=("person_s", "sum"),
        observed_s=("observed_s", "sum"),
        density_s=("density_s", lambda s: s.sum(min_count=1)),
        most=("occupancy_max", "max"),
        bucket_s=("bucket_s", "sum"),
    )
    table = time.merge(visits, how="left", on="zone")
    counted = ["visits", "unique_people", "engaged", "truncated"]
    table[counted] = table[counted].fillna(0).astype(int)
    observed = table["observed_s"].where(table["observed_s"] > 0)
    table["mean_people"] = table["person_s"] / observed
    table["density"] = table["density_s"] / observed
    table["penetration"] = table["unique_people"] / max(queries.people_count(view.scope), 1)
    table["engaged_share"] = table["engaged"] / table["visits"].where(table["visits"] > 0)
    table["coverage"] = table["observed_s"] / table["bucket_s"]
    table["name"] = [view.zone_names.get(zone, zone) for zone in table["zone"]]
    return table


def _ranking(view: View, table: pd.DataFrame) -> None:
    chosen = segmented("rank", "Rank by", list(RANKINGS), "Visitors", label_visibility="collapsed")
    column, definition = RANKINGS[chosen]
    ranked = table.sort_values(column, ascending=False)
    texts = {
        "unique_people": [
            f"{v:,}  ({p:.0%})" for v, p in zip(ranked["unique_people"], ranked["penetration"], strict=True)
        ],
        "visits": [f"{v:,}" for v in ranked["visits"]],
        "dwell_median": [duration(v) for v in ranked["dwell_median"]],
        "mean_people": [f"{v:.2f}" for v in ranked["mean_people"]],
        "density": [f"{v:.3f}  ({theme.fruin_level(v)[0]})" for v in ranked["density"]],
    }[column]
    unit = {"dwell_median": "seconds", "density": "people per m²"}.get(
        column, "people" if column != "visits" else "visits"
    )
    figure = charts.bars(ranked["name"].tolist(), ranked[column].tolist(), 330, unit=unit, texts=texts)
    st.plotly_chart(figure, key="ranking", config={"displayModeBar": False}, alt=f"Zones ranked by {chosen}")
    st.caption(definition.replace("**", ""))
    downloads("ranking", ranked[["name", column, "penetration"]], view)


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
    bin_s = next((width for width in BINS_S if width * BINS >= 1.6 * row["dwell_p90"]), BINS_S[-1])
    longest_s = bin_s * BINS
    histogram = queries.dwell_histogram(view.scope, zone, bin_s, longest_s)
    if histogram is None or histogram.empty:
        st.info("No whole visit of this zone in these days.", icon=":material/timer_off:")
        return
    labels = [
        f"{low:.0f} to {low + bin_s:.0f} s" if low < longest_s else f"{longest_s} s and longer"
        for low in histogram["dwell_s"]
    ]
    figure = go.Figure(
        go.Bar(
            x=histogram["dwell_s"] + bin_s / 2,
            y=histogram["visits"],
            customdata=labels,
            marker_color=theme.BLUE,
            width=bin_s * 0.86,
            hovertemplate="%{customdata}<br>%{y} visits<extra></extra>",
        )
    )
    theme.style(figure, 285, showlegend=False)
    for value, name, colour, lower in (
        (row["dwell_median"], "median", theme.ORANGE, 0),
        (row["dwell_p90"], "p90", theme.VERMILION, -18),
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
                annotation_position="top right",
            )
    figure.update_xaxes(
        title_text=f"Dwell in seconds (last bar: {longest_s} s and longer)", range=[0, longest_s + bin_s]
    )
    figure.update_yaxes(title_text="Visits")
    st.plotly_chart(figure, key="dwell", config={"displayModeBar": False}, alt="Dwell times of the zone")
    share = "" if row["engaged_share"] != row["engaged_share"] else f" {row['engaged_share']:.0%} are engaged"
    st.caption(
        f"{row['visits']:,} visits, mean {duration(row['dwell_mean'])}.{share} (at least "
        f"{view.store.counting.engaged_s:g} s). {row['truncated']:,} truncated visits are not in the picture."
    )
    downloads("dwell", histogram, view)


def week_grid(view: View, zone: str | None, measure: str) -> pd.DataFrame:
    """Weekday x local hour: mean of a measure over what was observed. `zone` None: all zones together."""
    hours = queries.zone_time(view.scope, view.store.timezone)
    if hours is None or hours.empty:
        return pd.DataFrame()
    column, _, _ = GRIDS[measure]
    hours = hours.assign(
        density_s=hours["density"] * hours["observed_s"], weekday=pd.to_datetime(hours["date"]).dt.dayofweek
    )
    if zone is not None:
        hours = hours[hours["zone"] == zone]
    sums = hours.groupby(["weekday", "hour", "date"], as_index=False).agg(
        value=(column, lambda part: part.sum(min_count=1)),
        observed=("observed_s", "sum" if measure == "Density" and zone is None else "mean"),
    )
    sums = sums.groupby(["weekday", "hour"], as_index=False)[["value", "observed"]].sum()
    scale = 3600.0 if measure == "Entries" else 1.0
    sums["mean"] = sums["value"] / sums["observed"].where(sums["observed"] > 0) * scale
    grid = sums.pivot(index="weekday", columns="hour", values="mean")
    grid = grid.reindex(range(7)).loc[:, lambda part: part.notna().any()]
    hours_open = open_clock_hours(view.store)
    for number in range(7):
        grid.loc[number, [hour for hour in grid.columns if hour not in hours_open[number]]] = np.nan
    grid = grid.loc[:, grid.notna().any()]
    grid.index = pd.Index(charts.WEEKDAYS, name="weekday")
    return grid


def open_clock_hours(store: StoreConfig) -> list[set[int]]:
    """For each weekday, the hours of the clock in which the store is open; all where it names no opening hours."""
    hours: list[set[int]] = [set() for _ in range(7)]
    for number in range(7):
        for start, end in DayClock(store, date(2024, 1, 1 + number)).open_hours():  # a week without a change of clocks
            for hour in range(int(start), int(np.ceil(end))):
                hours[(number + hour // 24) % 7].add(hour % 24)
    return hours


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
    grid = week_grid(view, None if zone == everything else zone, measure)
    if grid.empty:
        st.info("Nothing was observed.", icon=":material/visibility_off:")
        return
    digits = {"Mean people": 1, "Density": 2, "Entries": 0}[measure]
    shown = grid.rename(columns=lambda hour: f"{hour:02d}")
    figure = charts.heat_grid(shown, GRIDS[measure][1], 290, digits=digits, x_title=f"Hour, {view.store.timezone}")
    st.plotly_chart(figure, key="week", config={"displayModeBar": False}, alt=f"{measure} by weekday and hour")
    st.caption(f"{GRIDS[measure][2].replace('**', '')} Empty fields: closed, or nothing observed.")
    downloads("week", grid.reset_index(), view)


def _levels(view: View) -> None:
    hours = queries.zone_time(view.scope, view.store.timezone)
    columns = {f"level_{level.lower()}_s": level for level, _, _ in theme.FRUIN}
    if hours is None or hours["density"].notna().sum() == 0:
        st.info("No zone has a known area; density needs zones drawn in floor metres.", icon=":material/map:")
        return
    seconds = hours.groupby("zone")[list(columns)].sum()
    share = seconds.div(seconds.sum(axis=1), axis=0).dropna()
    share = share.sort_values("level_a_s")
    figure = go.Figure()
    for (column, level), (_, limit, colour) in zip(columns.items(), theme.FRUIN, strict=True):
        text = f"{level} < {limit:g}" if np.isfinite(limit) else f"{level} above"
        figure.add_bar(
            y=[view.zone_names.get(zone, zone) for zone in share.index],
            x=share[column],
            name=text,
            orientation="h",
            marker_color=colour,
            customdata=seconds.loc[share.index, column] / 3600,
            hovertemplate="%{y}: %{x:.1%} at level " + level + " (%{customdata:.1f} h)<extra></extra>",
        )
    theme.style(figure, 330, barmode="stack", legend_traceorder="normal")
    figure.update_xaxes(tickformat=".0%", range=[0, 1], title_text="Share of the observed time")
    figure.update_yaxes(showgrid=False, autorange="reversed")
    st.plotly_chart(figure, key="levels", config={"displayModeBar": False}, alt="Share of time at each Fruin level")
    downloads("fruin_levels", (seconds / 60).add_suffix("_minutes").reset_index(), view)


@st.cache_data(show_spinner=False, max_entries=64)
def _episodes(visits: pd.DataFrame, store: StoreConfig) -> pd.DataFrame:
    """Crowding episodes of several days, by the metric's own code, a day at a time."""
    zones = zones_of(store)
    parts = [crowding_episodes(day, zones).assign(date=date) for date, day in visits.groupby("date")]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _crowding(view: View) -> None:
    if not any(zone.capacity for zone in view.store.zones):
        st.info("No zone has a capacity. Give one on *Set up* to see when it is exceeded.", icon=":material/groups:")
        return
    visits = queries.visits(view.scope)
    episodes = pd.DataFrame() if visits is None else _episodes(visits, view.store)
    if episodes.empty:
        st.success("No zone was over its capacity in these days.", icon=":material/check_circle:")
        return
    local = pd.to_datetime(episodes["start"], utc=True).dt.tz_convert(view.store.timezone)
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
    st.caption(f"{len(table):,} episodes, {table['Minutes'].sum():,.0f} minutes in all; the longest first.")
    st.dataframe(
        table,
        hide_index=True,
        height=295,
        key="crowding.table",
        column_config={
            "Minutes": st.column_config.ProgressColumn(format="%.1f", max_value=float(table["Minutes"].max())),
            "Day": st.column_config.DateColumn(format="ddd D MMM"),
        },
    )
    downloads("crowding", table, view)


def _queue(view: View, zone: str) -> None:
    length = queries.queue(view.scope, zone, view.store.timezone, PASSER_BY_S)
    waits = queries.waiting(view.scope, zone, view.store.timezone, PASSER_BY_S)
    if length is None or waits is None or waits.empty:
        st.info("Nobody waited here in these days.", icon=":material/hourglass_empty:")
        return
    joined = length.merge(waits, how="left", on="hour")
    joined = joined[joined["hour"].isin(set().union(*open_clock_hours(view.store)))]
    left, right = st.columns(2, gap="medium")
    figure = go.Figure(
        go.Bar(
            x=joined["hour"], y=joined["queue"], marker_color=theme.BLUE, hovertemplate="%{y:.2f} people<extra></extra>"
        )
    )
    theme.style(figure, 260, showlegend=False, hovermode="x")
    figure.update_xaxes(title_text=f"Hour, {view.store.timezone}", dtick=1)
    figure.update_yaxes(title_text="Mean people in line", rangemode="tozero")
    left.plotly_chart(figure, key=f"queue.{zone}", config={"displayModeBar": False}, alt="Queue length by hour")
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
    right.plotly_chart(figure, key=f"wait.{zone}", config={"displayModeBar": False}, alt="Waiting time by hour")
    downloads(f"queue_{zone}", joined[["hour", "queue", "visits", "wait_median", "wait_p90"]], view)


def _table(view: View, table: pd.DataFrame) -> None:
    shown = pd.DataFrame(
        {
            "Zone": table["name"],
            "Visits": table["visits"],
            "Visitors": table["unique_people"],
            "Penetration": table["penetration"] * 100,
            "Engaged": table["engaged_share"] * 100,
            "Mean dwell (s)": table["dwell_mean"],
            "Median (s)": table["dwell_median"],
            "p90 (s)": table["dwell_p90"],
            "Truncated": table["truncated"],
            "Mean people": table["mean_people"],
            "Most": table["most"],
            "Density (/m²)": table["density"],
            "Coverage": table["coverage"] * 100,
        }
    )
    percent = "%.1f %%"
    st.dataframe(
        shown,
        hide_index=True,
        key="numbers.table",
        column_config={
            "Penetration": st.column_config.NumberColumn(help=definitions.PENETRATION, format=percent),
            "Engaged": st.column_config.NumberColumn(help=definitions.ENGAGED, format=percent),
            "Coverage": st.column_config.NumberColumn(help=definitions.COVERAGE, format=percent),
            "Visitors": st.column_config.NumberColumn(help=definitions.UNIQUE),
            "Visits": st.column_config.NumberColumn(help=definitions.VISITS),
            "Density (/m²)": st.column_config.NumberColumn(help=definitions.DENSITY, format="%.3f"),
            "Mean people": st.column_config.NumberColumn(help=definitions.OCCUPANCY, format="%.2f"),
            **{
                name: st.column_config.NumberColumn(help=definitions.DWELL, format="%.1f")
                for name in ("Mean dwell (s)", "Median (s)", "p90 (s)")
            },
        },
    )
    downloads("numbers", shown, view)
