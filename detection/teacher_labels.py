"""Labels for real video without any: two detectors of different families, and only frames in which they agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from detection.detector import Detections, load_detector
from detection.labelled_pictures import clip_frames
from detection.matching import match_people
from detection.synthetic_data import write_yolo

SURE = 0.3  # a box this sure must be seen by the other teacher too, or the frame is left out
SEEN = 0.1
KEPT_WIDTH = 640


def agreed_frame(first: Detections, second: Detections) -> np.ndarray | None:
    """Boxes (N, 4) of a frame on which two teachers (confidence from 0.1) agree, or None where they don't."""
    pairs = match_people(first.boxes, first.scores, second.boxes, np.ones(len(second), bool)).truth_of
    alone = np.setdiff1d(np.arange(len(second)), pairs)
    sure_alone = (first.scores[pairs < 0] > SURE).any() or (second.scores[alone] > SURE).any()
    both = pairs >= 0
    unsure = (first.scores[both] < SURE).any()
    return None if sure_alone or unsure else first.boxes[both]


def label_clips(clips: Iterable[Path], teachers: Sequence[str], every_s: float, folder: Path) -> Path:
    """Write agreed frames of each clip to FOLDER/CLIP/{images,labels}; clips done before are left alone."""
    missing = [clip for clip in clips if not (folder / clip.stem / "done").is_file()]
    if missing:
        first, second = (load_detector(name, confidence=SEEN) for name in teachers)
    for clip in missing:
        target, empty = folder / clip.stem, 0
        for number, (_, image) in enumerate(clip_frames(clip, every_s)):
            boxes = agreed_frame(first.detect([image])[0], second.detect([image])[0])
            if boxes is None:
                continue
            empty += not len(boxes)
            if not len(boxes) and empty % 6 != 1:
                continue  # an empty room teaches little, and its frames are all alike
            scale = min(1.0, KEPT_WIDTH / image.shape[1])
            small = cv2.resize(image[..., ::-1], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            write_yolo(target, f"{clip.stem}_{number:05d}", small, boxes * np.float32(scale))
        target.mkdir(parents=True, exist_ok=True)
        (target / "done").write_text(f"{' and '.join(teachers)}\n", encoding="utf-8")
    return folder
