"""Which files of the lake hold which store-days, so that a question opens no other.

A file's version (its time of writing and its number on the disk; in an object store the day's commit) goes with its
address: answers are cached under both, so a store-day that is processed again is read again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Any

import orjson
import pandas as pd
import streamlit as st

from dashboards.answers import KEPT
from flows.lake import Lake
from flows.lake_layout import final_path

_DAY = re.compile(r"date=\d{4}-\d\d-\d\d\.json")
Files = tuple[tuple[str, str], ...]
SECONDS_TO_LOOK_AGAIN = 5
MANIFEST_BYTES = 2_300
"""What the numbers of one take in memory, with their key."""


def is_remote(lake: str) -> bool:
    """Whether the lake is in an object store rather than in a folder."""
    return "://" in lake and not lake.startswith("file://")


@st.cache_resource(ttl=SECONDS_TO_LOOK_AGAIN, show_spinner=False)
def days(lake: str) -> pd.DataFrame:
    """Every visible store-day: store, date. Empty where there is no lake yet."""
    source = Lake(lake)
    found = [(store, day) for store in source.stores() for day in _days_of_store(lake, store, _state(source, store))]
    return pd.DataFrame(found, columns=["store", "date"]).astype({"store": str})


def _state(source: Lake, store: str) -> str:
    """Changes with any day of the store: what was made of its days is kept by it, and no folder listed in vain."""
    return source.files.state(f"_days/store={store}")


@st.cache_resource(max_entries=1000, show_spinner=False)
def _days_of_store(lake: str, store: str, state: str) -> list[date]:
    return [day.date for day in Lake(lake).days([store])]


@st.cache_resource(ttl=SECONDS_TO_LOOK_AGAIN, show_spinner=False, max_entries=500)
def files(lake: str, table: str, stores: tuple[str, ...], first: date, last: date) -> Files:
    """Address and version of a table's file for each store-day in [first, last] that has one."""
    if is_remote(lake):
        return _remote_files(lake, table, stores, first, last)
    source, found = Lake(lake), []
    for store in stores:
        for day in _days_of_store(lake, store, _state(source, store)):
            if first <= day <= last:
                address = source.files.address(final_path(table, store, day.isoformat()))
                try:
                    state = os.stat(address)
                except FileNotFoundError:
                    continue
                found.append((address, f"{state.st_mtime_ns}.{state.st_ino}.{state.st_size}"))
    return tuple(found)


@st.cache_resource(ttl=SECONDS_TO_LOOK_AGAIN, show_spinner=False, max_entries=20)
def numbers(lake: str, stores: tuple[str, ...], first: date, last: date, role_filter: str) -> pd.DataFrame:
    """Headline numbers of each store-day in [first, last], from the manifests: store, date, the manifest's columns."""
    source, parts = Lake(lake), []
    for store in stores:
        key = (lake, store, first, last, role_filter, _state(source, store))
        part = KEPT.get(key, partial(_numbers_of_store, source, store, first, last, role_filter))
        if len(part):
            parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _numbers_of_store(source: Lake, store: str, first: date, last: date, role_filter: str) -> pd.DataFrame:
    rows = []
    for day, found in _manifest_numbers(source, store, first, last):
        if role_filter in found:
            rows.append({"store": store, "date": day} | found[role_filter])
    table = pd.DataFrame(rows)
    return table.assign(date=pd.to_datetime(table["date"])) if rows else table


def _manifest_numbers(source: Lake, store: str, first: date, last: date) -> Iterator[tuple[str, dict[str, Any]]]:
    """Day and numbers by role filter of a store's manifests; only those that changed since are read again."""
    folder = f"_days/store={store}"
    place = source.files.address(folder)
    low, high = f"date={first}.json", f"date={last}.json"

    def read(name: str) -> dict[str, Any]:
        return orjson.loads(source.files.get(f"{folder}/{name}"))["numbers"]

    for name, version in sorted(source.files.versions(folder).items()):
        if low <= name <= high and _DAY.fullmatch(name):
            try:
                found = KEPT.get((place, name, version), partial(read, name), MANIFEST_BYTES)
            except FileNotFoundError:  # deleted since it was listed
                continue
            yield name[5:15], found


def forget() -> None:
    """Let every manifest be read anew."""
    for kept in (days, files, numbers, _days_of_store, KEPT):
        kept.clear()


def days_with(lake: str, table: str, store: str) -> list[date]:
    """The days of a store that have a table, in order."""
    return sorted(
        date.fromisoformat(found[-1])
        for address, _ in files(lake, table, (store,), date.min, date.max)
        if (found := re.findall(r"\d{4}-\d\d-\d\d", address))
    )


def _remote_files(lake: str, table: str, stores: tuple[str, ...], first: date, last: date) -> Files:
    source = Lake(lake)
    found = []
    for store, day in source.days(stores):
        manifest = source.manifest(store, day) if first <= day <= last else None
        if manifest is not None and table in manifest.tables:
            found.append((f"{store}/{day.isoformat()}", manifest.commit))
    return tuple(found)
