"""Who searched for a person, when, why, and what they were shown: a table that is only ever added to.

    find_audit/store=ID/entry-00000001.parquet

One row a file, numbered; a file is created only where there is none, and nothing here replaces or removes one (nor does
`aisleflow forget`). Each row holds the hash of the row before, so a row that is changed, removed or slipped in shows in
`AuditLog.problems`. Nothing is shown to anybody before its row is written.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from flows.lake_files import open_files
from flows.lake_layout import LakeError, checked_store

Action = Literal["search", "crops", "heads", "confirm", "reject", "live", "match", "refused", "sign-in"]
ATTEMPTS = 100
ENTRY = re.compile(r"entry-\d{8}\.parquet")
LONGEST_TEXT = 500

SCHEMA = pa.schema(
    [
        pa.field("number", pa.int64(), False, {"meaning": "of the entry, from 1 without gaps"}),
        pa.field("time", pa.timestamp("us", tz="UTC"), False, {"meaning": "when the entry was written"}),
        pa.field("user", pa.string(), False, {"meaning": "signed-in user, or os:NAME on the command line"}),
        pa.field("action", pa.string(), False, {"meaning": "what was done or refused"}),
        pa.field("purpose", pa.string(), False, {"meaning": "find.purpose of store.yaml at that time"}),
        pa.field("reason", pa.string(), False, {"meaning": "why this search, in the user's words"}),
        pa.field("query", pa.string(), False, {"meaning": "kind of query and filters; no picture, no embedding"}),
        pa.field("shown", pa.list_(pa.string()), False, {"meaning": "DATE/CAMERA/TRACK of each candidate shown"}),
        pa.field("previous", pa.string(), False, {"meaning": "hash of the entry before"}),
        pa.field("hash", pa.string(), False, {"meaning": "of this entry"}),
    ],
    metadata={"aisleflow.table": "find_audit"},
)


@dataclass(frozen=True)
class Entry:
    """One line of the audit; `shown` names tracklets as DATE/CAMERA/TRACK."""

    user: str
    action: Action
    purpose: str
    reason: str
    query: str = ""
    shown: tuple[str, ...] = ()


class AuditLog:
    """The audit of one store in a lake."""

    def __init__(self, lake: str, store: str) -> None:
        self._files = open_files(lake)
        self._folder = f"find_audit/store={checked_store(store)}"

    def append(self, entry: Entry) -> int:
        """Write an entry, give it its number. Raises LakeError where it can't be written: then nothing may be shown."""
        try:
            for _ in range(ATTEMPTS):
                names = [name for name in self._names() if ENTRY.fullmatch(name)]
                number = 1 + (int(names[-1][6:14]) if names else 0)
                previous = self._read(names[-1])["hash"] if names else ""
                row = {"number": number, "time": datetime.now(UTC), **_text(entry), "previous": previous}
                row["hash"] = _hash(row)
                content = io.BytesIO()
                pq.write_table(pa.Table.from_pylist([row], SCHEMA), content)
                if self._files.put_new(f"{self._folder}/entry-{number:08}.parquet", content.getvalue()):
                    return number
        except (OSError, pa.ArrowException) as error:
            raise LakeError(f"the audit of this search can't be written, so it is not done: {error}") from error
        raise LakeError("the audit is being written by too many at once; search again")

    def entries(self) -> pa.Table:
        """All entries in order."""
        rows = [self._read(name) for name in self._names()]
        return pa.Table.from_pylist(rows, SCHEMA)

    def problems(self) -> list[str]:
        """What shows that entries were changed, removed or slipped in; nothing where the audit is whole."""
        found, previous, number = [], "", 0
        for name in self._names():
            number += 1
            try:
                row = self._read(name)
            except (OSError, pa.ArrowException) as error:
                found.append(f"{name}: can't be read: {error}")
                continue
            if name != f"entry-{number:08}.parquet" or row["number"] != number:
                found.append(f"{name}: entry {number} is missing or has another number")
                number = row["number"]
            if row["hash"] != _hash(row):
                found.append(f"{name}: was changed after it was written")
            if row["previous"] != previous:
                found.append(f"{name}: does not follow the entry before it")
            previous = row["hash"]
        return found

    def _names(self) -> list[str]:
        return [name for name in self._files.names(self._folder) if name.endswith(".parquet")]

    def _read(self, name: str) -> dict[str, Any]:
        return pq.read_table(io.BytesIO(self._files.get(f"{self._folder}/{name}"))).to_pylist()[0]


def _text(entry: Entry) -> dict[str, Any]:
    """The entry's fields, long texts cut."""
    return {
        name: value[:LONGEST_TEXT] if isinstance(value, str) else list(value) for name, value in asdict(entry).items()
    }


def _hash(row: dict[str, Any]) -> str:
    names = ["number", "time", *(field.name for field in fields(Entry)), "previous"]
    content = [row[name].isoformat() if name == "time" else row[name] for name in names]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
