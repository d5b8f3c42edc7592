"""How long a search over a million tracklets takes, once the days are open: as in the product, filters and all."""

from __future__ import annotations

import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from detection.colours import COLOURS
from flows.find import Filters, Query, search
from flows.places import SECOND_US
from flows.search_days import SearchDay
from reid.person_index import build_index, open_index

DAYS, CAMERAS, DIMENSION = 50, 20, 256
FIRST = date(2025, 1, 1)
DAY_S, STAY_S = 86_400, 40
CALIBRATION = (0.42, 20.0)
WARM_UP, REPEATS = 3, 21


def search_times(tracklets: int) -> dict[str, float]:
    """Milliseconds of a search over so many tracklets, in `DAYS` days on disk of random looks, places and times.

    `search_ms_1m`: median by the clock; `search_cpu_ms_1m`: of processor time, all threads, which other work on the
    machine does not stretch. Filtered: a third of the cameras, half of the time, heights of children.
    """
    with tempfile.TemporaryDirectory(prefix="aisleflow-find-") as folder:
        days = [_random_day(number, tracklets // DAYS, Path(folder)) for number in range(DAYS)]
        cameras = tuple(f"camera_{number}" for number in range(0, CAMERAS, 3))
        middle = _midnight_us(DAYS // 2)
        filters = {
            "": Filters(cameras, since_us=middle, heights_m=(0.8, 1.45)),
            "_unfiltered": Filters(),
        }
        random = np.random.default_rng(DAYS)
        result = {}
        for name, chosen in filters.items():
            wall, processor = [], []
            for _ in range(WARM_UP + REPEATS):
                query = Query(embedding=random.standard_normal(DIMENSION).astype(np.float32))
                clock, used = time.perf_counter(), time.process_time()
                found = search(days, query, chosen, calibration=CALIBRATION)
                wall.append(time.perf_counter() - clock)
                processor.append(time.process_time() - used)
                assert found
            result[f"search_ms_1m{name}"] = round(1000 * float(np.median(wall[WARM_UP:])), 1)
            result[f"search_cpu_ms_1m{name}"] = round(1000 * float(np.median(processor[WARM_UP:])), 1)
        return result


def _random_day(number: int, rows: int, folder: Path) -> SearchDay:
    random = np.random.default_rng(number)
    embeddings = random.standard_normal((rows, DIMENSION), dtype=np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    build_index(embeddings, folder / f"{number}.faiss")
    start = _midnight_us(number) + np.sort(random.integers(0, DAY_S * SECOND_US, rows))
    tracklets = pd.DataFrame(
        {
            "camera": np.array([f"camera_{n}" for n in range(CAMERAS)])[random.integers(0, CAMERAS, rows)],
            "track_id": np.arange(rows),
            "start_us": start,
            "end_us": start + STAY_S * SECOND_US,
            "quality": 0.8,
            "height_m": random.normal(1.65, 0.2, rows),
            "height_sigma_m": 0.05,
            "person_id": 1 + np.arange(rows) // 4,
        }
    )
    colours = np.full((rows, 2, len(COLOURS)), np.nan, np.float32)
    index = open_index(folder / f"{number}.faiss")
    day = FIRST + timedelta(days=number)
    return SearchDay("million", day, tracklets, colours, index, random.bytes(32), lambda: embeddings[:0])


def _midnight_us(number: int) -> int:
    return number * DAY_S * SECOND_US
