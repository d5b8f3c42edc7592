"""The Prefect flow of a store-day: thin tasks around the plain functions of `flows.plan` and `flows.store_day`.

`store-day` plans a day, processes its chunks as tasks (retried, found again by their hash, on threads, processes or a
Dask cluster), and hands the day to the lake. Between tasks go paths, never frames or tables.
"""

from __future__ import annotations

import datetime
import time
from uuid import UUID

from prefect import flow, get_run_logger, runtime, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.futures import as_completed
from prefect.states import State

from flows.camera_progress import CameraProgress
from flows.chunks import SECOND, Chunk, ModelChanged, process_chunk
from flows.config import DetectorChoice, ReidChoice
from flows.errors import JobStopped
from flows.plan import Plan, default_lake, new_lake, plan_store_day
from flows.preflight import default_day, preflight
from flows.report import day_report, headline, zone_rows
from flows.store_day import finish_store_day
from flows.store_reading import StoreConfigError, load_store
from flows.stores import find_store
from flows.task_runners import ChunkRunner, Kind

TOLD_EVERY_S = 30.0


class ChunksFailed(JobStopped):
    """Some chunks of a day could not be processed; the message tells each. The others are kept for the next run."""


def _run_name() -> str:
    """Store and day, also where the day is left to be yesterday. What is wrong with the store the run itself tells."""
    asked = runtime.flow_run.parameters
    day = asked.get("date")
    if day is None:
        try:
            day = default_day(load_store(find_store(asked["store"], asked.get("stores"))))
        except (StoreConfigError, OSError):
            day = "yesterday"
    return f"{asked['store']} {day}"


@flow(name="store-day", flow_run_name=_run_name)
def store_day(
    store: str,
    date: datetime.date | None = None,
    lake: str | None = None,
    stores: str | None = None,
    task_runner: Kind = "threads",
    chunks_at_once: int = 1,
    dask_address: str | None = None,
    chunk_resources: dict[str, float] | None = None,
) -> str:
    """Process one store-day into the lake and return its headline.

    Args:
        store: the store's id.
        date: local day; None: yesterday in the store's time zone.
        lake: lake folder or URL; None: AISLEFLOW_LAKE, else ./lake.
        stores: folder with ID/store.yaml; None: AISLEFLOW_STORES, else the bundled demo.
        task_runner: where chunks run: threads or processes of this machine, or dask.
        chunks_at_once: chunks side by side, for threads and processes.
        dask_address: the Dask scheduler's, tcp://HOST:8786.
        chunk_resources: what a Dask worker must offer to get a chunk, for example {"GPU": 1}.
    """
    logger = get_run_logger()
    runner = ChunkRunner(task_runner, chunks_at_once, dask_address, chunk_resources or {})
    ready = preflight(find_store(store, stores), date, partial=True)
    place = lake or default_lake()
    for warning in filter(None, (*ready.warnings, new_lake(place))):
        logger.warning("%s", warning)
    plan = plan_store_day(ready, place)
    logger.info("%s %s: %d chunks of %d cameras", plan.config.id, plan.day, len(plan.chunks), len(plan.config.cameras))
    return finish_task(plan, process_chunks(plan, runner))


def process_chunks(plan: Plan, runner: ChunkRunner) -> list[str]:
    """Process a plan's chunks in a flow run of their own, whose task runner is the chosen one; their files, in order.

    All are tried. Raises ChunksFailed, with each that could not be processed.
    """

    @flow(name="chunks", flow_run_name=f"{plan.config.id} {plan.day} chunks", task_runner=runner.start())
    def chunks() -> list[str]:
        logger = get_run_logger()
        progress = CameraProgress(plan)
        artifacts = {camera.id: _progress_artifact(plan, camera.id) for camera in plan.config.cameras}
        choices = (plan.config.detector, plan.config.reid)
        with runner.submitting():
            runs = {chunk_task.submit(chunk, plan.work, choices): number for number, chunk in enumerate(plan.chunks)}
        for run in as_completed(list(runs)):
            if isinstance(run.result(raise_on_failure=False), str):  # the server learns of its state only later
                state = progress.finished(runs[run])
                described = _described(plan, state.text)
                update_progress_artifact(artifacts[state.camera], state.percent, description=described)
                logger.info("%s", state.text)
        results = [run.result(raise_on_failure=False) for run in runs]
        failed = [
            f"{name_of(chunk)}: {result}"
            for chunk, result in zip(plan.chunks, results, strict=True)
            if not isinstance(result, str)
        ]
        if failed:
            raise ChunksFailed(f"{len(failed)} of {len(results)} chunks failed. " + "; ".join(failed))
        return results

    return chunks()


def name_of(chunk: Chunk) -> str:
    """A chunk as people read it: camera and span of UTC."""
    start, end = (
        "end" if us is None else f"{datetime.datetime.fromtimestamp(us / SECOND, datetime.UTC):%H:%M:%S}"
        for us in (chunk.from_us, chunk.to_us)
    )
    return f"{chunk.camera} {start}-{end} UTC"


def worth_a_retry(task: object, run: object, state: State) -> bool:
    """Whether trying a chunk again can help: a model that changed stays changed."""
    return not isinstance(state.result(raise_on_failure=False), ModelChanged)


@task(
    name="chunk",
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=worth_a_retry,
    task_run_name="{chunk.camera} {chunk.key}",
)
def chunk_task(chunk: Chunk, work: str, choices: tuple[DetectorChoice, ReidChoice]) -> str:
    """Process one chunk and return the path or URL of its file."""
    logger = get_run_logger()
    began = told = time.monotonic()

    def tell(_: str, time_us: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= TOLD_EVERY_S:
            told = now
            seen = (time_us - chunk.from_us) / SECOND
            whole = "" if chunk.seconds is None else f" of {chunk.seconds:,.0f}"
            logger.info("%s: %.0f%s s of video after %.0f s", name_of(chunk), seen, whole, now - began)

    file = process_chunk(chunk, work, choices, tell)
    logger.info("%s: done in %.1f s", name_of(chunk), time.monotonic() - began)
    return file


@task(name="finish", retries=1, retry_delay_seconds=10)
def finish_task(plan: Plan, files: list[str]) -> str:
    """Tracks, people, tables, lake; then the day's report as artifacts."""
    summary = finish_store_day(plan, files)
    key = f"day-report-{plan.config.id.lower().replace('_', '-')}"
    create_markdown_artifact(key=key, markdown=day_report(summary), description=f"{plan.config.name}, {plan.day}")
    create_table_artifact(key=f"{key}-zones", table=zone_rows(summary), description="Zones of the day")
    get_run_logger().info("%s", day_report(summary))
    return headline(summary)


def _described(plan: Plan, text: str) -> str:
    return f"{plan.config.id} {plan.day}, {text}"


def _progress_artifact(plan: Plan, camera: str) -> UUID:
    artifact = create_progress_artifact(0.0, description=_described(plan, camera))
    assert isinstance(artifact, UUID)  # a coroutine only where called from async code
    return artifact
