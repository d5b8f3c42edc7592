"""The fault campaign: kill -9 at random moments, full disks, unreadable files, models that change under way.

    python -m tests.benchmarks.faults [--moments 24] [--seed 1] [--json]

A tiny store is processed, by the command and through a real Prefect server and worker on loopback, into a lake that
already holds an older version of the day. At a random moment the process that does the work, the worker (alone, or with
its run, as when a machine loses its power) or the server is killed; whatever died is started again, and the day is run
again. A moment is survived when

- right after the kill the lake shows the old day or the new one in all tables, never a mix,
- the second run completes, and the lake then holds the rows of an undisturbed run, none lost and none twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from flows.lake import Lake
from flows.schemas import TABLES
from tests.benchmarks.fault_kinds import run_other_faults
from tests.benchmarks.fault_runs import DeployedRuns, ForkedRuns
from tests.flows.prefect_server import make_server
from tests.flows.tiny import DAY, write_tiny_store

STORE = "tiny"
VICTIMS = ("process", "process", "worker", "process", "process", "server", "process", "process", "worker and run")
COMPARED = tuple(table for table in TABLES if table != "runs")
Rows = dict[str, Counter[str]]


@dataclass
class Result:
    """The campaign's outcome. `half_days`: moments after which a mix of old and new was visible."""

    tried: int = 0
    survived: int = 0
    rows_lost: int = 0
    rows_doubled: int = 0
    half_days: int = 0
    killed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))
    other_faults: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    command_s: float = 0.0
    flow_run_s: float = 0.0
    seconds: float = 0.0


def rows_of(lake: Path) -> Rows:
    """Every row of the day's tables, counted, but of the record of the run itself."""
    stored = Lake(str(lake)).manifest(STORE, DAY)
    tables = Lake(str(lake)).read_day(STORE, DAY, [name for name in COMPARED if stored and name in stored.tables])
    return {name: Counter(json.dumps(row, default=str) for row in table.to_pylist()) for name, table in tables.items()}


def difference(found: Rows, wanted: Rows) -> tuple[int, int]:
    """Rows lost and rows too many."""
    lost = sum(((wanted[name] - found.get(name, Counter())).total()) for name in wanted)
    return lost, sum((found[name] - wanted.get(name, Counter())).total() for name in found)


