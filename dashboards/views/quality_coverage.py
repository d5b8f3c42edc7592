"""Data quality: what the cameras saw, by day, by hour and by zone, and what they missed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, queries, theme
from dashboards.day import camera_hours, step_seconds
from dashboards.downloads import downloads
from dashboards.view import View


def by_day(view: View, cameras: pd.DataFrame) -> None:
    """Coverage of each camera and day."""
    grid = cameras.pivot_table(index="camera", columns="date", values="coverage", aggfunc="min")
    if grid.empty:
        st.info("The runs name no camera.", icon=":material/videocam_off:")
        return
    days = pd.date_range(view.scope.first, view.scope.last)
    grid.columns = pd.to_datetime(grid.columns)
    grid = grid.reindex(columns=days) * 100
    figure = go.Figure(
        go.Heatmap(
            z=grid.to_numpy(),
            x0=days[0],
            dx=charts.DAY_MS,
            y=grid.index,
            colorscale=theme.SEQUENTIAL,
            zmin=min(80, float(np.nanmin(grid))),
            zmax=100,
            xgap=2,
            ygap=2,
            colorbar={"title": {"text": "% seen", "side": "right"}, "thickness": 12},
            hovertemplate="%{y}, %{x|%a %d %b}: %{z:.1f}%<extra></extra>",
        )
    )
    theme.style(figure, 110 + 42 * len(grid))
    charts.date_axis(figure, days[0], days[-1], most=7, form="%a %d %b")
    figure.update_xaxes(showgrid=False)
    figure.update_yaxes(type="category", showgrid=False)
    charts.draw(figure, "coverage", "Coverage of each camera by day")
    st.caption("Empty days: closed, or not processed.")
    downloads("coverage", cameras.drop(columns="gaps"), view)


def by_hour(view: View, cameras: pd.DataFrame) -> None:
    """Coverage of each camera and hour of the clock."""
    grid = camera_hours(view.store, cameras).dropna(axis="columns", how="all") * 100
    if grid.empty:
        st.info("The store was closed on these days, or the runs name no camera.", icon=":material/videocam_off:")
        return
    shown = grid.rename(columns=lambda hour: f"{hour:02d}")
    title = f"Hour, {view.store.timezone}"
    figure = charts.heat_grid(shown, "% seen", 110 + 42 * len(grid), x_title=title, highest=100)
    figure.update_traces(zmin=min(80, float(np.nanmin(grid))))
    charts.draw(figure, "camerahours", "Coverage of each camera by hour")
    downloads("coverage_by_hour", grid.reset_index(), view)


def gap_table(view: View, cameras: pd.DataFrame) -> pd.DataFrame:
    """A row a gap, longest first, times on the store's clock."""
    zone, rows = view.store.timezone, []
    for row in cameras.to_dict("records"):
        for gap in row["gaps"]:
            start, end = (pd.Timestamp(gap[name]) for name in ("start", "end"))
            start, end = (t.tz_localize("UTC") if t.tzinfo is None else t for t in (start, end))
            rows.append(
                {
                    "Day": row["date"],
                    "Camera": row["camera"],
                    "From": start.tz_convert(zone).strftime("%H:%M:%S"),
                    "To": end.tz_convert(zone).strftime("%H:%M:%S"),
                    "Minutes": (end - start).total_seconds() / 60,
                    "Reason": gap["reason"],
                }
            )
    table = pd.DataFrame(rows, columns=["Day", "Camera", "From", "To", "Minutes", "Reason"])
    return table.sort_values("Minutes", ascending=False, ignore_index=True)


def gaps(view: View, cameras: pd.DataFrame) -> None:
    """The gaps, longest first."""
    table = gap_table(view, cameras)
    if table.empty:
        st.success("No gap in these days.", icon=":material/check_circle:")
        return
    st.dataframe(
        table,
        hide_index=True,
        height=theme.table_height(len(table), 290),
        key="gaps.table",
        column_config={
            "Day": st.column_config.DateColumn(format="ddd D MMM"),
            "Minutes": st.column_config.NumberColumn(format="%.1f"),
        },
    )
    st.caption(f"Times: {view.store.timezone}.")
    downloads("gaps", table, view)


def through_day(view: View) -> None:
    """Coverage of each zone through the last of the chosen days."""
    minutes = 10 if step_seconds(view.on_its_last_day()) >= 600 else 1
    series = queries.zone_series(view.scope.at(view.day), minutes)
    if series is None or series.empty:
        st.info("Nothing was observed on this day.", icon=":material/visibility_off:")
        return
    clock = view.clock
    covered = series.loc[series["coverage"] > 0, "time"]
    if covered.empty:
        st.info("Nothing was observed on this day.", icon=":material/visibility_off:")
        return
    series = series[series["time"].between(covered.min(), covered.max())]
    grid = (
        series.assign(step=clock.elapsed(series["time"])).pivot(index="zone", columns="step", values="coverage") * 100
    )
    names = [view.zone_names.get(zone, zone) for zone in grid.index]
    labels = [clock.clock(float(step)) for step in grid.columns]
    figure = go.Figure(
        go.Heatmap(
            z=grid.to_numpy(),
            x0=float(grid.columns[0]) + minutes / 120,
            dx=minutes / 60,
            y=names,
            customdata=np.tile(labels, (len(names), 1)),
            colorscale=theme.SEQUENTIAL,
            zmin=0,
            zmax=100,
            colorbar={"title": {"text": "% seen", "side": "right"}, "thickness": 12},
            hovertemplate="%{y}, %{customdata}: %{z:.0f}%<extra></extra>",
            ygap=2,
        )
    )
    theme.style(figure, 330)
    elapsed = grid.columns.to_numpy(dtype=float)
    charts.day_axis(figure, clock, float(elapsed.min()), float(elapsed.max()) + minutes / 60, most=8)
    figure.update_yaxes(type="category", showgrid=False)
    charts.draw(figure, "hours", "Coverage of each zone through the day")
    downloads("coverage_through_day", series[["zone", "time", "coverage"]], view.on_its_last_day())
