"""Pictures of tracklets, cut from the recordings when somebody looks at them. They are never stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from detection.crops import cut_out
from detection.heads import blur_heads
from detection.isolated import IsolatedReader
from detection.video import Recording
from flows.config import Camera, StoreConfig
from flows.find import TrackletName
from flows.lake import Lake
from flows.lake_layout import final_path
from flows.places import SECOND_US, microseconds
from flows.recordings import find_camera_day

BORDER_PX = 4.0
CROP_MARGIN = 0.08
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


def tracklet_at(
    lake: Lake, config: StoreConfig, name: str, time_us: int, point: tuple[float, float]
) -> TrackletName | None:
    """The tracklet of whom somebody clicked on: a camera's picture, its time in UTC microseconds, and a pixel of it.

    The smallest box around the point within half a second is meant. None where there is none.
    """
    camera = camera_of(config, name)
    for entry in lake.days([config.id]):
        start, end = config.day_window(entry.date)
        if not start <= time_us < end:
            continue
        with lake.files.open(final_path("positions", config.id, entry.date.isoformat())) as file:
            near = pd.to_datetime([time_us - SECOND_US // 2, time_us + SECOND_US // 2], unit="us", utc=True)
            wanted = [("camera", "=", camera.id), ("time", ">=", near[0]), ("time", "<=", near[1])]
            rows = pq.read_table(file, filters=wanted).to_pandas()
        x, y = point
        rows = rows[(rows["x1"] <= x) & (x <= rows["x2"]) & (rows["y1"] <= y) & (y <= rows["y2"])]
        if len(rows):
            off = (microseconds(rows["time"]) - time_us).astype(float)
            area = ((rows["x2"] - rows["x1"]) * (rows["y2"] - rows["y1"])).to_numpy()
            best = rows.iloc[np.lexsort((area, np.abs(off)))[0]]
            return TrackletName(entry.date, camera.id, int(best["track_id"]))
    return None


def crop_of(
    config: StoreConfig, folder: Path, name: TrackletName, track: pd.DataFrame, *, show_head: bool = False
) -> np.ndarray:
    """The best picture of a tracklet, uint8 RGB, cut from its recording.

    Args:
        folder: where store.yaml lies.
        track: the tracklet's rows of `tracks_of`.
        show_head: leave this person's head as it is; other heads in the crop are always blurred with the box they have.

    Raises NoPicture where the recording is gone or can't be read there.
    """
    camera = camera_of(config, name.camera)
    best = best_sample(track, camera.image_size)
    frame, size = picture_at(config, folder, camera, name, int(best["time_us"]))
    box = best[BOXES].to_numpy(float) * np.tile(np.array(frame.shape[1::-1]) / size, 2)
    return cut_out(frame if show_head else blur_heads(frame, box[None]), box, CROP_MARGIN)


def best_sample(track: pd.DataFrame, image_size: tuple[int, int] | None) -> pd.Series:
    """The row in which the person shows best: large, whole, and surely a person."""
    height = (track["y2"] - track["y1"]).to_numpy()
    value = np.sqrt(height) * track["score"].to_numpy()
    width, tall = image_size or (np.inf, np.inf)
    cut = (track["x1"] < BORDER_PX) | (track["y1"] < BORDER_PX)
    cut |= (track["x2"] > width - BORDER_PX) | (track["y2"] > tall - BORDER_PX)
    return track.iloc[int(np.argmax(np.where(cut, value / 2, value)))]


def picture_at(
    config: StoreConfig, folder: Path, camera: Camera, name: TrackletName, time_us: int
) -> tuple[np.ndarray, np.ndarray]:
    """A camera's frame at a sampled time, and the (width, height) that its boxes are in. Raises NoPicture."""
    found = find_camera_day(config, folder, camera, name.day)
    files = [file for file in found.files if file.start_us <= time_us and (file.end_us or time_us + 1) > time_us]
    if not files:
        raise NoPicture(
            f"{camera.id}: there is no recording (any more) of {pd.Timestamp(time_us, unit='us', tz='UTC')}"
        )
    file = files[-1]
    reader = IsolatedReader(
        Recording(file.path, camera.id, file.start_us),
        camera.sampling_fps,
        from_us=time_us,
        to_us=time_us + SECOND_US,
        assumed_fps=config.recordings.assumed_fps,
    )
    for frame in reader:
        shown = frame.image
        return shown, np.array(camera.image_size or shown.shape[1::-1], float)
    problems = "; ".join(reader.report.problems)
    raise NoPicture(f"{camera.id}: the recording gives no picture at that time: {problems}")


def camera_of(config: StoreConfig, name: str) -> Camera:
    """The camera of a name. Raises ValueError for one that the store has not got."""
    for camera in config.cameras:
        if camera.id == name:
            return camera
    known = ", ".join(camera.id for camera in config.cameras)
    raise ValueError(f"{config.id} has no camera {name!r}; its cameras are {known}")
