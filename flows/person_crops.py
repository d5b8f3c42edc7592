"""Pictures of tracklets, cut from the recordings when somebody looks at them. They are never stored."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from detection.crops import box_iou, cut_out
from detection.heads import blur_heads
from detection.isolated import IsolatedReader
from detection.video import Recording
from flows.chunks import detector_of
from flows.config import Camera, StoreConfig
from flows.find import TrackletName
from flows.lake import Lake
from flows.lake_layout import final_path
from flows.places import SECOND_US, microseconds
from flows.recordings import find_camera_day

AROUND_US = SECOND_US
BORDER_PX = 4.0
CROP_MARGIN = 0.08
SAME_BOX_IOU = 0.5
BOXES = ["x1", "y1", "x2", "y2"]


class NoPicture(ValueError):
    """There is no picture of a tracklet (any more); the message says why."""


def tracks_of(lake: Lake, store: str, names: Sequence[TrackletName]) -> pd.DataFrame:
    """Rows of `positions` of some tracklets, with `day` and `time_us`, in order of time. Only their parts are read.

    Raises NoPicture where the day's positions were deleted.
    """
    parts = []
    for day in sorted({name.day for name in names}):
        own = [name for name in names if name.day == day]
        wanted = [[("camera", "=", name.camera), ("track_id", "=", name.track_id)] for name in own]
        try:
            with lake.files.open(final_path("positions", store, day.isoformat())) as file:
                rows = pq.read_table(file, filters=wanted).to_pandas()
        except FileNotFoundError:
            raise NoPicture(
                f"the single positions of {store} {day} were deleted, as privacy.positions_days says"
            ) from None
        parts.append(rows.assign(day=day, time_us=microseconds(rows["time"])))
    return pd.concat(parts).sort_values("time_us", ignore_index=True) if parts else pd.DataFrame()


def people_at(lake: Lake, config: StoreConfig, camera: Camera, time_us: int) -> pd.DataFrame:
    """Whom a camera saw at a moment, in UTC microseconds: rows of `positions` of its nearest sample within half a
    second, with `day` and `time_us`. No rows where there was nobody, or the day is not in the lake."""
    for entry in lake.days([config.id]):
        start, end = config.day_window(entry.date)
        if not start <= time_us < end:
            continue
        rows = _near(lake, config, camera, entry.date, time_us, SECOND_US // 2).assign(day=entry.date)
        off = (rows["time_us"] - time_us).abs()
        return rows[off == off.min()].reset_index(drop=True)
    return pd.DataFrame()


def people_around(lake: Lake, config: StoreConfig, camera: Camera, day: date, time_us: int) -> pd.DataFrame:
    """Where people were by what a camera saw around a moment of a day, in UTC microseconds: track_id, x1 y1 x2 y2, a
    row a track. A person whom the detector missed in that very picture was found a moment before or after it.

    A track without a box at the moment itself has the one between those before and after it, or the nearest of them,
    within `AROUND_US`. No rows where the day's positions are not in the lake (any more).
    """
    try:
        rows = _near(lake, config, camera, day, time_us, AROUND_US).sort_values("time_us")
    except FileNotFoundError:
        return pd.DataFrame(columns=["track_id", *BOXES])
    found = [
        [track, *(np.interp(time_us, own["time_us"], own[side]) for side in BOXES)]
        for track, own in rows.groupby("track_id")
    ]
    return pd.DataFrame(found, columns=["track_id", *BOXES])


def _near(lake: Lake, config: StoreConfig, camera: Camera, day: date, time_us: int, reach_us: int) -> pd.DataFrame:
    """Rows of a day's `positions` of a camera, up to `reach_us` from a moment, with `time_us`. Raises
    FileNotFoundError where the lake hasn't got the day's positions (any more)."""
    low, high = pd.to_datetime([time_us - reach_us, time_us + reach_us], unit="us", utc=True)
    wanted = [("camera", "=", camera.id), ("time", ">=", low), ("time", "<=", high)]
    with lake.files.open(final_path("positions", config.id, day.isoformat())) as file:
        rows = pq.read_table(file, filters=wanted).to_pandas()
    return rows.assign(time_us=microseconds(rows["time"]))


def people_in(config: StoreConfig, picture: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) xyxy of the people whom the store's detector finds in a picture, uint8 RGB.

    Raises DetectorNotFound or DetectorError where it can't be loaded.
    """
    with _detecting:  # one picture at a time: a detector belongs to one thread
        return detector_of(config.detector).detect([picture])[0].boxes


