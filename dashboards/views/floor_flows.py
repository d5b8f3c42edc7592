"""Floor: how people go from zone to zone."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, queries, theme
from dashboards.choices import segmented
from dashboards.clock import duration
from dashboards.downloads import downloads
from dashboards.view import View
from flows.journeys import common_paths, first_and_last_zones, time_to_first_visit, transitions

MOST_PATHS = 12


def zone_flows(visits: pd.DataFrame) -> pd.DataFrame:
    """Ways from zone to zone (`flows.journeys.transitions`): source, target, people. "(in)" and "(out)" stand for
    before the first and after the last zone."""
    between = transitions(visits).rename(columns={"from_zone": "source", "to_zone": "target"})
    ends = first_and_last_zones(visits)
    first = pd.DataFrame({"source": "(in)", "target": ends["zone"], "people": ends["first"]})
    last = pd.DataFrame({"source": ends["zone"], "target": "(out)", "people": ends["last"]})
    rows = pd.concat([between[["source", "target", "people"]], first, last], ignore_index=True)
    return rows[rows["people"] > 0].sort_values("people", ascending=False, ignore_index=True)


def flows(view: View) -> None:
    """How people go from zone to zone, and how soon they come to each."""
    visits = queries.visits(view.scope)
    between = pd.DataFrame() if visits is None else zone_flows(visits)
    if visits is None or between.empty:
        st.info("Nobody went from one zone to another.", icon=":material/route:")
        return
    kind = segmented("flows", "Picture", ["Ranks", "Matrix", "First visit"], "Ranks", label_visibility="collapsed")
    names = {**view.zone_names, "(in)": "Comes in", "(out)": "Leaves"}
    if kind == "First visit":
        _first_visits(view, visits, between)
        return
    if kind == "Matrix":
        matrix = between.pivot(index="source", columns="target", values="people").fillna(0)
        share = matrix.div(matrix.sum(axis=1), axis=0) * 100
        share = share.rename(index=names, columns=names)
        figure = go.Figure(
            go.Heatmap(
                z=share.to_numpy(),
                x=share.columns,
                y=share.index,
                colorscale=theme.SEQUENTIAL,
                xgap=2,
                ygap=2,
                text=share.round(0).astype(int).to_numpy(),
                texttemplate="%{text}",
                hovertemplate="%{y} → %{x}: %{z:.0f}% of those who leave %{y}<extra></extra>",
                colorbar={"title": {"text": "% of the row", "side": "right"}, "thickness": 12},
            )
        )
        theme.style(figure, 440)
        figure.update_yaxes(autorange="reversed", title_text="From", showgrid=False)
        figure.update_xaxes(title_text="Straight to", showgrid=False)
    else:
        figure = _sankey(between, names)
    charts.draw(figure, "flows", "Flows between zones")
    downloads("flows", between, view, counts=["people"])


def first_visits(visits: pd.DataFrame, footfall: pd.DataFrame) -> pd.DataFrame:
    """By zone, soonest first: median_s and people of `flows.journeys.time_to_first_visit`, of one day's rows."""
    ways = visits.assign(person_id=visits["person_id"] % queries.PEOPLE_A_DAY)  # the doors' own numbers
    first = time_to_first_visit(ways, footfall)
    table = first.groupby("zone", observed=True)["seconds"].agg(median_s="median", people="count").reset_index()
    return table.sort_values("median_s", ignore_index=True)


def _first_visits(view: View, visits: pd.DataFrame, between: pd.DataFrame) -> None:
    footfall = queries.footfall(view.scope)
    table = pd.DataFrame() if footfall is None else first_visits(visits, footfall)
    if table.empty:
        st.info("Nobody who was counted coming in visited a zone.", icon=":material/door_front:")
        return
    first = between[between["source"] == "(in)"].set_index("target")["people"]
    last = between[between["target"] == "(out)"].set_index("source")["people"]
    table["first"], table["last"] = (table["zone"].map(own).fillna(0).astype(int) for own in (first, last))
    texts = [
        f"{duration(row['median_s'])}  (first for {row['first']:,}, last for {row['last']:,})"
        for row in table.to_dict("records")
    ]
    names = [view.zone_names.get(zone, zone) for zone in table["zone"]]
    figure = charts.bars(names, (table["median_s"] / 60).tolist(), 440, unit="minutes", texts=texts)
    figure.update_xaxes(range=[0, max(float(table["median_s"].max()) / 60, 0.1) * 1.9])  # room for the words
    charts.draw(figure, "first", "Time to the first visit of each zone")
    st.caption("Median time from coming in to the first visit of the zone, and for how many it was the first and last.")
    downloads("first_visits", table, view, counts=["people", "first", "last"])


