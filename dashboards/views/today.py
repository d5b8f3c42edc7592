"""Today's store: a day at a glance, each number beside the same weekday before."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, definitions, plan, plan_density, queries, theme
from dashboards.choices import choose
from dashboards.clock import DayClock, say_short, weekday_before
from dashboards.day import camera_gaps, headlines, occupancy_steps, step_seconds
from dashboards.downloads import downloads
from dashboards.lake_query import Scope
from dashboards.page import card, open_view
from dashboards.sparkline import number
from dashboards.view import View, store_file
from dashboards.views import today_sales
from dashboards.zone_numbers import zone_numbers
from flows.comparisons import footfall_by_hour, within
from flows.groups import parties_in


def render() -> None:
    """Draw the page."""
    view = open_view("Today's store")
    before = view.scope.at(weekday_before(view.day))
    _headline(view)
    left, right = st.columns([1.15, 1], gap="medium")
    with left, card("People in the store", f"{definitions.PEAK}\n\n{definitions.OCCUPANCY}"):
        _occupancy(view, before)
    with right, card("Density on the floor", f"{definitions.DENSITY}\n\n{definitions.COVERAGE}"):
        _density(view)
    left, right = st.columns([1, 1.25], gap="medium")
    with left, card("Through the doors", definitions.FOOTFALL):
        _doors(view)
    zones = definitions.VISITS, definitions.HIDDEN, definitions.UNIQUE, definitions.DWELL
    with right, card("Zones today", "\n\n".join(zones)):
        _zones(view)
    with card("Sales", definitions.CONVERSION):
        today_sales.conversion(view)


def _headline(view: View) -> None:
    """A card a number: the number, its change against other days, a small course."""
    comparison = choose(
        "against",
        "Compare with",
        list(definitions.COMPARISONS),
        "weekday",
        format_func=lambda name: definitions.COMPARISONS[name].capitalize(),
        width=260,
    )
    cards = headlines(view, comparison)
    cells = st.container(key="numbers").columns(5, gap="small")
    if not view.store.entrances:
        uncounted = "The store has no entrance line, so nobody is counted coming in. Draw one on *Set up*."
        number(cells[0], "footfall", "Footfall", "not counted", uncounted)
    short = {"weekday": f"vs {say_short(weekday_before(view.day))}", "week": "vs 7 days", "month": "vs 28 days"}
    for place, (cell, card_) in enumerate(zip(cells[5 - len(cards) :], cards, strict=True)):
        number(
            cell,
            str(place),
            card_.label,
            card_.text,
            card_.definition,
            change=card_.change,
            against=short[comparison],
            course=card_.course,
            kind=card_.course_kind,
        )


def _occupancy(view: View, before: Scope) -> None:
    step_s, clock = step_seconds(view), view.clock
    steps = occupancy_steps(view.store, view.scope, step_s)
    if steps is None or steps.empty:
        st.info("Nothing was observed on this day.", icon=":material/visibility_off:")
        return
    half = step_s / 7200
    mode = "lines" if len(steps) > 2 else "lines+markers"  # a line needs two ends to show
    low, high = clock.span(steps["elapsed"].to_numpy(), steps["elapsed"].to_numpy() + 2 * half)
    figure = go.Figure()
    charts.shade(figure, charts.closed_spans(clock, low, high), theme.CLOSED, "closed")
    charts.shade(figure, camera_gaps(view), theme.GAP, "a camera was out")
    labels = [clock.clock(float(value)) for value in steps["elapsed"]]
    previous = occupancy_steps(view.store, before, step_s)
    if previous is not None and len(previous):
        other = DayClock(view.store, before.last)
        local = pd.to_datetime(other.window_us[0] + previous["elapsed"] * 3.6e9, unit="us", utc=True)
        figure.add_scatter(
            x=clock.elapsed_from(other, local) + half,
            y=previous["mean"],
            name=say_short(before.last),
            mode="lines",
            line={"color": theme.GREY, "width": 1.6, "dash": "dot"},
            hovertemplate="%{y:.1f} people",
        )
    figure.add_scatter(
        x=steps["elapsed"] + half,
        y=steps["peak"],
        name="Peak of the step",
        mode=mode,
        line={"color": theme.ORANGE, "width": 1.2},
        hovertemplate="%{y:.0f} people",
    )
    figure.add_scatter(
        x=steps["elapsed"] + half,
        y=steps["mean"],
        name=f"Mean of {step_s // 60} min" if step_s >= 60 else f"Mean of {step_s} s",
        mode=mode,
        fill="tozeroy",
        line={"color": theme.BLUE, "width": 2.2},
        fillcolor="rgba(0,114,178,0.16)",
        customdata=labels,
        hovertemplate="<b>%{customdata}</b>: %{y:.1f} people",
        connectgaps=False,
    )
    theme.style(figure, _plan_height(view), hovermode="x")
    charts.day_axis(figure, clock, low, high)
    figure.update_yaxes(title_text="People", rangemode="tozero")
    charts.draw(figure, "occupancy", "People in the store over the day")
    table = steps.assign(time=[clock.local(float(value)).isoformat() for value in steps["elapsed"]])
    downloads("occupancy", table[["time", "mean", "peak", "coverage"]], view, counts=["peak"])


def _plan_height(view: View) -> int:
    """Height in pixels that fits the store's floor into its column, with room for the slider."""
    return int(min(max(430 * view.store.floor.depth_m / view.store.floor.width_m, 230), 420)) + 90