class Campaign:
    """Two versions of a day, two ways to run it, and moments at which something is killed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.stores = folder / "stores"
        self.file = write_tiny_store(self.stores, STORE)
        self.server = make_server(folder, AISLEFLOW_SECRETS=str(folder / "secrets"))
        self.forked = ForkedRuns(self.file, self.server.environment)
        self.deployed = DeployedRuns(self.server, self.stores, STORE)
        self.result = Result()

    def prepare(self) -> None:
        """The old day (the first recordings), the new one, and how long a run takes."""
        late = sorted((self.stores / STORE / "videos").rglob("*.mp4"))[2:]
        for video in late:
            video.rename(self.folder / video.name)
        assert self.forked.status(self.forked.start(self.folder / "old")) == 0
        for video in late:
            (self.folder / video.name).rename(video)
        began = time.monotonic()
        assert self.forked.status(self.forked.start(self.folder / "new")) == 0
        self.result.command_s = time.monotonic() - began
        self.old, self.new = rows_of(self.folder / "old"), rows_of(self.folder / "new")
        assert self.old != self.new and sum(rows.total() for rows in self.new.values()) > 0
        self.deployed.begin()
        lake = self.fresh_lake("undisturbed")
        run = self.deployed.finished(self.deployed.start(lake))
        assert run.state is not None and run.state.is_completed(), run.state
        assert difference(rows_of(lake), self.new) == (0, 0), "an undisturbed run through Prefect gives the same rows"
        assert run.start_time is not None and run.end_time is not None
        self.result.flow_run_s = (run.end_time - run.start_time).total_seconds()

    def fresh_lake(self, name: str) -> Path:
        """A lake that holds the old day and no chunk of it."""
        lake = Path(shutil.copytree(self.folder / "old", self.folder / "lakes" / name))
        shutil.rmtree(lake / "_chunks")
        return lake

    def moment(self, number: int) -> None:
        """Disturb one run, run again, compare."""
        victim = VICTIMS[number % len(VICTIMS)]
        kill = self.kill_process if victim == "process" else self.kill_service
        while True:
            lake = self.fresh_lake(f"moment-{number}")
            disturbed = kill(victim, lake)
            if disturbed is not None:
                break
            shutil.rmtree(lake)
        after_s, visible, completed = disturbed
        self.result.tried += 1
        self.result.killed[victim] += 1
        lost, doubled = difference(rows_of(lake), self.new)
        self.result.rows_lost += lost
        self.result.rows_doubled += doubled
        whole = visible in (self.old, self.new)
        self.result.half_days += not whole
        if completed and whole and not lost and not doubled:
            self.result.survived += 1
        else:
            told = f"second run {'' if completed else 'not '}completed, {lost} rows lost, {doubled} too many"
            mixed = "" if whole else ", a mix of old and new was visible"
            self.result.failures.append(f"{victim} killed after {after_s:.1f} s: {told}{mixed}")
        shutil.rmtree(lake)

    def kill_process(self, victim: str, lake: Path) -> tuple[float, Rows, bool] | None:
        """Kill the process that works on chunks, tracks, tables and the lake; run the day again.

        None where it was through before the moment came.
        """
        process = self.forked.start(lake)
        after_s = self.random.uniform(0, self.result.command_s)
        time.sleep(after_s)
        os.kill(process, signal.SIGKILL)
        if self.forked.status(process) != 128 + signal.SIGKILL:
            self.result.command_s = after_s
            return None
        visible = rows_of(lake)
        return after_s, visible, self.forked.status(self.forked.start(lake)) == 0

    def kill_service(self, victim: str, lake: Path) -> tuple[float, Rows, bool] | None:
        """Kill the server, the worker, or the worker with its run, start it again, and run the day again.

        None where the run was through before the moment came.
        """
        run = self.deployed.start(lake)
        after_s = self.random.uniform(0, self.result.flow_run_s)
        time.sleep(after_s)
        if self.deployed.is_through(run):
            self.result.flow_run_s = after_s
            return None
        if victim == "server":
            self.deployed.kill_server()
        else:
            self.deployed.kill_worker(with_runs=victim == "worker and run")
        visible = rows_of(lake)
        self.deployed.restart()
        second = self.deployed.finished(self.deployed.start(lake))
        self.deployed.wait_for_orphans()
        return after_s, visible, second.state is not None and second.state.is_completed()

    def end(self) -> None:
        self.forked.end()
        self.deployed.end()


def campaign(moments: int, seed: int, tell: Any = print) -> Result:
    """Run the whole campaign in a temporary folder."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aisleflow-faults-") as name:
        running = Campaign(Path(name), seed)
        settings = {PREFECT_API_URL: running.server.url, PREFECT_HOME: Path(running.server.environment["PREFECT_HOME"])}
        try:
            with temporary_settings(settings):
                running.prepare()
                tell(
                    f"undisturbed: command {running.result.command_s:.1f} s, flow run {running.result.flow_run_s:.1f} s"
                )
                for number in range(moments):
                    running.moment(number)
                    tell(f"{number + 1} of {moments}: {running.result.survived} survived")
        finally:
            running.end()
        running.result.other_faults = run_other_faults(Path(name), running.file, date.fromisoformat(DAY))
    running.result.seconds = time.monotonic() - began
    return running.result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    result = campaign(options.moments, options.seed, lambda line: print(line, file=sys.stderr, flush=True))
    shown = asdict(result)
    print(json.dumps(shown) if options.json else "\n".join(f"{key}: {value}" for key, value in shown.items()))
    good = result.survived == result.tried and not any(text.startswith("not ") for text in result.other_faults.values())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
