"""The end of a store-day: from its chunks' files to the lake.

`flows.plan.plan_store_day` and `finish_store_day` run in one process each; what lies between, the chunks, may run
anywhere. The Prefect flow (`flows.nightly`) and `aisleflow run` (`flows.progress`) are two ways to run the chunks.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from detection.place import Fixture
from flows.camera_day import Shop, track_camera_day
from flows.chunks import embedder_of
from flows.day_summary import DaySummary, summarise
from flows.day_tables import day_tables, people_of
from flows.lake import Lake
from flows.plan import Plan
from flows.run_record import run_record
from flows.schemas import conform, empty


def finish_store_day(plan: Plan, files: Sequence[Path]) -> DaySummary:
    """Tracks, people, tables and the lake, from the files of the plan's chunks (in the plan's order).

    The day's tables become visible together or not at all.
    """
    stages = {"video": time.time() - plan.started}
    clock = time.monotonic()

    def lap(stage: str) -> None:
        nonlocal clock
        stages[stage] = time.monotonic() - clock
        clock = time.monotonic()

    config = plan.config
    embedder = embedder_of(config.reid)
    floor = config.floor
    fixtures = tuple(Fixture(np.array(fixture.polygon), fixture.height_m) for fixture in floor.fixtures)
    shop = Shop((floor.width_m, floor.depth_m), fixtures)
    tracks = [
        track_camera_day(
            camera,
            [file for file, chunk in zip(files, plan.chunks, strict=True) if chunk.camera == camera.id],
            embedder.dimension,
            shop,
            config.detector.confidence,
        )
        for camera in config.cameras
    ]
    lap("tracks")
    identities = people_of(config, tracks, embedder)
    lap("people")
    tables, roles = day_tables(config, plan.day, tracks, identities)
    lap("tables")
    tables["runs"] = run_record(plan, tracks, stages)
    absent = {} if config.entrances else {"footfall": "no entrance is configured"}
    Lake(plan.lake).write_day(config.id, plan.day, {name: conform(name, data) for name, data in tables.items()}, absent)
    tables["footfall"] = tables.get("footfall", empty("footfall"))
    return summarise(config, plan.day, {name: conform(name, data) for name, data in tables.items()}, roles)
