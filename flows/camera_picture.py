"""A camera's picture for everybody's eyes: to draw zones on, or to say where on the floor a spot lies. Without people.

The median of pictures over opening hours holds nobody who walks on. Who stands at one place for half of them is still
in it; their head is blurred where the store's detector finds them in the median, or in any one of the pictures that
the median looks like there: whom it misses in one, it finds in another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from detection.detector import DetectorError, DetectorNotFound
from detection.heads import blur_heads, coarse, still_there, without_movers
from detection.isolated import first_frames
from detection.video import Recording
from flows.camera_views import spread_over
from flows.config import Camera, StoreConfig
from flows.person_crops import people_in_each
from flows.places import SECOND_US
from flows.recordings import RecordedFile, find_camera_day

PICTURES = 9
FEW, COARSE = 3, 160
"""Of fewer pictures a median takes nobody away; then `COARSE` pixels of detail across are left."""


def camera_picture(config: StoreConfig, folder: Path, camera: Camera, day: date) -> np.ndarray | None:
    """A camera's picture of a day, uint8 RGB (H, W, 3), without people or with their heads blurred; None where nothing
    of the day can be read. Coarse where the day has hardly a picture, or the detector can't be loaded.

    `folder` is where store.yaml lies.
    """
    files = find_camera_day(config, folder, camera, day).files
    pictures = _pictures(config, camera, files, day)
    if not pictures:
        return None
    median = without_movers(pictures)
    if len(pictures) < FEW:
        return coarse(median, COARSE)
    try:
        of_median, *found = people_in_each(config, [median, *pictures])
    except (DetectorNotFound, DetectorError):
        return coarse(median, COARSE)
    stood = [own[still_there(median, picture, own)] for picture, own in zip(pictures, found, strict=True)]
    return blur_heads(median, np.concatenate([of_median, *stood]))


def _pictures(config: StoreConfig, camera: Camera, files: Sequence[RecordedFile], day: date) -> list[np.ndarray]:
    """Up to `PICTURES`, of one size, spread over opening hours (else over all that was recorded)."""
    spans = [(file, file.start_us, file.end_us or file.start_us + SECOND_US) for file in files]
    open_ = config.open_windows(day)
    cut = [(file, max(start, a), min(end, b)) for file, start, end in spans for a, b in open_]
    spans = [span for span in cut if span[1] < span[2]] or spans
    requests = []
    for number, time_us in spread_over([span[1:] for span in spans], PICTURES):
        file = spans[number][0]
        options = {"from_us": time_us, "assumed_fps": config.recordings.assumed_fps}
        requests.append((Recording(file.path, camera.id, file.start_us), camera.sampling_fps, options))
    found = [frame.image for frame in first_frames(requests) if frame is not None]
    return [picture for picture in found if picture.shape == found[0].shape]
