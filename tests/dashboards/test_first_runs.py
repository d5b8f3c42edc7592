"""What pages say where there is nothing yet, a file with mistakes, or a minute of video."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboards.conftest import OPEN_PAGE
from tests.dashboards.shown import Open, chart, metrics, said


def test_first_run_says_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AISLEFLOW_STORES", raising=False)
    monkeypatch.setenv("AISLEFLOW_LAKE", str(tmp_path / "none"))
    for name in ("today", "zones", "floor", "chain", "quality"):
        test = AppTest.from_string(f"from dashboards.views import {name}\n{name}.render()", default_timeout=60).run()
        assert not test.exception and "make demo" in said(test)


def test_no_store_says_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLEFLOW_STORES", str(tmp_path))
    test = AppTest.from_string("from dashboards.views import today\ntoday.render()", default_timeout=60).run()
    assert not test.exception and "STORES/ID/store.yaml" in said(test)
    test = AppTest.from_string(OPEN_PAGE.format("setup"), default_timeout=60).run()
    assert [title.value for title in test.title] == ["Set up"] and "STORES/ID/store.yaml" in said(test)


@pytest.mark.case("sibling: one store file of many is spoilt")
def test_a_faulty_store_file_is_told_and_the_others_are_shown(page: Open, stores: Path) -> None:
    faulty = stores / "kiez" / "store.yaml"
    faulty.write_text(faulty.read_text().replace("kind: checkout", "kind: till") + "\nnonsense: 1\n")
    test = page("today", store="plateau")
    (error,) = test.error
    assert "zones" in error.value and "store.yaml" in error.value and "2 mistakes" in error.value
    assert "Footfall" in metrics(test)


@pytest.mark.parametrize("name", ["today", "zones", "floor", "chain", "quality", "audit", "setup"])
def test_a_minute_of_video_fills_every_page(name: str, minute: None) -> None:
    test = AppTest.from_string(OPEN_PAGE.format(name), default_timeout=120).run()
    assert not test.exception, test.exception[0].message
    assert not any("Simulated" in one.value for one in test.markdown)
    if name == "today":
        assert metrics(test)["Footfall"] == "6" and metrics(test)["Peak occupancy"] != "-"
        assert len(chart(test, "occupancy")["data"][-1]["x"]) >= 1
