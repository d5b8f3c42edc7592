"""How fast video becomes counts, beside what a user would write and beside what the machine could do at best.

    python -m tests.benchmarks.speed SCENE [--camera C] [--seconds S] [--empty-seconds S] [--rounds N]
                                     [--minutes SHORT LONG] [--keep FOLDER] [--json]

SCENE is a folder of the store renderer. On the same video with the same detector weights, in turns, each in a process
of its own: (a) `ours`; (b) `counter`, ultralytics' RegionCounter on every frame; (c) `sampled`, the same at our
sampling rate; (d) the bounds, `decode` alone and the `detector` alone. Of each the seconds of the clock and of all
cores; its counts are held against the truth: people in view (sum of the errors by sum of the people) and different
people. A ratio is of video-seconds per second of the clock; one that ends in `_cpu` of video-seconds per core-second,
which other work on the machine disturbs less. `--minutes` adds our peak memory on videos of two lengths.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from detection.detector import SHIPPED_WEIGHTS, find_model
from tests.benchmarks.speed_videos import Video, busy_video, empty_video, fast_video, long_video

CONTESTANTS = ("ours", "counter", "sampled", "decode", "detector")


@dataclass(frozen=True)
class Settings:
    """What all contestants are given: detector weights, confidence, our sampling rate and re-ID weights."""

    detector: str
    weights: str
    confidence: float
    reid: str
    fps: float
    detector_s: float


def run(task: str, video: Video, settings: Settings) -> dict[str, Any]:
    """One run of a contestant, with its rates and errors."""
    job = {
        "path": str(video.path),
        "start_us": video.start_us,
        "seconds": video.seconds,
        "video_fps": video.fps,
        **vars(settings),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.speed_runs", task],
        input=json.dumps(job).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    # The detector alone is held against the pictures that a second of video has at our sampling rate.
    seconds = result["frames"] / settings.fps if task == "detector" else video.seconds
    times, counts = np.array(result.pop("times_us"), np.int64), np.array(result.pop("counts"), float)
    result["seconds_per_second"] = seconds / result["wall_s"]
    result["seconds_per_core_second"] = seconds / result["cpu_s"]
    result["cpu_share"] = result["cpu_s"] / result["wall_s"] / (os.cpu_count() or 1)
    if len(times):
        truth = video.people_at(times)
        result["in_view_error"] = float(np.abs(counts - truth).sum() / max(truth.sum(), 1))
        result["people_error"] = (result["people"] - video.truth["person_id"].nunique()) / max(
            video.truth["person_id"].nunique(), 1
        )
    return result


def measure(video: Video, settings: Settings, rounds: int) -> dict[str, dict[str, Any]]:
    """All contestants in turns; of each figure the median over the rounds."""
    runs: dict[str, list[dict[str, Any]]] = {task: [] for task in CONTESTANTS}
    for _ in range(rounds):
        for task in CONTESTANTS:
            runs[task].append(run(task, video, settings))
            print(f"{video.path.stem} {task}: {runs[task][-1]['seconds_per_second']:.2f} s/s", file=sys.stderr)
    return {task: _median(results) for task, results in runs.items()}


def _median(results: list[dict[str, Any]]) -> dict[str, Any]:
    first = results[0]
    middle = {name: median(one[name] for one in results) for name in first if isinstance(first[name], (int, float))}
    stages = {stage: median(one["stages"][stage] for one in results) for stage in first["stages"]}
    return middle | ({"stages": stages} if stages else {})


def summarise(figures: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """The keys that are asked for, from the figures by video and contestant."""
    result: dict[str, Any] = {}
    for video, runs in figures.items():
        for ending, rate in (("", "seconds_per_second"), ("_cpu", "seconds_per_core_second")):
            name = "ratio_" + {"busy": "busy", "fast": "busy_25fps"}.get(video, video) + ending
            result[name] = runs["ours"][rate] / runs["counter"][rate]
    busy = figures["busy"]
    for ending, rate in (("", "seconds_per_second"), ("_cpu", "seconds_per_core_second")):
        result["share_of_bound" + ending] = busy["ours"][rate] / min(busy["decode"][rate], busy["detector"][rate])
    result["peak_memory_mb"] = max(runs["ours"]["peak_memory_mb"] for runs in figures.values())
    result["first_frame_s"] = max(runs["ours"]["first_frame_s"] for runs in figures.values())
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path)
    parser.add_argument("--camera", default="produce")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the busy video")
    parser.add_argument(
        "--empty-seconds", type=float, help="of the one that is mostly empty; ten times that if not given"
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--minutes", type=float, nargs=2, help="lengths to compare peak memory at, such as 10 60")
    parser.add_argument("--detector", default="aisleflow-person-n")
    parser.add_argument("--confidence", type=float, default=0.25)
    parser.add_argument("--reid", default="rga-store")
    parser.add_argument("--fps", type=float, default=5.0, help="our sampling rate")
    parser.add_argument(
        "--keep", type=Path, help="folder for the videos, kept and found again; without it a temporary one"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    chosen = parser.parse_args()
    weights = find_model(chosen.detector, SHIPPED_WEIGHTS)
    if weights is None:
        parser.error(f"detector {chosen.detector!r} not found: name a shipped one or a path")
    settings = Settings(chosen.detector, str(weights), chosen.confidence, chosen.reid, chosen.fps, 10.0)
    with tempfile.TemporaryDirectory() as work:
        folder = chosen.keep or Path(work)
        folder.mkdir(parents=True, exist_ok=True)
        busy = busy_video(chosen.scene, chosen.camera, chosen.seconds, folder)
        videos = {
            "busy": busy,
            "fast": fast_video(chosen.scene, chosen.camera, chosen.seconds, folder),
            "empty": empty_video(chosen.scene, chosen.camera, chosen.empty_seconds or chosen.seconds * 10, folder),
        }
        figures = {name: measure(video, settings, chosen.rounds) for name, video in videos.items()}
        result = summarise(figures)
        for minutes in chosen.minutes or ():
            long = run("ours", long_video(busy, minutes, folder), settings)
            result[f"peak_memory_mb_{minutes:g}_min"] = long["peak_memory_mb"]
    result["figures"] = figures
    if chosen.json:
        print(json.dumps(result))
        return
    for video, runs in figures.items():
        for task, row in runs.items():
            told = ", ".join(f"{name} {value:.3g}" for name, value in row.items() if isinstance(value, float))
            print(f"{video:6} {task:9} {told}")
    for name, value in result.items():
        if name != "figures":
            print(f"{name:24} {value:.3g}")


if __name__ == "__main__":
    main()
