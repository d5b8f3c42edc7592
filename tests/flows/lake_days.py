"""Small store-days for the lake's tests, and processes that write them until they are killed."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa

from detection.colours import COLOURS
from flows.lake import Lake
from flows.schemas import TABLES, empty, from_columns

STORE, DAY = "demo", "2025-03-14"
SECOND_US = 1_000_000


def day_tables(version: int, people: int = 300) -> dict[str, pa.Table | pd.DataFrame]:
    """A store-day whose tables all say which `version` they are of: rows and values depend on it."""
    person = np.arange(1, people + 1 + version)
    start = 1_741_910_400_000_000 + person * SECOND_US
    tables: dict[str, pa.Table | pd.DataFrame] = {name: empty(name) for name in TABLES}
    tables["visits"] = pd.DataFrame(
        {
            "person_id": person,
            "role": "shopper",
            "zone": "aisle",
            "enter": start,
            "exit": start + version * SECOND_US,
            "dwell_s": float(version),
            "truncated": False,
        }
    )
    tables["footfall"] = pd.DataFrame(
        {"person_id": person, "role": "shopper", "entrance": f"gate-{version}", "time": start, "direction": "in"}
    )
    tables["identities"] = pd.DataFrame(
        {"camera": "north", "track_id": person, "person_id": person, "confidence": version / 1000}
    )
    tables["tracklets"] = tracklets(person, version)
    return tables


def tracklets(person: np.ndarray, version: int, dimension: int = 8) -> pa.Table:
    embedding = np.tile(np.arange(dimension, dtype=np.float32), (len(person), 1))
    embedding[::3] = np.nan
    start = person * SECOND_US
    columns = {
        "camera": ["north"] * len(person),
        "track_id": person,
        "start": start,
        "end": start + SECOND_US,
        "samples": np.full(len(person), version),
        "embedding": embedding,
        "embedding_key": ["a" * 32] * len(person),
        "quality": np.full(len(person), 0.5),
        "height_m": np.full(len(person), 1.7),
        "height_sigma_m": np.full(len(person), 0.1),
        "upper_colours": np.full((len(person), len(COLOURS)), 1 / len(COLOURS)),
        "lower_colours": np.full((len(person), len(COLOURS)), 1 / len(COLOURS)),
        "truncated_start": np.zeros(len(person), bool),
        "truncated_end": np.zeros(len(person), bool),
    }
    return from_columns("tracklets", columns, dimension)


def version_of(tables: dict[str, pa.Table]) -> set[int]:
    """The versions that a day's tables are of: one, unless they are mixed."""
    return {
        int(tables["visits"]["dwell_s"][0].as_py()),
        int(tables["footfall"]["entrance"][0].as_py().removeprefix("gate-")),
        round(tables["identities"]["confidence"][0].as_py() * 1000),
        tables["tracklets"]["samples"][0].as_py(),
        *(len(tables[name]) - 300 for name in ("visits", "footfall", "identities", "tracklets")),
    }


def write_until_killed(root: str, first: int, log: str) -> None:
    """Write versions `first`, `first` + 1, ... for ever, telling the log each that was written."""
    lake = Lake(root)
    version = first
    with open(log, "w") as told:
        while True:
            lake.write_day(STORE, DAY, day_tables(version))
            print(version, file=told, flush=True)
            version += 1


def hold(root: str, _: int, log: str) -> None:
    """Hold the day's lock."""
    with Lake(root).writer(STORE, DAY), open(log, "w") as told:
        print(0, file=told, flush=True)
        time.sleep(120)


def serve() -> None:
    """For each line (what, root, first, log) fork a process that does it and print its id: one import for all."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for line in sys.stdin:
        what, root, first, log = line.split("\t")
        child = os.fork()
        if child == 0:
            (write_until_killed if what == "write" else hold)(root, int(first), log.strip())
        print(child, flush=True)


if __name__ == "__main__":
    serve()
