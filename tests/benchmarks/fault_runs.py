"""Two ways to run a day that is to be disturbed: the plain command in a forked process, and Prefect's deployment."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment

from tests.flows.prefect_server import ROOT, Server, end
from tests.flows.tiny import DAY


class ForkedRuns:
    """`aisleflow run` in processes forked from one that has everything imported: a start takes no time."""

    def __init__(self, file: Path, environment: dict[str, str]) -> None:
        self.file = file
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.fault_runs"],
            cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._answer()

    def _answer(self) -> str:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline().strip()

    def _ask(self, line: str) -> str:
        assert self._parent.stdin is not None
        print(line, file=self._parent.stdin, flush=True)
        return self._answer()

    def start(self, lake: Path) -> int:
        """Start the command on the day; its process id."""
        return int(self._ask(f"run\t{self.file}\t{lake}"))

    def status(self, process: int) -> int:
        """Wait for a process; its exit status, 128 and the signal's number where one ended it."""
        return int(self._ask(f"wait\t{process}"))

    def end(self) -> None:
        self._parent.kill()
        self._parent.wait()


def serve() -> None:
    """The parent of the forked processes: answers lines `run FILE LAKE` and `wait PROCESS`."""
    import flows.progress
    import flows.store_day  # noqa: F401 - imported once, for all that are forked
    from flows import cli

    print("ready", flush=True)
    for line in sys.stdin:
        what, *given = line.rstrip("\n").split("\t")
        if what == "wait":
            status = os.waitstatus_to_exitcode(os.waitpid(int(given[0]), 0)[1])
            print(status if status >= 0 else 128 - status, flush=True)
            continue
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)
            try:
                cli.main(["run", given[0], "--date", DAY, "--lake", given[1]])
                os._exit(0)
            except SystemExit as ended:
                os._exit(int(ended.code or 0))
            finally:
                os._exit(3)
        print(child, flush=True)


class DeployedRuns:
    """`store-day/nightly` through a Prefect server and worker."""

    def __init__(self, server: Server, stores: Path, store: str) -> None:
        self.server, self.stores, self.store = server, stores, store
        self.worker: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        self.server.start()
        self.server.deploy(at_once=9)  # a killed run keeps its place in the queue for ten minutes
        self.worker = self.server.worker()

    def start(self, lake: Path) -> FlowRun:
        """Submit a run of the day and wait until it works."""
        parameters = {"store": self.store, "date": DAY, "lake": str(lake), "stores": str(self.stores)}
        run = run_deployment("store-day/nightly", parameters=parameters, timeout=0, as_subflow=False)
        assert isinstance(run, FlowRun)
        return self._until(run, lambda state: state.is_running() or state.is_final(), 600)

    def finished(self, run: FlowRun) -> FlowRun:
        return self._until(run, lambda state: state.is_final(), 900)

    @staticmethod
    def is_through(run: FlowRun) -> bool:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(run.id).state
        return state is not None and state.is_final()

    @staticmethod
    def _until(run: FlowRun, reached: Callable[[State], bool], seconds: float) -> FlowRun:
        deadline = time.monotonic() + seconds
        with get_client(sync_client=True) as client:
            while time.monotonic() < deadline:
                run = client.read_flow_run(run.id)
                if run.state is not None and reached(run.state):
                    return run
                time.sleep(0.2)
        raise TimeoutError(f"{run.name} is {run.state_name} after {seconds} s")

    def processes(self) -> list[psutil.Process]:
        """The flow runs' own processes, whoever started them."""
        found = []
        for process in psutil.process_iter():
            try:
                own = process.environ().get("PREFECT_API_URL") == self.server.url
                if own and any("prefect.engine" in part or "prefect.flow_engine" in part for part in process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def kill_worker(self, with_runs: bool) -> None:
        """kill -9 of the worker. Its runs go on as orphans, or die with it, as when a machine loses its power."""
        runs = self.processes()
        assert self.worker is not None
        _kill_family(self.worker, runs if not with_runs else [])
        if with_runs:
            for process in runs:
                _kill(process)
        self.worker = None

    def kill_server(self) -> None:
        assert self.server.process is not None
        _kill_family(self.server.process, [])

    def restart(self) -> None:
        """Start again what was killed."""
        if self.server.process is None or self.server.process.poll() is not None:
            self.server.start()
        if self.worker is None:
            self.worker = self.server.worker()

    def wait_for_orphans(self) -> None:
        """A run whose worker or server died may still work beside a second one: until it has ended."""
        _, alive = psutil.wait_procs(self.processes(), timeout=300)
        for process in alive:
            _kill(process)

    def end(self) -> None:
        end(self.worker)
        for process in self.processes():
            _kill(process)
        end(self.server.process)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        pass


def _kill_family(parent: subprocess.Popen[bytes], spared: list[psutil.Process]) -> None:
    family = psutil.Process(parent.pid).children(recursive=True)
    for child in family:
        if child not in spared and not any(child in run.children(recursive=True) for run in spared if run.is_running()):
            _kill(child)
    parent.kill()
    parent.wait()


if __name__ == "__main__":
    serve()
