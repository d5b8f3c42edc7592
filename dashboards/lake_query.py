"""The only door to the lake: read-only DuckDB over exactly the files a question needs, answers cached.

Every question goes through `ask`: the lake names the visible files of the store-days in question (so partitions are
pruned before DuckDB opens anything), and the answer is kept under those file names and versions. A store-day that is
processed again has another version, so its old answers are never shown again.

Times come back as UTC with their zone; `store` and `date` are columns of every answer that spans days.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import streamlit as st

from dashboards import lake_files
from dashboards.answers import KEPT
from flows import rollup
from flows.lake import Lake


@dataclass(frozen=True)
class Scope:
    """Which part of the lake: stores, days from `first` to `last`, with or without staff."""

    lake: str
    stores: tuple[str, ...]
    first: date
    last: date
    include_staff: bool = False

    @property
    def role_filter(self) -> str:
        """The rows of zone_counts that this scope reads."""
        return "all" if self.include_staff else "shoppers"

    def at(self, day: date, last: date | None = None) -> Scope:
        """The same stores on another day, or span of days."""
        return Scope(self.lake, self.stores, day, last or day, self.include_staff)

    def last_days(self, count: int) -> Scope:
        """The `count` days that end with the scope's last."""
        return self.at(self.last - timedelta(days=count - 1), self.last)


def people_condition(scope: Scope) -> str:
    """SQL that keeps the scope's people in a table with roles."""
    return rollup.people_condition(scope.role_filter)


@st.cache_resource
def _database() -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(":memory:", config={"threads": min(os.cpu_count() or 2, 8)})
    database.execute("SET parquet_metadata_cache = true")  # a file that is replaced has another time of writing
    return database


def _answer(lake: str, sql: str, tables: dict[str, lake_files.Files], parameters: tuple[Any, ...]) -> pd.DataFrame:
    with _database().cursor() as cursor:
        views = {}
        for name, files in tables.items():
            if lake_files.is_remote(lake):  # through Lake: DuckDB itself can't open every object store
                cursor.register(f"lake_{name}", _read_remote(lake, name, files))
                views[name] = f"lake_{name}"
            else:
                addresses = [address for address, _ in files]
                views[name] = (
                    f"(SELECT * FROM read_parquet({addresses!r}, hive_partitioning=true, "
                    "hive_types={'store': 'VARCHAR', 'date': 'DATE'}))"
                )
        return cursor.execute(re.sub(r"\{(\w+)\}", lambda match: views[match[1]], sql), parameters).df()


def version(scope: Scope, *tables: str) -> lake_files.Files:
    """The files that a scope reads of these tables, with their versions: what was made of them is kept by it."""
    found = (lake_files.files(scope.lake, table, scope.stores, scope.first, scope.last) for table in tables)
    return tuple(file for files in found for file in files)


def forget_answers() -> None:
    """Let every question be asked anew."""
    lake_files.forget()


def _read_remote(lake: str, table: str, files: lake_files.Files) -> pa.Table:
    places = [address.split("/") for address, _ in files]
    stores, days = sorted({store for store, _ in places}), sorted({day for _, day in places})
    return KEPT.get((lake, table, files), lambda: Lake(lake).read(table, stores, days))


def ask(scope: Scope, sql: str, *parameters: Any, tables: Sequence[str]) -> pd.DataFrame | None:
    """Run `sql`, in which {table} stands for that table of the scope. None where the lake has no such day.

    A store without entrances has no footfall; its people are then known from visits alone.
    """
    files = {table: lake_files.files(scope.lake, table, scope.stores, scope.first, scope.last) for table in tables}
    if any(not found for table, found in files.items() if table != "footfall"):
        return None
    if "footfall" in files and not files["footfall"]:
        if tables == ["footfall"]:
            return None
        sql = sql.replace("{footfall}", _NO_FOOTFALL)
        del files["footfall"]
    key = (scope.lake, sql, tuple(files.items()), parameters)
    kept = KEPT.get(key, lambda: _answer(scope.lake, sql, files, parameters))
    return kept.copy(deep=False)  # copied on write: the kept one stays


_NO_FOOTFALL = """(SELECT NULL::VARCHAR AS store, NULL::DATE AS date, NULL::BIGINT AS person_id, NULL::VARCHAR AS role,
    NULL::VARCHAR AS entrance, NULL::TIMESTAMPTZ AS time, NULL::VARCHAR AS direction WHERE false)"""
