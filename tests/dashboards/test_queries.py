"""Answers of the one door to the lake, against the metrics' own code and against plain pandas."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from dashboards import floor_queries, lake_files, queries, theme, zone_numbers
from dashboards.lake_query import Scope, ask
from dashboards.view import View
from dashboards.views.floor_flows import first_visits, zone_flows
from flows import rollup
from flows.config import StoreConfig
from flows.density import fruin_level
from flows.dwell import dwell_statistics
from flows.heatmap import heat_map
from flows.lake import Lake
from flows.lake_files import LocalFiles
from flows.places import zones_of
from flows.queues import PASSED_BY_S, waiting_times
from flows.simulate import DemoLake
from flows.store_reading import load_store

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
    people, with_staff = (queries.day_numbers(one).iloc[0]["people"] for one in (scope, everyone))
    assert with_staff == people + 1 > 100  # who fills shelves; the till is in no zone


def test_headline_numbers_of_the_manifest_are_those_of_a_query(scope: Scope) -> None:
    sql = rollup.day_numbers_sql("{visits}", "{footfall}", "{runs}", rollup.people_condition("shoppers"))
    asked = ask(scope, sql, tables=["visits", "footfall", "runs"])
    assert asked is not None
    kept = queries.day_numbers(scope)
    pd.testing.assert_frame_equal(kept[asked.columns], asked, check_dtype=False)


def test_peak_is_the_most_at_one_moment(scope: Scope) -> None:
    stays = queries.presence(scope)
    first, last = (stays[name].to_numpy() for name in ("first", "last"))
    inside = [((first <= moment) & (last >= moment)).sum() for moment in first]
    assert queries.day_numbers(scope).iloc[0]["peak"] == max(inside)


def test_hours_are_those_of_the_minutes(scope: Scope, store: StoreConfig, read: Callable[[str], pd.DataFrame]) -> None:
    ours = queries.zone_time(scope, store.timezone)
    counts = read("zone_counts").query("role_filter == 'shoppers'")
    counts["observed_s"] = counts["bucket_s"] * counts["coverage"]
    counts["person_s"] = counts["occupancy_mean"] * counts["observed_s"]
    counts["hour"] = counts["bucket_start"].dt.tz_convert(store.timezone).dt.hour
    theirs = counts.groupby(["zone", "hour"])[["observed_s", "person_s", "entries"]].sum()
    found = ours.set_index(["zone", "hour"])[["observed_s", "person_s", "entries"]]
    pd.testing.assert_frame_equal(found.sort_index(), theirs.sort_index(), check_dtype=False, check_index_type=False)


def test_zone_statistics_are_those_of_the_metrics(
    scope: Scope, store: StoreConfig, read: Callable[[str], pd.DataFrame]
) -> None:
    table = zone_numbers.zone_numbers(View(store, scope)).set_index("zone")
    theirs = dwell_statistics(shoppers(read("visits")), engaged_s=store.counting.engaged_s).set_index("zone")
    assert table["visits"].tolist() == theirs.loc[table.index, "visits"].tolist()
    np.testing.assert_allclose(table["median_s"], theirs.loc[table.index, "median_s"])


def test_a_person_of_two_days_counts_twice(scope: Scope, store: StoreConfig) -> None:
    both = scope.at(date(2025, 3, 14), DAY)
    one, other = (zone_numbers.visit_statistics(scope.at(day), 10.0) for day in (date(2025, 3, 14), DAY))
    together = zone_numbers.visit_statistics(both, 10.0)
    sums = one.set_index("zone")["visitors"] + other.set_index("zone")["visitors"]
    assert together.set_index("zone")["visitors"].to_dict() == sums.to_dict()


def test_queue_by_hour_is_the_time_of_those_who_wait(
    scope: Scope, store: StoreConfig, read: Callable[[str], pd.DataFrame]
) -> None:
    ours = zone_numbers.queue_by_hour(View(store, scope), "checkout")
    seen = queries.zone_time(scope, store.timezone).query("zone == 'checkout'").set_index("hour")["observed_s"]
    visits = shoppers(read("visits")).query("zone == 'checkout'")
    person_s = (ours["queue"] * ours["hour"].map(seen)).sum()
    assert person_s == pytest.approx(visits.query(f"dwell_s >= {PASSED_BY_S}")["dwell_s"].sum(), rel=1e-6)
    assert ours["waits"].sum() == waiting_times(visits, zones_of(store)).iloc[0]["waits"]


def test_flows_between_zones_hold_everybody_once_at_each_end(read: Callable[[str], pd.DataFrame]) -> None:
    visits = shoppers(read("visits"))
    flows = zone_flows(visits)
    people = visits["person_id"].nunique()
    assert flows.loc[flows["source"] == "(in)", "people"].sum() == people
    assert flows.loc[flows["target"] == "(out)", "people"].sum() == people


def test_places_on_the_floor_are_one_a_person_and_moment(scope: Scope, store: StoreConfig) -> None:
    start, end = (datetime.fromtimestamp(edge / 1e6, UTC) for edge in store.day_window(DAY))
    places = floor_queries.places(scope, start, end)
    assert not places.duplicated(["person_id", "time_us"]).any()
    heat = heat_map(places, store.floor.width_m, store.floor.depth_m, cell_m=1.0)
    in_view = places.groupby("person_id")["time_us"].agg(lambda times: np.diff(times)[np.diff(times) <= 20e6].sum())
    assert heat.person_seconds_per_m2.sum() == pytest.approx(in_view.sum() / 1e6, rel=0.01)


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
    sql = rollup.stays_sql(f"({visits})", f"({doors})", "true")
    stays = connection.execute(f"SELECT epoch(last - first) / 60 AS minutes FROM ({sql}) ORDER BY first").df()
    assert stays["minutes"].tolist() == [5.0, 5.0]


def test_a_day_processed_again_is_read_again(month: DemoLake, tmp_path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    tables = Lake(str(month.lake)).read_day("kiez", DAY)
    lake.write_day("kiez", DAY, tables)
    scope = Scope(str(tmp_path / "lake"), ("kiez",), DAY, DAY)
    before = len(queries.visits(scope))
    people = queries.day_numbers(scope).iloc[0]["people"]
    lake.write_day("kiez", DAY, tables | {"visits": tables["visits"].slice(0, 10)})
    lake_files.files.clear()  # it looks again after some seconds
    lake_files.numbers.clear()
    assert before > 10 and len(queries.visits(scope)) <= 10
    assert queries.day_numbers(scope).iloc[0]["visits"] <= 10 and people > 10


def test_days_outside_the_lake_are_no_answer(month: DemoLake) -> None:
    assert queries.day_numbers(Scope(str(month.lake), ("kiez",), date(2024, 1, 1), date(2024, 1, 2))) is None


@pytest.mark.parametrize("density", [0, 0.30, 0.31, 0.43, 0.72, 1.08, 2.15, 9])
def test_fruin_levels_are_those_of_the_metrics(density: float) -> None:
    assert theme.fruin_level(density)[0] == fruin_level(np.array([density]))[0]


def test_the_first_visit_is_counted_from_the_way_in(scope: Scope, read: Callable[[str], pd.DataFrame]) -> None:
    footfall, visits = shoppers(read("footfall")), shoppers(read("visits"))
    table = first_visits(queries.visits(scope), queries.footfall(scope)).set_index("zone")
    came = footfall[footfall["direction"] == "in"].groupby("person_id")["time"].min()
    bakery = visits[visits["zone"] == "aisle_2"].groupby("person_id")["enter"].min()
    seconds = (bakery - came.reindex(bakery.index)).dt.total_seconds().dropna()
    assert table.loc["aisle_2", "median_s"] == pytest.approx(seconds.median())
    assert table.loc["aisle_2", "people"] == len(seconds) > 100
    assert table["median_s"].is_monotonic_increasing and table.index[0] == "entrance"


def test_a_manifest_is_read_again_only_where_it_changed(
    month: DemoLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(shutil.copytree(month.lake, tmp_path / "lake"))
    scope = Scope(lake.root, ("kiez", "plateau"), date(2025, 3, 8), DAY)
    read: list[str] = []
    get = LocalFiles.get
    monkeypatch.setattr(LocalFiles, "get", lambda files, path: read.append(path) or get(files, path))
    first = queries.day_numbers(scope)
    assert len(read) == len(set(read)) == len(first)
    lake_files.numbers.clear()
    pd.testing.assert_frame_equal(queries.day_numbers(scope), first)
    assert len(read) == len(first)
    lake.write_day("kiez", DAY, lake.read_day("kiez", DAY, ["runs"]))
    read.clear()
    lake_files.numbers.clear()
    changed = queries.day_numbers(scope)
    assert read == [f"_days/store=kiez/date={DAY}.json"]
    assert changed.query("store == 'kiez'")["visits"].iloc[-1] == 0 < first.query("store == 'kiez'")["visits"].iloc[-1]
