"""Pictures of found people as files, where whoever searches asks for them."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from flows.find import TrackletName


def write_crop(crop: np.ndarray | str, folder: Path, begins: str, name: TrackletName) -> str:
    """Write a picture, uint8 RGB, that only its owner may read: FOLDER/BEGINS_DATE_CAMERA_TRACK.png. Returns its path,
    or what a crop that is none says. Raises OSError."""
    if isinstance(crop, str):
        return crop
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{begins}_{name.day}_{name.camera}_{name.track_id}.png"
    _, data = cv2.imencode(".png", np.ascontiguousarray(crop[:, :, ::-1]))
    path.unlink(missing_ok=True)  # never through a link that somebody laid there, nor into a file that is not ours
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data.tobytes())
    return str(path)
