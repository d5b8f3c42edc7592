"""Tracking on real video with track truth in MOT format: HOTA, IDF1, people per frame, unique people.

    python -m tests.benchmarks.tracks FOLDER [--json] [--detector M] [--reid M]

FOLDER holds one video and gt/gt.txt: frame, id, left, top, width, height, flag, world x, world y. With world
coordinates in metres the calibration is fitted to them (feet against world places), tracks are placed on the floor and
joined.
Frames are all looked at, at the video's own rate.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from detection.crops import CropSelector
from detection.detector import Detections, load_detector
from detection.floor import CalibrationError, FloorCalibration, foot_points
from detection.looks import looks_of
from detection.place import locate
from detection.tracker import track
from detection.video import Recording, VideoReader, probe
from flows.score_boxes import detection_scores, match_boxes, tracking_scores
from reid.identities import Samples, Tracklets, link

SECOND_US = 1_000_000
BOX = ["x1", "y1", "x2", "y2"]


def read_truth(folder: Path, fps: float) -> pd.DataFrame:
    """The truth as a boxes table: camera, time_us, person_id, x1..y2, visible_fraction, world x_m and y_m."""
    rows = np.loadtxt(folder / "gt" / "gt.txt", delimiter=",", ndmin=2)
    rows = rows[rows[:, 6] > 0]
    return pd.DataFrame(
        {
            "camera": folder.name,
            "time_us": np.round((rows[:, 0] - 1) * SECOND_US / fps).astype(np.int64),
            "person_id": rows[:, 1].astype(int),
            "x1": rows[:, 2],
            "y1": rows[:, 3],
            "x2": rows[:, 2] + rows[:, 4],
            "y2": rows[:, 3] + rows[:, 5],
            "visible_fraction": 1.0,
            "x_m": rows[:, 7] if rows.shape[1] > 8 else np.nan,
            "y_m": rows[:, 8] if rows.shape[1] > 8 else np.nan,
        }
    )


def calibrate(truth: pd.DataFrame, image_size: tuple[int, int]) -> FloorCalibration | None:
    """Fit pixels to metres on a part of the truth's feet; None where there are no world coordinates."""
    known = truth[truth["x_m"].notna() & (truth["y2"] < image_size[1] - 2)].iloc[::10]
    if len(known) < 8:
        return None
    feet, floor = foot_points(known[BOX].to_numpy()), known[["x_m", "y_m"]].to_numpy()
    for mirror in (1.0, -1.0):  # world coordinates may have y down
        try:
            return FloorCalibration.fit(feet, floor * (1.0, mirror), image_size, max_error_m=5.0)
        except CalibrationError:
            continue
    return None


def follow(folder: Path, video: Path, detector: str, reid: str | None, fps: float) -> tuple[pd.DataFrame, Any]:
    """Detect and track; returns positions (camera, track_id, time_us, box, score) and crops' rows with embeddings."""
    found = load_detector(detector, confidence=0.1)
    selector, crops, times, detections = CropSelector(), [], [], []
    for frame in VideoReader(Recording(str(video), folder.name, 0), fps):
        (seen,) = found.detect([frame.image])
        times.append(frame.time_us)
        detections.append(seen)
        if reid:
            crops += selector.add(frame, seen, looks_of(frame.image, seen.boxes))
    crops += selector.finish()
    ids = track(np.array(times, np.int64), detections, fps=fps)
    embeddings = None
    if reid and crops:
        from reid.embedder import load_embedder

        embedder = load_embedder(reid)
        large = [crop for crop in crops if min(crop.image.shape[:2]) >= 8]
        embeddings = (embedder, [ids[c.frame_index][c.detection_index] for c in large], [c.quality for c in large],
                      embedder.embed([crop.image for crop in large]))  # fmt: skip
    return _table(folder.name, times, detections, ids), embeddings


def _table(camera: str, times: list[int], detections: list[Detections], ids: list[np.ndarray]) -> pd.DataFrame:
    boxes = np.concatenate([seen.boxes for seen in detections])
    table = pd.DataFrame(boxes, columns=BOX)
    table["camera"], table["score"] = camera, np.concatenate([seen.scores for seen in detections])
    table["time_us"] = np.repeat(times, [len(seen.boxes) for seen in detections])
    table["track_id"] = np.concatenate(ids)
    return table[table["track_id"] > 0].reset_index(drop=True)


