"""A real Prefect server and worker on loopback, for tests and the fault campaign."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@dataclass
class Server:
    """A Prefect server, and the environment in which `prefect` talks to it."""

    environment: dict[str, str]
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def start(self, seconds: float = 300) -> None:
        """Start the server, or start it again, and wait until it answers."""
        command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = self.run(command, "server.log")
        wait_for(f"{self.url}/health", seconds, self.folder / "server.log")

    def run(self, command: list[str], log: str) -> subprocess.Popen[bytes]:
        """Start a program of the environment in a session of its own, so that its whole family can be ended."""
        return subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            cwd=ROOT,
            env=self.environment,
            stdout=(self.folder / log).open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def worker(self, *options: str, log: str = "worker.log") -> subprocess.Popen[bytes]:
        return self.run(["prefect", "worker", "start", "--pool", "aisleflow", *options], log)

    def deploy(self, at_once: int = 1) -> None:
        """Everything that the server is told after an installation, with so many store-days side by side."""
        done = subprocess.run(
            [ROOT / "deploy/register.sh", str(at_once)],
            env=self.environment | {"PATH": f"{BIN}:{self.environment['PATH']}"},
            text=True,
            timeout=900,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    def prefect(self, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
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


def make_server(folder: Path, **environment: str) -> Server:
    """A server that is not started yet; its database is in `folder`."""
    port = free_port()
    settings = os.environ | {
        "PREFECT_HOME": str(folder / "home"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "AISLEFLOW_LAKE": str(folder / "lake"),
        "NO_COLOR": "1",
        "COLUMNS": "300",
    }
    settings.pop("AISLEFLOW_STORES", None)
    return Server(settings | environment, folder, port)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def end(process: subprocess.Popen[bytes] | None) -> None:
    """End a program and its family as Ctrl-C would, then for good."""
    if process is None or process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(url: str, seconds: float, log: Path) -> None:
    """Until a page answers. Raises TimeoutError with the end of the log."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except OSError:
            time.sleep(0.3)
    raise TimeoutError(f"{url} did not answer in {seconds} s:\n{log.read_text()[-3000:]}")
