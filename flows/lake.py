"""The lake: a chain's tables as Parquet, `TABLE/store=ID/date=YYYY-MM-DD/part-0.parquet`, one day replaced at a time.

How a day becomes visible
-------------------------
    _days/store=ID/date=D.json      the day's manifest: which content each table has. Its replacement is the commit.
    _staging/store=ID/date=D/TOKEN/ new files on their way, outside of every table's glob
    _locks/store=ID/date=D          one writer a day (see `flows.lake_lock`)

1. All new tables are written to staging and synced. Nothing that is visible has changed yet.
2. The manifest is replaced, in one step. That is the moment in which the whole day changes for readers through `Lake`.
3. Each staged file replaces `part-0.parquet` of its table (local: rename; object store: copy onto the same key), tables
   that the day no longer has are removed, staging is emptied.

Readers through `Lake` see the day as the old or the new manifest describes it, in all tables, and never a mix. Every
file carries a hash of its content in its footer; a reader takes the file at its place in the table if it has the hash
that the manifest names, else the staged one, else it reads the manifest again, which by then is a newer one.

Readers by a plain glob (DuckDB, pandas, Spark) see one file a table and day, always whole: the old or the new one,
never both, never half. Between the first and the last replacement of step 3 (local: about a millisecond; object store:
one copy a table) one table may already be new while another is old. A process killed just then leaves it so until the
next write of the day, or `Lake.recover`, finishes step 3. A process killed before step 2 leaves only staging, removed
in the same way.

The same rows make the same bytes: rows are sorted, and no file holds a time or an id of its writing. A table a day does
not have (footfall of a store without entrances) has no file, and the manifest says why: absent is not zero.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from flows.lake_files import open_files
from flows.lake_layout import (
    CONTENT_KEY,
    Day,
    DayManifest,
    LakeError,
    StoreDay,
    StoredTable,
    checked_date,
    checked_store,
    final_path,
    manifest_path,
    read_manifest,
    staged_path,
)
from flows.lake_lock import DayLocked, lock_day
from flows.lake_writer import DayWriter
from flows.schemas import SchemaError, empty, schema

__all__ = ["DayLocked", "DayManifest", "Lake", "LakeError", "StoreDay", "StoredTable"]

ATTEMPTS = 9
Result = TypeVar("Result")


class _Moved(Exception):
    """A file is not what the manifest at hand says: it is being, or has been, replaced."""


class Lake:
    """A lake in a folder or an object store.

    Args:
        root: folder, or any fsspec URL (`s3://bucket/lake`).
        options: for the fsspec filesystem: endpoint, credentials.
    """

    def __init__(self, root: str, options: dict[str, Any] | None = None) -> None:
        self.files = open_files(str(root), options)
        self.root = self.files.root

    # -- reading

    def days(self, stores: Sequence[str] | None = None) -> list[StoreDay]:
        """The store-days in the lake, in order."""
        found = []
        for store in [checked_store(name) for name in stores] if stores is not None else self.stores():
            for name in self.files.names(f"_days/store={store}"):
                match = re.fullmatch(r"date=(\d{4}-\d\d-\d\d)\.json", name)
                if match:
                    found.append(StoreDay(store, date.fromisoformat(match[1])))
        return found

    def stores(self) -> list[str]:
        """The stores that have days in the lake."""
        return [name.removeprefix("store=") for name in self.files.names("_days") if name.startswith("store=")]

    def manifest(self, store: str, day: Day) -> DayManifest | None:
        """What the lake holds of a store-day, or None."""
        try:
            return read_manifest(self.files.get(manifest_path(checked_store(store), checked_date(day))))
        except FileNotFoundError:
            return None

    def read(
        self,
        table: str,
        stores: Sequence[str] | None = None,
        dates: Sequence[Day] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Rows of a table of all, or the given, stores and dates, with columns `store` and `date` (date32) in front.

        Days that are not in the lake, or that have no such table, give no rows (`manifest` tells them apart). Raises
        SchemaError for an unknown table or column, and where days with embeddings of different models would be joined.
        """
        _check_columns(table, columns)
        wanted = {checked_date(day) for day in dates} if dates is not None else None
        parts = []
        for store, day in self.days(stores):
            if wanted is None or day.isoformat() in wanted:
                part = self.read_day(store, day, [table], columns).get(table)
                if part is not None:
                    parts.append(_with_place(part, store, day))
        if not parts:
            return _with_place(_select(empty(table), columns), "", date(1970, 1, 1))
        types = {part.schema.field("embedding").type for part in parts if "embedding" in part.column_names}
        if len(types) > 1:
            raise SchemaError(f"{table}: these days have embeddings of different models; read each model's days alone")
        return pa.concat_tables([part.cast(parts[0].schema) for part in parts])

    def read_day(
        self,
        store: str,
        day: Day,
        tables: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> dict[str, pa.Table]:
        """Tables of one store-day, all of one and the same writing; those that the day lacks are left out.

        Raises LakeError where the lake has not got the day, or a file of it is missing or damaged.
        """
        for table in tables or ():
            _check_columns(table, columns)

        def attempt() -> dict[str, pa.Table]:
            manifest = self.manifest(store, day)
            if manifest is None:
                raise LakeError(f"{self.root} has no {store} {day}; process the day first")
            names = manifest.tables if tables is None else [name for name in tables if name in manifest.tables]
            return {name: self._read_file(manifest, name, columns) for name in names}

        return self._retry(attempt, f"{store} {day}")

    def _read_file(self, manifest: DayManifest, table: str, columns: Sequence[str] | None) -> pa.Table:
        wanted = manifest.tables[table].content
        places = (
            final_path(table, manifest.store, manifest.date),
            staged_path(manifest.store, manifest.date, manifest.staged, table),
        )
        for path in places:
            try:
                with self.files.open(path) as source, pq.ParquetFile(source) as parquet:
                    if (parquet.metadata.metadata or {}).get(CONTENT_KEY, b"").decode() == wanted:
                        return _plain(parquet.read(columns=None if columns is None else list(columns)))
            except FileNotFoundError:
                continue
            except (OSError, pa.ArrowInvalid) as error:  # an object replaced while it was being read
                raise _Moved(f"{self.files.address(path)}: {error}") from error
        raise _Moved(f"{self.files.address(places[0])} is missing or is not the file that the manifest names")

    def _retry(self, attempt: Callable[[], Result], what: str) -> Result:
        problem: Exception | None = None
        for number in range(ATTEMPTS):
            try:
                return attempt()
            except _Moved as error:
                problem = error
                time.sleep(min(0.002 * 2**number, 0.5))
        raise LakeError(f"{what} is damaged: {problem}; process the day again") from problem

    def addresses(
        self, table: str, stores: Sequence[str] | None = None, dates: Sequence[Day] | None = None
    ) -> list[str]:
        """Paths or URLs of a table's files, for DuckDB or Spark; only days that are there, nothing else is opened."""
        schema(table)
        wanted = {checked_date(day) for day in dates} if dates is not None else None
        paths = [
            final_path(table, store, day.isoformat())
            for store, day in self.days(stores)
            if wanted is None or day.isoformat() in wanted
        ]
        return [self.files.address(path) for path in paths if self.files.exists(path)]

    def glob(self, table: str) -> str:
        """Pattern that matches all of a table's files."""
        schema(table)
        return self.files.address(f"{table}/store=*/date=*/part-*.parquet")

    # -- writing

    @contextmanager
    def writer(self, store: str, day: Day) -> Iterator[DayWriter]:
        """Hold a store-day for writing, for as long as its processing takes. Raises DayLocked where somebody has it."""
        name, when = checked_store(store), checked_date(day)
        lock = lock_day(self.files, f"_locks/store={name}/date={when}", f"{name} {when}")
        try:
            yield DayWriter(self.files, name, when, lock.check)
        finally:
            lock.release()

    def write_day(
        self,
        store: str,
        day: Day,
        tables: Mapping[str, pa.Table | pd.DataFrame],
        absent: Mapping[str, str] | None = None,
    ) -> DayManifest:
        """Replace a store-day by these tables, all at once; see `DayWriter.write`."""
        with self.writer(store, day) as writer:
            return writer.write(tables, absent)

    def replace_tables(
        self, store: str, day: Day, tables: Mapping[str, pa.Table | pd.DataFrame | None], reason: str = ""
    ) -> DayManifest:
        """Replace some tables of a store-day and keep the others; None removes a table, and `reason` says why."""
        with self.writer(store, day) as writer:
            return writer.replace(tables, reason)

    def delete_day(self, store: str, day: Day) -> None:
        """Remove a store-day with all its files."""
        with self.writer(store, day) as writer:
            writer.delete()

    def recover(self) -> list[StoreDay]:
        """Finish what killed writers left behind, on every day that nobody is writing; returns these days."""
        mended = []
        for store in [name.removeprefix("store=") for name in self.files.names("_staging")]:
            for day in [name.removeprefix("date=") for name in self.files.names(f"_staging/store={store}")]:
                try:
                    with self.writer(store, day) as writer:
                        writer.recover()
                except DayLocked:
                    continue
                mended.append(StoreDay(store, date.fromisoformat(day)))
        return mended


def _plain(table: pa.Table) -> pa.Table:
    """The table with its schema's metadata as written, without the content hash."""
    metadata = {key: value for key, value in (table.schema.metadata or {}).items() if key != CONTENT_KEY}
    return table.replace_schema_metadata(metadata)


def _check_columns(table: str, columns: Sequence[str] | None) -> None:
    unknown = [name for name in columns or () if name not in schema(table).names]
    if unknown:
        raise SchemaError(f"{table} has no column {unknown[0]!r}; it has {', '.join(schema(table).names)}")


def _select(table: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    return table if columns is None else table.select(list(columns))


def _with_place(table: pa.Table, store: str, day: date) -> pa.Table:
    table = table.add_column(0, pa.field("store", pa.string()), pa.repeat(pa.scalar(store), len(table)))
    return table.add_column(1, pa.field("date", pa.date32()), pa.repeat(pa.scalar(day, pa.date32()), len(table)))
