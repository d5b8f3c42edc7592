"""Fixtures for all tests. No test sends telemetry or reaches the network."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("AISLEFLOW_SECRETS", tempfile.mkdtemp(prefix="aisleflow-test-secrets-"))

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of development data beside the checkout; tests that need it skip where it is not."""
    folder = ROOT.parent / "shared"
    if not (folder / "README.md").is_file():
        pytest.skip(f"needs the development data in {folder}, which this machine does not have")
    return folder
