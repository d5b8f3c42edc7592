"""Pictures of found people as files, where whoever searches asks for them."""

from __future__ import annotations

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
    path.touch(mode=0o600)
    _, data = cv2.imencode(".png", np.ascontiguousarray(crop[:, :, ::-1]))
    path.write_bytes(data.tobytes())
    return str(path)
