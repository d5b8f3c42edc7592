"""Videos to measure speed on, made of rendered recordings with their truth: busy, at 25 frames/s, and mostly empty.

What is encoded anew is H.264 (libx264, CRF 23). At 25 frames/s a rendered picture is shown two or three times, each
time with sensor noise of its own. An empty picture is the shop without anyone: of each pixel the median over the
moments in which no person's true box covers it, again with noise of its own in each frame. A video that lies in the
folder already is taken as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd

NOISE = 1.5  # grey levels, standard deviation
NOISE_PICTURES = 4
PLATE_PICTURES = 60
LEAST_VISIBLE, LEAST_HEIGHT = 0.3, 60
SECOND = 1_000_000


@dataclass(frozen=True)
class Video:
    """A recording and who is to be seen in it.

    `truth`: people asked for (at least 30 % visible and 60 px high) by moment: columns time_us, person_id. Moments
    without a row have nobody; `moments` are all of them, UTC microseconds.
    """

    path: Path
    start_us: int
    seconds: float
    fps: float
    moments: np.ndarray
    truth: pd.DataFrame

    def people_at(self, times_us: np.ndarray) -> np.ndarray:
        """How many are to be seen at each time, at the last moment up to it."""
        counts = self.truth.groupby("time_us").size().reindex(self.moments, fill_value=0).to_numpy()
        return counts[np.clip(np.searchsorted(self.moments, times_us + 1000, "right") - 1, 0, len(counts) - 1)]


def busy_video(scene: Path, camera: str, seconds: float, folder: Path) -> Video:
    """The first seconds of a rendered recording, packets copied."""
    source, start_us, fps = _recording(scene, camera)
    target = folder / f"busy-{camera}-{seconds:g}.mp4"
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = read.streams.video[0]
        assert stream.time_base is not None
        out = write.add_stream_from_template(stream)
        for packet in read.demux(stream):
            if packet.dts is None or packet.pts is None or float(packet.pts * stream.time_base) >= seconds:
                continue
            packet.stream = out
            write.mux(packet)
    return _described(target, scene, camera, start_us, seconds, fps)


def fast_video(scene: Path, camera: str, seconds: float, folder: Path, fps: int = 25) -> Video:
    """The same at a camera's usual rate: each picture shown until the next one, with noise of its own."""
    source, start_us, own_fps = _recording(scene, camera)
    target = folder / f"fast-{camera}-{seconds:g}.mp4"
    noise = Noise()

    def pictures() -> Iterator[np.ndarray]:
        for number, picture in enumerate(_pictures(source, seconds)):
            shown = round((number + 1) * fps / own_fps) - round(number * fps / own_fps)
            for _ in range(shown):
                yield noise.on(picture)

    _write(target, pictures(), fps)
    return _described(target, scene, camera, start_us, seconds, fps)


def empty_video(scene: Path, camera: str, seconds: float, folder: Path, share: float = 0.9, fps: int = 10) -> Video:
    """A recording of `seconds`, of which `share` shows nobody: half of that before the people, half after them."""
    source, start_us, own_fps = _recording(scene, camera)
    target = folder / f"empty-{camera}-{seconds:g}-{fps}.mp4"
    noise = Noise()
    before_s, busy_s = seconds * share / 2, seconds * (1 - share)

    def pictures() -> Iterator[np.ndarray]:
        plate = empty_picture(scene, camera)
        for _ in range(round(before_s * fps)):
            yield noise.on(plate)
        for number, picture in enumerate(_pictures(source, busy_s)):
            for _ in range(round((number + 1) * fps / own_fps) - round(number * fps / own_fps)):
                yield noise.on(picture)
        for _ in range(round(before_s * fps)):
            yield noise.on(plate)

    _write(target, pictures(), fps)
    busy = _described(source, scene, camera, start_us, busy_s, own_fps)
    truth = busy.truth.assign(time_us=busy.truth["time_us"] + round(before_s * SECOND))
    moments = start_us + np.arange(round(seconds * fps)) * SECOND // fps
    busy_moments = busy.moments + round(before_s * SECOND)
    outside = moments[(moments < busy_moments[0]) | (moments > busy_moments[-1])]
    return Video(target, start_us, seconds, fps, np.union1d(outside, busy_moments), truth)


