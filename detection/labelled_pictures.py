"""Pictures with known people to evaluate detectors on: rendered scenes, YOLO folders, clips seen by two teachers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from detection.crops import cut_out
from detection.detector import Detector
from detection.matching import agreed
from detection.training_data import pictures_in
from detection.video import Recording, VideoReader

CLIP_START_US = 0  # clips for evaluation carry no wall-clock time


@dataclass(frozen=True)
class LabelledPicture:
    """`image` uint8 RGB (H, W, 3); `boxes` float32 (T, 4) xyxy pixels of the visible part of each person.

    `visible`: visible fraction (T,). `child`: bool (T,). `doubtful`: bool (T,), someone may be there, never counted.
    """

    name: str
    image: np.ndarray
    boxes: np.ndarray
    visible: np.ndarray
    child: np.ndarray
    doubtful: np.ndarray

    @classmethod
    def of(cls, name: str, image: np.ndarray, boxes: np.ndarray, doubtful: np.ndarray | None = None) -> LabelledPicture:
        """A picture whose people all count as fully visible adults, with boxes that are doubtful (B, 4)."""
        doubtful = np.zeros((0, 4), np.float32) if doubtful is None else doubtful
        every = np.concatenate([boxes, doubtful]).astype(np.float32).reshape(-1, 4)
        unsure = np.arange(len(every)) >= len(boxes)
        return cls(name, image, every, np.ones(len(every)), np.zeros(len(every), bool), unsure)


def rendered_scene(folder: str | Path, every_s: float) -> Iterator[LabelledPicture]:
    """Pictures of every camera of a rendered store (scene.json, truth/), one each `every_s` seconds."""
    folder = Path(folder)
    scene = json.loads((folder / "scene.json").read_text(encoding="utf-8"))
    boxes = pd.read_parquet(folder / "truth" / "boxes.parquet")
    people = pd.read_parquet(folder / "truth" / "people.parquet").set_index("person_id")["age_group"]
    boxes["child"] = boxes["person_id"].map(people).eq("child")
    start = datetime.fromisoformat(scene["start_time_utc"])
    start_us = round(start.timestamp() * 1e6)
    for camera in scene["cameras"]:
        here = dict(list(boxes[boxes["camera"] == camera["name"]].groupby("frame")))
        recording = Recording(str(folder / camera["video"]), camera["name"], start_us)
        for frame in VideoReader(recording, 1 / every_s):
            number = round((frame.time_us - start_us) * scene["fps"] / 1e6)
            rows = here.get(number, boxes.iloc[:0])
            yield LabelledPicture(
                f"{folder.name}/{camera['name']}/{number}",
                frame.image,
                rows[["x1", "y1", "x2", "y2"]].to_numpy(np.float32),
                rows["visible_fraction"].to_numpy(float),
                rows["child"].to_numpy(bool),
                np.zeros(len(rows), bool),
            )


def yolo_folder(folder: str | Path) -> Iterator[LabelledPicture]:
    """Pictures below `folder` with YOLO labels (`images` -> `labels` in the path); every class counts as a person."""
    for path in pictures_in(Path(folder)):
        yield yolo_picture(path)


def yolo_picture(path: Path) -> LabelledPicture:
    """One picture with its YOLO label file; without a file nobody is there."""
    image = cv2.imread(str(path))
    if image is None:
        raise OSError(f"{path} is not a readable picture")
    height, width = image.shape[:2]
    parts = list(path.parts)
    parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    label = Path(*parts).with_suffix(".txt")
    lines = label.read_text(encoding="utf-8").split("\n") if label.is_file() else []
    rows = np.array([line.split()[1:5] for line in lines if line.strip()], np.float32).reshape(-1, 4)
    corners = np.concatenate([rows[:, :2] - rows[:, 2:] / 2, rows[:, :2] + rows[:, 2:] / 2], axis=1)
    return LabelledPicture.of(path.name, image[..., ::-1], corners * np.array([width, height, width, height]))


def cut_people(picture: LabelledPicture, least_height_px: float = 64.0) -> Iterator[np.ndarray]:
    """Crops, uint8 RGB (h, w, 3), of those of a picture who are there for sure, so tall and standing.

    Whoever is not half as tall again as wide sits, or is cut off: not what re-identification is shown.
    """
    for box in picture.boxes[~picture.doubtful].round():
        crop = cut_out(picture.image, box)
        if crop.shape[0] >= max(least_height_px, 1.5 * crop.shape[1]) and crop.shape[1] >= least_height_px / 5:
            yield crop


def write_people(folder: str | Path, target: Path, least_height_px: float = 64.0) -> int:
    """Write the people of a folder's pictures (`yolo_folder`, `cut_people`) to TARGET as PNG files; how many."""
    target.mkdir(parents=True, exist_ok=True)
    count = 0
    for picture in yolo_folder(folder):
        for crop in cut_people(picture, least_height_px):
            path = target / f"{Path(picture.name).stem}_{count:05d}.png"
            if not cv2.imwrite(str(path), crop[..., ::-1]):
                raise OSError(f"cannot write {path}")
            count += 1
    return count


def clip_frames(clip: str | Path, every_s: float) -> Iterator[tuple[str, np.ndarray]]:
    """(name, uint8 RGB picture) each `every_s` seconds of a clip."""
    clip = Path(clip)
    for frame in VideoReader(Recording(str(clip), clip.stem, CLIP_START_US), 1 / every_s):
        yield f"{clip.name}/{frame.time_us / 1e6:06.1f}", frame.image


def teacher_clip(clip: str | Path, teachers: Sequence[Detector], every_s: float) -> Iterator[LabelledPicture]:
    """Frames of a clip: who both teachers see is there; whom only one sees is doubtful."""
    for name, image in clip_frames(clip, every_s):
        first, second = (teacher.detect([image])[0] for teacher in teachers)
        both, alone = agreed(first.boxes, first.scores, second.boxes, second.scores)
        yield LabelledPicture.of(name, image, both, alone)