def _sankey(flows: pd.DataFrame, names: dict[str, str]) -> go.Figure:
    """First zones on the left, last on the right: in -> zone, zone -> zone (right), zone -> out."""
    strongest = flows.nlargest(36, "people")
    inner = [zone for zone in names if zone in set(strongest["source"]) | set(strongest["target"]) and zone[0] != "("]
    left = {zone: number + 1 for number, zone in enumerate(inner)}
    right = {zone: number + 1 + len(inner) for number, zone in enumerate(inner)}
    labels = ["Comes in", *[names[z] for z in inner], *[names[z] for z in inner], "Leaves"]
    end = len(labels) - 1
    source, target, people, colour = [], [], [], []
    for start, goal, count in strongest[["source", "target", "people"]].astype({"people": int}).to_numpy().tolist():
        pair: tuple[int | None, int | None]
        if start == "(in)":
            pair = (0, left.get(goal))
        elif goal == "(out)":
            pair = (right.get(start), end)
        else:
            pair = (left.get(start), right.get(goal))
        if None not in pair:
            source.append(pair[0])
            target.append(pair[1])
            people.append(count)
            number = inner.index(goal if start == "(in)" else start)
            red, green, blue = (int(theme.CATEGORICAL[number % 8][i : i + 2], 16) for i in (1, 3, 5))
            colour.append(f"rgba({red},{green},{blue},0.35)")
    paint = [theme.GREY, *[theme.CATEGORICAL[i % 8] for i in range(len(inner))] * 2, theme.GREY]
    figure = go.Figure(
        go.Sankey(
            arrangement="snap",
            node={"label": labels, "color": paint, "pad": 14, "thickness": 12, "line": {"width": 0}},
            link={"source": source, "target": target, "value": people, "color": colour},
            textfont={"color": theme.ink(), "size": 12},
        )
    )
    return theme.style(figure, 440, margin={"l": 8, "r": 8, "t": 12, "b": 16})


def paths(view: View) -> None:
    """The orders of zones that most people had."""
    visits = queries.visits(view.scope)
    if visits is None or visits.empty:
        st.info("Nobody visited a zone on this day.", icon=":material/route:")
        return
    common = common_paths(visits, MOST_PATHS)
    table = pd.DataFrame(
        {
            "Way": [" → ".join(view.zone_names.get(zone, zone) for zone in way.split(" > ")) for way in common["path"]],
            "People": common["people"],
            "Share": common["share"] * 100,
        }
    )
    charts.draw(_common_ways(table), "paths", "Most common ways")
    st.caption("People who went so, and their share of all people with a visit.")
    downloads("paths", table, view, counts=["People"])


def _common_ways(table: pd.DataFrame) -> go.Figure:
    """A bar a way, with the way's zones written above it: they are too long for an axis or a table's column."""
    places = list(range(len(table)))
    figure = go.Figure(
        go.Bar(
            x=table["People"],
            y=places,
            orientation="h",
            width=0.3,
            marker_color=theme.BLUE,
            text=[f"{people:,} ({share:.1f}%)" for people, share in zip(table["People"], table["Share"], strict=True)],
            textposition="outside",
            cliponaxis=False,
            customdata=table["Way"],
            hovertemplate="%{customdata}<br>%{text}<extra></extra>",
        )
    )
    figure.add_scatter(
        x=[0] * len(places),
        y=[place - 0.38 for place in places],
        text=table["Way"],
        mode="text",
        textposition="middle right",
        textfont={"size": 12, "color": theme.ink()},
        cliponaxis=False,
        hoverinfo="skip",
    )
    theme.style(figure, 30 + 39 * len(places), showlegend=False)
    figure.update_xaxes(visible=False, range=[0, int(table["People"].max()) * 1.25])
    figure.update_yaxes(visible=False, range=[len(places) - 0.6, -0.7])
    return figure
