"""True boxes of a rendered store turned into what a perfect detector and tracker would hand over.

A person is detected where at least 30 % of them shows in a box at least 40 px high; a track ends where they are out of
sight for longer than the tracker's patience. Foot points are the boxes' bottoms, so hidden feet are as wrong as in
real life. Crops are cut from the videos, the best per person and slice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pandas as pd

from reid.identities import Samples, Tracklets

LEAST_VISIBLE, LEAST_HEIGHT_PX = 0.3, 40.0
PATIENCE_US = 2_000_000
SLICE_US = 4_000_000
Embed = Callable[[Sequence[np.ndarray]], np.ndarray]


SAMPLING_FPS = 5.0


def oracle_positions(folder: Path, sampling_fps: float = SAMPLING_FPS) -> pd.DataFrame:
    """Rows like the lake's positions plus `truth` (person_id): camera, track_id, time_us, x1..y2, score, x_m, y_m,
    visible_fraction."""
    scene = json.loads((folder / "scene.json").read_text())
    boxes = pd.read_parquet(folder / "truth" / "boxes.parquet")
    step = round(scene["fps"] / sampling_fps)
    seen = (boxes["visible_fraction"] >= LEAST_VISIBLE) & (boxes["y2"] - boxes["y1"] >= LEAST_HEIGHT_PX)
    boxes = boxes[seen & (boxes["frame"] % step == 0)].sort_values(["camera", "person_id", "time_us"])
    new = (boxes[["camera", "person_id"]] != boxes[["camera", "person_id"]].shift()).any(axis=1)
    new |= boxes["time_us"].diff() > PATIENCE_US
    boxes = boxes.assign(track_id=new.cumsum(), score=0.9).rename(columns={"person_id": "truth"})
    homographies = {camera["name"]: np.array(camera["image_to_floor"]) for camera in scene["cameras"]}
    feet = np.column_stack([(boxes["x1"] + boxes["x2"]) / 2, boxes["y2"], np.ones(len(boxes))])
    floor = np.einsum("nij,nj->ni", np.stack([homographies[camera] for camera in boxes["camera"]]), feet)
    return boxes.assign(x_m=floor[:, 0] / floor[:, 2], y_m=floor[:, 1] / floor[:, 2]).reset_index(drop=True)


def choose_crops(positions: pd.DataFrame) -> pd.DataFrame:
    """The best row of each track and slice: large, whole and little hidden. Adds `quality` in 0..1."""
    height = positions["y2"] - positions["y1"]
    quality = np.minimum(height / 160, 1) * positions["visible_fraction"]
    rows = positions.assign(quality=quality, slice=positions["time_us"] // SLICE_US)
    best = rows.groupby(["camera", "track_id", "slice"])["quality"].idxmax()
    return rows.loc[np.sort(best.to_numpy())]


def cut_crops(folder: Path, chosen: pd.DataFrame) -> list[np.ndarray]:
    """Crops (h, w, 3) RGB of the chosen rows, in their order; decodes each camera's video once."""
    crops: dict[int, np.ndarray] = {}
    for camera, rows in chosen.groupby("camera"):
        wanted = rows.groupby("frame").indices
        with av.open(str(folder / f"cam_{camera}.mp4")) as video:
            for number, frame in enumerate(video.decode(video=0)):
                if number not in wanted:
                    continue
                image = frame.to_ndarray(format="rgb24")
                for row in rows.iloc[wanted[number]].itertuples():
                    x1, y1, x2, y2 = (round(max(0, v)) for v in (row.x1, row.y1, row.x2, row.y2))
                    crops[row.Index] = image[y1 : max(y2, y1 + 2), x1 : max(x2, x1 + 2)].copy()
    return [crops[index] for index in chosen.index]


def tracklets_of(positions: pd.DataFrame, chosen: pd.DataFrame, embeddings: np.ndarray) -> tuple[Tracklets, Samples]:
    """Tracklets in order of (camera, track_id), their embedding the quality-weighted mean of their crops'."""
    groups = positions.groupby(["camera", "track_id"], sort=True)
    times = groups["time_us"].agg(["min", "max"])
    index = pd.Series(np.arange(len(times)), index=times.index)
    row_of = index.loc[pd.MultiIndex.from_frame(chosen[["camera", "track_id"]])].to_numpy()
    weight = chosen["quality"].to_numpy()
    sums = np.zeros((len(times), embeddings.shape[1]))
    np.add.at(sums, row_of, weight[:, None] * embeddings)
    norm = np.linalg.norm(sums, axis=1, keepdims=True)
    mean = np.where(norm > 0, sums / np.maximum(norm, 1e-12), np.nan).astype(np.float32)
    crops = np.bincount(row_of, minlength=len(times))
    quality = np.bincount(row_of, weights=weight, minlength=len(times)) / np.maximum(crops, 1)
    keys = times.index.to_frame(index=False)
    tracklets = Tracklets(
        camera=keys["camera"].to_numpy(str), track_id=keys["track_id"].to_numpy(np.int64),
        start_us=times["min"].to_numpy(np.int64), end_us=times["max"].to_numpy(np.int64),
        embedding=mean, quality=quality.astype(np.float32),
    )  # fmt: skip
    tracklet = index.loc[pd.MultiIndex.from_frame(positions[["camera", "track_id"]])].to_numpy()
    return tracklets, Samples(tracklet, *(positions[name].to_numpy() for name in ("time_us", "x_m", "y_m")))


def cached_embeddings(folder: Path, chosen: pd.DataFrame, embed: Embed, name: str, cache: Path) -> np.ndarray:
    """Embeddings of the chosen crops, kept in `cache` under the rows' and the model's fingerprint."""
    columns = ["camera", "frame", "x1", "y1", "x2", "y2"]
    print_ = hashlib.sha256(pd.util.hash_pandas_object(chosen[columns]).to_numpy().tobytes())
    print_.update(f"{folder.resolve()}{name}".encode())
    file = cache / f"embeddings_{print_.hexdigest()[:16]}.npy"
    if not file.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(file, embed(cut_crops(folder, chosen)))
    return np.load(file)
