"""A tiny store of real people: seconds of the demo's video, cut into pieces, so that the real job takes seconds."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import av
import yaml

from flows.stores import DEMO
from tests.flows.clips import write_clip

DAY = "2025-03-14"
START = datetime(2025, 3, 14, 10)
SIZE, FPS = (480, 270), 5


def write_tiny_store(
    folder: Path, store: str = "tiny", cameras: int = 1, pieces: int = 4, piece_s: float = 2.0, first_s: float = 20.0
) -> Path:
    """Write folder/STORE/store.yaml with `pieces` recordings of `piece_s` seconds a camera; returns its path.

    `first_s`: second of the demo's minute that the first recording begins at.
    """
    data: dict[str, Any] = yaml.safe_load(DEMO.read_text())
    data |= {"id": store, "name": f"Tiny {store}", "cameras": data["cameras"][:cameras]}
    data["recordings"] = {"path": "videos/{camera}/%Y-%m-%d_%H-%M-%S-%f.mp4"}
    data["detector"]["image_size"] = 320
    home = folder / store
    for camera in data["cameras"]:
        pictures = _demo_pictures(camera["id"], first_s, first_s + pieces * piece_s)
        count = round(piece_s * FPS)
        for piece in range(pieces):
            write_piece(home, camera["id"], piece * piece_s, pictures[piece * count : (piece + 1) * count])
    home.mkdir(parents=True, exist_ok=True)
    path = home / "store.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def write_piece(home: Path, camera: str, after_s: float, pictures: list[Any]) -> Path:
    """A recording of the given pictures, `after_s` seconds after ten o'clock."""
    name = (START + timedelta(seconds=after_s)).strftime("%Y-%m-%d_%H-%M-%S-%f")
    path = home / "videos" / camera / f"{name}.mp4"
    return write_clip(path, len(pictures) / FPS, FPS, SIZE, lambda number: pictures[number])


def _demo_pictures(camera: str, first_s: float, last_s: float) -> list[Any]:
    (video,) = (DEMO.parent / "videos" / camera).glob("*.mp4")
    pictures: list[Any] = []
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= first_s + len(pictures) / FPS:
                pictures.append(frame.to_ndarray(width=SIZE[0], height=SIZE[1], format="rgb24"))
            if len(pictures) >= round((last_s - first_s) * FPS):
                break
    return pictures
