"""Data quality: what the cameras saw, what they missed, how sure identities are, and how the processing went."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, definitions, floor_queries, queries, runs_of_days, theme
from dashboards.choices import switch
from dashboards.clock import duration
from dashboards.day import camera_gaps, occupancy_steps, step_seconds
from dashboards.downloads import downloads
from dashboards.page import card, open_view
from dashboards.sparkline import number
from dashboards.view import View
from dashboards.views import quality_coverage
from flows.occupancy import occupancy_by_crossings, occupancy_by_places, occupancy_mean
from flows.unusual import LOW_COVERAGE


def render() -> None:
    """Draw the page."""
    view = open_view("Data quality", days="span")
    runs, cameras = queries.runs(view.scope), queries.cameras(view.scope)
    assert runs is not None and cameras is not None  # open_view stops where there is no day
    _headline(view, runs, cameras)
    with card("What looks wrong", definitions.CHECKS):
        _checks(view)
    left, right = st.columns([1.25, 1], gap="medium")
    with left, card("Coverage by camera and day", definitions.COVERAGE):
        quality_coverage.by_day(view, cameras)
    with right, card("Coverage by camera and hour", f"{definitions.COVERAGE} Of the opening hours of the chosen days."):
        quality_coverage.by_hour(view, cameras)
    left, right = st.columns(2, gap="medium")
    with left, card("Gaps", "Spans in which a camera should have seen and did not."):
        quality_coverage.gaps(view, cameras)
    with right, card(f"Coverage through {view.day:%a} {view.day.day} {view.day:%b}", definitions.COVERAGE):
        quality_coverage.through_day(view)
    left, right = st.columns(2, gap="medium")
    with left, card("How sure identities are", definitions.CONFIDENCE):
        _confidence(view)
    with right, card("Who is inside, counted in several ways", definitions.SEVERAL_WAYS):
        _several_ways(view)
    with card("Models", "The models that ran, by the sha256 of their weights. A change of model is a change of ruler."):
        runs_of_days.models(view, runs)
    with card("Runs", f"Each store-day's processing, newest first. {definitions.STAGES}"):
        runs_of_days.history(view, runs)


def _headline(view: View, runs: pd.DataFrame, cameras: pd.DataFrame) -> None:
    expected, seen = cameras["seconds_expected"].sum(), cameras["seconds_seen"].sum()
    gaps = int(cameras["gaps"].map(len).sum())
    low = int((runs["coverage"] < LOW_COVERAGE).sum())
    numbers = queries.day_numbers(view.scope)
    total, truncated = (0, 0) if numbers is None else (int(numbers["visits"].sum()), int(numbers["truncated"].sum()))
    cells = st.container(key="numbers").columns(5, gap="small")
    trend = runs.sort_values("date")["coverage"].fillna(0).mul(100).tolist()
    covered = f"{seen / expected:.2%}" if expected else "-"
    number(cells[0], "coverage", "Coverage", covered, definitions.COVERAGE, course=trend, kind="area")
    number(cells[1], "low", "Days under 95%", f"{low} of {len(runs)}", definitions.COVERAGE)
    number(cells[2], "gaps", "Gaps", f"{gaps:,}", "Spans in which a camera should have seen and did not.")
    share = f"{truncated / total:.1%}" if total else "-"
    number(cells[3], "truncated", "Truncated visits", share, definitions.DWELL)
    of_days = "Median over the days, from start to finish of the run."
    number(cells[4], "seconds", "Processing a day", duration(runs["seconds"].median()), of_days)


def _checks(view: View) -> None:
    """The processing's checks of the chosen days: what looks wrong first, each with what to do."""
    checks = queries.checks(view.scope)
    if checks is None:
        st.info(
            "These days hold no checks: no video was looked at, as in a simulated month, or an older version processed "
            "them.",
            icon=":material/rule:",
        )
        return
    wrong = int(checks["wrong"].sum())
    if not wrong:
        st.success(f"All {len(checks)} checks of these days are as they should be.", icon=":material/check_circle:")
    table = pd.DataFrame(
        {
            "Day": checks["date"],
            "Camera": checks["camera"].fillna("all"),
            "Check": checks["check"].str.capitalize(),
            "Wrong": checks["wrong"],
            "What was found": checks["said"],
            "Value": checks["value"],
            "Limit": checks["limit"],
            "Unit": checks["unit"],
        }
    )
    shown = table if not wrong or switch("checks", "All checks", False) else table[table["Wrong"]]
    st.dataframe(
        shown,
        hide_index=True,
        height=theme.table_height(max(len(shown), 1), 270),
        key="checks.table",
        column_config={
            "Day": st.column_config.DateColumn(format="ddd D MMM"),
            "What was found": st.column_config.TextColumn(width="large"),
            "Value": st.column_config.NumberColumn(format="%.2f"),
            "Limit": st.column_config.NumberColumn(format="%.2f"),
        },
    )
    downloads("checks", table, view)


