"""What a camera costs: video-seconds per core-second by stage, bytes per camera-hour, machines for a fleet.

    python -m tests.benchmarks.sizing [STORE.yaml | SCENE_FOLDER] [--hours 12] [--window 8] [--price 0.04] [--json]

Runs a store-day (default: the bundled demo) on one core and counts processor seconds, the decoder's process included,
so other work on the machine changes little. `--hours`: video per camera and day; `--window`: hours of the night in
which it must be done; `--price`: what a core-hour costs, in any currency.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

FLEETS = (10, 1_000, 10_000)
CORES_A_MACHINE = 16
LOAD = 0.8
"""Share of a core's time that is planned with: nights differ."""

KEPT = {
    "recordings": "as long as you keep them",
    "chunks": "privacy.embeddings_days or positions_days, the shorter",
    "tracklets": "embeddings: privacy.embeddings_days",
    "positions": "privacy.positions_days",
}


def processor_seconds() -> tuple[float, float]:
    """Of this process with all its threads, and of its ended children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time(), children.ru_utime + children.ru_stime


@contextlib.contextmanager
def counted(into: dict[str, float], own: str, children: str) -> Iterator[None]:
    before = processor_seconds()
    yield
    for stage, (end, start) in zip((own, children), zip(processor_seconds(), before, strict=True), strict=True):
        into[stage] = into.get(stage, 0.0) + end - start


def measure(file: Path, day: date | None, lake: str) -> dict[str, Any]:
    """Process a store-day; processor seconds by stage, video seconds, bytes by what they hold."""
    import pyarrow.parquet as pq

    from detection.isolated import close_probers
    from flows.chunks import process_chunk
    from flows.lake import Lake
    from flows.plan import plan_store_day
    from flows.preflight import preflight
    from flows.store_day import finish_store_day

    plan = plan_store_day(preflight(file, day), lake)
    spent: dict[str, float] = {}
    began = time.monotonic()
    with counted(spent, "video", "decode"):
        files = [process_chunk(chunk, plan.work, (plan.config.detector, plan.config.reid)) for chunk in plan.chunks]
        close_probers()
    with counted(spent, "finish", "finish"):
        summary = finish_store_day(plan, files)
        close_probers()
    seconds, took = sum(camera.seconds_seen for camera in summary.cameras), summary.stage_seconds
    stages = {"decode": spent["decode"]}
    stages |= share(spent["video"], {name: took[f"video: {name}"] for name in ("detect", "embed")})
    stages |= share(spent["finish"], {name: took[name] for name in ("tracks", "people", "tables", "views")})
    fixed = stages.pop("views")  # some pictures of each camera's day, however long it is
    boxes = sum(len(column) - column.null_count for column in (pq.read_table(file)["x1"] for file in files))
    (run,) = Lake(lake).read_day(plan.config.id, plan.day)["runs"].to_pylist()
    pictures = sum(camera["frames"] for camera in run["cameras"])
    return {
        "store": plan.config.id,
        "cameras": len(summary.cameras),
        "video_s": seconds,
        "sampling_fps": sorted({camera.sampling_fps for camera in plan.config.cameras}),
        "boxes_a_picture": boxes / pictures,
        "core_s": stages,
        "core_s_a_camera_day": fixed / len(summary.cameras),
        "video_s_per_core_s": seconds / sum(stages.values()),
        "video_s_per_detecting_s": seconds / took["video: detect"],
        "wall_s": time.monotonic() - began,
        "bytes_a_camera_hour": {what: size / seconds * 3600 for what, size in stored(plan, lake).items()},
    }


def share(total: float, parts: dict[str, float]) -> dict[str, float]:
    """A total, split as the stages' own clocks say."""
    whole = sum(parts.values()) or 1.0
    return {name: total * part / whole for name, part in parts.items()}


def stored(plan: Any, lake: str) -> dict[str, int]:
    """Bytes of what grows with the video. Counts are left out: they are small, and of a short day mostly headers."""

    def size(pattern: str) -> int:
        return sum(file.stat().st_size for file in Path(lake).glob(pattern) if file.is_file())

    recordings = {chunk.path for chunk in plan.chunks}
    tables = {name: size(f"{name}/**/*") for name in ("tracklets", "positions")}
    return {
        "recordings": sum(Path(path).stat().st_size for path in recordings),
        "chunks": size("_chunks/**/*"),
    } | tables


def fleet(rate: float, fixed_s: float, hours: float, window: float, price: float) -> list[dict[str, float]]:
    """Cores, machines and money for each of `FLEETS`, from video-seconds per core-second and what a camera's day takes
    however long it is."""
    rows = []
    for cameras in FLEETS:
        core_hours = cameras * (hours / rate + fixed_s / 3600)
        cores = math.ceil(core_hours / window / LOAD)
        machines = math.ceil(cores / CORES_A_MACHINE)
        row = {"cameras": cameras, "core_hours_a_day": core_hours, "cores": cores, "machines": machines}
        rows.append(row | {"cost_a_day": core_hours / LOAD * price})
    return rows


def laid_out(folder: Path, work: Path) -> tuple[Path, date]:
    from tests.benchmarks.scene import lay_out

    detector = {"model": "aisleflow-person-n", "image_size": 640, "confidence": 0.25}
    file, start = lay_out(folder, work, detector=detector, reid="rga-store", fps=5.0)
    return file, start.date()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, nargs="?", help="store.yaml, or a rendered scene's folder; else the demo")
    parser.add_argument("--hours", type=float, default=12)
    parser.add_argument("--window", type=float, default=8)
    parser.add_argument("--price", type=float, default=0.04)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # before any library counts the cores
    from flows.stores import DEMO

    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(sys.stderr):
        file, day = chosen.store or DEMO, None
        if file.is_dir():
            file, day = laid_out(file, Path(name))
        found = measure(file, day, f"{name}/lake")
    rate, fixed_s = found["video_s_per_core_s"], found["core_s_a_camera_day"]
    fleets = fleet(rate, fixed_s, chosen.hours, chosen.window, chosen.price)
    if chosen.json:
        print(json.dumps(found | {"fleets": fleets}))
    else:
        show(found, fleets)


def show(found: dict[str, Any], fleets: list[dict[str, float]]) -> None:
    """The measured figures and the fleets, a line each."""
    video_s, rate = found["video_s"], found["video_s_per_core_s"]
    print(
        f"{found['store']}: {found['cameras']} cameras, {video_s:.0f} s of video, {found['sampling_fps']} pictures a "
        f"second, {found['boxes_a_picture']:.1f} boxes in each; {found['wall_s']:.0f} s on one core"
    )
    for stage, seconds in (found["core_s"] | {"together": video_s / rate}).items():
        print(f"  {stage:8} {seconds:8.1f} core-s {video_s / max(seconds, 1e-9):10.2f} video-s a core-s")
    print(f"  and {found['core_s_a_camera_day']:.1f} core-s a camera and day, however long, for its views")
    print(f"  {found['video_s_per_detecting_s']:.2f} video-s a second of detecting by the clock (a GPU's, if on one)")
    for what, size in found["bytes_a_camera_hour"].items():
        print(f"  {what:10} {size / 1e6:8.2f} MB a camera-hour, kept {KEPT[what]}")
    for row in fleets:
        print(
            f"  {row['cameras']:6,} cameras: {row['core_hours_a_day']:9,.0f} core-hours a day, {row['cores']:6,} cores,"
            f" {row['machines']:4,} machines of {CORES_A_MACHINE}, {row['cost_a_day']:9,.2f} a day"
        )


if __name__ == "__main__":
    main()
