"""Speed of the metrics and of the dashboard's queries, and their distance from the reference.

    python -m tests.benchmarks.metrics --json

`tables_s`, `tables_peak_mb`: a store-day of 20 zones, 5,000 people and 3 million positions, from positions and
identities to all tables in the lake, in a process of its own (peak: its resident memory, input and libraries included).
`query_ms_50m`: median over the dashboard's queries on zone_counts and the quarter-hours that the lake derives of it,
each asked anew, in a lake of 50 stores and 50 million rows of zone_counts; `query_ms_each` tells them apart,
`query_cpu_ms_50m` is the processor time, on two threads. `query_growth`: exponent of the same questions from 5 to 50
million rows (more days a store): 0 where partitions and quarter-hours leave the other days out.
`reference_max_difference_s`: largest difference in person-seconds of any minute from the brute-force reference.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from flows.footfall import entrance_crossings
from flows.lake import Lake
from flows.lake_layout import PART, manifest_bytes, manifest_path
from flows.places import SECOND_US, Entrance, Zone
from flows.trajectories import trajectories
from flows.visits import EDGE_S, zone_visits
from flows.zone_counts import zone_counts
from tests.conftest import ROOT

PEOPLE, SAMPLES, ZONES = 5_000, 600, 20
STORES, ZONES_EACH = 50, 10
MINUTES = 1440
FIRST = date(2025, 1, 1)
DAY_US = 20_000 * 86_400 * SECOND_US
WINDOW = (DAY_US, DAY_US + 86_400 * SECOND_US)


def store_day(seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Positions of people who walk and stop on a floor of 30 x 28 m, two minutes each, and who they are."""
    random = np.random.default_rng(seed)
    start = np.sort(random.integers(9 * 3600 * 5, 20 * 3600 * 5, PEOPLE))
    steps = random.normal(0, 0.2, (PEOPLE, SAMPLES, 2)) * (random.random((PEOPLE, SAMPLES, 1)) < 0.5)
    xy = np.abs(np.cumsum(steps, axis=1) + random.uniform((0, 0), (30, 28), (PEOPLE, 1, 2)))
    time_us = DAY_US + (start[:, None] + np.arange(SAMPLES)) * 200_000
    camera = np.where(np.arange(SAMPLES) < SAMPLES // 2, "north", "south")
    tracks = np.arange(1, PEOPLE + 1)
    columns = {name: np.zeros(PEOPLE * SAMPLES, np.float32) for name in ("x1", "y1", "x2", "y2", "score")}
    positions = pd.DataFrame(
        {
            "camera": np.tile(camera, PEOPLE),
            "track_id": np.repeat(tracks, SAMPLES),
            "time_us": time_us.ravel(),
            "x": xy[..., 0].ravel(),
            "y": xy[..., 1].ravel(),
            **columns,
        }
    )
    names = np.repeat(["north", "south"], PEOPLE)
    both = np.tile(tracks, 2)
    return positions, pd.DataFrame({"camera": names, "track_id": both, "person_id": both, "confidence": 1.0})


def zones_of_floor() -> list[Zone]:
    corners = [(6.0 * column, 7.0 * row) for column in range(5) for row in range(4)]
    return [
        Zone(f"z{n}", f"z{n}", "aisle", "floor", np.array([[x, y], [x + 5, y], [x + 5, y + 6], [x, y + 6]]), 30.0)
        for n, (x, y) in enumerate(corners)
    ]


def measure_tables() -> dict[str, float]:
    """In this process: seconds and peak resident memory of a store-day."""
    positions, identities = store_day()
    zones = zones_of_floor()
    gate = Entrance("main", "floor", np.array([[0.0, 1.0], [30.0, 1.0]]), np.array([1.0, 2.0]))
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        paths = trajectories(positions, identities, calibrated=["north", "south"])
        visits = zone_visits(paths, zones, WINDOW)
        footfall = entrance_crossings(paths, [gate])
        counts = zone_counts(visits, zones, WINDOW)
        del paths
        renamed = positions.rename(columns={"time_us": "time", "x": "x_m", "y": "y_m"})
        tables = {"positions": renamed, "identities": identities, "visits": visits, "zone_counts": counts}
        Lake(folder).write_day("bench", FIRST, tables | ({} if footfall is None else {"footfall": footfall}))
        seconds = time.perf_counter() - started
    return {
        "tables_s": round(seconds, 2),
        "tables_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "tables_positions": len(positions),
        "tables_visits": len(visits),
    }


def fill(root: Path, days: int) -> int:
    """A lake of zone_counts: STORES stores, `days` days each; returns their rows. Every day has the same content."""
    random = np.random.default_rng(2)
    rows = ZONES_EACH * MINUTES
    occupancy = random.poisson(2.0, rows) * random.random(rows)
    start = DAY_US + np.tile(np.arange(MINUTES), ZONES_EACH) * 60 * SECOND_US
    table = pd.DataFrame(
        {
            "zone": np.repeat([f"zone_{n}" for n in range(ZONES_EACH)], MINUTES),
            "bucket_start": start,
            "bucket_s": 60,
            "occupancy_mean": occupancy,
            "occupancy_max": np.ceil(occupancy).astype(int),
            "entries": random.poisson(1.0, rows),
            "exits": random.poisson(1.0, rows),
            "unique_people": random.poisson(3.0, rows),
            "dwell_s": occupancy * 60,
            "density_mean": occupancy / 12,
            "coverage": 1.0,
        }
    )
    both = pd.concat([table.assign(role_filter=name) for name in ("shoppers", "all")])
    lake = Lake(str(root))
    manifest = lake.write_day("store_0", FIRST, {"zone_counts": both})
    sources = {name: lake.addresses(name)[0] for name in ("zone_counts", "zone_quarters")}
    for store in (f"store_{n}" for n in range(STORES)):
        for day in ((FIRST + timedelta(days=n)).isoformat() for n in range(days)):
            note = root / manifest_path(store, day)
            if not note.exists():
                for name, source in sources.items():
                    target = root / f"{name}/store={store}/date={day}"
                    target.mkdir(parents=True)
                    shutil.copyfile(source, target / PART)
                note.parent.mkdir(parents=True, exist_ok=True)
                note.write_bytes(manifest_bytes(manifest))
    return len(both) * STORES * days


def ask(root: Path, days: int, repeats: int = 3) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds by the clock, and of processor time, of each of the dashboard's questions, asked anew."""
    import logging

    import streamlit as st

    logging.disable(logging.WARNING)  # streamlit warns that it runs outside of a browser session
    from dashboards import lake_query, queries
    from dashboards.lake_query import Scope

    last = FIRST + timedelta(days=days - 1)
    month = FIRST + timedelta(days=max(0, days - 28))
    one, every = ("store_7",), tuple(f"store_{n}" for n in range(STORES))
    questions: dict[str, Callable[[], object]] = {
        "zones over a day": lambda: queries.zone_series(Scope(str(root), one, last, last), 5),
        "hours of a day": lambda: queries.zone_time(Scope(str(root), one, last, last), "Europe/Berlin"),
        "hours of a month": lambda: queries.zone_time(Scope(str(root), one, month, last), "Europe/Berlin"),
        "zones over a month": lambda: queries.zone_series(Scope(str(root), one, month, last), 60),
        "chain on a day": lambda: queries.zone_time(Scope(str(root), every, last, last), "Europe/Berlin"),
    }
    found, cpu = {}, {}
    for name, question in questions.items():
        times, work = [], []
        for _ in range(repeats):
            st.cache_data.clear()
            lake_query.forget_answers()
            started, worked = time.perf_counter(), time.process_time()
            if question() is None:
                raise RuntimeError(f"{name}: the dashboard found no rows in {root}")
            times.append((time.perf_counter() - started) * 1000)
            work.append((time.process_time() - worked) * 1000)
        found[name] = float(np.median(times))
        cpu[name] = float(np.median(work))
    return found, cpu


def measure_queries(folder: Path) -> dict[str, float | dict[str, float]]:
    """Time at 5 and at 50 million rows, and how it grows."""
    few_days, many_days = 4, 35
    few = fill(folder / "few", few_days)
    at_few, _ = ask(folder / "few", few_days)
    many = fill(folder / "many", many_days)
    at_many, cpu = ask(folder / "many", many_days)
    exponents = {name: np.log(at_many[name] / at_few[name]) / np.log(many / few) for name in at_many}
    return {
        "query_ms_50m": round(float(np.median(list(at_many.values()))), 1),
        "query_ms_5m": round(float(np.median(list(at_few.values()))), 1),
        "query_growth": round(float(np.median(list(exponents.values()))), 3),
        "query_cpu_ms_50m": round(float(np.median(list(cpu.values()))), 1),
        "query_rows": many,
        "query_ms_each": {name: round(value, 1) for name, value in at_many.items()},
    }


def measure_reference(people: int = 60, seed: int = 3) -> dict[str, float]:
    """Person-seconds of each minute against the reference that looks at everybody, on walks over whole metres."""
    from tests.flows import metrics_reference as reference

    random = np.random.default_rng(seed)
    box = (2, 2, 7, 6)
    corners = np.array([[2, 2], [7, 2], [7, 6], [2, 6]], float)
    zone = Zone("zone", "zone", "aisle", "floor", corners, 20.0)
    window, observed = (DAY_US, DAY_US + 1800 * SECOND_US), [(DAY_US, DAY_US + 700 * SECOND_US)]
    observed.append((DAY_US + 760 * SECOND_US, window[1]))
    rows, visits = [], []
    for person in range(1, people + 1):
        times = DAY_US + np.cumsum(random.integers(1, 30, 90)) * SECOND_US // 2
        places = [(int(t), int(x), int(y)) for t, (x, y) in zip(times, random.integers(0, 9, (90, 2)), strict=True)]
        rows += [(person, "shopper", "floor", *place) for place in places]
        spans = reference.visits(places, box, observed, SECOND_US, 20 * SECOND_US, round(EDGE_S * SECOND_US))
        visits += [(person, "shopper", *span) for span in spans]
    names = ["person_id", "role", "plane", "time_us", "x", "y"]
    seen = {"zone": observed}
    table = zone_visits(pd.DataFrame(rows, columns=names), [zone], window, observed=seen, edge_s=EDGE_S)
    counts = zone_counts(table, [zone], window, observed=seen)
    found = counts[counts["role_filter"] == "all"]["dwell_s"].to_numpy()
    expected = pd.DataFrame(visits, columns=["person_id", "role", "enter", "exit"])
    buckets = reference.counts(expected, observed, window, 60 * SECOND_US)
    wanted = np.array([np.nan if bucket is None else bucket["dwell_us"] / SECOND_US for bucket in buckets])
    if not np.array_equal(np.isnan(found), np.isnan(wanted)):
        return {"reference_max_difference_s": float("inf")}
    return {"reference_max_difference_s": float(np.nanmax(np.abs(found - wanted)))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--part", choices=["tables", "queries", "reference"], help="only this part, in this process")
    arguments = parser.parse_args()
    if arguments.part == "tables":
        result: dict = measure_tables()
    elif arguments.part == "queries":
        with tempfile.TemporaryDirectory() as folder:
            result = measure_queries(Path(folder))
    elif arguments.part == "reference":
        result = measure_reference()
    else:
        result = {}
        for part in ("tables", "queries", "reference"):
            command = [sys.executable, "-m", "tests.benchmarks.metrics", "--json", "--part", part]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
            result |= json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(result) if arguments.json else "\n".join(f"{name}: {value}" for name, value in result.items()))


if __name__ == "__main__":
    main()
