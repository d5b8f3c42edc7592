"""The Prefect flow `retention`: lets go of what each store's `privacy` section does not keep, every day."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.states import Completed, Failed, State

from flows.errors import JobStopped
from flows.lake import Lake
from flows.plan import default_lake
from flows.retention import Retention, forget, stores_with_data
from flows.store_reading import StoreConfigError, load_store
from flows.stores import store_files

REPORT_KEY = "retention"


@flow(name="retention")
def retention(lake: str | None = None, stores: str | None = None) -> State[Any]:
    """Apply every store's retention to the lake. Fails, with each reason, where something could not go.

    Args:
        lake: lake folder or URL; None: AISLEFLOW_LAKE, else ./lake.
        stores: folder with ID/store.yaml; None: AISLEFLOW_STORES, else the bundled demo.
    """
    place = Lake(lake or default_lake())
    rows, problems, known = [], [], set()
    for file in store_files(stores):
        try:
            config = load_store(file)
            known.add(config.id)
            outcomes = forget(place, config.id, Retention.of(config))
        except (StoreConfigError, JobStopped, OSError) as error:
            problems.append(str(error))
            continue
        rows += [{"store": one.store, "day": str(one.day), "outcome": str(one)} for one in outcomes]
        problems += [str(one) for one in outcomes if one.kept_because]
    problems += [
        f"{store} is in the lake and has no store.yaml, so nothing says how long it is kept: aisleflow forget --store "
        f"{store} --before DATE"
        for store in stores_with_data(place)
        if store not in known
    ]
    rows += [{"store": "", "day": "", "outcome": problem} for problem in problems]
    create_table_artifact(rows or [{"store": "", "day": "", "outcome": "nothing to forget"}], key=REPORT_KEY)
    for row in rows:
        get_run_logger().info("%s", row["outcome"])
    if problems:
        return Failed(message="; ".join(problems))
    return Completed(message=f"{len(rows)} store-days forgotten")
