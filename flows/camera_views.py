"""A day's view of each camera: pictures over the day, their median, and whether it is the view of the day before."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from detection.camera_view import View, is_blind, median_view, movement, sharpness, small_grey
from detection.floor import FloorCalibration
from detection.isolated import first_frames
from detection.video import Recording
from flows.chunks import Chunk
from flows.config import StoreConfig
from flows.lake import Lake
from flows.places import SECOND_US

SAMPLES = 24
DAYS_BACK = 14
GRID = 9
Span = tuple[int, int]


@dataclass(frozen=True)
class CameraLook:
    """What was looked at of a camera: times (UTC microseconds) and small grey pictures, in order."""

    camera: str
    times_us: tuple[int, ...] = ()
    pictures: tuple[np.ndarray, ...] = field(default=(), repr=False)

    @property
    def view(self) -> View | None:
        return median_view(self.pictures) if self.pictures else None


def look_at(camera: str, chunks: Sequence[Chunk], windows: Sequence[Span]) -> CameraLook:
    """`SAMPLES` pictures of a camera, spread evenly over what was recorded in opening hours (else at all); none of a
    camera without recordings."""
    if not chunks:
        return CameraLook(camera)
    spans = [(chunk, start, end) for chunk in chunks for start, end in _inside(chunk, windows)]
    spans = spans or [(chunk, chunk.from_us, chunk.to_us or chunk.from_us + SECOND_US) for chunk in chunks]
    wanted = spread_over([span[1:] for span in spans], SAMPLES)
    requests = [_request(camera, spans[number][0], time_us) for number, time_us in wanted]
    times: list[int] = []
    pictures: list[np.ndarray] = []
    for frame in first_frames(requests):
        if frame is not None and (not pictures or small_grey(frame.image).shape == pictures[0].shape):
            times.append(frame.time_us)
            pictures.append(small_grey(frame.image))
    return CameraLook(camera, tuple(times), tuple(pictures))


def pictures_at(camera: str, chunks: Sequence[Chunk], times_us: Sequence[int]) -> list[np.ndarray | None]:
    """A camera's pictures at moments in UTC microseconds, uint8 RGB (H, W, 3); None where nothing was recorded."""
    owners = [next((c for c in chunks if c.from_us <= at < (c.to_us or at + 1)), None) for at in times_us]
    requests = [_request(camera, chunk, at) for chunk, at in zip(owners, times_us, strict=True) if chunk is not None]
    frames = iter([*first_frames(requests)])
    found = [None if chunk is None else next(frames) for chunk in owners]
    return [None if frame is None else frame.image for frame in found]


def _request(camera: str, chunk: Chunk, time_us: int) -> tuple[Recording, float, dict[str, Any]]:
    """What `first_frames` is asked for the first picture of a chunk from a moment on."""
    options = {"from_us": time_us, "assumed_fps": chunk.assumed_fps}
    return Recording(chunk.path, camera, chunk.start_us), chunk.sampling_fps, options


def spread_over(spans: Sequence[Span], count: int) -> list[tuple[int, int]]:
    """Moments evenly spread over spans [start, end) in UTC microseconds: number of the span, and time."""
    if not spans:
        return []
    edges = np.concatenate([[0], np.cumsum([end - start for start, end in spans])])
    at = ((np.arange(count) + 0.5) / count * edges[-1]).astype(np.int64)
    numbers = np.minimum(np.searchsorted(edges, at, "right") - 1, len(spans) - 1).tolist()
    return [(number, int(spans[number][0] + own - edges[number])) for number, own in zip(numbers, at, strict=True)]


def _inside(chunk: Chunk, windows: Sequence[Span]) -> list[Span]:
    end_us = chunk.to_us or chunk.from_us + SECOND_US
    spans = [(max(start, chunk.from_us), min(end, end_us)) for start, end in windows]
    return [(start, end) for start, end in spans if end > start]


def view_rows(looks: Sequence[CameraLook]) -> pd.DataFrame:
    """Rows of the lake's table `camera_views`."""
    rows = []
    for look in looks:
        view = look.view
        if view is not None:
            rows.append((look.camera, _png(view.picture), view.samples, view.brightness, view.sharpness))
    return pd.DataFrame(rows, columns=["camera", "picture", "samples", "brightness", "sharpness"])


def _png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def views_before(lake: Lake, store: str, day: date) -> dict[str, tuple[date, View]]:
    """By camera its newest view of an earlier day, at most `DAYS_BACK` days old."""
    found: dict[str, tuple[date, View]] = {}
    earlier = [one.date for one in lake.days([store]) if day - timedelta(days=DAYS_BACK) <= one.date < day]
    for other in sorted(earlier, reverse=True):
        for row in lake.read("camera_views", [store], [other]).to_pylist():
            picture = np.asarray(Image.open(io.BytesIO(row["picture"])))
            view = View(picture, row["samples"], row["brightness"], row["sharpness"])
            found.setdefault(row["camera"], (other, view))
    return found


def usual_sharpness(look: CameraLook, before: float | None) -> float:
    """What pictures of a camera are held against: the day's own, the upper quarter of its pictures, or that of a day
    before, where it was sharper."""
    own = float(np.quantile([sharpness(picture) for picture in look.pictures], 0.75)) if look.pictures else 0.0
    return max(own, before or 0.0)


def blind_times(look: CameraLook, before: float | None) -> list[int]:
    """Moments (UTC microseconds) at which the camera showed next to nothing. `before`: sharpness on a day before."""
    usual = usual_sharpness(look, before)
    return [at for at, picture in zip(look.times_us, look.pictures, strict=True) if is_blind(picture, usual)]


def floor_shift(before: View, now: View, calibration: FloorCalibration, config: StoreConfig) -> float | None:
    """Metres by which the calibration of the view before misplaces what the camera sees now: the median over a grid of
    pixels that lie on the floor. None where the views have nothing in common."""
    moved = movement(before.picture, now.picture)
    if moved is None:
        return None
    width, height = calibration.image_size
    x, y = np.meshgrid(np.linspace(0.05, 0.95, GRID), np.linspace(0.05, 0.95, GRID) * height / width)
    points = np.column_stack([x.ravel(), y.ravel()])
    there = np.column_stack([points, np.ones(len(points))]) @ moved.T
    old, new = (calibration.to_floor(own[:, :2] * width) for own in (points, there))
    size = (config.floor.width_m, config.floor.depth_m)
    on_floor = ((old >= 0) & (old <= size)).all(axis=1) & np.isfinite(new).all(axis=1)
    return float(np.median(np.hypot(*(new - old)[on_floor].T))) if on_floor.any() else None
