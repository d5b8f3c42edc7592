"""Today's store: a day at a glance, each number beside the same weekday before."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, definitions, plan, queries, theme
from dashboards.clock import DayClock, microseconds, say_short, weekday_before
from dashboards.page import View, card, downloads, duration, open_view
from dashboards.queries import Scope
from flows.config import StoreConfig

STEP_MINUTES = 15


def render() -> None:
    """Draw the page."""
    view = open_view("Today's store")
    before = view.scope.at(weekday_before(view.day))
    _headline(view, before)
    left, right = st.columns([1.25, 1], gap="medium")
    with left, card("People in the store", f"{definitions.PEAK}\n\n{definitions.OCCUPANCY}"):
        _occupancy(view, before)
    with right, card("Density on the floor", f"{definitions.DENSITY}\n\n{definitions.COVERAGE}"):
        _density(view)
    left, right = st.columns([1, 1.25], gap="medium")
    with left, card("Through the doors", definitions.FOOTFALL):
        _doors(view)
    with right, card("Zones today", f"{definitions.VISITS}\n\n{definitions.UNIQUE}\n\n{definitions.DWELL}"):
        _zones(view)


def occupancy_steps(store: StoreConfig, scope: Scope, minutes: int) -> pd.DataFrame | None:
    """People in the store in steps of a day: elapsed (h, start of the step), mean, peak, coverage (0..1).

    Steps outside everything that was to be observed are left out; mean and peak are NaN where nothing was seen.
    """
    present, seen = queries.presence(scope), queries.zone_series(scope, minutes)
    if present is None or seen is None:
        return None
    clock = DayClock(store, scope.last)
    step = minutes * 60_000_000
    coverage = seen.groupby("time", as_index=False)["coverage"].mean()
    starts = microseconds(coverage["time"])
    if not len(starts):
        return pd.DataFrame({"elapsed": [], "mean": [], "peak": [], "coverage": []})
    edges = np.arange(starts.min(), starts.max() + 2 * step, step)
    mean, peak = charts.people_inside(microseconds(present["first"]), microseconds(present["last"]), edges)
    frame = pd.DataFrame({"start": edges[:-1], "mean": mean, "peak": peak})
    frame = frame.merge(pd.DataFrame({"start": starts, "coverage": coverage["coverage"]}), how="left", on="start")
    frame["coverage"] = frame["coverage"].fillna(0.0)
    frame.loc[frame["coverage"] <= 0, ["mean", "peak"]] = np.nan
    frame["elapsed"] = clock.elapsed(frame["start"].to_numpy())
    return frame.loc[_worth_showing(clock, frame, minutes), ["elapsed", "mean", "peak", "coverage"]].reset_index(
        drop=True
    )


def _worth_showing(clock: DayClock, steps: pd.DataFrame, minutes: int) -> np.ndarray:
    """From the first to the last step that was observed or lies in opening hours: the night says nothing."""
    worth = steps["coverage"].to_numpy() > 0
    for start, end in clock.open_hours():
        worth |= (steps["elapsed"].to_numpy() + minutes / 60 > start) & (steps["elapsed"].to_numpy() < end)
    places = np.flatnonzero(worth)
    inside = np.zeros(len(worth), dtype=bool)
    if len(places):
        inside[places[0] : places[-1] + 1] = True
    return inside


def _step_minutes(view: View) -> int:
    """Quarter-hours for a day, minutes for a clip."""
    seen = queries.zone_series(view.scope, 1)
    if seen is None or seen.empty:
        return STEP_MINUTES
    observed = seen.loc[seen["coverage"] > 0, "time"]
    length = (observed.max() - observed.min()).total_seconds() / 60 if len(observed) else 0
    return STEP_MINUTES if length > 120 else 1


def _open_density(view: View, scope: Scope) -> float:
    """People per m2 of zone area, mean over zones and the observed part of opening hours; NaN where unknown."""
    series = queries.zone_series(scope, 5)
    if series is None or series.empty:
        return float("nan")
    moments = microseconds(series["time"])
    windows = view.store.open_windows(scope.last)
    is_open = np.zeros(len(series), dtype=bool)
    for start, end in windows:
        is_open |= (moments + 300_000_000 > start) & (moments < end)
    observed = series[is_open & series["density"].notna()]
    if observed.empty:
        return float("nan")
    return float(np.average(observed["density"], weights=observed["coverage"].clip(lower=1e-9)))


def _headline(view: View, before: Scope) -> None:
    now, then = queries.day_numbers(view.scope), queries.day_numbers(before)
    minutes = _step_minutes(view)
    steps, steps_then = (occupancy_steps(view.store, scope, minutes) for scope in (view.scope, before))
    assert now is not None  # open_view stops where there is no day
    row, old = now.iloc[0], {} if then is None else then.iloc[0].to_dict()
    has_entrance = bool(view.store.entrances)
    inward = queries.crossings(view.scope, view.store.timezone)
    by_hour = [] if inward is None else inward[inward["direction"] == "in"].groupby("hour")["crossings"].sum().tolist()
    density, density_then = _open_density(view, view.scope), _open_density(view, before)
    peak, peak_then = (float(s["peak"].max()) if s is not None and len(s) else np.nan for s in (steps, steps_then))
    trend = [] if steps is None else steps["mean"].ffill().fillna(0).round(2).tolist()
    level, _ = theme.fruin_level(density)
    cells = st.columns(5, gap="small")
    against = f"vs {say_short(before.last)}" if old else "no day a week before"
    if has_entrance:
        _metric(
            cells[0],
            "Footfall",
            f"{row['footfall']:,}",
            row["footfall"],
            old.get("footfall"),
            against,
            f"{definitions.FOOTFALL}\n\n{definitions.CHANGE}",
            by_hour,
        )
    else:
        cells[0].metric(
            "Footfall",
            "not counted",
            help="The store has no entrance line. Draw one on *Set up*.",
            border=True,
            height="stretch",
        )
    _metric(
        cells[1],
        "Peak occupancy",
        "-" if np.isnan(peak) else f"{peak:.0f}",
        peak,
        peak_then,
        against,
        definitions.PEAK,
        trend,
    )
    _metric(
        cells[2], "Time in store", duration(row["stay_s"]), row["stay_s"], old.get("stay_s"), against, definitions.STAY
    )
    _metric(
        cells[3],
        "Mean dwell in a zone",
        duration(row["dwell_s"]),
        row["dwell_s"],
        old.get("dwell_s"),
        against,
        f"{definitions.DWELL}\n\n{row['truncated']:,} of {row['visits']:,} visits are truncated.",
    )
    _metric(
        cells[4],
        f"Density · level {level}",
        "-" if np.isnan(density) else f"{density:.3f} /m²",
        density,
        density_then,
        against,
        definitions.DENSITY,
    )


def _metric(
    cell: object,
    label: str,
    text: str,
    value: float,
    before: float | None,
    against: str,
    definition: str,
    trend: list[float] | None = None,
) -> None:
    """A card: the number, its change in per cent, the line of the day."""
    known = before is not None and before == before and value == value and before > 0
    change = f"{(value - before) / before:+.0%}" if known else None
    cell.metric(  # type: ignore[attr-defined]
        label,
        text,
        change,
        delta_color="off",
        delta_description=against if known else None,
        help=definition,
        border=True,
        chart_data=trend if trend and len(trend) > 2 else None,
        chart_type="area",
        height="stretch",
    )


def _occupancy(view: View, before: Scope) -> None:
    minutes, clock = _step_minutes(view), view.clock
    steps = occupancy_steps(view.store, view.scope, minutes)
    if steps is None or steps.empty:
        st.info("Nothing was observed on this day.", icon=":material/visibility_off:")
        return
    half = minutes / 120
    low, high = clock.span(steps["elapsed"].to_numpy(), steps["elapsed"].to_numpy() + minutes / 60)
    figure = go.Figure()
    charts.shade(figure, charts.closed_spans(clock, low, high), theme.CLOSED, "closed")
    charts.shade(figure, camera_gaps(view), theme.GAP, "a camera was out")
    labels = [clock.clock(float(value)) for value in steps["elapsed"]]
    previous = occupancy_steps(view.store, before, minutes)
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
        mode="lines",
        line={"color": theme.ORANGE, "width": 1.2},
        hovertemplate="%{y:.0f} people",
    )
    figure.add_scatter(
        x=steps["elapsed"] + half,
        y=steps["mean"],
        name=f"Mean of {minutes} min",
        mode="lines",
        fill="tozeroy",
        line={"color": theme.BLUE, "width": 2.2},
        fillcolor="rgba(0,114,178,0.16)",
        customdata=labels,
        hovertemplate="<b>%{customdata}</b>: %{y:.1f} people",
        connectgaps=False,
    )
    theme.style(figure, 400, hovermode="x")
    charts.day_axis(figure, clock, low, high)
    figure.update_yaxes(title_text="People", rangemode="tozero")
    st.plotly_chart(figure, key="occupancy", config={"displayModeBar": False}, alt="People in the store over the day")
    table = steps.assign(time=[clock.local(float(value)).isoformat() for value in steps["elapsed"]])
    downloads("occupancy", table[["time", "mean", "peak", "coverage"]], view)


def camera_gaps(view: View) -> list[tuple[float, float]]:
    """Spans of the day (elapsed hours) in which at least one camera should have seen and did not, joined."""
    cameras = queries.cameras(view.scope)
    if cameras is None:
        return []
    spans = sorted(
        tuple(
            float(value)
            for value in view.clock.elapsed(pd.to_datetime(pd.Series([gap["start"], gap["end"]]), utc=True))
        )
        for gaps in cameras["gaps"]
        for gap in gaps
    )
    joined: list[tuple[float, float]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _density(view: View) -> None:
    minutes = _step_minutes(view)
    series = queries.zone_series(view.scope, minutes)
    zones = plan.floor_zones(view.store)
    if series is None or series.empty or not zones:
        st.info(
            "No zone of this store lies on the floor plan; zones in a camera's pixels have no density.",
            icon=":material/map:",
        )
        return
    clock = view.clock
    frames, busiest, most = [], 0, -1.0
    for time, part in series[series["coverage"] > 0].groupby("time"):
        elapsed = float(clock.elapsed([time.value // 1000])[0])
        values = dict(zip(part["zone"], part["density"], strict=True))
        total = float(np.nansum(part["occupancy"]))
        if total > most:
            most, busiest = total, len(frames)
        frames.append((clock.clock(elapsed), values))
    if not frames:
        st.info("Nothing was observed on this day.", icon=":material/visibility_off:")
        return
    figure = plan.empty_plan(view.store, 430)
    plan.add_density(figure, view.store, frames, start=busiest)
    plan.add_zone_names(figure, view.store)
    st.plotly_chart(figure, key="density", config={"displayModeBar": False}, alt="Zones coloured by density")
    st.caption(f"People per m², steps of {minutes} min, {view.store.timezone}. It starts at the fullest one.")
    downloads("density", series, view)


def _doors(view: View) -> None:
    if not view.store.entrances:
        st.info(
            "The store has no entrance line, so nobody is counted coming in. Draw one on *Set up*.",
            icon=":material/door_front:",
        )
        return
    doors = queries.crossings(view.scope, view.store.timezone)
    numbers = queries.day_numbers(view.scope)
    if doors is None or doors.empty or numbers is None:
        st.info("Nobody crossed an entrance on this day.", icon=":material/door_front:")
        return
    names = {entrance.id: entrance.name or entrance.id for entrance in view.store.entrances}
    many = doors["entrance"].nunique() > 1
    figure = go.Figure()
    for number, entrance in enumerate(sorted(doors["entrance"].unique())):
        for direction, sign in (("in", 1), ("out", -1)):
            part = doors[(doors["entrance"] == entrance) & (doors["direction"] == direction)]
            colour = theme.CATEGORICAL[(number * 2 + (direction == "out")) % len(theme.CATEGORICAL)]
            figure.add_bar(
                x=part["hour"],
                y=part["crossings"] * sign,
                customdata=part["crossings"],
                marker_color=colour,
                name=f"{names.get(entrance, entrance)} {direction}" if many else f"{direction.capitalize()}ward",
                hovertemplate="%{x}:00 to %{x}:59<br>%{customdata} " + direction + "<extra></extra>",
            )
    theme.style(figure, 300, barmode="relative", hovermode="closest")
    figure.update_xaxes(title_text=f"Hour, {view.store.timezone}", dtick=1 if doors["hour"].nunique() < 16 else 2)
    figure.update_yaxes(title_text="Crossings (out below zero)")
    st.plotly_chart(figure, key="doors", config={"displayModeBar": False}, alt="Entrance crossings by hour")
    row = numbers.iloc[0]
    st.caption(
        f"{row['footfall']:,} crossings inward by {row['visitors']:,} different people; "
        f"{row['people']:,} different people in the store's zones and doors."
    )
    downloads("footfall", doors, view)


def _zones(view: View) -> None:
    table = zone_table(view)
    if table.empty:
        st.info("Nobody visited a zone on this day.", icon=":material/person_off:")
        return
    st.dataframe(
        table,
        hide_index=True,
        height=min(38 + 35 * len(table), 390),
        key="zones.table",
        column_config={
            "Zone": st.column_config.TextColumn(width="medium"),
            "Visitors": st.column_config.ProgressColumn(
                help=definitions.UNIQUE, format="%d", max_value=int(table["Visitors"].max()) or 1
            ),
            "Visits": st.column_config.NumberColumn(help=definitions.VISITS, format="localized"),
            "Median dwell (s)": st.column_config.NumberColumn(help=definitions.DWELL, format="%.0f"),
            "Mean people": st.column_config.NumberColumn(help=definitions.OCCUPANCY, format="%.2f"),
            "Most": st.column_config.NumberColumn(help="Most people at one moment.", format="%d"),
            "Density (/m²)": st.column_config.NumberColumn(help=definitions.DENSITY, format="%.3f"),
        },
    )
    downloads("zones", table, view)


def zone_table(view: View) -> pd.DataFrame:
    """A row a zone: visits, visitors, dwell, occupancy, density over what was observed."""
    visits = queries.zone_visits(view.scope, view.store.counting.engaged_s)
    hours = queries.zone_time(view.scope, view.store.timezone)
    if visits is None or hours is None or hours.empty:
        return pd.DataFrame()
    time = (
        hours.assign(weighted=hours["density"] * hours["observed_s"])
        .groupby("zone", as_index=False)
        .agg(
            person_s=("person_s", "sum"),
            observed_s=("observed_s", "sum"),
            weighted=("weighted", "sum"),
            most=("occupancy_max", "max"),
        )
    )
    table = time.merge(visits, how="left", on="zone").fillna({"visits": 0, "unique_people": 0})
    names, observed = view.zone_names, table["observed_s"].where(table["observed_s"] > 0)
    shown = pd.DataFrame(
        {
            "Zone": [names.get(zone, zone) for zone in table["zone"]],
            "Visitors": table["unique_people"].astype(int),
            "Visits": table["visits"].astype(int),
            "Median dwell (s)": table["dwell_median"],
            "Mean people": table["person_s"] / observed,
            "Most": table["most"],
            "Density (/m²)": table["weighted"] / observed,
        }
    )
    return shown.sort_values("Visitors", ascending=False, ignore_index=True)
