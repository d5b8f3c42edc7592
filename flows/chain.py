"""The Prefect flow over all stores: starts `store-day` for every day that is due, and tells which failed.

How many run side by side is up to Prefect: the limit of the work queue of `store-day`, and each worker's own. A store
that fails leaves the others alone; the chain fails at its end, with every failure in its message and in its report.
"""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_table_artifact
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Failed

from flows.due import DueDay, due_days
from flows.lake import Lake
from flows.metrics_file import write_chain_metrics
from flows.plan import default_lake
from flows.store_reading import StoreConfigError
from flows.stores import store_files

REPORT_KEY = "chain-day"


@flow(name="chain-day")
async def chain_day(
    lake: str | None = None,
    stores: str | None = None,
    first: datetime.date | None = None,
    last: datetime.date | None = None,
    deployment: str = "store-day/nightly",
    poll_s: float = 10.0,
) -> State[Any]:
    """Process what is due in every store: days that ended and are not in the lake, and days with late recordings.

    Args:
        lake: lake folder or URL; None: AISLEFLOW_LAKE, else ./lake.
        stores: folder with ID/store.yaml; None: AISLEFLOW_STORES, else the bundled demo.
        first: first local day to look at; None: some days back (see `flows.due`).
        last: last local day; None: the last that has ended, in each store's time zone.
        deployment: what processes one store-day.
        poll_s: seconds between looks at a running store-day.
    """
    logger = get_run_logger()
    place = lake or default_lake()
    due, rows = await asyncio.to_thread(_look, place, stores, first, last)
    logger.info("%d store-days are due", len(due))
    rows += await asyncio.gather(*(_process(day, place, stores, deployment, poll_s) for day in due))
    write_chain_metrics(rows)
    await acreate_table_artifact(rows or [_row("all", "", "nothing is due", "done")], key=REPORT_KEY)
    failed = [f"{row['store']} {row['day']}: {row['message']}" for row in rows if row["state"] != "done"]
    if failed:
        return Failed(message=f"{len(failed)} of {len(rows)} store-days failed. " + "; ".join(failed))
    return Completed(message=f"{len(rows)} store-days processed")


def _look(
    lake: str, stores: str | None, first: datetime.date | None, last: datetime.date | None
) -> tuple[list[DueDay], list[dict[str, str]]]:
    """What can be processed, and rows for what can't: faulty store files, days without recordings."""
    days: list[DueDay] = []
    rows: list[dict[str, str]] = []
    for file in store_files(stores):
        try:
            due = due_days(file, Lake(lake), first, last)
        except (StoreConfigError, OSError) as error:
            rows.append(_row(file.parent.name, "", str(file), "failed", str(error)))
            continue
        days += [day for day in due if day.missing is None]
        rows += [_row(day.store, str(day.day), day.why, "missing", day.missing) for day in due if day.missing]
    return days, rows


async def _process(due: DueDay, lake: str, stores: str | None, deployment: str, poll_s: float) -> dict[str, str]:
    name = f"{due.store} {due.day}"
    parameters = {"store": due.store, "date": due.day.isoformat(), "lake": lake, "stores": stores}
    try:
        run = await arun_deployment(
            deployment, parameters=parameters, flow_run_name=name, tags=[due.store], timeout=None, poll_interval=poll_s
        )
    except ObjectNotFound:
        return _row(due.store, str(due.day), due.why, "failed", f"no deployment {deployment}: run prefect deploy --all")
    done, message = _outcome(run)
    get_run_logger().log(20 if done else 40, "%s: %s", name, message)
    return _row(due.store, str(due.day), due.why, "done" if done else "failed", message)


def _outcome(run: FlowRun) -> tuple[bool, str]:
    if run.state is None:
        return False, "its state is not known"
    return run.state.is_completed(), run.state.message or run.state.name or ""


def _row(store: str, day: str, why: str, state: str, message: str | None = None) -> dict[str, str]:
    return {"store": store, "day": day, "why": why, "state": state, "message": message or ""}
