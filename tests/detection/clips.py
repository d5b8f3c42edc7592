"""Small odd video clips for tests, each frame stamped with its number as a bar code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

START_US = 1_741_942_800_000_000  # 2025-03-14 09:00 UTC, a multiple of 4 s
BITS, BAR = 9, 16
MILLISECONDS = Fraction(1, 1000)


def numbered_picture(number: int, size: tuple[int, int] = (160, 96)) -> np.ndarray:
    """RGB picture (H, W, 3) with noise below and `number` in black and white bars above."""
    picture = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    for bit in range(BITS):
        picture[:BAR, bit * BAR : (bit + 1) * BAR] = 255 * ((number >> bit) & 1)
    return picture


def read_number(image: np.ndarray) -> int:
    middle = BAR // 2
    return sum(int(image[middle, bit * BAR + middle, 1] > 127) << bit for bit in range(BITS))


def write_clip(
    path: Path,
    stamps: Iterable[int],
    *,
    codec: str = "libx264",
    time_base: Fraction = MILLISECONDS,
    options: dict[str, str] | None = None,
    b_frames: int = 2,
    creation_time: str | None = None,
    size: tuple[int, int] = (160, 96),
    picture: Callable[[int], np.ndarray] | None = None,
) -> Path:
    """A clip with a frame at each presentation stamp, a key frame every 10.

    `picture(n)` gives frame n as uint8 RGB (H, W, 3); left out, it shows its number.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options or {}) as container:
        if creation_time:
            container.metadata["creation_time"] = creation_time
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = time_base
        stream.codec_context.gop_size = 10
        if codec == "libvpx":
            stream.options = {"deadline": "realtime", "cpu-used": "8"}
        if codec == "mpeg4":
            stream.bit_rate = 8_000_000  # at the usual one people leave trails, which have colours of their own
        if codec == "libx264":
            stream.codec_context.max_b_frames = b_frames
        for number, stamp in enumerate(stamps):
            image = picture(number) if picture else numbered_picture(number, size)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = stamp, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def drop_packets(source: Path, target: Path, from_s: float, to_s: float) -> Path:
    """Copy a clip without re-stamping, leaving out the packets in [from_s, to_s)."""
    with av.open(str(source)) as container, av.open(str(target), "w") as copy:
        stream = container.streams.video[0]
        out = copy.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if packet.dts is None or from_s <= float(packet.pts * packet.time_base) < to_s:
                continue
            packet.stream = out
            copy.mux(packet)
    return target


def cut_file(source: Path, share: float) -> Path:
    target = source.with_name(f"cut_{source.name}")
    content = source.read_bytes()
    target.write_bytes(content[: int(len(content) * share)])
    return target
