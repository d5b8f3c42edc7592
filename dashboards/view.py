"""What is shown: the store, the days, with or without staff; and which stores and lake there are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import streamlit as st

from dashboards.clock import DayClock
from dashboards.lake_query import Scope
from flows.config import StoreConfig
from flows.store_reading import Problem, examine_store
from flows.stores import find_store, store_files


@dataclass(frozen=True)
class View:
    """What the reader chose: one store, a span of days (often one), and whether staff count."""

    store: StoreConfig
    scope: Scope

    @property
    def day(self) -> date:
        return self.scope.last

    def on_its_last_day(self) -> View:
        """The same store on the last of its days."""
        return View(self.store, self.scope.at(self.day))

    @property
    def clock(self) -> DayClock:
        return DayClock(self.store, self.day)

    @property
    def zone_names(self) -> dict[str, str]:
        return {zone.id: zone.name or zone.id for zone in self.store.zones}


def lake_place() -> str:
    """The lake that is shown: AISLEFLOW_LAKE, or ./lake."""
    return os.environ.get("AISLEFLOW_LAKE") or "lake"


@st.cache_resource(show_spinner=False, max_entries=2000)  # a configuration can't change: it need not be copied
def _read_file(path: str, version: tuple[int, int, int]) -> tuple[StoreConfig | None, list[Problem]]:
    return examine_store(path)


def read_store(path: Path) -> tuple[StoreConfig | None, list[Problem]]:
    """A store.yaml as far as it can be understood, and its mistakes; read again when the file changes."""
    state = path.stat()
    return _read_file(str(path), (state.st_mtime_ns, state.st_ino, state.st_size))


def store_file(store: str) -> Path:
    """The store.yaml of a store, found among those that were read already. Raises StoreConfigError for no store's."""
    for file in store_files():
        config, _ = read_store(file)
        if config is not None and config.id == store:
            return file
    return find_store(store)


def stores() -> tuple[dict[str, StoreConfig], list[Problem]]:
    """All configured stores by id, and what is wrong in their files."""
    found, problems = {}, []
    for file in store_files():
        config, faults = read_store(file)
        problems += faults
        if config:
            found[config.id] = config
    return found, problems
