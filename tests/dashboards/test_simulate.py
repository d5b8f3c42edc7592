"""The simulated month: the same for a seed, marked, and with the odd days that a real one has."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from flows.groups import parties_in
from flows.lake import Lake
from flows.simulate import DemoLake, demo_lake
from flows.simulated_stores import SIMULATED_STORES, write_store_files
from flows.store_reading import load_store


@pytest.fixture(scope="module")
def lake(month: DemoLake) -> Lake:
    return Lake(str(month.lake))


def test_the_same_seed_gives_the_same_rows(tmp_path: Path) -> None:
    day = {"first": date(2025, 3, 3), "last": date(2025, 3, 3), "shops": SIMULATED_STORES[1:2]}
    commits = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        made = demo_lake(tmp_path / name, seed, **day)
        commits.append(Lake(str(made.lake)).manifest("kiez", "2025-03-03").commit)
    assert commits[0] == commits[1] != commits[2]


def test_every_day_is_marked(lake: Lake) -> None:
    runs = lake.read("runs").to_pylist()
    assert len(runs) == 15 and all(run["simulated"] and run["models"] == [] for run in runs)


def test_the_crowded_saturday_the_closed_sunday_and_the_failed_camera(lake: Lake) -> None:
    assert date(2025, 3, 9) not in {day for store, day in lake.days(["kiez"])}
    inward = lake.read("footfall", ["plateau"]).to_pandas().query("direction == 'in'").groupby("date").size()
    assert inward[date(2025, 3, 15)] > 1.5 * inward[date(2025, 3, 8)]
    run = lake.read("runs", ["plateau"], ["2025-03-12"]).to_pylist()[0]
    west = next(camera for camera in run["cameras"] if camera["camera"] == "west")
    assert west["seconds_missing"] == 135 * 60 and len(west["gaps"]) == 1
    counts = lake.read("zone_counts", ["plateau"], ["2025-03-12"]).to_pandas()
    blind = counts[(counts["zone"] == "aisle_1") & (counts["coverage"] == 0)]
    assert len(blind) == 2 * 135  # minutes without the camera, for both role filters; never a zero
    assert blind["occupancy_mean"].isna().all() and blind["entries"].isna().all()


def test_the_month_holds_both_changes_of_clocks(tmp_path: Path) -> None:
    stores = [load_store(path) for path in write_store_files(tmp_path)]
    lengths = {
        (store.id, day): (store.day_window(day)[1] - store.day_window(day)[0]) / 3.6e9
        for store in stores
        for day in (date(2025, 3, 9), date(2025, 3, 30))
    }
    assert lengths["plateau", date(2025, 3, 9)] == 23 and lengths["baixa", date(2025, 3, 30)] == 23


def test_people_walk_round_shelves(lake: Lake, month: DemoLake) -> None:
    """Nearly nobody stands in a shelf: ways go through the corridors."""
    store = load_store(month.stores / "plateau" / "store.yaml")
    positions = lake.read("positions", ["plateau"], ["2025-03-15"], ["x_m", "y_m"]).to_pandas()
    inside = np.zeros(len(positions), dtype=bool)
    for fixture in store.floor.fixtures[: len(SIMULATED_STORES[0].aisle_boxes)]:
        (x1, y1), (x2, y2) = fixture.polygon[0], fixture.polygon[2]
        inside |= (
            positions["x_m"].between(x1 + 0.1, x2 - 0.1).to_numpy()
            & positions["y_m"].between(y1 + 0.1, y2 - 0.1).to_numpy()
        )
    assert inside.mean() < 0.01


def test_some_people_come_in_company(lake: Lake) -> None:
    day = lake.read_day("plateau", "2025-03-15", ["footfall", "groups"])
    parties = parties_in(day["footfall"].to_pandas(), day["groups"].to_pandas())["people"]
    assert 1.1 < parties.mean() < 1.5 and parties.max() < 8
    assert parties.sum() > 0.99 * day["groups"]["person_id"].to_pandas().nunique(), "nobody walks past the door's end"
    assert 0.5 < (parties == 1).mean() < 0.95


def test_tracks_and_people_fit_together(lake: Lake) -> None:
    day = lake.read_day("kiez", "2025-03-15")
    tracklets, identities, positions = (day[name].to_pandas() for name in ("tracklets", "identities", "positions"))
    assert len(tracklets) == len(identities)
    assert positions.groupby(["camera", "track_id"]).size().sum() == tracklets["samples"].sum()
    assert set(identities["person_id"]) >= set(day["visits"].to_pandas()["person_id"])
