"""Floor: where people spend their time, how they go from zone to zone, and their very ways in a quarter of an hour."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import streamlit as st

from dashboards import charts, definitions, floor_queries, plan, plan_layers, queries
from dashboards.choices import remember, remembered, segmented
from dashboards.downloads import downloads
from dashboards.page import card, open_view
from dashboards.view import View, store_file
from dashboards.views import floor_flows
from flows.heatmap import HeatMap, heat_map

CELLS_M = {"0.25 m": 0.25, "0.5 m": 0.5, "1 m": 1.0}
MOST_TRACKS = 40


def render() -> None:
    """Draw the page."""
    view = open_view("Floor")
    span = _hours(view)
    left, right = st.columns([1, 1], gap="medium")
    with left, card("Where time is spent", definitions.HEAT):
        _heat(view, *span)
    with right, card("From zone to zone", f"{definitions.FLOWS}\n\n{definitions.FIRST_VISIT}"):
        floor_flows.flows(view)
    left, right = st.columns([1, 1], gap="medium")
    with (
        left,
        card("Ways through the store", "Every person's way in the chosen quarter of an hour, a colour a person."),
    ):
        _tracks(view)
    with (
        right,
        card("Most common ways", definitions.PATHS),
    ):
        floor_flows.paths(view)


def _hours(view: View) -> tuple[datetime, datetime]:
    """The part of the day the heat map covers, chosen by the reader."""
    clock = view.clock
    seen = queries.zone_series(view.scope, 1)
    measured = np.array([]) if seen is None else clock.elapsed(seen.loc[seen["coverage"] > 0, "time"])
    low, high = clock.span(measured, measured + 1 / 60) if len(measured) else (0.0, clock.hours)
    step = 0.5 if high - low > 2 else 1 / 60
    places = np.arange(np.floor(low / step), np.ceil(high / step - 1e-6) + 1) * step
    labels = {clock.clock(float(place)): float(place) for place in places}
    names = list(labels)

    def allowed(text: str) -> tuple[str, str]:
        first, _, last = text.partition("-")
        if first not in labels or last not in labels:
            raise ValueError(text)
        return first, last

    chosen = remembered("hours", (names[0], names[-1]), allowed)
    first, last = st.select_slider(
        f"Part of the day for the heat map. {clock.axis_title}",
        names,
        value=chosen,
        key=f"hours.{view.store.id}.{view.day}",
    )
    remember("hours", f"{first}-{last}")
    return clock.local(labels[first]), clock.local(labels[last])


def _without_positions(view: View) -> None:
    days = floor_queries.position_days(view.scope.lake, view.store.id)
    known = (
        f"Days that have them: {days[0]} to {days[-1]} ({len(days)} in all)." if days else "No day of this store has."
    )
    st.info(
        f"This day holds no single positions any more, or never did: they are kept for "
        f"{view.store.privacy.positions_days} days, and simulated months keep a few days only. {known}",
        icon=":material/grain:",
    )


def _heat(view: View, start: datetime, end: datetime) -> None:
    cell = CELLS_M[segmented("cell", "Cell", list(CELLS_M), "0.5 m", label_visibility="collapsed")]
    people = floor_queries.places(view.scope, start, end)
    if people is None:
        _without_positions(view)
        return
    floor = view.store.floor
    heat = heat_map(
        people, floor.width_m, floor.depth_m, cell_m=cell, max_hidden_s=view.store.counting.max_hidden_s, role=None
    )
    figure = plan.empty_plan(view.store, _plan_height(view), store_file(view.store.id))
    grid = heat.person_seconds_per_m2
    if not grid.any():
        st.caption("Nobody was on the floor in this part of the day.")
    else:
        plan_layers.add_heat(figure, view.store, grid, cell, "person-s/m²", float(np.percentile(grid[grid > 0], 96)))
        plan_layers.add_arrows(figure, arrows_of(heat), "rgba(255,255,255,0.75)")
    plan.add_zone_outlines(figure, view.store, labels=False)
    plan.add_zone_names(figure, view.store)
    charts.draw(figure, "heat", "Time spent on the floor")
    st.caption("Colours end at the 96th percentile. Arrows: mean direction of those who walk.")
    downloads("heat", heat_table(heat), view)


def _plan_height(view: View) -> int:
    """Height in pixels that fits the store's floor into half the page."""
    return int(min(max(560 * view.store.floor.depth_m / view.store.floor.width_m, 260), 480)) + 20


