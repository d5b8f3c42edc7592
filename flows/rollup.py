"""What the lake derives from a day's tables when it is written, so that long spans need not be counted row by row.

`zone_quarters`: zone_counts in quarter-hours, 15 times fewer rows. Time zones differ by whole quarter-hours, so any
local hour is made of them. `day_numbers`: a store-day's headline numbers, kept in its manifest: a chain's year is
read from the manifests alone. Both are defined here, in SQL that the dashboard asks too, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

from flows.density import FRUIN_LEVELS, FRUIN_LIMITS
from flows.schemas import empty

QUARTER_S = 900
SOURCES = ("visits", "footfall", "runs")
"""Tables that a day's numbers are made of."""

LEVEL_COLUMNS = tuple(f"level_{level.lower()}_s" for level in FRUIN_LEVELS)
ROLE_FILTERS = ("shoppers", "all")


def _levels() -> str:
    """Observed seconds at each Fruin level, by the mean density of each bucket."""
    bounds = ("0", *(str(limit) for limit in FRUIN_LIMITS), "'inf'::DOUBLE")
    return ", ".join(
        f"coalesce(sum(bucket_s * coverage) FILTER (density_mean >= {low} AND density_mean < {high}), 0) AS {name}"
        for name, low, high in zip(LEVEL_COLUMNS, bounds, bounds[1:], strict=False)
    )


def quarters_sql(zone_counts: str, extra: str = "") -> str:
    """SQL of the rows of `zone_quarters` from those of `zone_counts` (a view, or a query in brackets).

    person_s: occupancy over the observed time, a sum over the buckets of mean, length and coverage; so person_s /
    observed_s is the mean over what was observed. `extra`: further columns to keep apart, "store, date, ".
    """
    return f"""
        SELECT {extra}zone, role_filter,
            make_timestamptz(epoch_us(bucket_start) // {QUARTER_S}000000 * {QUARTER_S}000000) AS quarter_start,
            sum(bucket_s * coverage) AS observed_s, sum(bucket_s)::INTEGER AS bucket_s,
            coalesce(sum(occupancy_mean * bucket_s * coverage), 0) AS person_s,
            sum(density_mean * bucket_s * coverage) AS density_s, max(occupancy_max) AS occupancy_max,
            sum(entries)::INTEGER AS entries, sum(exits)::INTEGER AS exits, {_levels()}
        FROM {zone_counts} GROUP BY ALL
    """


def stays_sql(visits: str, footfall: str, people: str) -> str:
    """SQL for when each person was in the store: store, date, person_id, role, stay (a number), first, last.

    A stay reaches from the first to the last sign of a person, a zone visit or an entrance crossing. Who went out
    through an entrance is outside until their next sign. `people`: condition on the role.
    """
    return f"""
        SELECT store, date, person_id, stay, any_value(role) AS role, min(first) AS first, max(last) AS last FROM (
            SELECT *, coalesce(sum(goes_out) OVER (PARTITION BY store, date, person_id ORDER BY first, last, goes_out
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS stay
            FROM (
                SELECT store, date, person_id, role, enter AS first, exit AS last, 0 AS goes_out FROM {visits}
                UNION ALL SELECT store, date, person_id, role, time, time, (direction = 'out')::INT FROM {footfall}
            ) WHERE {people}
        ) GROUP BY store, date, person_id, stay
    """


def day_numbers_sql(visits: str, footfall: str, runs: str, people: str) -> str:
    """SQL for the headline numbers of each store-day.

    footfall: inward crossings. visitors: people who crossed inward at least once. people: different people with any
    sign. stay_s: mean time in the store, over people (`stays_sql`); peak: most people inside at one moment, who comes
    as another goes counted with them. visits; dwell_s: mean of whole zone visits;
    truncated: visits cut by the video. seconds_seen and seconds_expected of all cameras; simulated.
    """
    return f"""
        WITH stay AS ({stays_sql(visits, footfall, people)}), person AS (
            SELECT store, date, person_id, sum(epoch(last - first)) AS seconds FROM stay GROUP BY ALL
        ), whole AS (
            SELECT store, date, count(*) AS people, avg(seconds) AS stay_s FROM person GROUP BY ALL
        ), moment AS (
            SELECT store, date, first AS time, 1 AS change FROM stay
            UNION ALL SELECT store, date, last, -1 FROM stay
        ), fullest AS (
            SELECT store, date, max(inside) AS peak FROM (
                SELECT store, date, sum(change) OVER (PARTITION BY store, date ORDER BY time, change DESC
                    ROWS UNBOUNDED PRECEDING) AS inside FROM moment
            ) GROUP BY ALL
        ), doors AS (
            SELECT store, date, count(*) AS footfall, count(DISTINCT person_id) AS visitors
            FROM {footfall} WHERE direction = 'in' AND {people} GROUP BY ALL
        ), zones AS (
            SELECT store, date, count(*) AS visits, avg(dwell_s) FILTER (NOT truncated) AS dwell_s,
                count(*) FILTER (truncated) AS truncated
            FROM {visits} WHERE {people} GROUP BY ALL
        ), known AS (
            SELECT store, date, list_sum(list_transform(cameras, lambda camera: camera.seconds_seen)) AS seconds_seen,
                list_sum(list_transform(cameras, lambda camera: camera.seconds_expected)) AS seconds_expected, simulated
            FROM {runs} QUALIFY row_number() OVER (PARTITION BY store, date ORDER BY started DESC) = 1
        )
        SELECT known.store, known.date, coalesce(footfall, 0) AS footfall, coalesce(visitors, 0) AS visitors,
            coalesce(people, 0) AS people, stay_s, coalesce(peak, 0)::INTEGER AS peak, coalesce(visits, 0) AS visits,
            dwell_s, coalesce(truncated, 0) AS truncated, coalesce(seconds_seen, 0) AS seconds_seen,
            coalesce(seconds_expected, 0) AS seconds_expected, simulated
        FROM known LEFT JOIN whole USING (store, date) LEFT JOIN fullest USING (store, date)
            LEFT JOIN doors USING (store, date) LEFT JOIN zones USING (store, date) ORDER BY ALL
    """


def people_condition(role_filter: str) -> str:
    """SQL that keeps the people of a role filter in a table with roles."""
    return "true" if role_filter == "all" else "role = 'shopper'"


def zone_quarters(zone_counts: pa.Table) -> pa.Table:
    """The rows of `zone_quarters` from those of `zone_counts`."""
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("counts", zone_counts)
        return database.sql(quarters_sql("counts")).to_arrow_table()


def day_numbers(tables: Mapping[str, pa.Table]) -> dict[str, dict[str, Any]]:
    """By role filter the headline numbers of one store-day (`day_numbers_sql`); empty for a day that has no run.

    `footfall` and `visits` may be missing: the store has no entrances (its footfall and visitors are not known: None),
    or no zones.
    """
    if not len(tables.get("runs", ())):
        return {}
    found = {}
    with duckdb.connect() as database:
        for name in SOURCES:
            database.register(f"own_{name}", tables.get(name, empty(name)))
        visits, footfall, runs = (f"(SELECT '' AS store, '' AS date, * FROM own_{name})" for name in SOURCES)
        for role_filter in ROLE_FILTERS:
            sql = day_numbers_sql(visits, footfall, runs, people_condition(role_filter))
            row = database.sql(sql).to_arrow_table().to_pylist()[0]
            if "footfall" not in tables:
                row |= {"footfall": None, "visitors": None}
            found[role_filter] = {name: value for name, value in row.items() if name not in ("store", "date")}
    return found
