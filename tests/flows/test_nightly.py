"""The deployment through a real Prefect server and worker on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("server")]


@dataclass
class Server:
    """A Prefect server with a worker, and the environment in which `prefect` talks to them."""

    environment: dict[str, str]
    folder: Path

    def prefect(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / "prefect", *arguments],
            cwd=ROOT,
            env=self.environment,
            text=True,
            timeout=timeout,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _start(command: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    # its own session, so that the whole family can be ended; SIGINT set to its default, which a shell's & takes away
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=log.open("wb"), stderr=subprocess.STDOUT, start_new_session=True
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(url: str, seconds: float, log: Path) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"{url} did not answer in {seconds} s:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("prefect")
    port = _free_port()
    environment = os.environ | {
        "PREFECT_HOME": str(folder / "home"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "AISLEFLOW_LAKE": str(folder / "lake"),
        "NO_COLOR": "1",
        "COLUMNS": "300",
    }
    environment.pop("AISLEFLOW_STORES", None)
    log = folder / "server.log"
    process = _start(
        [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)], log, environment
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/health", 90, log)
        running = Server(environment, folder)
        for command in (("work-pool", "create", "aisleflow", "--type", "process"), ("--no-prompt", "deploy", "--all")):
            done = running.prefect(*command)
            assert done.returncode == 0, done.stdout
        yield running
    finally:
        _end(process)


def test_deploy_worker_run_and_the_lake_holds_the_day(server: Server):
    assert "store-day/nightly" in server.prefect("deployment", "ls").stdout

    log = server.folder / "worker.log"
    worker = _start([str(BIN / "prefect"), "worker", "start", "--pool", "aisleflow"], log, server.environment)
    try:
        ran = server.prefect("deployment", "run", "store-day/nightly", "-p", "store=demo", "--watch", timeout=300)
    finally:
        _end(worker)
    assert ran.returncode == 0, ran.stdout + log.read_text()[-6000:]
    assert "Completed" in ran.stdout or "COMPLETED" in ran.stdout, ran.stdout

    from flows.lake import Lake

    counts = Lake(server.environment["AISLEFLOW_LAKE"]).read("zone_counts", stores=["demo"])
    assert counts.num_rows > 0
    artifacts = server.prefect("artifact", "ls").stdout
    assert "day-report-demo" in artifacts


def test_the_schedule_runs_at_half_past_two_of_the_stores_clock(server: Server):
    shown = server.prefect("deployment", "inspect", "store-day/nightly").stdout
    assert "30 2 * * *" in shown
    assert "Europe/Berlin" in shown


def test_prefect_is_the_version_that_schedules():
    assert shutil.which("prefect", path=str(BIN))
    import prefect
    from packaging.version import Version

    assert Version(prefect.__version__) >= Version("3.9.1")
