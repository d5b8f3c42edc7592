"""Opening a video, a file or an object at an fsspec URL, and reading its header (PyAV)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import av
import fsspec
from av.container import InputContainer
from av.video.stream import VideoStream

from detection.timestamps import MICROSECONDS

# Formats without any time of their own: the reader assumes a frame rate.
RAW_FORMATS = frozenset({"h264", "hevc", "vvc", "m4v", "mpegvideo", "h263", "h261", "vc1", "obu", "rawvideo", "mjpeg"})
REMOTE_BLOCK = 8 << 20
"""Bytes that are fetched of an object at a time: some tens of seconds of video, one request."""


class VideoError(ValueError):
    """A file that is no readable video; the message says which file and why.

    `duration_s`: seconds that the file claims to hold, where at least that could be read.
    """

    def __init__(self, message: str, duration_s: float | None = None) -> None:
        super().__init__(message)
        self.duration_s = duration_s


@dataclass(frozen=True)
class VideoInfo:
    """What a file says of itself. `duration_s` and `creation_us` are None where it says nothing."""

    width: int
    height: int
    fps: float
    duration_s: float | None
    codec: str
    timestamps: str
    creation_us: int | None


def probe(path: str) -> VideoInfo:
    """Size, rate, duration and codec of a video, from its header.

    Raises:
        VideoError: not there, empty, no video, or a codec that this machine can't decode.
    """
    container, stream = open_video(path)
    with container:
        return VideoInfo(
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            fps=float(stream.average_rate or 0),
            duration_s=declared_seconds(container, stream),
            codec=stream.codec_context.name,
            timestamps="assumed" if container.format.name in RAW_FORMATS else "container",
            creation_us=_creation_us(container),
        )


def open_video(path: str) -> tuple[InputContainer, VideoStream]:
    """Open a video and its first picture stream. The caller closes the container. Raises VideoError."""
    name, source = os.path.basename(path), _source(path)
    try:
        container = av.open(source, metadata_errors="ignore")
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(f"{name}: read 0 %: no video, or one whose index is cut off ({reason})") from None
    stream = next(iter(container.streams.video), None)
    problem = None
    if stream is None:
        problem = "holds no video stream"
    elif stream.codec_context is None or not stream.codec_context.width:
        problem = "holds a video stream that this machine has no decoder for"
    if problem is not None:
        duration_s = None if container.duration is None else container.duration / av.time_base
        container.close()
        raise VideoError(f"{name}: read 0 %: {problem}; convert it to H.264 in MP4", duration_s)
    assert stream is not None
    return container, stream


def _source(path: str) -> Any:
    """What PyAV opens: a path, or for an fsspec URL an object to seek in, of which only what is used is fetched.

    Raises VideoError where there is nothing, or nothing in it.
    """
    name, source, size = os.path.basename(path), path, 0
    try:
        if "://" in path:
            filesystem, place = fsspec.core.url_to_fs(path)
            source = filesystem.open(place, "rb", block_size=REMOTE_BLOCK)
            size = source.size
        else:
            size = os.path.getsize(path)
    except FileNotFoundError:
        raise VideoError(f"{name}: no such file in {os.path.dirname(path) or '.'}") from None
    except OSError as error:
        raise VideoError(f"{name}: read 0 %: it can't be read: {error}") from None
    if size == 0:
        raise VideoError(f"{name}: read 0 %: the file is empty")
    return source


def declared_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate)  # FFmpeg guesses the duration of a cut AVI from its size
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is None:
        return None
    before = max(container.start_time or 0, 0) if "matroska" in container.format.name else 0  # it counts from 0
    return (container.duration - before) / av.time_base


def _creation_us(container: InputContainer) -> int | None:
    try:
        made = datetime.fromisoformat(container.metadata["creation_time"])
    except (KeyError, ValueError):
        return None
    made = made if made.tzinfo else made.replace(tzinfo=UTC)
    return round(made.timestamp() * MICROSECONDS)


def start_from_container(path: str) -> int:
    start_us = probe(path).creation_us
    if start_us is None:
        raise VideoError(
            f"{os.path.basename(path)}: the file does not say when it starts; put the start into the file name and"
            " the recordings template, or into a sidecar file"
        )
    return start_us
