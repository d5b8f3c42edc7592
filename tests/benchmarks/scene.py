"""A whole rendered scene through the nightly job, held against its truth: one JSON object.

    python -m tests.benchmarks.scene DIR [--json] [--detector M] [--reid M] [--fps F] [--keep FOLDER]

DIR is a folder of the store renderer: scene.json, cam_*.mp4, truth/. Its store.yaml is made from scene.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from flows.plan import plan_store_day
from flows.preflight import preflight
from flows.progress import process_with_progress
from flows.score import score_lake

STORE = "scene"


def store_of(scene: dict[str, Any], *, detector: dict[str, Any], reid: str, fps: float) -> dict[str, Any]:
    """The store.yaml of a scene.json, as plain data."""
    start = datetime.fromisoformat(scene["start_time_utc"])
    end = start + timedelta(seconds=scene["frames"] / scene["fps"])
    line = scene["entrance"]["line"]
    middle = [(a + b) / 2 for a, b in zip(*line, strict=True)]
    inside = [at + 0.8 * step for at, step in zip(middle, scene["entrance"]["inside_direction"], strict=True)]
    width, depth = scene["floor_plan_size_m"]
    return {
        "id": STORE,
        "name": scene["store"].replace("_", " "),
        "timezone": "UTC",
        "opening_hours": {f"{start:%A}".lower(): [f"{start:%H:%M:%S}-{end:%H:%M:%S}"]},
        "floor": {"width_m": width, "depth_m": depth, "fixtures": scene["fixtures"]},
        "recordings": {"path": "videos/{camera}/%Y-%m-%d_%H-%M-%S.mp4"},
        "cameras": [
            {
                "id": camera["name"],
                "sampling_fps": fps,
                "image_size": scene["size"],
                "calibration": {"homography": camera["image_to_floor"]},
            }
            for camera in scene["cameras"]
        ],
        "zones": [
            {"id": zone["name"], "name": zone["name"], "kind": zone["kind"], "polygon": zone["polygon"]}
            for zone in scene["zones"]
        ],
        "entrances": [{"id": "main", "line": line, "inside": inside}],
        "detector": detector,
        "reid": {"model": reid},
    }


def lay_out(folder: Path, work: Path, **options: Any) -> tuple[Path, datetime]:
    """Write store.yaml and links to the recordings into `work`; returns the file and the recordings' start."""
    scene = json.loads((folder / "scene.json").read_text())
    start = datetime.fromisoformat(scene["start_time_utc"])
    for camera in scene["cameras"]:
        link = work / "videos" / camera["name"] / f"{start:%Y-%m-%d_%H-%M-%S}.mp4"
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to((folder / camera["video"]).resolve())
    file = work / "store.yaml"
    plain = json.loads(
        json.dumps(store_of(scene, **options))
    )  # without shared lists, which YAML would write as aliases
    file.write_text(yaml.safe_dump(plain, sort_keys=False))
    return file, start


def run_scene(folder: Path, work: Path, **options: Any) -> dict[str, Any]:
    """Process a scene into a lake below `work` and score it."""
    file, start = lay_out(folder, work, **options)
    lake = str(work / "lake")
    with contextlib.redirect_stdout(sys.stderr):  # the result alone goes to stdout
        plan = plan_store_day(preflight(file, start.date()), lake)
        process_with_progress(plan, Console(stderr=True))
    return {"scene": folder.name} | score_lake(lake, STORE, folder / "truth", start.date())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--detector", default="aisleflow-person-n")
    parser.add_argument("--image-size", type=int, default=640)
    parser.add_argument("--confidence", type=float, default=0.25)
    parser.add_argument("--reid", default="rga-store")
    parser.add_argument("--fps", type=float, default=5.0, help="sampled frames a second")
    parser.add_argument("--keep", type=Path, help="folder for the lake, kept; without it a temporary one")
    chosen = parser.parse_args()
    detector = {"model": chosen.detector, "image_size": chosen.image_size, "confidence": chosen.confidence}
    options = {"detector": detector, "reid": chosen.reid, "fps": chosen.fps}
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
        result = run_scene(chosen.folder, chosen.keep, **options)
    else:
        with tempfile.TemporaryDirectory() as work:
            result = run_scene(chosen.folder, Path(work), **options)
    if chosen.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:32} {value:.4g}" if isinstance(value, float) else f"{name:32} {value}")


if __name__ == "__main__":
    main()