def heat_table(heat: HeatMap) -> pd.DataFrame:
    """A row a cell where somebody was: x_m, y_m (its middle), person_seconds_per_m2, direction_x, direction_y."""
    row, column = np.nonzero(heat.person_seconds_per_m2)
    return pd.DataFrame(
        {
            "x_m": (column + 0.5) * heat.cell_m,
            "y_m": (row + 0.5) * heat.cell_m,
            "person_seconds_per_m2": heat.person_seconds_per_m2[row, column],
            "direction_x": heat.direction_x[row, column],
            "direction_y": heat.direction_y[row, column],
        }
    )


def arrows_of(heat: HeatMap) -> list[tuple[float, float, float, float]]:
    """Arrows (x, y, dx, dy) of mean walking direction, one a metre; none where people walk as much back as forth."""
    table = heat_table(heat).dropna(subset=["direction_x"])
    metres = table.assign(c=np.floor(table["x_m"]), r=np.floor(table["y_m"]))
    by_metre = metres.groupby(["r", "c"])[["direction_x", "direction_y"]].mean()
    arrows = []
    for (row, column), (dx, dy) in zip(by_metre.index, by_metre.to_numpy(), strict=True):
        length = float(np.hypot(dx, dy))
        if length > 0.2:
            x, y = column + 0.5, row + 0.5
            arrows.append((x - 0.35 * dx / length, y - 0.35 * dy / length, 0.7 * dx / length, 0.7 * dy / length))
    return arrows


def _tracks(view: View) -> None:
    clock = view.clock
    seen = queries.zone_series(view.scope, 15)
    if seen is None or seen.empty:
        st.info("Nothing was observed on this day.", icon=":material/visibility_off:")
        return
    total = seen[seen["coverage"] > 0].groupby("time")["occupancy"].sum()
    if total.empty:
        st.info("Nothing was observed on this day.", icon=":material/visibility_off:")
        return
    labels = {clock.clock(float(clock.elapsed([time.value // 1000])[0])): time for time in total.index}
    fullest = next(label for label, time in labels.items() if time == total.idxmax())

    def allowed(text: str) -> str:
        if text not in labels:
            raise ValueError(text)
        return text

    chosen = st.select_slider(
        "Quarter of an hour",
        list(labels),
        value=remembered("quarter", fullest, allowed),
        key=f"quarter.{view.store.id}.{view.day}",
    )
    remember("quarter", chosen)
    start = labels[chosen].to_pydatetime()
    ways = floor_queries.tracks(view.scope, start, start + timedelta(minutes=15))
    if ways is None:
        _without_positions(view)
        return
    figure = plan.empty_plan(view.store, _plan_height(view), store_file(view.store.id))
    plan.add_zone_outlines(figure, view.store, labels=False)
    plan.add_zone_names(figure, view.store)
    people = ways["person_id"].drop_duplicates()
    plan_layers.add_ways(figure, ways[ways["person_id"].isin(people.head(MOST_TRACKS))], view.store.timezone)
    charts.draw(figure, "tracks", "Ways of people on the floor")
    left_out = f", {len(people) - MOST_TRACKS} more not drawn" if len(people) > MOST_TRACKS else ""
    st.caption(f"{len(people)} people from {chosen} on{left_out}; a dot marks where each was last.")
    downloads("tracks", ways, view, single_people=True)
