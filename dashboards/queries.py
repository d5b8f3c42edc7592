"""The only door to the lake: read-only DuckDB over exactly the files a question needs, answers cached.

Every question goes through `ask`: the lake names the visible files of the store-days in question (so partitions are
pruned before DuckDB opens anything), and the answer is cached under those file names. A store-day that is processed
again has new files, so its old answers are never shown again.

Times come back as UTC with their zone; `store` and `date` are columns of every answer that spans days.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import streamlit as st

from dashboards import lake_files
from flows.lake import Lake


@dataclass(frozen=True)
class Scope:
    """Which part of the lake: stores, days from `first` to `last`, with or without staff."""

    lake: str
    stores: tuple[str, ...]
    first: date
    last: date
    include_staff: bool = False

    @property
    def role_filter(self) -> str:
        """The rows of zone_counts that this scope reads."""
        return "all" if self.include_staff else "shoppers"

    def at(self, day: date, last: date | None = None) -> Scope:
        """The same stores on another day, or span of days."""
        return Scope(self.lake, self.stores, day, last or day, self.include_staff)


@st.cache_resource
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": min(os.cpu_count() or 2, 8)})


@st.cache_data(max_entries=400, show_spinner=False)
def _answer(lake: str, sql: str, tables: dict[str, lake_files.Files], parameters: tuple[Any, ...]) -> pd.DataFrame:
    with _database().cursor() as cursor:
        views = {}
        for name, files in tables.items():
            if lake_files.is_remote(lake):  # through Lake: DuckDB itself can't open every object store
                cursor.register(f"lake_{name}", _read_remote(lake, name, files))
                views[name] = f"lake_{name}"
            else:
                addresses = [address for address, _ in files]
                views[name] = (
                    f"(SELECT * FROM read_parquet({addresses!r}, hive_partitioning=true, "
                    "hive_types={'store': 'VARCHAR', 'date': 'DATE'}))"
                )
        return cursor.execute(re.sub(r"\{(\w+)\}", lambda match: views[match[1]], sql), parameters).df()


def _read_remote(lake: str, table: str, files: lake_files.Files) -> pa.Table:
    places = [address.split("/") for address, _ in files]
    return Lake(lake).read(table, sorted({store for store, _ in places}), sorted({day for _, day in places}))


def ask(scope: Scope, sql: str, *parameters: Any, tables: Sequence[str]) -> pd.DataFrame | None:
    """Run `sql`, in which {table} stands for that table of the scope. None where the lake has no such day.

    A store without entrances has no footfall; its people are then known from visits alone.
    """
    files = {table: lake_files.files(scope.lake, table, scope.stores, scope.first, scope.last) for table in tables}
    if any(not found for table, found in files.items() if table != "footfall"):
        return None
    if "footfall" in files and not files["footfall"]:
        if tables == ["footfall"]:
            return None
        sql = sql.replace("{footfall}", _NO_FOOTFALL)
        del files["footfall"]
    return _answer(scope.lake, sql, files, parameters)


_NO_FOOTFALL = """(SELECT NULL::VARCHAR AS store, NULL::DATE AS date, NULL::BIGINT AS person_id, NULL::VARCHAR AS role,
    NULL::VARCHAR AS entrance, NULL::TIMESTAMPTZ AS time, NULL::VARCHAR AS direction WHERE false)"""


def people_condition(scope: Scope) -> str:
    """SQL that keeps the scope's people in a table with roles."""
    return "true" if scope.include_staff else "role = 'shopper'"


def days(lake: str) -> pd.DataFrame:
    """Every visible store-day: store, date."""
    return lake_files.days(lake)


def runs(scope: Scope) -> pd.DataFrame | None:
    """How each store-day was processed, newest first: the columns of `runs`, with store, date and coverage (0..1)."""
    return ask(
        scope,
        """
        SELECT *, list_sum(list_transform(cameras, lambda camera: camera.seconds_seen))
            / nullif(list_sum(list_transform(cameras, lambda camera: camera.seconds_expected)), 0) AS coverage,
            epoch(finished - started) AS seconds
        FROM {runs} ORDER BY date DESC, store
        """,
        tables=["runs"],
    )


