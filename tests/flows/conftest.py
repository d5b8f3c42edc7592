"""The bundled demo store, processed once for all tests that look at the result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.day_summary import DaySummary
from flows.plan import Plan, plan_store_day
from flows.preflight import preflight
from flows.stores import DEMO
from tests.flows.painted import HueEmbedder, PaintedDetector, PaintedStore
from tests.flows.prefect_server import Server, end, make_server


@dataclass(frozen=True)
class ProcessedDay:
    """The demo's day: where its lake is, the plan, its chunks' files, and the summary."""

    lake: str
    plan: Plan
    files: list[str]
    summary: DaySummary


@pytest.fixture(scope="session")
def demo_day(tmp_path_factory: pytest.TempPathFactory) -> ProcessedDay:
    from flows.chunks import process_chunk
    from flows.store_day import finish_store_day

    lake = str(tmp_path_factory.mktemp("demo") / "lake")
    plan = plan_store_day(preflight(DEMO), lake)
    choices = (plan.config.detector, plan.config.reid)
    files = [process_chunk(chunk, plan.work, choices) for chunk in plan.chunks]
    return ProcessedDay(lake, plan, files, finish_store_day(plan, files))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_secrets: None) -> PaintedStore:
    """A store of painted people, whose networks are never wrong."""
    monkeypatch.setattr("flows.chunks._load_detector", lambda *_: PaintedDetector())
    monkeypatch.setattr("flows.chunks._load_embedder", lambda *_: HueEmbedder())
    return PaintedStore(tmp_path)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Prefect server with everything deployed, one store-day at a time."""
    running = make_server(tmp_path_factory.mktemp("prefect"))
    try:
        running.start()
        running.deploy(at_once=1)
        yield running
    finally:
        end(running.process)


@pytest.fixture(scope="session")
def worker(server: Server) -> Iterator[Path]:
    """A worker of the server; the path of its log."""
    process = server.worker()
    yield server.folder / "worker.log"
    end(process)
