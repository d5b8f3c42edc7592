"""Answers of the one door to the lake, against the metrics' own code and against plain pandas."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, date, datetime

import duckdb
import numpy as np
import pandas as pd
import pytest

from dashboards import charts, floor_queries, queries, theme
from dashboards.queries import Scope
from dashboards.views import zones
from flows.config import StoreConfig, load_store
from flows.density import fruin_level
from flows.dwell import dwell_statistics
from flows.heatmap import heat_map
from flows.journeys import common_paths, transitions
from flows.lake import Lake
from flows.places import zones_of
from flows.queues import waiting_times
from flows.simulate import DemoLake

DAY = date(2025, 3, 15)


@pytest.fixture(scope="module")
def store(month: DemoLake) -> StoreConfig:
    return load_store(month.stores / "kiez" / "store.yaml")


@pytest.fixture
def scope(month: DemoLake) -> Scope:
    return Scope(str(month.lake), ("kiez",), DAY, DAY)


@pytest.fixture
def read(month: DemoLake) -> Callable[[str], pd.DataFrame]:
    lake = Lake(str(month.lake))
    return lambda table: lake.read(table, ["kiez"], [DAY]).to_pandas()


def shoppers(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["role"] == "shopper"]


def test_headline_numbers_are_those_of_the_tables(scope: Scope, read: Callable[[str], pd.DataFrame]) -> None:
    row = queries.day_numbers(scope).iloc[0]
    visits, footfall = shoppers(read("visits")), shoppers(read("footfall"))
    inward = footfall[footfall["direction"] == "in"]
    assert (row["footfall"], row["visitors"]) == (len(inward), inward["person_id"].nunique())
    assert row["visits"] == len(visits)
    assert row["people"] == len(set(visits["person_id"]) | set(footfall["person_id"]))
    assert row["dwell_s"] == pytest.approx(visits.loc[~visits["truncated"], "dwell_s"].mean())


def test_staff_count_only_when_asked_for(scope: Scope) -> None:
    everyone = Scope(scope.lake, scope.stores, scope.first, scope.last, include_staff=True)
    assert (
        queries.people_count(everyone) == queries.people_count(scope) + 1
    )  # who fills shelves; the till is in no zone
    assert queries.people_count(scope) > 100


def test_zone_visits_are_the_dwell_statistics(
    scope: Scope, store: StoreConfig, read: Callable[[str], pd.DataFrame]
) -> None:
    engaged_s = store.counting.engaged_s
    ours = queries.zone_visits(scope, engaged_s).set_index("zone")
    theirs = dwell_statistics(shoppers(read("visits")), engaged_s=engaged_s).set_index("zone").loc[ours.index]
    pairs = {"visits": "visits", "unique_people": "visitors", "truncated": "truncated", "engaged": "engaged"}
    for mine, named in pairs.items():
        assert ours[mine].tolist() == theirs[named].tolist()
    for mine, named in {"dwell_mean": "mean_s", "dwell_median": "median_s", "dwell_p90": "p90_s"}.items():
        np.testing.assert_allclose(ours[mine], theirs[named])


def test_waiting_is_that_of_the_queues(scope: Scope, store: StoreConfig, read: Callable[[str], pd.DataFrame]) -> None:
    default = inspect.signature(waiting_times).parameters["at_least_s"].default
    assert zones.PASSER_BY_S == default
    ours = queries.waiting(scope, "checkout", store.timezone, default)
    theirs = waiting_times(read("visits"), zones_of(store)).iloc[0]
    assert ours["visits"].sum() == theirs["waits"] - theirs["truncated"]


def test_queue_is_the_time_of_those_who_wait(
    scope: Scope, store: StoreConfig, read: Callable[[str], pd.DataFrame]
) -> None:
    ours = queries.queue(scope, "checkout", store.timezone, 10.0)
    seen = queries.zone_time(scope, store.timezone).query("zone == 'checkout'").set_index("hour")["observed_s"]
    visits = shoppers(read("visits")).query("zone == 'checkout' and dwell_s >= 10")
    person_s = (ours["queue"] * ours["hour"].map(seen)).sum()
    assert person_s == pytest.approx(visits["dwell_s"].sum(), rel=1e-6)


def test_transitions_and_paths_are_those_of_the_journeys(scope: Scope, read: Callable[[str], pd.DataFrame]) -> None:
    visits = shoppers(read("visits"))
    ours = floor_queries.transitions(scope)
    inner = ours[~ours["source"].str.startswith("(") & ~ours["target"].str.startswith("(")]
    ours_by_pair = inner.set_index(["source", "target"])["people"].to_dict()
    theirs = transitions(visits).set_index(["from_zone", "to_zone"])["people"].to_dict()
    assert ours_by_pair == theirs
    mine, named = floor_queries.common_paths(scope), common_paths(visits, 12)
    assert mine["people"].tolist() == named["people"].tolist()
    assert " > ".join(mine["path"].iloc[0]) in named.loc[named["people"] == mine["people"].iloc[0], "path"].tolist()


def test_heat_is_the_heat_map(scope: Scope, store: StoreConfig, read: Callable[[str], pd.DataFrame]) -> None:
    start, end = (datetime.fromtimestamp(edge / 1e6, UTC) for edge in store.day_window(DAY))
    ours = floor_queries.heat(scope, start, end, 1.0, 20.0)
    places = read("positions").merge(read("identities"), on=["camera", "track_id"])
    roles = read("visits").drop_duplicates("person_id").set_index("person_id")["role"]
    trajectories = pd.DataFrame(
        {
            "person_id": places["person_id"],
            "role": places["person_id"].map(roles),
            "plane": "floor",
            "time_us": places["time"].astype("int64"),
            "x": places["x_m"].astype(float),
            "y": places["y_m"].astype(float),
        }
    )
    theirs = heat_map(trajectories, store.floor.width_m, store.floor.depth_m, cell_m=1.0, max_hidden_s=20.0)
    grid = np.zeros_like(theirs.person_seconds_per_m2)
    grid[ours["row"], ours["column"]] = ours["person_s"]
    np.testing.assert_allclose(grid, theirs.person_seconds_per_m2, rtol=0.02, atol=15)
    assert grid.sum() == pytest.approx(theirs.person_seconds_per_m2.sum(), rel=1e-3)


def test_occupancy_is_the_brute_force_count() -> None:
    random = np.random.default_rng(3)
    first = random.uniform(0, 100, 60)
    last = first + random.exponential(8, 60)
    edges = np.arange(0, 121, 5.0)
    mean, peak = charts.people_inside(first, last, edges)
    fine = np.arange(0, 120, 0.01) + 0.005
    inside = ((fine[:, None] >= first) & (fine[:, None] < last)).sum(axis=1).reshape(len(edges) - 1, -1)
    np.testing.assert_allclose(mean, inside.mean(axis=1), atol=0.02)
    np.testing.assert_array_equal(peak, np.maximum(inside.max(axis=1), peak.clip(max=inside.max(axis=1))))
    assert (peak >= mean).all() and peak.max() == inside.max()


def test_who_went_out_is_outside_until_the_next_sign() -> None:
    """Two stays of one person: the time between the way out and the way back in is spent outside."""
    connection = duckdb.connect()
    minute = "TIMESTAMPTZ '2025-03-15 10:{:02d}:00+00'"
    visits = " UNION ALL ".join(
        f"SELECT 'kiez' AS store, DATE '2025-03-15' AS date, 1 AS person_id, 'shopper' AS role, 'a' AS zone, "
        f"{minute.format(a)} AS enter, {minute.format(b)} AS exit"
        for a, b in ((1, 4), (30, 33))
    )
    doors = " UNION ALL ".join(
        f"SELECT 'kiez' AS store, DATE '2025-03-15' AS date, 1 AS person_id, 'shopper' AS role, 'main' AS entrance, "
        f"{minute.format(when)} AS time, '{way}' AS direction"
        for when, way in ((0, "in"), (5, "out"), (29, "in"), (34, "out"))
    )
    sql = queries._stays(Scope("", ("kiez",), DAY, DAY))
    sql = sql.replace("{visits}", f"({visits})").replace("{footfall}", f"({doors})")
    stays = connection.execute(f"SELECT epoch(last - first) / 60 AS minutes FROM ({sql}) ORDER BY first").df()
    assert stays["minutes"].tolist() == [5.0, 5.0]


def test_a_day_processed_again_is_read_again(month: DemoLake, tmp_path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    tables = Lake(str(month.lake)).read_day("kiez", DAY)
    lake.write_day("kiez", DAY, tables)
    scope = Scope(str(tmp_path / "lake"), ("kiez",), DAY, DAY)
    before = queries.day_numbers(scope).iloc[0]["visits"]
    lake.replace_tables("kiez", DAY, {"visits": tables["visits"].slice(0, 10)})
    queries.lake_files.files.clear()
    queries.lake_files.days.clear()
    assert before > 10 and queries.people_count(scope) <= 10


def test_days_outside_the_lake_are_no_answer(month: DemoLake) -> None:
    assert queries.day_numbers(Scope(str(month.lake), ("kiez",), date(2024, 1, 1), date(2024, 1, 2))) is None


@pytest.mark.parametrize("density", [0, 0.30, 0.31, 0.43, 0.72, 1.08, 2.15, 9])
def test_fruin_levels_are_those_of_the_metrics(density: float) -> None:
    assert theme.fruin_level(density)[0] == fruin_level(np.array([density]))[0]
