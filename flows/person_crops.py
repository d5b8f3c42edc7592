"""Pictures of tracklets, cut from the recordings when somebody looks at them. They are never stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from detection.crops import cut_out
from detection.detector import DetectorError, DetectorNotFound
from detection.heads import blur_heads
from detection.isolated import first_frames
from detection.matching import box_iou
from detection.video import Recording
from flows.ahead import ahead
from flows.chunks import detector_of
from flows.config import Camera, StoreConfig
from flows.find import TrackletName
from flows.lake import Lake
from flows.places import SECOND_US
from flows.recordings import RecordedFile, find_camera_day
from flows.tracklet_positions import BOXES, NoPicture, around, near, tracks_of

BORDER_PX = 4.0
CROP_MARGIN = 0.08
SAME_BOX_IOU = 0.5
NAMED_WITHIN_US = 600 * SECOND_US
"""How far around a moment recordings are opened: more than one, for a name in the hour that comes twice means two."""
PICTURES_AHEAD = 2

Picture = tuple[np.ndarray, np.ndarray]
"""A frame, uint8 RGB (H, W, 3), heads and all, and the factors (4,) from the lake's boxes to its pixels."""


@dataclass(frozen=True)
class Shot:
    """What a tracklet's picture is cut from: its camera's picture at a moment in UTC microseconds, the person's box
    (4,) and those of others around then (N, 4), xyxy in pixels of the camera's `image_size`."""

    name: TrackletName
    time_us: int
    box: np.ndarray
    others: np.ndarray


def shots_of(lake: Lake, config: StoreConfig, names: Sequence[TrackletName]) -> list[Shot | NoPicture]:
    """The moment in which each tracklet shows best, or why there is none. A day's positions are read twice, however
    many tracklets there are."""
    found: dict[TrackletName, Shot | NoPicture] = {}
    for day in sorted({name.day for name in names}):
        own = [name for name in dict.fromkeys(names) if name.day == day]
        try:
            tracks = tracks_of(lake, config.id, own)
        except NoPicture as error:
            found |= dict.fromkeys(own, error)
            continue
        best: dict[TrackletName, pd.Series] = {}
        for name in own:
            track = tracks[(tracks["camera"] == name.camera) & (tracks["track_id"] == name.track_id)]
            if track.empty:
                found[name] = NoPicture(f"{name}: the lake has no positions of it")
            else:
                best[name] = best_sample(track, camera_of(config, name.camera).image_size)
        if best:
            moments = [(name.camera, int(row["time_us"])) for name, row in best.items()]
            rows = near(lake, config.id, day, moments)
            found |= {name: shot(name, row, rows[rows["camera"] == name.camera]) for name, row in best.items()}
    return [found[name] for name in names]


def shot(name: TrackletName, best: pd.Series, rows: pd.DataFrame) -> Shot:
    """The shot of one sample of a tracklet; `rows`: its camera's positions around then."""
    time_us = int(best["time_us"])
    tracked = around(rows, time_us)
    others = tracked.loc[tracked["track_id"] != name.track_id, BOXES]
    return Shot(name, time_us, best[BOXES].to_numpy(float), others.to_numpy(float))


def best_sample(track: pd.DataFrame, image_size: tuple[int, int] | None) -> pd.Series:
    """The row in which the person shows best: large, whole, and surely a person."""
    height = (track["y2"] - track["y1"]).to_numpy()
    value = np.sqrt(height) * track["score"].to_numpy()
    width, tall = image_size or (np.inf, np.inf)
    cut = (track["x1"] < BORDER_PX) | (track["y1"] < BORDER_PX)
    cut |= (track["x2"] > width - BORDER_PX) | (track["y2"] > tall - BORDER_PX)
    return track.iloc[int(np.argmax(np.where(cut, value / 2, value)))]