def long_video(video: Video, minutes: float, folder: Path) -> Video:
    """A video again and again, packets copied, to a length of `minutes`."""
    target = folder / f"long-{video.path.stem}-{minutes:g}.mp4"
    times = round(minutes * 60 / video.seconds)
    with av.open(str(target), "w") as write:
        out, offset = None, 0
        for _ in range(times):
            with av.open(str(video.path)) as read:
                stream = read.streams.video[0]
                out = out or write.add_stream_from_template(stream)
                assert stream.time_base is not None
                packets = [packet for packet in read.demux(stream) if packet.dts is not None and packet.pts is not None]
                # Frames that are decoded before they are shown make the order of decoding end later than the pictures.
                decoded = packets[-1].dts - packets[0].dts + round(1 / (video.fps * stream.time_base))
                step = max(round(video.seconds / stream.time_base), decoded)
                for packet in packets:
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = out
                    write.mux(packet)
                offset += step
    return Video(target, video.start_us, times * video.seconds, video.fps, video.moments, video.truth)


def empty_picture(scene: Path, camera: str) -> np.ndarray:
    """The shop as a camera sees it without people, uint8 RGB (H, W, 3)."""
    source, _, fps = _recording(scene, camera)
    boxes = pd.read_parquet(scene / "truth" / "boxes.parquet")
    boxes = boxes[boxes["camera"] == camera]
    count = int(boxes["frame"].max()) + 1
    wanted = set(np.linspace(0, count - 1, PLATE_PICTURES).astype(int).tolist())
    kept = []
    for number, picture in enumerate(_pictures(source, count / fps)):
        if number in wanted:
            picture = picture.astype(np.float32)
            for x1, y1, x2, y2 in boxes.loc[boxes["frame"] == number, ["x1", "y1", "x2", "y2"]].to_numpy():
                picture[max(0, int(y1) - 8) : int(y2) + 16, max(0, int(x1) - 8) : int(x2) + 8] = np.nan
            kept.append(picture.astype(np.float16))
    rows = [np.nanmedian(np.stack([picture[row] for picture in kept]), axis=0) for row in range(len(kept[0]))]
    plate = np.stack(rows)
    plate[np.isnan(plate)] = float(np.nanmedian(plate))
    return plate.astype(np.uint8)


def _recording(scene: Path, camera: str) -> tuple[Path, int, float]:
    """A camera's file, start and frames a second."""
    told = json.loads((scene / "scene.json").read_text())
    video = next(one["video"] for one in told["cameras"] if one["name"] == camera)
    start = datetime.fromisoformat(told["start_time_utc"])
    return scene / video, round(start.timestamp() * SECOND), float(told["fps"])


def _described(path: Path, scene: Path, camera: str, start_us: int, seconds: float, fps: float) -> Video:
    boxes = pd.read_parquet(scene / "truth" / "boxes.parquet")
    boxes = boxes[(boxes["camera"] == camera) & (boxes["time_us"] < start_us + seconds * SECOND)]
    moments = np.unique(boxes["time_us"].to_numpy())
    asked = (boxes["visible_fraction"] >= LEAST_VISIBLE) & (boxes["y2"] - boxes["y1"] >= LEAST_HEIGHT)
    return Video(path, start_us, seconds, fps, moments, boxes.loc[asked, ["time_us", "person_id"]])


def _pictures(path: Path, seconds: float) -> Iterator[np.ndarray]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= seconds - 1e-6:
                return
            yield frame.to_ndarray(format="rgb24")


class Noise:
    """A sensor's noise: one of a few pictures of it at random, shifted at random."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)
        self._pictures: list[np.ndarray] = []

    def on(self, picture: np.ndarray) -> np.ndarray:
        """A picture, uint8 RGB (H, W, 3), with noise that is not that of the picture before."""
        height = len(picture)
        if not self._pictures:
            for _ in range(NOISE_PICTURES):
                grey = np.rint(self._random.normal(0, NOISE, (2 * height, picture.shape[1]))).astype(np.int16)
                self._pictures.append(np.repeat(grey[..., None], 3, axis=2))
        noise = self._pictures[self._random.integers(NOISE_PICTURES)]
        shift = int(self._random.integers(height))
        return cv2.add(picture, noise[shift : shift + height], dtype=cv2.CV_8U)


def _write(path: Path, pictures: Iterable[np.ndarray], fps: int) -> None:
    if path.exists():
        return
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"crf": "23", "preset": "fast"})
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if not number:
                stream.width, stream.height = frame.width, frame.height
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    part.rename(path)
