"""The numbers of *Zones*: visits, dwell, hours and weekdays, levels, queues. The definitions are those of `flows`."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import streamlit as st

from dashboards import charts, queries
from dashboards.clock import DayClock
from dashboards.lake_files import Files
from dashboards.lake_query import Scope, version
from dashboards.page import View
from flows.config import StoreConfig
from flows.density import crowding_episodes
from flows.dwell import dwell_histogram, dwell_statistics, penetration
from flows.places import zones_of
from flows.queues import queue_lengths, waiting_times
from flows.rollup import LEVEL_COLUMNS

_kept = st.cache_data(max_entries=100, show_spinner=False, hash_funcs={StoreConfig: StoreConfig.model_dump_json})
"""What takes long over a year is kept by the store's configuration and by the files it was made of."""

BINS_S, BINS = (1, 2, 5, 10, 20, 30, 60, 120, 300), 30


def visit_statistics(scope: Scope, engaged_s: float) -> pd.DataFrame | None:
    """`flows.dwell.dwell_statistics` of the scope by zone, with `penetration`; a person counts once a day."""
    return _statistics(scope, engaged_s, version(scope, "visits"))


@_kept
def _statistics(scope: Scope, engaged_s: float, files: Files) -> pd.DataFrame | None:
    visits = queries.visits(scope)
    if visits is None:
        return None
    return dwell_statistics(visits, engaged_s=engaged_s).merge(penetration(visits)[["zone", "penetration"]], on="zone")


def zone_numbers(view: View) -> pd.DataFrame:
    """A row a zone over the chosen days: visits, people, dwell, share of the store's people, occupancy, density."""
    visits = visit_statistics(view.scope, view.store.counting.engaged_s)
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
    counted = ["visits", "visitors", "engaged", "truncated"]
    table[counted] = table[counted].fillna(0).astype(int)
    table["penetration"] = table["penetration"].fillna(0.0)
    observed = table["observed_s"].where(table["observed_s"] > 0)
    table["mean_people"] = table["person_s"] / observed
    table["density"] = table["density_s"] / observed
    table["coverage"] = table["observed_s"] / table["bucket_s"]
    table["name"] = [view.zone_names.get(zone, zone) for zone in table["zone"]]
    return table


def histogram(scope: Scope, zone: str, p90_s: float) -> tuple[pd.DataFrame, int]:
    """Whole visits of a zone by dwell (`flows.dwell.dwell_histogram`) in `BINS` bins and one for all that is longer,
    wide enough for nine in ten; and the bins' width in seconds."""
    width_s = next((width for width in BINS_S if width * BINS >= 1.6 * p90_s), BINS_S[-1])
    visits = queries.visits(scope)
    if visits is None:
        return pd.DataFrame(columns=["zone", "from_s", "to_s", "visits"]), width_s
    edges = np.arange(BINS + 1) * float(width_s)
    return dwell_histogram(visits[visits["zone"] == zone], edges.tolist()), width_s


def week_grid(view: View, zone: str | None, column: str) -> pd.DataFrame:
    """Weekday x local hour: a measure over what was observed. `zone` None: all zones together.

    `column`: person_s (mean people), density_s (mean people/m2) or entries (an hour).
    """
    hours = queries.zone_time(view.scope, view.store.timezone)
    if hours is None or hours.empty:
        return pd.DataFrame()
    hours = hours.assign(
        density_s=hours["density"] * hours["observed_s"], weekday=pd.to_datetime(hours["date"]).dt.dayofweek
    )
    if zone is not None:
        hours = hours[hours["zone"] == zone]
    days = hours.groupby(["weekday", "hour", "date"])
    observed = days["observed_s"].sum() if column == "density_s" and zone is None else days["observed_s"].mean()
    sums = pd.DataFrame({"value": days[column].sum(min_count=1), "observed": observed}).reset_index()
    sums = sums.groupby(["weekday", "hour"], as_index=False)[["value", "observed"]].sum()
    scale = 3600.0 if column == "entries" else 1.0
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


def time_at_levels(view: View) -> pd.DataFrame:
    """Observed seconds at each Fruin level: index zone, columns level_a_s ...; empty where no area is known."""
    hours = queries.zone_time(view.scope, view.store.timezone)
    if hours is None or hours["density"].notna().sum() == 0:
        return pd.DataFrame(columns=list(LEVEL_COLUMNS))
    return hours.groupby("zone")[list(LEVEL_COLUMNS)].sum()


def crowding(view: View) -> pd.DataFrame:
    """Crowding episodes of the chosen days (`flows.density.crowding_episodes`)."""
    return _crowding(view.scope, view.store, version(view.scope, "visits"))


@_kept
def _crowding(scope: Scope, store: StoreConfig, files: Files) -> pd.DataFrame:
    visits = queries.visits(scope)
    return pd.DataFrame() if visits is None else crowding_episodes(visits, zones_of(store))


def queue_by_hour(view: View, zone: str) -> pd.DataFrame:
    """A checkout by local hour: hour, queue (mean people over the observed time), waits, wait_median, wait_p90 (s, by
    hour of arrival). Only hours in which the store is open and the zone was observed."""
    return _queue_by_hour(view.scope, zone, view.store, version(view.scope, "visits", "zone_quarters"))


@_kept
def _queue_by_hour(scope: Scope, zone: str, store: StoreConfig, files: Files) -> pd.DataFrame:
    visits, seen = queries.visits(scope), queries.zone_time(scope, store.timezone)
    if visits is None or seen is None:
        return pd.DataFrame()
    tills = [one for one in zones_of(store) if one.id == zone]
    window = store.day_window(scope.first)[0], store.day_window(scope.last)[1]
    own = visits[visits["zone"] == zone]
    lengths = queue_lengths(own, tills, window)  # quarter-hours: any local hour is made of them
    hour = lengths["bucket_start"].dt.tz_convert(store.timezone).dt.hour
    observed = seen[seen["zone"] == zone].groupby("hour")["observed_s"].sum()
    table = pd.DataFrame({"person_s": lengths.groupby(hour)["person_s"].sum(), "observed_s": observed})
    table = table[table["observed_s"] > 0].rename_axis("hour").reset_index()
    table["queue"] = table["person_s"].fillna(0) / table["observed_s"]
    arrival = own["enter"].dt.tz_convert(store.timezone).dt.hour
    waits = [waiting_times(part, tills).assign(hour=name) for name, part in own.groupby(arrival)]
    if not waits:
        return pd.DataFrame()
    names = {"median_s": "wait_median", "p90_s": "wait_p90"}
    joined = table.merge(pd.concat(waits).rename(columns=names), how="left", on="hour")
    joined = joined[joined["hour"].isin(set().union(*open_clock_hours(store)))]
    return joined[["hour", "queue", "waits", "wait_median", "wait_p90"]].reset_index(drop=True)
