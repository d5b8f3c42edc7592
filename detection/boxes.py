"""Letterboxing pictures for a detector, and its boxes back to pixels of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

PADDING_VALUE = 114  # the grey that YOLO models are trained with


@dataclass(frozen=True)
class Letterbox:
    """How a picture was fitted: scaled by `scale`, then moved by `left`, `top` pixels inside the padded input."""

    scale: float
    left: int
    top: int
    picture_size: tuple[int, int]

    def to_picture(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (N, 4) xyxy of the network's input to float32 pixels of the picture, cut at its border."""
        boxes = (boxes - np.array([self.left, self.top, self.left, self.top])) / self.scale
        height, width = self.picture_size
        return np.clip(boxes, 0, np.array([width, height, width, height])).astype(np.float32)


def letterbox(image: np.ndarray, size: tuple[int, int], *, centred: bool = True) -> tuple[np.ndarray, Letterbox]:
    """Fit a picture (H, W, 3) uint8 into `size` (height, width), keeping its aspect, the rest grey.

    Rounding is that of ultralytics' LetterBox (centred) and of YOLOX' preproc (top left), so boxes agree with theirs.
    """
    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    inner = (round(height * scale), round(width * scale)) if centred else (int(height * scale), int(width * scale))
    if inner != (height, width):
        image = cv2.resize(image, (inner[1], inner[0]), interpolation=cv2.INTER_LINEAR)
    top = round((size[0] - inner[0]) / 2 - 0.1) if centred else 0
    left = round((size[1] - inner[1]) / 2 - 0.1) if centred else 0
    padded = np.full((*size, 3), PADDING_VALUE, np.uint8)
    padded[top : top + inner[0], left : left + inner[1]] = image
    return padded, Letterbox(scale, left, top, (height, width))


def fitting_size(image: np.ndarray, longest: int, stride: int = 32) -> tuple[int, int]:
    """Smallest input (height, width) in whole strides that holds the picture scaled to `longest` pixels."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    return tuple(-(-round(side * scale) // stride) * stride for side in (height, width))  # type: ignore[return-value]


def centre_to_corners(boxes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) as centre x, centre y, width, height to x1, y1, x2, y2."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def suppress(boxes: np.ndarray, scores: np.ndarray, *, iou: float, limit: int = 300) -> np.ndarray:
    """Greedy non-maximum suppression: indices of the kept boxes (N, 4) xyxy, best score first, at most `limit`."""
    if not len(boxes):
        return np.zeros(0, np.int64)
    sides = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(sides.astype(float).tolist(), scores.astype(float).tolist(), 0.0, iou)
    return np.asarray(kept, np.int64).reshape(-1)[:limit]