def _density(view: View) -> None:
    minutes = max(step_seconds(view) // 60, 1)
    series = queries.zone_series(view.scope, minutes)
    zones = plan.floor_zones(view.store)
    if series is None or series.empty or not zones:
        st.info(
            "No zone of this store lies on the floor plan; zones in a camera's pixels have no density.",
            icon=":material/map:",
        )
        return
    clock = view.clock
    frames: list[tuple[str, dict[str, float]]] = []
    busiest, most = 0, -1.0
    for _, part in series[series["coverage"] > 0].groupby("time"):
        elapsed = float(clock.elapsed(part["time"].head(1))[0])
        values = dict(zip(part["zone"], part["density"], strict=True))
        total = float(np.nansum(part["occupancy"]))
        if total > most:
            most, busiest = total, len(frames)
        frames.append((clock.clock(elapsed), values))
    if not frames:
        st.info("Nothing was observed on this day.", icon=":material/visibility_off:")
        return
    figure = plan.empty_plan(view.store, _plan_height(view), store_file(view.store.id))
    plan_density.add_density(figure, view.store, frames, start=busiest)
    plan.add_zone_names(figure, view.store)
    charts.draw(figure, "density", "Zones coloured by density")
    st.caption(f"People per m², steps of {minutes} min, {view.store.timezone}. It starts at the fullest one.")
    downloads("density", series, view, counts=["occupancy_max"])


def _doors(view: View) -> None:
    if not view.store.entrances:
        st.info(
            "The store has no entrance line, so nobody is counted coming in. Draw one on *Set up*.",
            icon=":material/door_front:",
        )
        return
    rows, numbers = queries.footfall(view.scope), queries.day_numbers(view.scope)
    if rows is None or rows.empty or numbers is None:
        st.info("Nobody crossed an entrance on this day.", icon=":material/door_front:")
        return
    doors = _worth_hours(footfall_by_hour(rows, view.day, view.store.zone_info, role=None))
    names = {entrance.id: entrance.name or entrance.id for entrance in view.store.entrances}
    many = doors["entrance"].nunique() > 1
    figure = go.Figure()
    for place, entrance in enumerate(sorted(doors["entrance"].unique())):
        for direction, sign in (("in", 1), ("out", -1)):
            part = doors[doors["entrance"] == entrance]
            colour = theme.CATEGORICAL[(place * 2 + (direction == "out")) % len(theme.CATEGORICAL)]
            figure.add_bar(
                x=part["label"],
                y=part[direction] * sign,
                customdata=part[direction],
                width=min(0.8, 0.2 * doors["label"].nunique()),
                marker_color=colour,
                name=f"{names.get(entrance, entrance)} {direction}" if many else f"{direction.capitalize()}ward",
                hovertemplate="from %{x} on<br>%{customdata} " + direction + "<extra></extra>",
            )
    theme.style(figure, 300, barmode="relative", hovermode="closest")
    figure.update_xaxes(title_text=f"Hour that begins, {view.store.timezone}", type="category", nticks=9)
    most = int(doors[["in", "out"]].to_numpy().max())
    figure.update_yaxes(title_text="Crossings (out below zero)", dtick=1 if most <= 4 else None)
    charts.draw(figure, "doors", "Entrance crossings by hour")
    row = numbers.iloc[0]
    inward = rows.loc[rows["direction"] == "in", "time"]
    closed = int((~within(inward, view.store.open_windows(view.day))).sum())
    outside = f" ({closed:,} outside opening hours)" if closed else ""
    st.caption(
        f"{row['footfall']:,.0f} crossings inward{outside}{_said_of_parties(view)} by {row['visitors']:,.0f} different "
        f"people; {row['people']:,} different people in the store's zones and doors.",
        help=f"{definitions.PARTIES}\n\n{definitions.OUT_OF_HOURS}",
    )
    downloads("footfall", doors, view, counts=["in", "out"])


def _said_of_parties(view: View) -> str:
    """How many parties came in, where the day's groups are known."""
    footfall, groups = queries.footfall(view.scope), queries.groups(view.scope)
    if footfall is None or groups is None or groups.empty:
        return ""
    parties = parties_in(footfall, groups[["person_id", "group_id"]])
    return f", in {len(parties):,} parties (mean {parties['people'].mean():.2f} people)," if len(parties) else ""


def _worth_hours(doors: pd.DataFrame) -> pd.DataFrame:
    """The hours from the first to the last crossing of any entrance."""
    busy = doors.loc[(doors["in"] > 0) | (doors["out"] > 0), "start"]
    return doors[doors["start"].between(busy.min(), busy.max())].reset_index(drop=True)


def _zones(view: View) -> None:
    table = zone_table(view)
    if table.empty:
        st.info("Nobody visited a zone on this day.", icon=":material/person_off:")
        return
    st.dataframe(
        table,
        hide_index=True,
        height=theme.table_height(len(table), 390),
        placeholder="-",
        key="zones.table",
        column_config={
            "Zone": st.column_config.TextColumn(width=105),
            "Visitors": st.column_config.ProgressColumn(
                help=definitions.UNIQUE, format="%d", max_value=int(table["Visitors"].max()) or 1, width=110
            ),
            "Visits": st.column_config.NumberColumn(help=definitions.VISITS, format="localized"),
            "Dwell (s)": st.column_config.NumberColumn(help=f"Median. {definitions.DWELL}", format="%.0f"),
            "Mean people": st.column_config.NumberColumn(help=definitions.OCCUPANCY, format="%.2f"),
            "Most": st.column_config.NumberColumn(help="Most people at one moment.", format="%d"),
            "Density (/m²)": st.column_config.NumberColumn(help=definitions.DENSITY, format="%.3f"),
        },
    )
    downloads("zones", table, view, counts=["Visitors", "Visits"])


def zone_table(view: View) -> pd.DataFrame:
    """A row a zone: visits, visitors, dwell, occupancy, density over what was observed."""
    table = zone_numbers(view)
    if table.empty:
        return table
    shown = pd.DataFrame(
        {
            "Zone": table["name"],
            "Visitors": table["visitors"],
            "Visits": table["visits"],
            "Dwell (s)": table["median_s"],
            "Mean people": table["mean_people"],
            "Most": table["most"],
            "Density (/m²)": table["density"],
        }
    )
    return shown.sort_values("Visitors", ascending=False, ignore_index=True)
