"""The deployment through a real Prefect server and worker on loopback."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path

import pytest
import yaml

from flows.due import remembered_recordings
from flows.lake import Lake
from tests.flows.prefect_server import BIN, Server
from tests.flows.tiny import DAY, write_tiny_store

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("server")]


def test_deploy_worker_run_and_the_lake_holds_the_day(server: Server, worker: Path):
    assert "store-day/nightly" in server.prefect("deployment", "ls").stdout
    ran = server.prefect("deployment", "run", "store-day/nightly", "-p", "store=demo", "--watch", timeout=300)
    assert ran.returncode == 0, ran.stdout + worker.read_text()[-6000:]
    assert "Completed" in ran.stdout or "COMPLETED" in ran.stdout, ran.stdout
    names = {run["name"] for run in asked_of(server, "flow_runs/filter")}
    assert f"demo {DAY}" in names, "the day was not named, and is shown"

    counts = Lake(server.environment["AISLEFLOW_LAKE"]).read("zone_counts", stores=["demo"])
    assert counts.num_rows > 0
    artifacts = server.prefect("artifact", "ls").stdout
    assert "day-report-demo" in artifacts
    progress = progress_of(server, "demo")
    assert len(progress) == 3 and set(progress.values()) == {100}, progress


def asked_of(server: Server, what: str) -> list[dict]:
    """Everything that the server's filter finds."""
    request = urllib.request.Request(f"{server.url}/{what}", b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def progress_of(server: Server, store: str) -> dict[str, float]:
    """Percent by description of a store's progress artifacts, which have no key to be asked for by."""
    found = [one for one in asked_of(server, "artifacts/filter") if one["type"] == "progress"]
    return {one["description"]: one["data"] for one in found if one["description"].startswith(f"{store} ")}


def test_the_chain_processes_what_is_due_and_a_store_that_fails_is_told(server: Server, worker: Path, tmp_path: Path):
    """Three stores: one good, one whose file has a mistake, one whose recordings are no video. One at a time."""
    good = write_tiny_store(tmp_path, "good", pieces=2)
    for store in ("wrong", "broken"):
        shutil.copytree(good.parent, tmp_path / store)
        data = yaml.safe_load(good.read_text()) | {"id": store}
        if store == "wrong":
            data["detector"]["model"] = "no-such-model"
        (tmp_path / store / "store.yaml").write_text(yaml.safe_dump(data))
    for video in (tmp_path / "broken").rglob("*.mp4"):
        video.write_bytes(b"no video")
    lake = str(tmp_path / "lake")
    options = ["-p", f"stores={tmp_path}", "-p", f"lake={lake}", "-p", f"first={DAY}", "-p", f"last={DAY}"]
    ran = server.prefect("deployment", "run", "chain-day/nightly", *options, "-p", "poll_s=1", "--watch", timeout=300)
    log = worker.read_text()[-8000:]
    assert ran.returncode != 0, ran.stdout + log
    assert [day.store for day in Lake(lake).days()] == ["good"], log
    assert remembered_recordings(Lake(lake), "good", Lake(lake).days()[0].date)
    shown = server.prefect("artifact", "inspect", "chain-day").stdout
    for expected in ("good", "done", "wrong", "no-such-model", "broken", "no usable recording"):
        assert expected in shown, shown
    failed = server.prefect("flow-run", "ls", "--state-type", "FAILED").stdout
    assert "chain-day" in failed


def test_schedules_run_by_the_stores_clock_and_the_chain_each_half_hour(server: Server):
    shown = server.prefect("deployment", "inspect", "store-day/nightly").stdout
    assert "30 2 * * *" in shown
    assert "Europe/Berlin" in shown
    chain = server.prefect("deployment", "inspect", "chain-day/nightly").stdout
    assert "10,40 * * * *" in chain
    assert "5 12 * * *" in server.prefect("deployment", "inspect", "retention/nightly").stdout


def test_prefect_is_the_version_that_schedules():
    assert shutil.which("prefect", path=str(BIN))
    import prefect
    from packaging.version import Version

    assert Version(prefect.__version__) >= Version("3.9.1")
