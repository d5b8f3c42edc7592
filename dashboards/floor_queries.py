"""Questions about places on the floor."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd

from dashboards import lake_files
from dashboards.lake_query import Scope, ask


def position_days(lake: str, store: str) -> list[date]:
    """Days of a store that still hold single positions, in order."""
    return lake_files.days_with(lake, "positions", store)


def _places(scope: Scope) -> str:
    """SQL for where each person was: several cameras that see one person at once give one place."""
    shopper = "(store, date, person_id) IN (SELECT (store, date, person_id) FROM {visits} WHERE role = 'shopper')"
    return f"""
        SELECT store, date, person_id, time_bucket(INTERVAL '200 milliseconds', time) AS time,
            avg(x_m) AS x, avg(y_m) AS y
        FROM {{positions}} JOIN {{identities}} USING (store, date, camera, track_id)
        WHERE x_m IS NOT NULL AND time >= ? AND time < ? AND {"true" if scope.include_staff else shopper} GROUP BY ALL
    """


def places(scope: Scope, start: datetime, end: datetime) -> pd.DataFrame | None:
    """Where people were in a span of time, as `flows` takes trajectories: person_id, role, plane, time_us, x, y."""
    return ask(
        scope,
        f"""
        SELECT person_id, 'shopper' AS role, 'floor' AS plane, epoch_us(time) AS time_us, x, y
        FROM ({_places(scope)}) ORDER BY person_id, time_us
        """,
        start,
        end,
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