_detecting = threading.Lock()


def person_at(people: pd.DataFrame, point: tuple[float, float]) -> TrackletName | None:
    """The person of `people_at` on whose box a pixel lies, the smallest box where several do; None where none does."""
    if people.empty:
        return None
    x, y = point
    hit = people[(people["x1"] <= x) & (x <= people["x2"]) & (people["y1"] <= y) & (y <= people["y2"])]
    if hit.empty:
        return None
    best = hit.iloc[int(((hit["x2"] - hit["x1"]) * (hit["y2"] - hit["y1"])).to_numpy().argmin())]
    return TrackletName(best["day"], str(best["camera"]), int(best["track_id"]))


def crop_of(
    config: StoreConfig,
    folder: Path,
    name: TrackletName,
    track: pd.DataFrame,
    lake: Lake,
    *,
    show_head: bool = False,
) -> np.ndarray:
    """The best picture of a tracklet, uint8 RGB, cut from its recording, heads blurred.

    Args:
        folder: where store.yaml lies.
        track: the tracklet's rows of `tracks_of`.
        lake: knows who else was there, a moment before and after.
        show_head: leave the head of this one person as it is.

    Raises NoPicture where the recording is gone or can't be read there.
    """
    camera = camera_of(config, name.camera)
    best = best_sample(track, camera.image_size)
    time_us = int(best["time_us"])
    frame, scale = picture_at(config, folder, camera, name.day, time_us)
    own = best[BOXES].to_numpy(float)[None] * scale
    tracked = people_around(lake, config, camera, name.day, time_us)
    tracked = tracked.loc[tracked["track_id"] != name.track_id, BOXES].to_numpy(float) * scale
    others = np.concatenate([people_in(config, frame), tracked])
    others = others[box_iou(own, others)[0] < SAME_BOX_IOU]
    hidden = others if show_head else np.concatenate([own, others])
    return cut_out(blur_heads(frame, hidden), own[0], CROP_MARGIN)


def best_sample(track: pd.DataFrame, image_size: tuple[int, int] | None) -> pd.Series:
    """The row in which the person shows best: large, whole, and surely a person."""
    height = (track["y2"] - track["y1"]).to_numpy()
    value = np.sqrt(height) * track["score"].to_numpy()
    width, tall = image_size or (np.inf, np.inf)
    cut = (track["x1"] < BORDER_PX) | (track["y1"] < BORDER_PX)
    cut |= (track["x2"] > width - BORDER_PX) | (track["y2"] > tall - BORDER_PX)
    return track.iloc[int(np.argmax(np.where(cut, value / 2, value)))]


def picture_at(
    config: StoreConfig, folder: Path, camera: Camera, day: date, time_us: int
) -> tuple[np.ndarray, np.ndarray]:
    """A camera's frame at a sampled time, heads and all, and the factors (4,) from the lake's boxes to its pixels.

    Raises NoPicture.
    """
    found = find_camera_day(config, folder, camera, day)
    files = [file for file in found.files if file.start_us <= time_us and (file.end_us or time_us + 1) > time_us]
    if not files:
        moment = pd.Timestamp(time_us, unit="us", tz="UTC")
        raise NoPicture(f"{camera.id}: there is no recording (any more) of {moment:%Y-%m-%d %H:%M:%S}Z")
    file = files[-1]
    reader = IsolatedReader(
        Recording(file.path, camera.id, file.start_us),
        camera.sampling_fps,
        from_us=time_us,
        to_us=time_us + 1,
        assumed_fps=config.recordings.assumed_fps,
    )
    frame = next(iter(reader), None)
    if frame is None:
        raise NoPicture(f"{camera.id}: no picture at that time: {'; '.join(reader.report.problems)}")
    size = np.array(frame.image.shape[1::-1])
    return frame.image, np.tile(size / np.array(camera.image_size or size, float), 2)


def camera_of(config: StoreConfig, name: str) -> Camera:
    """The camera of a name. Raises ValueError for one that the store has not got."""
    for camera in config.cameras:
        if camera.id == name:
            return camera
    known = ", ".join(camera.id for camera in config.cameras)
    raise ValueError(f"{config.id} has no camera {name!r}; its cameras are {known}")
