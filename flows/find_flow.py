"""The Prefect flow `find-live`: watches a store's new segments for a person and reports each match.

Its parameters go into Prefect's database, so the picture is given by its path, never as bytes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact

from detection.isolated import read_picture
from flows.crop_files import write_crop
from flows.find import Query, described
from flows.find_live import LiveSearch
from flows.person_search import PersonSearch
from flows.plan import default_lake
from flows.stores import find_store
from flows.users import os_user


@flow(name="find-live", flow_run_name="{store}")
def find_live(
    store: str,
    reason: str,
    image: str | None = None,
    upper: str | None = None,
    lower: str | None = None,
    age: str | None = None,
    minutes: float = 60.0,
    look_back_minutes: float = 30.0,
    crops: str | None = None,
    lake: str | None = None,
    stores: str | None = None,
) -> list[str]:
    """Watch new segments for a person; returns the matches in words.

    Args:
        store: the store's id; its store.yaml must have turned person search on.
        reason: why, for the audit.
        image: path of a picture of the person.
        upper, lower: colours of clothes.
        age: child or adult.
        minutes: how long to watch.
        look_back_minutes: segments that ended within so many minutes before are looked through first.
        crops: folder on the worker to write each match's picture to, heads blurred; whoever names it empties it.
        lake: lake folder or URL; None: AISLEFLOW_LAKE, else ./lake.
        stores: folder with ID/store.yaml; None: AISLEFLOW_STORES, else the bundled demo.
    """
    logger = get_run_logger()
    search = PersonSearch(find_store(store, stores), lake or default_lake(), os_user(), reason, [])
    query = search.of_pictures([read_picture(Path(image))]) if image else Query()
    query = replace(query, **described(upper, lower, age))
    matches = []
    for match in LiveSearch(search, query, look_back_s=look_back_minutes * 60).watch(minutes * 60):
        told = str(match)
        if crops is not None:
            (crop,) = search.crops_of([match.shot])
            told += f"; {write_crop(crop, Path(crops), f'{match.end:%H-%M-%S}', match.candidate.name)}"
        logger.warning("%s", told)
        matches.append(told)
        create_table_artifact(
            key=f"find-live-{store.lower().replace('_', '-')}",
            table=[{"match": text} for text in matches],
            description=f"Matches in {search.config.name}",
        )
    return matches
