"""Store-days opened for person search: their tracklets, and an index of their embeddings.

An index is made when a day is first searched, and kept with the lake outside its tables (for a lake in an object store:
in this machine's cache). It holds nothing but turned embeddings, and goes when they go (`forget_search_day`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from detection.colours import COLOURS
from flows.config import StoreConfig
from flows.day_secrets import SecretMissing, day_secret, delete_day_secret, has_day_secret
from flows.lake import Lake
from flows.lake_layout import LakeError, checked_date, checked_store
from flows.places import microseconds
from reid.person_index import PersonIndex, build_index, open_index
from reid.rotation import rotate, rotate_back

COLUMNS = ("camera", "track_id", "start", "end", "quality", "height_m", "height_sigma_m", "embedding_key")


@dataclass(frozen=True)
class SearchDay:
    """A store-day that can be searched.

    `tracklets`: camera, track_id, start_us, end_us, quality, height_m, height_sigma_m, person_id (0: nobody's), a row a
    tracklet that has an embedding; `colours` (N, 2, 11) beside it, NaN where not measured; `index` has the same
    rows, and `read_embeddings` gives them (N, D) as they are stored. `models`: sha256 of the models that the day was
    processed with; none where that is not known.
    """

    store: str
    day: date
    tracklets: pd.DataFrame
    colours: np.ndarray
    index: PersonIndex
    secret: bytes
    read_embeddings: Callable[[], np.ndarray]
    models: frozenset[str] = frozenset()

    @cached_property
    def columns(self) -> dict[str, np.ndarray]:
        """The tracklets' columns, taken out of the table once: a search asks for them on every day."""
        return {str(name): self.tracklets[name].to_numpy() for name in self.tracklets}

    @cached_property
    def cameras(self) -> tuple[list[str], np.ndarray]:
        """Names of the cameras, and the place (N,) of each tracklet's among them."""
        places, names = pd.factorize(self.tracklets["camera"])
        return list(map(str, names)), places

    def turned(self, embedding: np.ndarray) -> np.ndarray:
        """A plain embedding (D,) as the day's are."""
        return rotate(embedding[None], self.secret)[0]

    def plain(self, rows: Sequence[int]) -> np.ndarray:
        """Embeddings (R, D) of rows, turned back: to be held in memory only, for the search they belong to."""
        return rotate_back(self.read_embeddings()[list(rows)], self.secret)

    def row_of(self, camera: str, track_id: int) -> int | None:
        """The row of a tracklet, or None."""
        names, places = self.cameras
        if camera not in names:
            return None
        rows = np.flatnonzero((self.columns["track_id"] == track_id) & (places == names.index(camera)))
        return int(rows[0]) if len(rows) else None


def open_search_day(lake: Lake, config: StoreConfig, day: date) -> SearchDay:
    """Open a store-day for search. Raises LakeError where the lake hasn't got it, SecretMissing without its secret."""
    tables = lake.read_day(config.id, day, ["tracklets", "identities", "runs"])
    table = _searchable(tables["tracklets"])
    secret = day_secret(config, day)
    keys = set(table["embedding_key"].to_pylist())
    if keys - {secret.key}:
        raise SecretMissing(
            f"the embeddings of {config.id} {day} are turned by another secret than the one in {secret.path}: "
            "process the day again"
        )
    manifest = lake.manifest(config.id, day)
    if manifest is None:
        raise LakeError(f"{lake.root} has no {config.id} {day}; process the day first")
    path = index_folder(lake.root) / config.id / day.isoformat() / f"{manifest.tables['tracklets'].content}.faiss"
    if not path.is_file():
        shutil.rmtree(path.parent, ignore_errors=True)  # of the day's content before
        build_index(_embeddings(table), path)
    index = open_index(path)
    rows = table.select(list(COLUMNS)).to_pandas()
    rows["start_us"], rows["end_us"] = microseconds(rows.pop("start")), microseconds(rows.pop("end"))
    people = tables["identities"].select(["camera", "track_id", "person_id"]).to_pandas()
    rows = rows.merge(people, how="left", on=["camera", "track_id"]).fillna({"person_id": 0})
    rows["person_id"] = rows["person_id"].astype(int)

    def read_embeddings() -> np.ndarray:
        stored = lake.read_day(config.id, day, ["tracklets"], ["quality", "embedding"])["tracklets"]
        return _embeddings(_searchable(stored))

    models = frozenset(model["sha256"] for run in tables["runs"]["models"].to_pylist() for model in run or ())
    return SearchDay(config.id, day, rows, _colours(table), index, secret.read(), read_embeddings, models)


def index_folder(lake: str) -> Path:
    """Where a lake's indexes lie."""
    if "://" not in lake:
        return Path(lake) / "_index"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "aisleflow" / "index" / hashlib.sha256(lake.encode()).hexdigest()[:12]


def forget_search_day(lake: str, store: str, day: date | str) -> None:
    """Delete a store-day's secret and index, with which its embeddings could be searched. Nothing brings them back."""
    delete_day_secret(store, day)
    shutil.rmtree(index_folder(lake) / checked_store(store) / checked_date(day), ignore_errors=True)


def searchable(lake: str, store: str, day: date | str) -> bool:
    """Whether a store-day still has a secret of its own, or an index."""
    folder = index_folder(lake) / checked_store(store) / checked_date(day)
    return has_day_secret(store, day) or folder.exists()


def _searchable(tracklets: pa.Table) -> pa.Table:
    return tracklets.filter(tracklets["embedding"].is_valid())


def _embeddings(table: pa.Table) -> np.ndarray:
    column = table["embedding"].combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    return flat.reshape(len(table), column.type.list_size)


def _colours(table: pa.Table) -> np.ndarray:
    result = np.full((len(table), 2, len(COLOURS)), np.nan, np.float32)
    for garment, name in enumerate(("upper_colours", "lower_colours")):
        column = table[name].combine_chunks()
        known = column.is_valid().to_numpy(zero_copy_only=False)
        flat = column.drop_null().flatten().to_numpy(zero_copy_only=False)
        result[known, garment] = flat.astype(np.float32).reshape(-1, len(COLOURS))
    return result
