"""Fixtures for all tests. No test sends telemetry or reaches the network."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_OFFLINE", "true")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
if os.environ.get("AISLEFLOW_TEST_WORKER") != WORKER:  # the processes that this one starts share its secrets
    os.environ["AISLEFLOW_TEST_WORKER"] = WORKER
    os.environ["AISLEFLOW_SECRETS"] = tempfile.mkdtemp(prefix="aisleflow-test-secrets-")
    atexit.register(shutil.rmtree, os.environ["AISLEFLOW_SECRETS"], ignore_errors=True)

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of development data beside the checkout; tests that need it skip where it is not."""
    folder = ROOT.parent / "shared"
    if not (folder / "README.md").is_file():
        pytest.skip(f"needs the development data in {folder}, which this machine does not have")
    return folder


@pytest.fixture
def own_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets of this test alone: it may delete them, and no other test misses them."""
    monkeypatch.setenv("AISLEFLOW_SECRETS", str(tmp_path / "secrets"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every case says which report it answers to: `case("opencv 8834")`, or `case("sibling: ...")` for its kind."""
    nameless = [
        item.nodeid
        for item in items
        for mark in item.iter_markers("case")
        if len(mark.args) != 1 or not isinstance(mark.args[0], str) or mark.kwargs
    ]
    if nameless:
        raise pytest.UsageError("these tests of a case name no report: " + ", ".join(nameless))


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """With `-m case`, list the reports and their siblings, each with its tests; `--collect-only` lists without running.

    Items that the marker expression leaves out are gone by now, so `-m "case and not browser"` lists what runs.
    """
    if "case" not in config.getoption("markexpr").split():
        return []
    tests: dict[str, list[str]] = {}
    for item in items:
        for mark in item.iter_markers("case"):
            name = item.nodeid.split("[")[0]
            if name not in tests.setdefault(mark.args[0], []):
                tests[mark.args[0]].append(name)
    siblings = sum(name.startswith("sibling: ") for name in tests)
    lines = [f"{name}: {', '.join(tests[name])}" for name in sorted(tests, key=str.casefold)]
    return [f"cases: {len(tests) - siblings} reports, {siblings} siblings", *lines]
