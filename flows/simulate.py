"""`aisleflow demo-lake`: a month of three invented shops, through the same metrics code as real video, into a lake.

No picture is made and no model runs: people walk (`flows.simulated_people`), and what cameras would have told about
them, trajectories on the floor, goes through visits, footfall, zone counts and the lake as every day does. Each
store-day says so (`simulated` in `runs`). The month holds a camera that fails, a crowded Saturday, the day the clocks
go forward, and a shop that is closed on Sundays.

Single positions are kept for the last week and the crowded Saturday only, as retention would leave them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from flows.comparisons import sales_file
from flows.config import StoreConfig
from flows.footfall import entrance_crossings
from flows.groups import find_groups
from flows.lake import Lake
from flows.observation import observed_share, seen_points
from flows.places import entrances_of, zones_of
from flows.schemas import from_columns
from flows.simulated_people import SAMPLE_S, SECOND_US, STAFF_SAMPLE_S, sample, shoppers, staff
from flows.simulated_stores import SIMULATED_STORES, SimulatedStore, write_store_files
from flows.simulated_tills import write_sales
from flows.simulated_tracks import camera_tables
from flows.store_reading import load_store
from flows.visits import zone_visits
from flows.zone_counts import zone_counts

FIRST_DAY, LAST_DAY = date(2025, 3, 1), date(2025, 3, 31)
CROWDED_SATURDAY = date(2025, 3, 15)
QUIET_DAY = ("kiez", date(2025, 3, 19))  # a strike keeps people at home
#: Cameras that fail: store, camera, from and to on the store's clock.
OUTAGES = (
    ("plateau", "west", datetime(2025, 3, 12, 13, 10), datetime(2025, 3, 12, 15, 25)),
    ("baixa", "checkout", datetime(2025, 3, 27, 11, 0), datetime(2025, 3, 27, 11, 40)),
)
DAYS_WITH_POSITIONS = 7
MARGIN_S = 900  # cameras record from a quarter of an hour before opening to one after closing
STAGES = {"decode": 0.2, "detect": 0.45, "track": 0.1, "embed": 0.15, "people": 0.06, "metrics": 0.04}


@dataclass(frozen=True)
class DemoLake:
    """What was made: the lake, the folder of store.yaml files, and how many store-days."""

    lake: Path
    stores: Path
    days: int


def demo_lake(
    path: str | Path,
    seed: int = 1,
    *,
    first: date = FIRST_DAY,
    last: date = LAST_DAY,
    shops: Sequence[SimulatedStore] = SIMULATED_STORES,
) -> DemoLake:
    """Simulate three shops from `first` to `last` into `path`/lake, with their store.yaml files, and the sales of those
    that have a till, in `path`/stores.

    The same seed and days give the same rows. Days that are there already are replaced.
    """
    folder = Path(path)
    files = write_store_files(folder / "stores", shops)
    lake = Lake(str(folder / "lake"))
    written = 0
    for shop, file in zip(shops, files, strict=True):
        config, config_sha256 = load_store(file), hashlib.sha256(file.read_bytes()).hexdigest()
        for day in _days(first, last):
            tables = simulate_day(shop, config, config_sha256, day, seed, positions=_keeps_positions(day, last))
            if tables:
                lake.write_day(config.id, day, tables)
                written += 1
                if config.sales is not None:
                    random = np.random.default_rng([seed, day.toordinal()])
                    write_sales(sales_file(file, config.sales.path, day), tables["visits"], config.zone_info, random)
    return DemoLake(folder / "lake", folder / "stores", written)


def simulate_day(
    shop: SimulatedStore, config: StoreConfig, config_sha256: str, day: date, seed: int, *, positions: bool
) -> dict[str, pa.Table | pd.DataFrame]:
    """The tables of one store-day; empty where the shop is closed."""
    windows = config.open_windows(day)
    if not windows:
        return {}
    number = [one.id for one in SIMULATED_STORES].index(shop.id)
    random = np.random.default_rng([seed, number, day.toordinal()])
    midnight = config.day_window(day)[0]
    # Seconds are counted from the store's midnight, so a day of 23 or 25 hours opens an hour sooner or later.
    open_s = ((windows[0][0] - midnight) / SECOND_US, (windows[0][1] - midnight) / SECOND_US)
    walks = [shoppers(shop, open_s, day.weekday(), _factor(shop.id, day), random), staff(shop, open_s, random)]
    observed = _observed(
        shop, config, day, (windows[0][0] - MARGIN_S * SECOND_US, windows[0][1] + MARGIN_S * SECOND_US)
    )
    people = _seen(sample(walks, midnight, random), shop, observed)
    tables = _metrics(config, people, observed)
    if positions:
        tables |= camera_tables(people, shop.camera_boxes, STAFF_SAMPLE_S + 1, random)
    tables["runs"] = from_columns(
        "runs", {name: [value] for name, value in _run(config, config_sha256, day, observed, random).items()}
    )
    return tables


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def _keeps_positions(day: date, last: date) -> bool:
    return day > last - timedelta(days=DAYS_WITH_POSITIONS) or day == CROWDED_SATURDAY


def _factor(store: str, day: date) -> float:
    """How much busier than usual a day is."""
    if day == CROWDED_SATURDAY:
        return 1.9
    return 0.35 if (store, day) == QUIET_DAY else 1.0


Span = tuple[int, int]
Observed = dict[str, list[Span]]


def _observed(shop: SimulatedStore, config: StoreConfig, day: date, window: Span) -> Observed:
    """When each camera records, [start, end) in UTC microseconds: the whole window less its outages."""
    spans: Observed = {}
    zone = ZoneInfo(config.timezone)
    for camera in shop.camera_boxes:
        spans[camera] = [window]
        for store, failed, start, end in OUTAGES:
            if (store, failed) == (shop.id, camera) and start.date() == day:
                out = [int(moment.replace(tzinfo=zone).timestamp()) * SECOND_US for moment in (start, end)]
                spans[camera] = [(window[0], out[0]), (out[1], window[1])]
    return spans


def _seen(people: pd.DataFrame, shop: SimulatedStore, observed: Observed) -> pd.DataFrame:
    """What of the trajectories the cameras could see, with the camera's name."""
    camera = np.full(len(people), "", dtype=object)
    x, y, time = (people[name].to_numpy() for name in ("x", "y", "time_us"))
    for name, (x1, y1, x2, y2) in shop.camera_boxes.items():
        on = np.zeros(len(people), dtype=bool)
        for start, end in observed[name]:
            on |= (time >= start) & (time < end)
        camera[on & (x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)] = name
    seen = people.assign(camera=camera)
    return seen[seen["camera"] != ""].sort_values(["person_id", "time_us"], ignore_index=True)


