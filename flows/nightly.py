"""The Prefect flows: thin tasks around the plain functions of `flows.plan` and `flows.store_day`.

`store-day` plans a day, processes its chunks as tasks (retried, found again by their hash), and hands the day to the
lake. Between tasks go paths, never frames or tables.
"""

from __future__ import annotations

import datetime
import threading
import time
from pathlib import Path
from uuid import UUID

from prefect import flow, get_run_logger, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.task_runners import ThreadPoolTaskRunner

from flows.chunks import Chunk, process_chunk
from flows.config import DetectorChoice, ReidChoice
from flows.plan import Plan, default_lake, plan_store_day
from flows.preflight import preflight
from flows.report import day_report, headline, zone_rows
from flows.store_day import finish_store_day
from flows.stores import find_store

PROGRESS_EVERY_S = 5.0


CHUNKS_AT_ONCE: ThreadPoolTaskRunner[Path] = ThreadPoolTaskRunner(max_workers=1)
"""The detector uses all cores for a chunk already; chunks side by side would only take memory."""


@flow(name="store-day", flow_run_name="{store} {date}", task_runner=CHUNKS_AT_ONCE)  # type: ignore[arg-type]
def store_day(store: str, date: datetime.date | None = None, lake: str | None = None, stores: str | None = None) -> str:
    """Process one store-day into the lake and return its headline.

    Args:
        store: the store's id.
        date: local day; None: yesterday in the store's time zone.
        lake: lake folder or URL; None: AISLEFLOW_LAKE, else ./lake.
        stores: folder with ID/store.yaml; None: AISLEFLOW_STORES, else the bundled demo.
    """
    logger = get_run_logger()
    ready = preflight(find_store(store, stores), date, partial=True)
    for warning in ready.warnings:
        logger.warning("%s", warning)
    plan = plan_store_day(ready, lake or default_lake())
    logger.info("%s %s: %d chunks of %d cameras", plan.config.id, plan.day, len(plan.chunks), len(plan.config.cameras))
    progress = {camera.id: _progress_artifact(plan, camera.id) for camera in plan.config.cameras}
    choices = (plan.config.detector, plan.config.reid)
    runs = [
        chunk_task.submit(chunk, plan.work, choices, progress[chunk.camera], _share(plan, number))
        for number, chunk in enumerate(plan.chunks)
    ]
    files = [run.result() for run in runs]
    return finish_task(plan, files)


@task(name="chunk", retries=2, retry_delay_seconds=[5, 30], task_run_name="{chunk.camera} {chunk.key}")
def chunk_task(
    chunk: Chunk, work: Path, choices: tuple[DetectorChoice, ReidChoice], artifact: UUID, share: tuple[float, float]
) -> Path:
    """Process one chunk; `share` is the part of its camera's day, in percent, that it begins and ends at."""
    told = [0.0]
    lock = threading.Lock()

    def tell(_: str, time_us: int) -> None:
        with lock:
            if time.monotonic() - told[0] < PROGRESS_EVERY_S:
                return
            told[0] = time.monotonic()
        length = (chunk.to_us or time_us) - chunk.from_us
        done = (time_us - chunk.from_us) / length if length > 0 else 1.0
        update_progress_artifact(artifact, share[0] + (share[1] - share[0]) * min(max(done, 0.0), 1.0))

    path = process_chunk(chunk, work, choices, tell)
    update_progress_artifact(artifact, share[1])
    return path


@task(name="finish", retries=1, retry_delay_seconds=10)
def finish_task(plan: Plan, files: list[Path]) -> str:
    """Tracks, people, tables, lake; then the day's report as artifacts."""
    summary = finish_store_day(plan, files)
    key = f"day-report-{plan.config.id.lower().replace('_', '-')}"
    create_markdown_artifact(key=key, markdown=day_report(summary), description=f"{plan.config.name}, {plan.day}")
    create_table_artifact(key=f"{key}-zones", table=zone_rows(summary), description="Zones of the day")
    get_run_logger().info("%s", day_report(summary))
    return headline(summary)


def _progress_artifact(plan: Plan, camera: str) -> UUID:
    artifact = create_progress_artifact(0.0, description=f"{plan.config.id} {plan.day}, camera {camera}")
    assert isinstance(artifact, UUID)  # a coroutine only where called from async code
    return artifact


def _share(plan: Plan, number: int) -> tuple[float, float]:
    """Where in its camera's day, in percent, a chunk begins and ends."""
    own = [index for index, chunk in enumerate(plan.chunks) if chunk.camera == plan.chunks[number].camera]
    place = own.index(number)
    return 100 * place / len(own), 100 * (place + 1) / len(own)