def cut_crops(
    config: StoreConfig, folder: Path, shots: Sequence[Shot | NoPicture], *, show_heads: bool = False
) -> list[np.ndarray | str]:
    """Pictures of shots, uint8 RGB, cut from their recordings, heads blurred; or why there is none.

    Args:
        folder: where store.yaml lies.
        show_heads: leave the heads of these people as they are; all others' are blurred.
    """
    known = [one for one in shots if isinstance(one, Shot)]
    moments = [(camera_of(config, one.name.camera), one.name.day, one.time_us) for one in known]
    pictures = ahead(pictures_at(config, folder, moments), PICTURES_AHEAD)
    return [
        _crop(config, one, next(pictures), show_heads) if isinstance(one, Shot) else str(one)
        for one in shots
    ]  # fmt: skip


def _crop(config: StoreConfig, one: Shot, picture: Picture | NoPicture, show_head: bool) -> np.ndarray | str:
    if isinstance(picture, NoPicture):
        return str(picture)
    frame, scale = picture
    own, tracked = one.box[None] * scale, one.others * scale
    try:
        others = np.concatenate([people_in(config, frame), tracked])
    except (DetectorNotFound, DetectorError) as error:
        return f"no picture without a detector that finds the heads to blur: {error}"
    others = others[box_iou(own, others)[0] < SAME_BOX_IOU]
    hidden = others if show_head else np.concatenate([own, others])
    return cut_out(blur_heads(frame, hidden), own[0], CROP_MARGIN)


def people_in(config: StoreConfig, picture: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) xyxy of the people whom the store's detector finds in a picture, uint8 RGB.

    Raises DetectorNotFound or DetectorError where it can't be loaded.
    """
    return people_in_each(config, [picture])[0]


def people_in_each(config: StoreConfig, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    """`people_in` of several pictures in one call, which works on as many at a time as there are processors."""
    with _detecting:  # one call at a time: a detector belongs to one thread
        return [found.boxes for found in detector_of(config.detector).detect(list(pictures))]


_detecting = threading.Lock()


def pictures_at(
    config: StoreConfig, folder: Path, moments: Sequence[tuple[Camera, date, int]]
) -> Iterator[Picture | NoPicture]:
    """Pictures at sampled times (camera, the store's day, UTC microseconds), or why there is none. One process decodes
    them all."""
    files = [_file_at(config, folder, *moment) for moment in moments]
    frames = first_frames(
        (
            Recording(file.path, camera.id, file.start_us),
            camera.sampling_fps,
            {"from_us": time_us, "to_us": time_us + 1, "assumed_fps": config.recordings.assumed_fps},
        )
        for (camera, _, time_us), file in zip(moments, files, strict=True)
        if file is not None
    )
    for (camera, _, time_us), file in zip(moments, files, strict=True):
        at = f"of {pd.Timestamp(time_us, unit='us', tz='UTC'):%Y-%m-%d %H:%M:%S}Z"
        if file is None:
            yield NoPicture(f"{camera.id}: there is no recording (any more) {at}")
        elif (frame := next(frames)) is None:
            yield NoPicture(f"{camera.id}: no picture {at} can be read from {Path(file.path).name}")
        else:
            size = np.array(frame.image.shape[1::-1])
            yield frame.image, np.tile(size / np.array(camera.image_size or size, float), 2)


def picture_at(config: StoreConfig, folder: Path, camera: Camera, day: date, time_us: int) -> Picture:
    """The picture at one sampled time. Raises NoPicture."""
    (picture,) = pictures_at(config, folder, [(camera, day, time_us)])
    if isinstance(picture, NoPicture):
        raise picture
    return picture


def _file_at(config: StoreConfig, folder: Path, camera: Camera, day: date, time_us: int) -> RecordedFile | None:
    around_us = time_us - NAMED_WITHIN_US, time_us + NAMED_WITHIN_US
    files = find_camera_day(config, folder, camera, day, *around_us).files
    return next((one for one in reversed(files) if one.start_us <= time_us < (one.end_us or time_us + 1)), None)


def camera_of(config: StoreConfig, name: str) -> Camera:
    """The camera of a name. Raises ValueError for one that the store has not got."""
    for camera in config.cameras:
        if camera.id == name:
            return camera
    known = ", ".join(camera.id for camera in config.cameras)
    raise ValueError(f"{config.id} has no camera {name!r}; its cameras are {known}")
