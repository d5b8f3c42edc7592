"""Questions about store-days: runs, cameras, headline numbers, people, doors, zones over time.

What a number means is said where it is made, in `flows`; here its rows are fetched and cut to the days in question.
"""

from __future__ import annotations

import pandas as pd

from dashboards import lake_files
from dashboards.lake_query import Scope, ask, people_condition
from flows import rollup
from flows.rollup import LEVEL_COLUMNS, QUARTER_S

PEOPLE_A_DAY = 10_000_000  # more than any store has


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


def checks(scope: Scope) -> pd.DataFrame | None:
    """What the processing measured of the days' quality: the lake's table, what looks wrong first."""
    return ask(scope, "SELECT * FROM {checks} ORDER BY wrong DESC, date DESC, store, camera", tables=["checks"])


def day_numbers(scope: Scope) -> pd.DataFrame | None:
    """The headline numbers of each store-day, from the days' manifests: store, date (timestamps), the columns of
    `flows.rollup.day_numbers_sql` (footfall and visitors NaN where the store has no entrance to count at), and coverage
    (0..1). None where the lake has no such day."""
    rows = lake_files.numbers(scope.lake, scope.stores, scope.first, scope.last, scope.role_filter)
    if rows.empty:
        return None
    expected = rows["seconds_expected"].where(rows["seconds_expected"] > 0)
    counted = rows[["footfall", "visitors"]].astype(float)
    return rows.assign(coverage=(rows["seconds_seen"] / expected).clip(upper=1.0), **counted)


def zone_series(scope: Scope, minutes: int) -> pd.DataFrame | None:
    """Zones over time in steps of `minutes`: zone, time, occupancy, density, occupancy_max, coverage.

    Means are over the observed seconds of a step; NaN where nothing was observed. Steps of whole quarter-hours come
    from `zone_quarters`, shorter ones from `zone_counts`.
    """
    whole_quarters = minutes * 60 % QUARTER_S == 0
    columns = (
        ("quarter_start", "observed_s", "person_s", "density_s", "zone_quarters")
        if whole_quarters
        else (
            "bucket_start",
            "(bucket_s * coverage)",
            "(occupancy_mean * bucket_s * coverage)",
            "(density_mean * bucket_s * coverage)",
            "zone_counts",
        )
    )
    start, observed, person_s, density_s, table = columns
    return ask(
        scope,
        f"""
        SELECT zone, time_bucket(INTERVAL '{int(minutes)} minutes', {start}) AS time,
            sum({person_s}) / nullif(sum({observed}), 0) AS occupancy,
            sum({density_s}) / nullif(sum({observed}), 0) AS density,
            max(occupancy_max) AS occupancy_max, sum({observed}) / sum(bucket_s) AS coverage
        FROM {{{table}}} WHERE role_filter = ? GROUP BY ALL ORDER BY time, zone
        """,
        scope.role_filter,
        tables=[table],
    )


def zone_time(scope: Scope, zone_info: str) -> pd.DataFrame | None:
    """Zones by day and local hour: store, date, zone, hour, person_s, observed_s, bucket_s, density, occupancy_max,
    entries, and the observed seconds at each Fruin level by the mean of each minute (level_a_s ... level_f_s).

    person_s is occupancy times observed time; `density` is a mean over observed time.
    """
    levels = ", ".join(f"sum({name}) AS {name}" for name in LEVEL_COLUMNS)
    return ask(
        scope,
        f"""
        SELECT store, date, zone, hour(timezone(?, quarter_start)) AS hour, sum(person_s) AS person_s,
            sum(observed_s) AS observed_s, sum(bucket_s) AS bucket_s,
            sum(density_s) / nullif(sum(observed_s), 0) AS density,
            max(occupancy_max) AS occupancy_max, sum(entries) AS entries, {levels}
        FROM {{zone_quarters}} WHERE role_filter = ? GROUP BY ALL ORDER BY ALL
        """,
        zone_info,
        scope.role_filter,
        tables=["zone_quarters"],
    )


def presence(scope: Scope) -> pd.DataFrame | None:
    """Every stay of a person in the store (`flows.rollup.stays_sql`), first ones first."""
    sql = rollup.stays_sql("{visits}", "{footfall}", people_condition(scope))
    return ask(scope, f"{sql} ORDER BY first, person_id", tables=["visits", "footfall"])


def footfall(scope: Scope) -> pd.DataFrame | None:
    """The rows of the lake's table."""
    return ask(scope, f"SELECT * FROM {{footfall}} WHERE {people_condition(scope)} ORDER BY time", tables=["footfall"])


def groups(scope: Scope) -> pd.DataFrame | None:
    """The rows of the lake's table."""
    return ask(scope, "SELECT * FROM {groups} ORDER BY date, group_id, person_id", tables=["groups"])


def visits(scope: Scope) -> pd.DataFrame | None:
    """The rows of the lake's table for one store; `person_id` is made different from day to day, so that a person of
    one day is never taken for one of another."""
    if len(scope.stores) > 1:
        raise ValueError("people of several stores are not told apart; ask for the visits of one")
    zones = ask(scope, "SELECT DISTINCT zone FROM {visits} ORDER BY zone", tables=["visits"])
    if zones is None:
        return None
    names = ", ".join(f"""'{str(zone).replace("'", "''")}'""" for zone in zones["zone"])
    zone = f"zone::ENUM({names})" if names else "zone"  # categories: a year of them as text takes seconds and gigabytes
    return ask(
        scope,
        f"""
        SELECT date, person_id + {PEOPLE_A_DAY} * date_diff('day', DATE '2000-01-01', date) AS person_id,
            role::ENUM('shopper', 'staff') AS role, {zone} AS zone, enter, exit, dwell_s, truncated
        FROM {{visits}} WHERE {people_condition(scope)}
        """,
        tables=["visits"],
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