def cameras(scope: Scope) -> pd.DataFrame | None:
    """A camera on a day: store, date, camera, seconds_expected, seconds_seen, frames, gaps, coverage."""
    return ask(
        scope,
        """
        SELECT store, date, one.camera, one.seconds_expected, one.seconds_seen, one.frames, one.gaps,
            one.seconds_seen / nullif(one.seconds_expected, 0) AS coverage
        FROM (SELECT store, date, unnest(cameras) AS one FROM {runs}) ORDER BY store, date, one.camera
        """,
        tables=["runs"],
    )


def zone_series(scope: Scope, minutes: int) -> pd.DataFrame | None:
    """Zones over time in steps of `minutes`: zone, time, occupancy, density, occupancy_max, coverage.

    Means are over the observed seconds of a step; NaN where nothing was observed.
    """
    return ask(
        scope,
        f"""
        SELECT zone, time_bucket(INTERVAL '{int(minutes)} minutes', bucket_start) AS time,
            sum(occupancy_mean * bucket_s * coverage) / nullif(sum(bucket_s * coverage), 0) AS occupancy,
            sum(density_mean * bucket_s * coverage) / nullif(sum(bucket_s * coverage), 0) AS density,
            max(occupancy_max) AS occupancy_max,
            sum(bucket_s * coverage) / sum(bucket_s) AS coverage
        FROM {{zone_counts}} WHERE role_filter = ? GROUP BY ALL ORDER BY time, zone
        """,
        scope.role_filter,
        tables=["zone_counts"],
    )


def _stays(scope: Scope) -> str:
    """SQL for when each person was in the store: store, date, person_id, role, stay (a number), first, last.

    A stay reaches from the first to the last sign of a person, a zone visit or an entrance crossing. Who went out
    through an entrance is outside until their next sign.
    """
    return f"""
        SELECT store, date, person_id, stay, any_value(role) AS role, min(first) AS first, max(last) AS last FROM (
            SELECT *, coalesce(sum(goes_out) OVER (PARTITION BY store, date, person_id ORDER BY first, last, goes_out
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS stay
            FROM (
                SELECT store, date, person_id, role, enter AS first, exit AS last, 0 AS goes_out FROM {{visits}}
                UNION ALL SELECT store, date, person_id, role, time, time, (direction = 'out')::INT FROM {{footfall}}
            ) WHERE {people_condition(scope)}
        ) GROUP BY store, date, person_id, stay
    """


def presence(scope: Scope) -> pd.DataFrame | None:
    """Every stay of a person in the store: store, date, person_id, role, stay, first, last (UTC)."""
    return ask(scope, f"{_stays(scope)} ORDER BY first, person_id", tables=["visits", "footfall"])


def footfall(scope: Scope) -> pd.DataFrame | None:
    """The rows of the lake's table."""
    return ask(scope, f"SELECT * FROM {{footfall}} WHERE {people_condition(scope)} ORDER BY time", tables=["footfall"])


def visits(scope: Scope) -> pd.DataFrame | None:
    """The rows of the lake's table."""
    return ask(
        scope, f"SELECT * FROM {{visits}} WHERE {people_condition(scope)} ORDER BY date, enter", tables=["visits"]
    )


def crossings(scope: Scope, zone_info: str) -> pd.DataFrame | None:
    """Entrance crossings by entrance and local hour: store, date, entrance, hour, direction, crossings, people."""
    return ask(
        scope,
        f"""
        SELECT store, date, entrance, hour(timezone(?, time)) AS hour, direction, count(*) AS crossings,
            count(DISTINCT person_id) AS people
        FROM {{footfall}} WHERE {people_condition(scope)} GROUP BY ALL ORDER BY ALL
        """,
        zone_info,
        tables=["footfall"],
    )


