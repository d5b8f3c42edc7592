"""Writing a store-day into the lake. How it becomes visible is told in `flows.lake`."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from flows.lake_files import LocalFiles, ObjectFiles
from flows.lake_layout import (
    CONTENT_KEY,
    DayManifest,
    LakeError,
    StoredTable,
    final_path,
    manifest_bytes,
    manifest_path,
    not_written,
    read_manifest,
    staged_path,
)
from flows.rollup import SOURCES, day_numbers, zone_quarters
from flows.schemas import TABLES, SchemaError, conform

ROW_GROUP = 131_072
ROW_GROUPS = {"zone_counts": 16_384}
"""Rows in a group, where fewer than usual let a reader leave out the other role filter and most of the zones."""

DELETING = "deleting"
WRITERS = 4


class DayWriter:
    """The one writer of a store-day; made by `Lake.writer`."""

    def __init__(self, files: LocalFiles | ObjectFiles, store: str, day: str, check: Callable[[], None]) -> None:
        self._files, self.store, self.day, self._check = files, store, day, check

    def write(
        self, tables: Mapping[str, pa.Table | pd.DataFrame], absent: Mapping[str, str] | None = None
    ) -> DayManifest:
        """Replace the day by these tables. Tables not given are absent; `absent` gives reasons for readers.

        Raises SchemaError for a table that does not fit, LakeError where the disk is full or can't be written. In
        either case the day is what it was.
        """
        ready = {name: conform(name, tables[name]) for name in TABLES if name in tables}
        unknown = sorted(set(tables) - set(ready))
        if unknown:
            raise SchemaError(f"there is no table {unknown[0]!r} in the lake; the tables are {', '.join(TABLES)}")
        return self._commit(_with_quarters(ready), {}, dict(absent or {}), day_numbers(ready))

    def replace(self, tables: Mapping[str, pa.Table | pd.DataFrame | None], reason: str = "") -> DayManifest:
        """Replace or (None) remove some tables of the day; the others stay as they are.

        The day's headline numbers stay too, unless all tables that they are made of are given: who is taken out of the
        rows is not taken out of the totals.
        """
        self.recover()
        before = self._manifest()
        if before is None:
            raise LakeError(f"{self._files.root} has no {self.store} {self.day}; process the day first")
        ready = _with_quarters({name: conform(name, table) for name, table in tables.items() if table is not None})
        given = {*tables, *(["zone_quarters"] if "zone_counts" in tables else [])}
        kept = {name: table for name, table in before.tables.items() if name not in given}
        absent = {name: why for name, why in before.absent.items() if name not in ready}
        absent |= {name: reason for name, table in tables.items() if table is None}
        numbers = day_numbers(ready) if all(name in tables for name in SOURCES) else before.numbers
        return self._commit(ready, kept, absent, numbers)

    def delete(self) -> None:
        """Remove the day. Killed halfway, `recover` goes on with it."""
        self._files.put(f"{self._staging}/{DELETING}", b"")
        self._files.remove(manifest_path(self.store, self.day))
        self._files.sync([f"_days/store={self.store}"])
        self._remove_tables()
        self._files.remove(self._staging)

    def _remove_tables(self) -> None:
        for table in TABLES:
            self._files.remove(f"{table}/store={self.store}/date={self.day}")

    def _manifest(self) -> DayManifest | None:
        try:
            return read_manifest(self._files.get(manifest_path(self.store, self.day)))
        except FileNotFoundError:
            return None

    def recover(self) -> None:
        """Finish the publishing of a committed writing, and remove what an uncommitted one left."""
        if not self._files.names(self._staging):
            return
        manifest = self._manifest()
        if manifest is None:
            self._remove_tables()
        else:
            self._publish(manifest)
        self._files.remove(self._staging)

    @property
    def _staging(self) -> str:
        return f"_staging/store={self.store}/date={self.day}"

    def _commit(
        self,
        tables: Mapping[str, pa.Table],
        kept: Mapping[str, StoredTable],
        absent: Mapping[str, str],
        numbers: Mapping[str, Mapping[str, Any]],
    ) -> DayManifest:
        self.recover()
        token = uuid.uuid4().hex
        try:
            with ThreadPoolExecutor(WRITERS) as pool:  # most of the time goes into waiting for the disk
                staged = pool.map(lambda item: self._stage(token, *item), tables.items())
                stored = dict(zip(tables, staged, strict=True)) | dict(kept)
            stored = {name: stored[name] for name in TABLES if name in stored}
            contents = json.dumps({name: table.content for name, table in stored.items()})
            commit = hashlib.sha256(contents.encode()).hexdigest()[:32]
            manifest = DayManifest(self.store, self.day, commit, token, stored, dict(sorted(absent.items())), numbers)
            self._files.sync([f"{self._staging}/{token}", self._staging])
            self._check()
            self._files.put(manifest_path(self.store, self.day), manifest_bytes(manifest))
        except OSError as error:
            self._files.remove(self._staging)
            raise not_written(f"{self.store} {self.day} in {self._files.root}", error) from error
        except BaseException:
            self._files.remove(self._staging)
            raise
        try:
            self._publish(manifest)
            self._files.remove(self._staging)
        except OSError as error:
            raise LakeError(
                f"{self.store} {self.day} is in {self._files.root}, but its files could not all be put in place: "
                f"{error}. Readers through Lake see the new day; mend that and run `Lake.recover`, or the day, again"
            ) from error
        return manifest

    def _stage(self, token: str, name: str, table: pa.Table) -> StoredTable:
        with self._files.create(staged_path(self.store, self.day, token, name)) as file:
            content, size = _write_parquet(table, file)
        return StoredTable(len(table), size, content)

    def _publish(self, manifest: DayManifest) -> None:
        folders: list[str] = []
        staged = set(self._files.names(f"{self._staging}/{manifest.staged}"))
        for table in TABLES:
            final = final_path(table, self.store, self.day)
            if f"{table}.parquet" in staged and table in manifest.tables:
                folder = final.rsplit("/", 1)[0]
                is_new = not self._files.exists(folder)
                self._files.publish(staged_path(self.store, self.day, manifest.staged, table), final)
                folders += [folder, f"{table}/store={self.store}", table] if is_new else [folder]
            elif table not in manifest.tables and self._files.exists(final):
                self._files.remove(final)
                folders.append(final.rsplit("/", 1)[0])
        self._files.sync(folders)


def _with_quarters(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables with `zone_quarters`, made of zone_counts where that is among them."""
    if "zone_counts" not in tables:
        return tables
    return tables | {"zone_quarters": conform("zone_quarters", zone_quarters(tables["zone_counts"]))}


class _HashingFile:
    """A file for pyarrow to write to, that hashes and counts what goes through."""

    closed = False

    def __init__(self, file: Any) -> None:
        self._file, self.digest, self.size = file, hashlib.blake2b(digest_size=16), 0

    def write(self, data: Any) -> int:
        self.digest.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def tell(self) -> int:
        return self.size

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """The file's opener closes it."""


def _write_parquet(table: pa.Table, file: Any) -> tuple[str, int]:
    """Write a table; returns the hash of its content (also in the footer, `aisleflow.content`) and the bytes.

    The content is hashed with its schema, so that an empty table has a hash of its own, too.
    """
    sink = _HashingFile(file)
    sink.digest.update(table.schema.serialize())
    with pq.ParquetWriter(sink, table.schema, compression="zstd", version="2.6") as writer:
        name = (table.schema.metadata or {}).get(b"aisleflow.table", b"").decode()
        writer.write_table(table, row_group_size=ROW_GROUPS.get(name, ROW_GROUP))
        content = sink.digest.hexdigest()
        writer.add_key_value_metadata({CONTENT_KEY.decode(): content})
    return content, sink.size
