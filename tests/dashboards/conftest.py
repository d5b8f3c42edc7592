"""A small simulated lake (two shops, eight days with a crowded Saturday, a failed camera and a change of clocks), and a
minute of the bundled demo."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from flows.lake import Lake
from flows.places import zones_of
from flows.schemas import from_columns
from flows.simulate import DemoLake, demo_lake
from flows.simulated_stores import SIMULATED_STORES
from flows.store_reading import load_store
from flows.stores import DEMO
from flows.visits import zone_visits
from flows.zone_counts import zone_counts

FIRST, LAST = date(2025, 3, 8), date(2025, 3, 15)
OPEN_PAGE = "from dashboards.views import {0}\n{0}.render()\n"


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest leaves its page behind as `__main__`, which processes started later would run again."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> DemoLake:
    """The lake; read-only for tests."""
    return demo_lake(tmp_path_factory.mktemp("month"), 1, first=FIRST, last=LAST, shops=SIMULATED_STORES[:2])


@pytest.fixture
def stores(month: DemoLake, tmp_path: Path) -> Path:
    """A copy of the store files that a test may change."""
    return Path(shutil.copytree(month.stores, tmp_path / "stores"))


@pytest.fixture
def page(month: DemoLake, stores: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AppTest]]:
    """Opens a page of the dashboard on the small lake, as by a link with these query parameters."""
    monkeypatch.setenv("AISLEFLOW_LAKE", str(month.lake))
    monkeypatch.setenv("AISLEFLOW_STORES", str(stores))

    def open_page(name: str, **link: str) -> AppTest:
        test = AppTest.from_string(OPEN_PAGE.format(name), default_timeout=120)
        for key, value in link.items():
            test.query_params[key] = value
        test.run()
        assert not test.exception, test.exception[0].message
        return test

    yield open_page
    st.cache_data.clear()


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], pd.DataFrame]:
    """What the CSV button of a page's table saves, by the end of its file's name."""
    files: dict[str, Callable[[], bytes]] = {}
    button = st.download_button

    def keep(label: str, content: Callable[[], bytes], file_name: str, kind: str, **more: Any) -> bool:
        files[file_name] = content
        return button(label, content, file_name, kind, **more)

    monkeypatch.setattr(st, "download_button", keep)

    def read(ending: str) -> pd.DataFrame:
        (found,) = [name for name in files if name.endswith(f"_{ending}.csv")]
        return pd.read_csv(BytesIO(files[found]()))

    return read


@pytest.fixture
def minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake with the bundled demo's minute: its true places through the metrics, as if a recording had been read."""
    store, truth = load_store(DEMO), DEMO.parent / "truth"
    places = pd.read_parquet(truth / "positions.parquet")
    time_us = places["time_us"]
    people = places.rename(columns={"x_m": "x", "y_m": "y"}).assign(plane="floor")
    roles = places.drop_duplicates("person_id").set_index("person_id")["role"]
    doors = pd.read_parquet(truth / "footfall.parquet").rename(columns={"time_us": "time"})
    window = (int(time_us.min()), int(time_us.max()))
    visits = zone_visits(people, zones_of(store), window)
    span = {"seconds_expected": 60.0, "seconds_seen": 60.0, "seconds_missing": 0.0, "frames": 300, "gaps": []}
    run = {
        "run_id": "r",
        "started": window[1],
        "finished": window[1] + 30_000_000,
        "code_version": "0",
        "config_sha256": "0",
        "models": [{"name": "detector", "sha256": "ab"}],
        "simulated": False,
        "problems": ["west: a word"],
        "cameras": [{"camera": camera.id, **span} for camera in store.cameras],
        "stage_seconds": {"chunks": 20.0},
    }
    tables = {
        "visits": visits,
        "zone_counts": zone_counts(visits, zones_of(store), window),
        "footfall": doors.assign(role=doors["person_id"].map(roles), entrance="main"),
        "runs": from_columns("runs", {name: [value] for name, value in run.items()}),
    }
    Lake(str(tmp_path / "lake")).write_day(store.id, "2025-03-14", tables)
    monkeypatch.setenv("AISLEFLOW_LAKE", str(tmp_path / "lake"))
    monkeypatch.delenv("AISLEFLOW_STORES", raising=False)
