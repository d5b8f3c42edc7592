"""Figures of the nightly jobs for Prometheus: text files that node_exporter's textfile collector reads.

AISLEFLOW_METRICS names the folder; without it there are none. After each processed day `aisleflow_STORE.prom` is
replaced as a whole, after each look at all stores `aisleflow.prom`. A folder that can't be written is told as a
warning: no day is lost for its metrics, and the age of the files says that they stand still.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from flows.day_summary import DaySummary

CHAIN_STATES = ("done", "failed", "missing")

_log = logging.getLogger(__name__)


def write_day_metrics(summary: DaySummary, zone: ZoneInfo, now: datetime | None = None) -> Path | None:
    """Write a processed day's figures; the file, or None where no folder is named or it can't be written.

    `zone`: the store's time zone; the day is given by its local midnight.
    """
    figures = _Figures({"store": summary.store})
    midnight = datetime(summary.day.year, summary.day.month, summary.day.day, tzinfo=zone)
    figures.add("store_day_processed_timestamp_seconds", "When the day was processed", (now or datetime.now(UTC)))
    figures.add("store_day_start_timestamp_seconds", "Start of the day that was processed last", midnight)
    figures.add("store_day_problems", "Problems told of the day", len(summary.problems))
    for role, people in (("shopper", summary.people), ("staff", summary.staff)):
        figures.add("store_day_people", "Different people", people, role=role)
    for direction, count in (("in", summary.footfall_in), ("out", summary.footfall_out)):
        if count is not None:
            figures.add("store_day_footfall", "Entrances crossed", count, direction=direction)
    for camera in summary.cameras:
        of = {"camera": camera.camera}
        figures.add("camera_expected_seconds", "Video there should be", camera.seconds_expected, **of)
        figures.add("camera_seen_seconds", "Video that was seen", camera.seconds_seen, **of)
        figures.add("camera_gaps", "Spans without video", camera.gaps, **of)
    for stage, seconds in summary.stage_seconds.items():
        figures.add("store_day_stage_seconds", "Time taken; video: summed over all machines", seconds, stage=stage)
    return figures.write(f"aisleflow_{summary.store}.prom")


def write_chain_metrics(rows: Iterable[Mapping[str, str]], now: datetime | None = None) -> Path | None:
    """Write what became of the store-days of a look at all stores (rows of the chain's report, with `state`)."""
    figures = _Figures({})
    figures.add("chain_finished_timestamp_seconds", "When the stores were last looked at", now or datetime.now(UTC))
    found = Counter(row["state"] for row in rows)
    for state in CHAIN_STATES:
        figures.add("chain_store_days", "Store-days of the last look at all stores", found[state], state=state)
    return figures.write("aisleflow.prom")


class _Figures:
    """Gauges of one file, `labels` on each of them."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._registry, self._labels = CollectorRegistry(), dict(labels)
        self._gauges: dict[str, Gauge] = {}

    def add(self, name: str, help_text: str, value: float | datetime, **labels: str) -> None:
        """A value. One name has the same labels each time."""
        labels = self._labels | labels
        if name not in self._gauges:
            self._gauges[name] = Gauge(f"aisleflow_{name}", help_text, list(labels), registry=self._registry)
        gauge = self._gauges[name].labels(**labels) if labels else self._gauges[name]
        gauge.set(value.timestamp() if isinstance(value, datetime) else value)

    def write(self, name: str) -> Path | None:
        folder = os.environ.get("AISLEFLOW_METRICS")
        if not folder:
            return None
        path = Path(folder) / name
        try:
            write_to_textfile(str(path), self._registry)
        except OSError as error:
            _log.warning("no metrics: %s can't be written (%s); AISLEFLOW_METRICS names a folder", path, error.strerror)
            return None
        return path