def _run(
    config: StoreConfig, config_sha256: str, day: date, observed: Observed, random: np.random.Generator
) -> dict[str, Any]:
    """The row of `runs`: no model, and a processing time as invented as the people."""
    start = min(spans[0][0] for spans in observed.values())
    end = max(spans[-1][1] for spans in observed.values())
    cameras: list[dict[str, Any]] = []
    for name, spans in observed.items():
        holes = [(a[1], b[0]) for a, b in pairwise(spans)]
        seen = sum(high - low for low, high in spans) / SECOND_US
        cameras.append(
            {
                "camera": name,
                "seconds_expected": (end - start) / SECOND_US,
                "seconds_seen": seen,
                "seconds_missing": (end - start) / SECOND_US - seen,
                "frames": int(seen // SAMPLE_S),
                "gaps": [{"start": low, "end": high, "reason": "no recording"} for low, high in holes],
            }
        )
    problems = [
        f"camera {one['camera']}: {one['seconds_missing'] / 60:.0f} min without recording"
        for one in cameras
        if one["gaps"]
    ]
    seconds = float(random.uniform(420, 560))
    began = datetime.combine(day + timedelta(days=1), datetime.min.time(), ZoneInfo(config.timezone)) + timedelta(
        hours=2.5
    )
    return {
        "run_id": f"simulated-{config.id}-{day}",
        "started": int(began.timestamp()) * SECOND_US,
        "finished": int((began.timestamp() + seconds) * SECOND_US),
        "code_version": version("aisleflow"),
        "config_sha256": config_sha256,
        "models": [],
        "simulated": True,
        "cameras": cameras,
        "problems": problems,
        "stage_seconds": {stage: seconds * share for stage, share in STAGES.items()},
    }


def _metrics(config: StoreConfig, people: pd.DataFrame, observed: Observed) -> dict[str, pd.DataFrame]:
    """Visits, footfall and zone counts, by the code that makes them of real days."""
    zones = zones_of(config)
    window = min(spans[0][0] for spans in observed.values()), max(spans[-1][1] for spans in observed.values())
    calibrations = {camera.id: camera.floor_calibration for camera in config.cameras if camera.floor_calibration}
    shares = {zone.id: observed_share(seen_points(zone.polygon, calibrations), observed) for zone in zones}
    rule = {"hysteresis_s": config.counting.hysteresis_s, "max_hidden_s": config.counting.max_hidden_s}
    visits = zone_visits(people, zones, window, observed=shares, **rule)
    footfall = entrance_crossings(people, entrances_of(config), max_hidden_s=config.counting.max_hidden_s)
    tables = {"visits": visits, "zone_counts": zone_counts(visits, zones, window, observed=shares)}
    tables["groups"] = find_groups(people, footfall)
    return tables if footfall is None else tables | {"footfall": footfall}
