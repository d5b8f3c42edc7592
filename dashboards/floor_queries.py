"""Questions about ways and places on the floor, asked through `dashboards.queries`."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd

from dashboards import lake_files
from dashboards.queries import Scope, ask, people_condition


def position_days(lake: str, store: str) -> list[date]:
    """Days of a store that still hold single positions, in order."""
    return lake_files.days_with(lake, "positions", store)


def transitions(scope: Scope) -> pd.DataFrame | None:
    """Ways from zone to zone: source, target, people. "(in)" and "(out)" stand for before the first, after the last."""
    return ask(
        scope,
        f"""
        WITH way AS (
            SELECT store, date, person_id, zone, enter,
                lag(zone) OVER one AS before, lead(zone) OVER one AS after
            FROM {{visits}} WHERE {people_condition(scope)}
            WINDOW one AS (PARTITION BY store, date, person_id ORDER BY enter, exit)
        )
        SELECT coalesce(before, '(in)') AS source, zone AS target, count(*) AS people FROM way
        WHERE before IS DISTINCT FROM zone GROUP BY ALL
        UNION ALL SELECT zone, '(out)', count(*) FROM way WHERE after IS NULL GROUP BY ALL ORDER BY people DESC
        """,
        tables=["visits"],
    )


def common_paths(scope: Scope, most: int = 12) -> pd.DataFrame | None:
    """The most common orders of zones (repeats of a zone joined): path (list), people, stay_s (mean)."""
    return ask(
        scope,
        f"""
        WITH step AS (
            SELECT store, date, person_id, zone, enter, exit, lag(zone) OVER one AS before
            FROM {{visits}} WHERE {people_condition(scope)}
            WINDOW one AS (PARTITION BY store, date, person_id ORDER BY enter, exit)
        ), way AS (
            SELECT list(zone ORDER BY enter, exit) FILTER (before IS DISTINCT FROM zone) AS path,
                epoch(max(exit) - min(enter)) AS stay_s
            FROM step GROUP BY store, date, person_id
        )
        SELECT path, count(*) AS people, avg(stay_s) AS stay_s FROM way GROUP BY path ORDER BY people DESC, path
        LIMIT {int(most)}
        """,
        tables=["visits"],
    )


def _places(scope: Scope) -> str:
    """SQL for where each person was: several cameras that see one person at once give one place."""
    shopper = "(store, date, person_id) IN (SELECT (store, date, person_id) FROM {visits} WHERE role = 'shopper')"
    return f"""
        SELECT store, date, person_id, time_bucket(INTERVAL '200 milliseconds', time) AS time,
            avg(x_m) AS x, avg(y_m) AS y
        FROM {{positions}} JOIN {{identities}} USING (store, date, camera, track_id)
        WHERE x_m IS NOT NULL AND time >= ? AND time < ? AND {"true" if scope.include_staff else shopper} GROUP BY ALL
    """


def heat(scope: Scope, start: datetime, end: datetime, cell_m: float, max_hidden_s: float) -> pd.DataFrame | None:
    """Time spent on the floor, in square cells: column, row, person_s, dx, dy; as `flows.heatmap.heat_map` defines it.

    The time between two places of a person counts at the middle between them, unless it is longer than
    `max_hidden_s`. dx, dy: the ways walked over their length, so at most 1 long; null where nobody walked.
    """
    walks = "length >= 0.2 * seconds"
    return ask(
        scope,
        f"""
        WITH place AS ({_places(scope)}), step AS (
            SELECT x, y, epoch(lead(time) OVER one - time) AS seconds, lead(x) OVER one AS to_x,
                lead(y) OVER one AS to_y
            FROM place WINDOW one AS (PARTITION BY store, date, person_id ORDER BY time)
        ), way AS (
            SELECT (x + to_x) / 2 AS x, (y + to_y) / 2 AS y, seconds, to_x - x AS dx, to_y - y AS dy,
                sqrt(pow(to_x - x, 2) + pow(to_y - y, 2)) AS length
            FROM step WHERE seconds <= ?
        )
        SELECT floor(x / {float(cell_m)})::INT AS "column", floor(y / {float(cell_m)})::INT AS "row",
            sum(seconds) AS person_s, sum(dx) FILTER ({walks}) / sum(length) FILTER ({walks}) AS dx,
            sum(dy) FILTER ({walks}) / sum(length) FILTER ({walks}) AS dy
        FROM way GROUP BY ALL
        """,
        start,
        end,
        max_hidden_s,
        tables=["positions", "identities", "visits"],
    )


def tracks(scope: Scope, start: datetime, end: datetime) -> pd.DataFrame | None:
    """The ways of people in a span of time: person_id, time, x, y (m), in order; at most a place a second."""
    return ask(
        scope,
        f"""
        SELECT person_id, time_bucket(INTERVAL '1 second', time) AS time, avg(x) AS x, avg(y) AS y
        FROM ({_places(scope)}) GROUP BY ALL ORDER BY person_id, time
        """,
        start,
        end,
        tables=["positions", "identities", "visits"],
    )
