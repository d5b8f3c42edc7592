"""Small video files made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_clip(
    path: Path,
    seconds: float = 1.0,
    fps: int = 10,
    size: tuple[int, int] = (96, 64),
    picture: Callable[[int], np.ndarray] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write an H.264 clip; `picture(n)` gives frame n as uint8 RGB (H, W, 3), grey where left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as video:
        video.metadata.update(metadata or {})
        stream = video.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(round(seconds * fps)):
            image = picture(number) if picture else np.full((size[1], size[0], 3), 90, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            video.mux(stream.encode(frame))
        video.mux(stream.encode(None))
    return path
