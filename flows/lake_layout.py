"""Where the lake keeps what: paths, the manifest of a store-day, checked store ids and dates. See `flows.lake`."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, NamedTuple

from flows.errors import JobStopped

PART = "part-0.parquet"
CONTENT_KEY = b"aisleflow.content"
STORE_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
Day = date | str


class LakeError(JobStopped):
    """The lake can't do what was asked; the message says why, and what to do."""


def not_written(what: str, error: OSError) -> LakeError:
    """The error of a place that can't be written to: what, why, and what to do."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    why, mend = ("there is no space left", "free some space") if full else (str(error), "mend that")
    return LakeError(f"{what} was not written: {why}. The day in the lake is as it was; {mend} and run again")


class StoreDay(NamedTuple):
    store: str
    date: date


@dataclass(frozen=True)
class StoredTable:
    """A table's file: rows, bytes, and the hash of its content."""

    rows: int
    bytes: int
    content: str


@dataclass(frozen=True)
class DayManifest:
    """What a store-day consists of. `commit` changes when any table does; `absent` says why a table is missing;
    `numbers` holds its headline numbers by role filter (`flows.rollup.day_numbers`)."""

    store: str
    date: str
    commit: str
    staged: str
    tables: Mapping[str, StoredTable]
    absent: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_manifest(data: bytes) -> DayManifest:
    """The manifest in a manifest file."""
    content = json.loads(data)
    content.pop("format")
    tables = {name: StoredTable(**table) for name, table in content.pop("tables").items()}
    return DayManifest(tables=tables, **content)


def manifest_bytes(manifest: DayManifest) -> bytes:
    return json.dumps({"format": 1} | asdict(manifest), indent=1).encode()


def manifest_path(store: str, day: str) -> str:
    return f"_days/store={store}/date={day}.json"


def final_path(table: str, store: str, day: str) -> str:
    return f"{table}/store={store}/date={day}/{PART}"


def staged_path(store: str, day: str, token: str, table: str) -> str:
    return f"_staging/store={store}/date={day}/{token}/{table}.parquet"


def checked_store(store: str) -> str:
    """A store id that is safe in a path. Raises LakeError."""
    if not isinstance(store, str) or not STORE_ID.match(store) or store.endswith("\n"):
        raise LakeError(f"{store!r} is no store id: use 1 to 64 letters, digits, - and _")
    return store


def checked_date(day: Day) -> str:
    """YYYY-MM-DD. Raises LakeError."""
    if isinstance(day, date):
        return day.strftime("%Y-%m-%d")
    if isinstance(day, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", day):
        try:
            return date.fromisoformat(day).isoformat()
        except ValueError:
            pass
    raise LakeError(f"{day!r} is no date: write YYYY-MM-DD")
