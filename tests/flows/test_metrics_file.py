"""The metrics file: what a Prometheus reads of a night."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flows.day_summary import CameraSummary, DaySummary
from flows.metrics_file import write_chain_metrics, write_day_metrics
from tests.flows.painted import DAY, PaintedStore, walks

NOW = datetime(2025, 3, 15, 2, 40, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def read(path: Path | None) -> dict[str, float]:
    """Values by name and labels, as Prometheus' own parser reads them."""
    assert path is not None
    families = text_string_to_metric_families(path.read_text())
    return {
        "/".join([sample.name.removeprefix("aisleflow_"), *(f"{k}={v}" for k, v in sorted(sample.labels.items()))]): (
            sample.value
        )
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "metrics"
    place.mkdir()
    monkeypatch.setenv("AISLEFLOW_METRICS", str(place))
    return place


def summary(**changes: object) -> DaySummary:
    cameras = (CameraSummary("door", 36_000, 35_100, 2),)
    given = {"people": 812, "staff": 9, "footfall_in": 800, "footfall_out": 795, "problems": ("one",)} | changes
    stages = {"video": 900.0, "video: detect": 1200.0}
    return DaySummary(
        "s7", "Seven", date(2025, 3, 14), zones=(), cameras=cameras, models=(), stage_seconds=stages, **given
    )  # type: ignore[arg-type]


def test_a_days_figures(folder: Path):
    path = write_day_metrics(summary(), BERLIN, NOW)
    assert path == folder / "aisleflow_s7.prom"
    assert read(path) == {
        "store_day_processed_timestamp_seconds/store=s7": NOW.timestamp(),
        "store_day_start_timestamp_seconds/store=s7": datetime(2025, 3, 13, 23, tzinfo=UTC).timestamp(),
        "store_day_problems/store=s7": 1,
        "store_day_people/role=shopper/store=s7": 812,
        "store_day_people/role=staff/store=s7": 9,
        "store_day_footfall/direction=in/store=s7": 800,
        "store_day_footfall/direction=out/store=s7": 795,
        "camera_expected_seconds/camera=door/store=s7": 36_000,
        "camera_seen_seconds/camera=door/store=s7": 35_100,
        "camera_gaps/camera=door/store=s7": 2,
        "store_day_stage_seconds/stage=video/store=s7": 900,
        "store_day_stage_seconds/stage=video: detect/store=s7": 1200,
    }


def test_a_store_without_entrances_has_no_footfall_rather_than_none(folder: Path):
    found = read(write_day_metrics(summary(footfall_in=None, footfall_out=None), BERLIN, NOW))
    assert not any("footfall" in name for name in found)


def test_a_look_at_all_stores(folder: Path):
    rows = [{"state": "done"}, {"state": "failed"}, {"state": "done"}]
    assert read(write_chain_metrics(rows, NOW)) == {
        "chain_finished_timestamp_seconds": NOW.timestamp(),
        "chain_store_days/state=done": 2,
        "chain_store_days/state=failed": 1,
        "chain_store_days/state=missing": 0,
    }


def test_a_folder_that_is_not_there_is_told_and_costs_no_day(
    shop: PaintedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    shop.clip([walks(1, (0, 20, 200), (4, 300, 200))], 4.0)
    monkeypatch.setenv("AISLEFLOW_METRICS", str(tmp_path / "nowhere"))
    with caplog.at_level(logging.WARNING):
        assert shop.run() == 0
    assert "AISLEFLOW_METRICS names a folder" in caplog.text
    monkeypatch.setenv("AISLEFLOW_METRICS", str(tmp_path))
    assert shop.run() == 0
    found = read(tmp_path / "aisleflow_shop.prom")
    assert found["camera_seen_seconds/camera=cam/store=shop"] == pytest.approx(4, abs=0.2)
    assert (
        found["store_day_start_timestamp_seconds/store=shop"]
        == datetime.fromisoformat(f"{DAY}T00:00+00:00").timestamp()
    )
