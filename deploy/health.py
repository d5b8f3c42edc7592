"""Whether server, worker or dashboard answers: exit status 0, or 1 with the reason.

    python deploy/health.py server|worker|dashboard [--wait SECONDS]

Addresses come from the environment that the program itself was started with (deploy/aisleflow.env). Needs nothing but
Python, so that containers and systemd can call it often.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import urllib.request


def address(program: str) -> str:
    """Where a program tells that it is well."""
    if program == "server":
        return f"http://127.0.0.1:{os.environ.get('PREFECT_SERVER_API_PORT', '4200')}/api/health"
    if program == "worker":
        return f"http://127.0.0.1:{os.environ.get('PREFECT_WORKER_WEBSERVER_PORT', '8080')}/health"
    return f"http://127.0.0.1:{os.environ.get('STREAMLIT_SERVER_PORT', '8501')}/_stcore/health"


def problem(url: str) -> str | None:
    """Why a page does not answer; None where it does."""
    try:
        with urllib.request.urlopen(url, timeout=10):
            return None
    except OSError as error:
        return f"{url}: {error}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", choices=["server", "worker", "dashboard"])
    parser.add_argument("--wait", type=float, default=0, help="seconds until it must answer")
    options = parser.parse_args()
    until = time.monotonic() + options.wait
    while (told := problem(address(options.program))) and time.monotonic() < until:
        time.sleep(1)
    if told:
        print(told, file=sys.stderr)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
