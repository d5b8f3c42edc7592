"""A small simulated lake: two shops, eight days with a crowded Saturday, a failed camera and a change of clocks."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from flows.simulate import DemoLake, demo_lake
from flows.simulated_stores import SIMULATED_STORES

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
