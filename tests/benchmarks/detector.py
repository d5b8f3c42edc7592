"""The shipped detector beside its rivals, in one run: rendered scenes nobody trained on, and real clips held out.

    python -m tests.benchmarks.detector --json figures.json --sheet mistakes.png

Needs ../shared. The two held-out scenes (seeds 9201, 9202) are rendered once into --work, which takes minutes.
Real frames have no labels: people whom yolov8n INT8 and YOLOX-nano both see count, whom one sees alone are ignored.
`tiles`: the cameras with people so small that tiles help (detection/tiles.py), without and with them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detection.detector import load_detector
from detection.evaluate import Rule, Tally, evaluate
from detection.floor import FloorCalibration
from detection.labelled_pictures import rendered_scene
from detection.looker import Looker
from detection.tiles import Tile, tiles_for
from detection.video import Frame
from flows.observation import filled

SHARED = Path(__file__).parents[3] / "shared"
MODEL = "aisleflow-person-n"
TEACHERS = (str(SHARED / "models/yolov8n_int8_openvino_model"), f"yolox:{SHARED / 'models/yolox_nano.onnx'}")
CLIPS = tuple(SHARED / "data/videos" / name for name in ("store-aisle-detection.gif", "people-detection.264"))
HELD_OUT = {
    "super9201": "--seed 9201 --layout 1 --minutes 1.2 --fps 1 --people 30 --families 5 --pairs 2 --cameras 4"
    " --size 1280x720",
    "corner9202": "--seed 9202 --layout 0 --minutes 1.2 --fps 1 --people 18 --families 4 --pairs 1 --cameras 4"
    " --size 960x540 --crf 30",
}


def held_out_scenes(work: Path) -> list[Path]:
    """Render the held-out scenes that are missing."""
    for name, settings in HELD_OUT.items():
        if not (work / name / "truth" / "boxes.parquet").is_file():
            arguments = ["store", *settings.split(), "--jobs", "1", "--out", str((work / name).absolute())]
            subprocess.run([sys.executable, "make.py", *arguments], cwd=SHARED / "synthetic_store", check=True)
    return [work / name for name in HELD_OUT]


def measure(work: Path, sheet: Path | None, every_s: float, rule: Rule, model: str = MODEL) -> dict[str, Any]:
    """Figures of the model and both rivals: held-out scenes, store_dev, store_demo, clips."""
    common: dict[str, Any] = {"rivals": TEACHERS, "rule": rule}
    report: dict[str, Any] = {}
    parts = {"held_out": (held_out_scenes(work), every_s), "store_dev": ([SHARED / "data/store_dev"], 2 * every_s)}
    parts["store_demo"] = ([SHARED / "data/store_demo"], every_s)
    for name, (scenes, seconds) in parts.items():
        report[name] = evaluate(
            model, scenes=scenes, every_s=seconds, sheet=sheet if name == "held_out" else None, **common
        )
    report["tiles"] = measure_tiles([*held_out_scenes(work), SHARED / "data/store_dev"], every_s, rule, model)
    report["clips"] = evaluate(model, clips=CLIPS, teachers=TEACHERS, every_s=every_s / 3, **common)
    return report


def measure_tiles(scenes: Sequence[Path], every_s: float, rule: Rule, model: str) -> dict[str, Any]:
    """Figures of the cameras that get tiles, of pictures searched whole and with tiles, and the seconds of both."""
    detector = load_detector(model, threads=1)
    tallies = {"whole": Tally(), "with_tiles": Tally()}
    seconds = dict.fromkeys(tallies, 0.0)
    cameras: dict[str, int] = {}
    for scene in scenes:
        tiles = _scene_tiles(scene, max(detector.input_size))
        cameras |= {f"{scene.name}/{camera}": len(own) for camera, own in tiles.items() if own}
        for picture in rendered_scene(scene, every_s):
            own = tiles[picture.name.split("/")[1]]
            for way, used in (("whole", ()), ("with_tiles", own)) if own else ():
                began = time.process_time()
                (looked,) = Looker(detector, used).look([Frame(0, picture.image, True, None)])
                seconds[way] += time.process_time() - began
                tallies[way].add(picture, looked.people, rule)
    figures = {way: tally.summary() for way, tally in tallies.items()}
    for way, taken in seconds.items():
        figures[way]["cpu_ms_per_frame"] = round(1e3 * taken / max(figures[way]["pictures"], 1), 1)
    return {"tiles_of_camera": cameras, **figures}


def _scene_tiles(scene: Path, input_px: int) -> dict[str, tuple[Tile, ...]]:
    """Tiles of each camera of a rendered store, from its true calibration, for people anywhere on the floor."""
    described = json.loads((scene / "scene.json").read_text(encoding="utf-8"))
    width, depth = described["floor_plan_size_m"]
    floor = filled(np.array([[0, 0], [width, 0], [width, depth], [0, depth]], float))
    size = tuple(described["size"])
    return {
        camera["name"]: tiles_for(
            FloorCalibration.from_homography(np.array(camera["image_to_floor"]), size), floor, input_px
        )
        for camera in described["cameras"]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file to write; otherwise printed")
    parser.add_argument("--sheet", type=Path, help="PNG of misses and false alarms on the held-out scenes")
    parser.add_argument("--work", type=Path, default=Path("runs/detector-benchmark"))
    parser.add_argument("--every", type=float, default=3.0, help="seconds between two pictures of a camera")
    parser.add_argument("--least-height", type=float, default=60.0, help="pixels, of the visible box")
    parser.add_argument("--model", default=MODEL)
    options = parser.parse_args()
    report = measure(options.work, options.sheet, options.every, Rule(options.least_height), options.model)
    text = json.dumps(report, indent=1)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