def join(positions: pd.DataFrame, calibration: FloorCalibration | None, embeddings: Any) -> np.ndarray:
    """Person of each position after broken tracks are joined."""
    ids, row = np.unique(positions["track_id"], return_inverse=True)
    times = positions["time_us"].to_numpy()
    start, end = np.full(len(ids), times.max()), np.zeros(len(ids), np.int64)
    np.minimum.at(start, row, times)
    np.maximum.at(end, row, times)
    xy, sigma = np.full((len(positions), 2), np.nan), None
    if calibration is not None:
        boxes, pose = positions[BOX].to_numpy(), calibration.pose()
        if pose is None:
            xy = calibration.to_floor(foot_points(boxes))
        else:
            placed = locate(boxes, positions["track_id"].to_numpy(), pose, calibration.image_size)
            xy, sigma = placed.xy, placed.sigma_m
    threshold, vectors, quality = 0.5, np.zeros((len(ids), 0), np.float32), np.zeros(len(ids), np.float32)
    if embeddings is not None:
        embedder, owner, weight, features = embeddings
        threshold = embedder.threshold
        owner, weight = np.array(owner), np.array(weight)
        vectors = np.full((len(ids), embedder.dimension), np.nan, np.float32)
        for number, name in enumerate(ids):
            own = owner == name
            if own.any():
                vectors[number] = weight[own] @ features[own]
                quality[number] = weight[own].mean()
    camera = np.full(len(ids), positions["camera"].iloc[0])
    tracklets = Tracklets(camera, ids, start, end, vectors, quality)
    people = link(tracklets, Samples(row, times, xy[:, 0], xy[:, 1], sigma), threshold=threshold)
    return people.person_id[row]


def run(folder: Path, detector: str, reid: str | None) -> dict[str, Any]:
    """Process and score one folder."""
    video = next(path for path in sorted(folder.iterdir()) if path.suffix in (".mp4", ".avi", ".mkv", ".webm"))
    info = probe(str(video))
    fps = float(info.fps)
    truth = read_truth(folder, fps)
    calibration = calibrate(truth, (info.width, info.height))
    positions, embeddings = follow(folder, video, detector, reid, fps)
    positions["person_id"] = join(positions, calibration, embeddings)
    nearest = np.round(positions["time_us"] * fps / SECOND_US)
    positions["time_us"] = np.round(nearest * SECOND_US / fps).astype(np.int64)
    matched, truth = match_boxes(positions, truth)
    result: dict[str, Any] = {"video": folder.name, "detector": detector, "reid": reid, "fps": fps}
    result["calibration_error_m"] = None if calibration is None else calibration.reprojection_error_m
    result |= detection_scores(matched, truth)
    for prefix, ids in (("tracks_", "track_id"), ("", "person_id")):
        result |= {prefix + name: value for name, value in tracking_scores(matched, truth, ids).items()}
    per_frame = truth.groupby("time_us").size()
    counted = matched.groupby("time_us").size().reindex(per_frame.index, fill_value=0)
    result["people_per_frame_mae"] = float((counted - per_frame).abs().mean())
    result["people_per_frame_bias"] = float((counted - per_frame).mean())
    result["unique_people"] = int(positions.loc[positions["person_id"] > 0, "person_id"].nunique())
    result["unique_people_truth"] = int(truth["person_id"].nunique())
    result["unique_tracks"] = int(positions["track_id"].nunique())
    result["people_over_count"] = result["unique_people"] / result["unique_people_truth"] - 1
    result["protocol"] = f"boxes, IoU 0.5, every frame at {fps:g} frames/s, all truth boxes from 40 px; TrackEval"
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--detector", default="aisleflow-person-n")
    parser.add_argument("--reid", default="rga-store", help="'none': join by place and time alone")
    chosen = parser.parse_args()
    result = run(chosen.folder, chosen.detector, None if chosen.reid == "none" else chosen.reid)
    if chosen.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:28} {value:.4g}" if isinstance(value, float) else f"{name:28} {value}")


if __name__ == "__main__":
    main()
