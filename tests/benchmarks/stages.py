"""Which stage loses: a rendered scene scored with a stage's work replaced by the truth, all other stages as they are.

    python -m tests.benchmarks.stages DIR... [--keep FOLDER] [--json]

`product`: nothing is replaced. `true tracks`: the detector's boxes, each given the track of whom it shows; a track ends
where its person is out of sight for longer than the tracker's patience, and boxes that show nobody have none. `true
people`: our tracks, each given to whom most of its boxes show. True boxes as well: tests/benchmarks/identities.py.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

import flows.camera_day
import flows.store_day
from detection.byte_track import assign
from detection.detector import Detections
from detection.matching import box_iou
from flows.camera_day import CameraTracks, track_camera_day
from flows.config import Camera, StoreConfig
from flows.day_tables import people_of
from reid.embedder import Embedder
from tests.benchmarks.oracle import PATIENCE_US
from tests.benchmarks.scene import run_scene

SAME_IOU = 0.4
"""Least IoU of a detection and the true box that it shows."""
FRAME_US = 60_000
"""A truth frame this near to a picture is of the same moment."""
SHOWN = (
    "idf1", "tracks_idf1", "unique_people", "unique_people_truth", "footfall_error", "occupancy_wape", "occupancy_bias",
    "visits_recall", "visits_precision", "ground_recall", "ground_duplicates",
)  # fmt: skip


@lru_cache
def _truth(folder: Path) -> dict[str, dict[int, pd.DataFrame]]:
    boxes = pd.read_parquet(folder / "truth" / "boxes.parquet")
    return {
        str(camera): {int(at): found for at, found in own.groupby("time_us")}
        for camera, own in boxes.groupby("camera", observed=True)
    }


def shown_people(folder: Path, camera: str, times_us: np.ndarray, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Whom each box of each frame, (N, 4), shows: person_id, or -1, one to one."""
    truth = _truth(folder)[camera]
    known = np.array(sorted(truth))
    shown = []
    for at, boxes in zip(times_us.tolist(), frames, strict=True):
        person = np.full(len(boxes), -1, np.int64)
        nearest = int(known[np.abs(known - at).argmin()])
        if abs(nearest - at) < FRAME_US:
            people = truth[nearest]
            iou = box_iou(np.asarray(boxes, float), people[["x1", "y1", "x2", "y2"]].to_numpy(float))
            rows, columns = assign(1 - iou, 1 - SAME_IOU)
            person[rows] = people["person_id"].to_numpy()[columns]
        shown.append(person)
    return shown


def true_tracks(folder: Path, camera: Camera, *given: Any) -> CameraTracks:
    """`track_camera_day` with the tracks of a perfect tracker, which need no cutting."""
    *given, _ = given

    def track(times_us: np.ndarray, detections: Sequence[Detections], **_: Any) -> list[np.ndarray]:
        shown = shown_people(folder, camera.id, times_us, [found.boxes for found in detections])
        last, number, numbers, begun = dict[int, int](), dict[int, int](), [], 0
        for at, people in zip(times_us.tolist(), shown, strict=True):
            for person in people[people >= 0].tolist():
                if person not in number or at - last[person] > PATIENCE_US:
                    begun += 1
                    number[person] = begun
                last[person] = at
            numbers.append(np.array([number[one] if one >= 0 else -1 for one in people.tolist()], np.int64))
        return numbers

    with patch.object(flows.camera_day, "track", track):
        return track_camera_day(camera, *given)


def true_people(folder: Path, config: StoreConfig, tracks: Sequence[CameraTracks], embedder: Embedder) -> pd.DataFrame:
    """`people_of` with each track given to whom most of its boxes show; tracks that show nobody have no person."""
    found = people_of(config, tracks, embedder).set_index(["camera", "track_id"])
    rows = []
    for own in tracks:
        order = np.argsort(own.time_us, kind="stable")
        times, starts = np.unique(own.time_us[order], return_index=True)
        shown = np.concatenate(shown_people(folder, own.camera, times, np.split(own.boxes[order], starts[1:])))
        seen = pd.DataFrame({"track_id": own.track_id[order], "person_id": shown})
        most = seen[seen["person_id"] >= 0].groupby("track_id")["person_id"].agg(lambda who: who.mode()[0])
        rows.append(pd.DataFrame({"camera": own.camera, "track_id": most.index, "person_id": most.to_numpy() + 1}))
    table = pd.concat(rows, ignore_index=True)
    keys = pd.MultiIndex.from_frame(table[["camera", "track_id"]])
    return table.assign(confidence=found["confidence"].reindex(keys, fill_value=1.0).to_numpy(np.float32))


ORACLES: dict[str, tuple[str, Callable[..., Any]] | None] = {
    "product": None,
    "true tracks": ("track_camera_day", true_tracks),
    "true people": ("people_of", true_people),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--keep", type=Path, help="folder for the lakes, kept: another run takes their detections")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    chosen = parser.parse_args()
    options = {"detector": {"model": "aisleflow-person-n"}, "reid": "rga-store", "fps": 5.0}
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for folder in chosen.folders:
            work = (chosen.keep or Path(temporary)) / folder.name
            work.mkdir(parents=True, exist_ok=True)
            for name, oracle in ORACLES.items():
                replaced = (
                    patch.object(flows.store_day, oracle[0], partial(oracle[1], folder)) if oracle else nullcontext()
                )
                with replaced:
                    scored = run_scene(folder, work, **options)
                results.setdefault(folder.name, {})[name] = {key: scored[key] for key in SHOWN if key in scored}
    if chosen.json:
        print(json.dumps(results))
        return
    for scene, by_name in results.items():
        print(scene)
        print(pd.DataFrame(by_name).round(3).to_string())


if __name__ == "__main__":
    main()