def _confidence(view: View) -> None:
    found = queries.confidence(view.scope)
    if found is None or found.empty:
        st.info(
            "These days hold no table of identities: it is kept as long as the embeddings behind it, and simulated "
            "months keep a few days only.",
            icon=":material/group:",
        )
        return
    figure = go.Figure(
        go.Bar(
            x=found["confidence"] + 0.025,
            y=found["tracks"],
            width=0.045,
            marker_color=theme.BLUE,
            hovertemplate="%{y:,} tracks<extra></extra>",
        )
    )
    theme.style(figure, 280, showlegend=False)
    figure.update_xaxes(range=[0, 1], title_text="Confidence that the track is this person")
    figure.update_yaxes(title_text="Tracks")
    charts.draw(figure, "confidence", "Identity confidence")
    unsure = found.loc[found["confidence"] < 0.5, "tracks"].sum() / found["tracks"].sum()
    st.caption(f"{unsure:.1%} of the tracks are joined with a confidence under 0.5.")
    downloads("confidence", found, view, counts=["people"])


def occupancy_in_ways(view: View) -> pd.DataFrame:
    """Mean people inside by step of the view's last day: elapsed (h, the step's middle), by_crossings, by_signs and,
    where the day still holds positions, by_places."""
    day, step_s = view.scope.at(view.day), step_seconds(view.on_its_last_day())
    footfall, steps = queries.footfall(day), occupancy_steps(view.store, day, step_s)
    if footfall is None or footfall.empty or steps is None or steps.empty:
        return pd.DataFrame()
    window = view.clock.window_us
    ways = {"by_crossings": occupancy_by_crossings(footfall, window)}
    start, end = (datetime.fromtimestamp(edge / 1e6, UTC) for edge in window)
    places = floor_queries.places(day, start, end)
    if places is not None and len(places):
        ways["by_places"] = occupancy_by_places(places, max_hidden_s=view.store.counting.max_hidden_s)
    # All are aligned to quarter-hours of the clock; a zone of time that is not has no common steps.
    joined = steps.assign(key=steps["elapsed"].mul(3600).round()).rename(columns={"mean": "by_signs"})
    for name, way in ways.items():
        means = occupancy_mean(way, window, step_s)
        key = pd.Series(view.clock.elapsed(means["bucket_start"])).mul(3600).round()
        joined = joined.merge(means.assign(key=key)[["key", "mean"]].rename(columns={"mean": name}), on="key")
    joined["elapsed"] += step_s / 7200
    return joined[["elapsed", "by_crossings", "by_signs", *([n for n in ways if n == "by_places"])]]


def _several_ways(view: View) -> None:
    ways = occupancy_in_ways(view)
    if ways.empty:
        st.info(
            "Nobody crossed an entrance on this day, or the store has none to count at.", icon=":material/door_front:"
        )
        return
    figure = go.Figure()
    for column, name, colour in (
        ("by_crossings", "in less out at the entrances", theme.ORANGE),
        ("by_signs", "first to last sign of each person", theme.BLUE),
        ("by_places", "seen on the floor", theme.GREEN),
    ):
        if column in ways:
            figure.add_scatter(
                x=ways["elapsed"],
                y=ways[column],
                name=name,
                mode="lines" if len(ways) > 2 else "markers",
                line={"color": colour, "width": 2},
                hovertemplate="%{y:.1f} people",
            )
    theme.style(figure, 280, hovermode="x unified")
    low, high = view.clock.span(ways["elapsed"].to_numpy())
    charts.shade(figure, charts.closed_spans(view.clock, low, high), theme.CLOSED, "closed")
    charts.shade(figure, camera_gaps(view.on_its_last_day()), theme.GAP, "a camera was out")
    charts.day_axis(figure, view.clock, low, high, most=8)
    figure.update_yaxes(title_text="People", rangemode="tozero")
    charts.draw(figure, "twoways", "Occupancy counted in several ways")
    other = "by_places" if "by_places" in ways else "by_signs"
    apart = (ways["by_crossings"] - ways[other]).abs()
    st.caption(
        f"On {view.day:%a} {view.day.day} {view.day:%b} crossings and {'places' if other == 'by_places' else 'signs'} "
        f"differ by {apart.mean():.2f} people on average, {apart.max():.1f} at most."
    )
    downloads("occupancy_ways", ways, view)