def day_numbers(scope: Scope) -> pd.DataFrame | None:
    """The headline numbers of each store-day.

    store, date, footfall (inward crossings), visitors (people who crossed inward at least once), people, visits,
    stay_s (mean time in the store), dwell_s (mean of whole zone visits), truncated.
    """
    people = people_condition(scope)
    return ask(
        scope,
        f"""
        WITH stays AS (
            SELECT store, date, person_id, sum(epoch(last - first)) AS seconds FROM ({_stays(scope)}) GROUP BY ALL
        ), whole AS (
            SELECT store, date, count(*) AS people, avg(seconds) AS stay_s FROM stays GROUP BY ALL
        ), doors AS (
            SELECT store, date, count(*) AS footfall, count(DISTINCT person_id) AS visitors
            FROM {{footfall}} WHERE direction = 'in' AND {people} GROUP BY ALL
        ), zones AS (
            SELECT store, date, count(*) AS visits, avg(dwell_s) FILTER (NOT truncated) AS dwell_s,
                count(*) FILTER (truncated) AS truncated
            FROM {{visits}} WHERE {people} GROUP BY ALL
        ), known AS (SELECT DISTINCT store, date FROM {{runs}})
        SELECT known.store, known.date, coalesce(footfall, 0) AS footfall, coalesce(visitors, 0) AS visitors,
            coalesce(people, 0) AS people, stay_s, coalesce(visits, 0) AS visits, dwell_s,
            coalesce(truncated, 0) AS truncated
        FROM known LEFT JOIN whole USING (store, date) LEFT JOIN doors USING (store, date)
            LEFT JOIN zones USING (store, date) ORDER BY ALL
        """,
        tables=["visits", "footfall", "runs"],
    )


def zone_visits(scope: Scope, engaged_s: float) -> pd.DataFrame | None:
    """Visits by zone: visits, unique_people, dwell mean, median, p90 (s, whole visits), engaged, truncated."""
    return ask(
        scope,
        f"""
        SELECT zone, count(*) AS visits, count(DISTINCT (store, date, person_id)) AS unique_people,
            avg(dwell_s) FILTER (NOT truncated) AS dwell_mean,
            quantile_cont(dwell_s, 0.5) FILTER (NOT truncated) AS dwell_median,
            quantile_cont(dwell_s, 0.9) FILTER (NOT truncated) AS dwell_p90,
            count(*) FILTER (dwell_s >= ?) AS engaged, count(*) FILTER (truncated) AS truncated
        FROM {{visits}} WHERE {people_condition(scope)} GROUP BY zone ORDER BY zone
        """,
        engaged_s,
        tables=["visits"],
    )


def people_count(scope: Scope) -> int:
    """Different people of the scope with at least one zone visit: a person a store-day."""
    found = ask(
        scope,
        f"SELECT count(DISTINCT (store, date, person_id)) AS people FROM {{visits}} WHERE {people_condition(scope)}",
        tables=["visits"],
    )
    return 0 if found is None else int(found["people"].iloc[0])


def zone_time(scope: Scope, zone_info: str) -> pd.DataFrame | None:
    """Zones by day and local hour: store, date, zone, hour, person_s, observed_s, bucket_s, density, occupancy_max,
    entries, and the observed seconds at each Fruin level by the mean of each minute (level_a_s ... level_f_s).

    person_s is occupancy times observed time; `density` is a mean over observed time.
    """
    bounds = (0, 0.31, 0.43, 0.72, 1.08, 2.15, 1e9)
    levels = ", ".join(
        f"sum(bucket_s * coverage) FILTER (density_mean >= {low} AND density_mean < {high}) AS level_{name}_s"
        for name, low, high in zip("abcdef", bounds, bounds[1:], strict=False)
    )
    return ask(
        scope,
        f"""
        SELECT store, date, zone, hour(timezone(?, bucket_start)) AS hour,
            sum(occupancy_mean * bucket_s * coverage) AS person_s,
            sum(bucket_s * coverage) AS observed_s, sum(bucket_s) AS bucket_s,
            sum(density_mean * bucket_s * coverage) / nullif(sum(bucket_s * coverage), 0) AS density,
            max(occupancy_max) AS occupancy_max, sum(entries) AS entries, {levels}
        FROM {{zone_counts}} WHERE role_filter = ? GROUP BY ALL ORDER BY ALL
        """,
        zone_info,
        scope.role_filter,
        tables=["zone_counts"],
    )


