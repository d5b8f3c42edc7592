"""What the lake derives: quarter-hours of zone counts, headline numbers of a day; groups of people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.density import fruin_level
from flows.lake import Lake
from flows.places import SECOND_US
from flows.rollup import LEVEL_COLUMNS
from flows.schemas import from_columns

DAY, STORE = "2025-03-14", "demo"
START_US = 1_741_910_400_000_000


@pytest.fixture
def counts() -> pd.DataFrame:
    """Two zones over 50 minutes, one without an area, some minutes unseen or seen in part."""
    random = np.random.default_rng(5)
    frames = []
    for zone, area in (("a", 4.0), ("b", np.nan)):
        for role_filter in ("shoppers", "all"):
            mean = random.gamma(1.0, 2.0, 50)
            coverage = random.choice([0.0, 0.4, 1.0], 50, p=[0.1, 0.2, 0.7])
            mean[coverage == 0] = np.nan
            whole = pd.array(random.integers(0, 9, 50), dtype="Int32")
            whole[coverage == 0] = pd.NA
            frames.append(
                pd.DataFrame(
                    {
                        "zone": zone,
                        "bucket_start": START_US + np.arange(50) * 60 * SECOND_US,
                        "bucket_s": 60,
                        "role_filter": role_filter,
                        "occupancy_mean": mean,
                        "occupancy_max": whole,
                        "entries": whole,
                        "exits": whole,
                        "unique_people": whole,
                        "dwell_s": mean * 60,
                        "density_mean": mean / area,
                        "coverage": coverage,
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def run(run_id: str = "r") -> pd.DataFrame:
    camera = {"camera": "north", "seconds_expected": 100.0, "seconds_seen": 90.0, "seconds_missing": 10.0}
    row = {
        "run_id": run_id,
        "started": START_US,
        "finished": START_US + SECOND_US,
        "code_version": "0",
        "config_sha256": "0",
        "models": [],
        "simulated": False,
        "cameras": [camera | {"frames": 1, "gaps": []}],
        "problems": [],
        "stage_seconds": {},
    }
    return from_columns("runs", {name: [value] for name, value in row.items()}).to_pandas()


def test_quarter_hours_hold_what_the_minutes_hold(tmp_path: Path, counts: pd.DataFrame) -> None:
    lake = Lake(str(tmp_path))
    lake.write_day(STORE, DAY, {"zone_counts": counts})
    quarters = lake.read("zone_quarters").to_pandas()
    assert len(quarters) == 2 * 2 * 4  # zones, role filters, begun quarter-hours
    seen = counts.assign(observed=counts["bucket_s"] * counts["coverage"])
    seen["person_s"] = seen["occupancy_mean"] * seen["observed"]
    seen["density_s"] = seen["density_mean"] * seen["observed"]
    by = ["zone", "role_filter"]
    ours, theirs = quarters.groupby(by), seen.groupby(by)
    for mine, named in {"observed_s": "observed", "person_s": "person_s", "density_s": "density_s"}.items():
        np.testing.assert_allclose(ours[mine].sum(), theirs[named].sum())
    assert (ours["bucket_s"].sum() == theirs["bucket_s"].sum()).all()
    assert (ours["occupancy_max"].max() == theirs["occupancy_max"].max()).all()
    assert (ours["entries"].sum() == theirs["entries"].sum()).all()
    seen["level"] = fruin_level(seen["density_mean"].to_numpy())
    for column in LEVEL_COLUMNS:
        level = column.split("_")[1].upper()
        expected = seen[seen["level"] == level].groupby(by)["observed"].sum()
        found = ours[column].sum()
        np.testing.assert_allclose(found, expected.reindex(found.index, fill_value=0.0))
    assert quarters.loc[quarters["zone"] == "b", "density_s"].isna().all()


def test_quarter_hours_follow_when_the_minutes_are_replaced(tmp_path: Path, counts: pd.DataFrame) -> None:
    lake = Lake(str(tmp_path))
    lake.write_day(STORE, DAY, {"zone_counts": counts})
    lake.replace_tables(STORE, DAY, {"zone_counts": counts[counts["zone"] == "a"]})
    assert set(lake.read("zone_quarters").to_pandas()["zone"]) == {"a"}
    lake.replace_tables(STORE, DAY, {"zone_counts": None}, reason="not wanted")
    manifest = lake.manifest(STORE, DAY)
    assert manifest is not None and "zone_quarters" not in manifest.tables


def test_the_manifest_holds_the_days_headline_numbers(tmp_path: Path) -> None:
    minute = 60 * SECOND_US
    visits = pd.DataFrame(
        {
            "person_id": [1, 1, 2],
            "role": ["shopper", "shopper", "staff"],
            "zone": ["a", "a", "a"],
            "enter": [START_US + minute, START_US + 30 * minute, START_US],
            "exit": [START_US + 4 * minute, START_US + 33 * minute, START_US + 50 * minute],
            "dwell_s": [180.0, 180.0, 3000.0],
            "truncated": [False, False, True],
        }
    )
    times = [START_US, START_US + 5 * minute, START_US + 29 * minute, START_US + 34 * minute]
    doors = {"person_id": 1, "role": "shopper", "entrance": "main", "time": times, "direction": ["in", "out"] * 2}
    lake = Lake(str(tmp_path))
    manifest = lake.write_day(STORE, DAY, {"visits": visits, "footfall": pd.DataFrame(doors), "runs": run()})
    shoppers, everyone = manifest.numbers["shoppers"], manifest.numbers["all"]
    assert (shoppers["footfall"], shoppers["visitors"], shoppers["people"]) == (2, 1, 1)
    assert shoppers["stay_s"] == 600.0  # 5 minutes twice: between the way out and the way back in they were outside
    assert (shoppers["visits"], shoppers["dwell_s"], shoppers["truncated"]) == (2, 180.0, 0)
    assert (everyone["people"], everyone["truncated"]) == (2, 1)
    assert (shoppers["seconds_seen"], shoppers["seconds_expected"], shoppers["simulated"]) == (90.0, 100.0, False)
    assert lake.manifest(STORE, DAY) == manifest


def test_totals_stay_when_a_person_is_taken_out_of_the_rows(tmp_path: Path) -> None:
    doors = pd.DataFrame(
        {"person_id": [1, 2], "role": "shopper", "entrance": "main", "time": START_US, "direction": "in"}
    )
    lake = Lake(str(tmp_path))
    before = lake.write_day(STORE, DAY, {"footfall": doors, "runs": run()})
    after = lake.replace_tables(STORE, DAY, {"footfall": doors[doors["person_id"] == 2]})
    assert after.numbers == before.numbers and after.numbers["shoppers"]["footfall"] == 2
    assert lake.read("footfall").num_rows == 1


def test_footfall_is_unknown_where_there_is_no_entrance_to_count_at(tmp_path: Path) -> None:
    row = {"person_id": 1, "role": "shopper", "zone": "a", "enter": START_US, "exit": START_US + 60 * SECOND_US}
    visits = pd.DataFrame([row | {"dwell_s": 60.0, "truncated": False}])
    manifest = Lake(str(tmp_path)).write_day(STORE, DAY, {"visits": visits, "runs": run()})
    shoppers = manifest.numbers["shoppers"]
    assert shoppers["footfall"] is None and shoppers["visitors"] is None and shoppers["people"] == 1
