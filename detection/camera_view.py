"""What a fixed camera looks at: a small grey picture without people, and whether it has changed since another day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

WIDTH = 240
"""Pixels across of a view: enough to tell a shift of a thousandth of the width, too few to know anybody by."""

LEAST_CORRELATION = 0.4
DARK, BLIND = 12.0, 0.35
_STEPS, _PRECISION = 200, 1e-5


@dataclass(frozen=True)
class View:
    """The median of several pictures of a camera: who moves is in none of its pixels for long enough.

    `picture` uint8 (H, WIDTH) grey, `samples` pictures behind it, `brightness` its mean (0..255), `sharpness` the mean
    absolute step between neighbouring pixels.
    """

    picture: np.ndarray
    samples: int
    brightness: float
    sharpness: float


def small_grey(image: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) RGB or (H, W) grey at the size of a view: uint8 (round(WIDTH * H / W), WIDTH)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    height = max(round(WIDTH * grey.shape[0] / grey.shape[1]), 8)
    return cv2.resize(grey, (WIDTH, height), interpolation=cv2.INTER_AREA)


def sharpness(picture: np.ndarray) -> float:
    """Mean absolute step between neighbouring pixels: near 0 for a wall, a hand, a dark room."""
    grey = picture.astype(np.float32)
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())


def median_view(pictures: Sequence[np.ndarray]) -> View:
    """The view of small grey pictures of one size. Raises ValueError where there are none."""
    if not pictures:
        raise ValueError("a view needs at least one picture")
    picture = np.median(np.stack(pictures), axis=0).astype(np.uint8)
    return View(picture, len(pictures), float(picture.mean()), sharpness(picture))


def is_blind(picture: np.ndarray, usual_sharpness: float) -> bool:
    """Whether a small grey picture shows next to nothing: dark, or with little of the usual structure (a covered,
    fogged or unfocused lens)."""
    return float(picture.mean()) < DARK or sharpness(picture) < BLIND * usual_sharpness


def movement(before: np.ndarray, now: np.ndarray) -> np.ndarray | None:
    """How what was in one view lies in another: (3, 3) from pixels before to pixels now, both in shares of the width.

    The affine map that correlates the pictures' edges best (Evangelidis and Psarakis 2008, "Parametric Image Alignment
    Using Enhanced Correlation Coefficient Maximization"), begun at the best plain shift. Edges, so that another light
    moves nothing. None where nothing fits: the camera looks somewhere else, or at nothing.
    """
    if before.shape != now.shape:
        return None
    first, second = _edges(before), _edges(now)
    if first.std() < 1e-6 or second.std() < 1e-6:
        return None
    (x, y), _ = cv2.phaseCorrelate(first, second, cv2.createHanningWindow(first.shape[::-1], cv2.CV_32F))
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _STEPS, _PRECISION)
    best: tuple[float, np.ndarray] | None = None
    for start in ((0.0, 0.0), (x, y)):
        shift = np.array([[1, 0, start[0]], [0, 1, start[1]]], np.float32)
        try:
            correlation, warp = cv2.findTransformECC(first, second, shift, cv2.MOTION_AFFINE, criteria)  # type: ignore[call-overload]
        except cv2.error:  # it did not converge from there
            continue
        if best is None or correlation > best[0]:
            best = (float(correlation), warp)
    if best is None or best[0] < LEAST_CORRELATION:
        return None
    moved = np.vstack([best[1].astype(float), [0, 0, 1]])
    scale = np.diag([WIDTH, WIDTH, 1.0])
    return np.linalg.inv(scale) @ moved @ scale


def _edges(picture: np.ndarray) -> np.ndarray:
    """Strength of edges, float32, each divided by its surroundings' so that light and shade weigh alike."""
    grey = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.0)
    edges = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return (edges / (cv2.GaussianBlur(edges, (0, 0), 8.0) + 4.0)).astype(np.float32)