def dwell_histogram(scope: Scope, zone: str, bin_s: int, longest_s: int) -> pd.DataFrame | None:
    """Whole visits of a zone by dwell: dwell_s (start of the bin), visits. The last bin holds all that is longer."""
    return ask(
        scope,
        f"""
        SELECT least(floor(dwell_s / {int(bin_s)}) * {int(bin_s)}, {int(longest_s)}) AS dwell_s, count(*) AS visits
        FROM {{visits}} WHERE zone = ? AND NOT truncated AND {people_condition(scope)} GROUP BY 1 ORDER BY 1
        """,
        zone,
        tables=["visits"],
    )


def waiting(scope: Scope, zone: str, zone_info: str, at_least_s: float) -> pd.DataFrame | None:
    """Waiting in a zone by local hour of arrival: hour, visits, wait_median, wait_p90 (s); passers-by left out."""
    return ask(
        scope,
        """
        SELECT hour(timezone(?, enter)) AS hour, count(*) AS visits, quantile_cont(dwell_s, 0.5) AS wait_median,
            quantile_cont(dwell_s, 0.9) AS wait_p90
        FROM {visits} WHERE zone = ? AND NOT truncated AND role = 'shopper' AND dwell_s >= ? GROUP BY 1 ORDER BY 1
        """,
        zone_info,
        zone,
        at_least_s,
        tables=["visits"],
    )


def queue(scope: Scope, zone: str, zone_info: str, at_least_s: float) -> pd.DataFrame | None:
    """Shoppers in line in a zone by local hour: hour, queue (mean over the observed time); passers-by left out."""
    return ask(
        scope,
        """
        WITH piece AS (
            SELECT unnest(generate_series(date_trunc('hour', enter), exit, INTERVAL 1 hour)) AS begins, enter, exit
            FROM {visits} WHERE zone = ? AND role = 'shopper' AND dwell_s >= ?
        ), spent AS (
            SELECT hour(timezone(?, begins)) AS hour,
                sum(epoch(least(exit, begins + INTERVAL 1 hour) - greatest(enter, begins))) AS person_s
            FROM piece GROUP BY 1
        ), seen AS (
            SELECT hour(timezone(?, bucket_start)) AS hour, sum(bucket_s * coverage) AS observed_s
            FROM {zone_counts} WHERE zone = ? AND role_filter = 'shoppers' GROUP BY 1
        )
        SELECT hour, coalesce(person_s, 0) / observed_s AS queue FROM seen LEFT JOIN spent USING (hour)
        WHERE observed_s > 0 ORDER BY hour
        """,
        zone,
        at_least_s,
        zone_info,
        zone_info,
        zone,
        tables=["visits", "zone_counts"],
    )


def confidence(scope: Scope) -> pd.DataFrame | None:
    """How sure the join of tracks to people is: confidence (0.05 wide bins, lower edge), tracks, people."""
    return ask(
        scope,
        """
        SELECT least(floor(confidence * 20) / 20, 0.95) AS confidence, count(*) AS tracks,
            count(DISTINCT (store, date, person_id)) AS people
        FROM {identities} GROUP BY 1 ORDER BY 1
        """,
        tables=["identities"],
    )


def last_days(scope: Scope, count: int) -> Scope:
    """The `count` days that end with the scope's last."""
    return scope.at(scope.last - timedelta(days=count - 1), scope.last)
