"""Segment files of a live stream: packets copied as they come, never encoded anew (PyAV).

While it is being written a segment is NAME.part, in Matroska, which stays readable up to the last second if the
recorder is killed. When it is complete it is copied once into the container that NAME asks for, with its duration and
index, so that readers can seek; only then there is a file NAME.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import av
from av.packet import Packet
from av.video.stream import VideoStream

from detection.timestamps import MICROSECONDS

PART = ".part"
SAFE_WRITING = {"cluster_time_limit": "1000", "flush_packets": "1"}
"""At most a second of pictures waits in memory, and is lost where the recorder is killed."""


class SegmentError(OSError):
    """A segment can't be written; the message says where and why."""


class Segment:
    """One segment under way. `start_us`: UTC of its first frame, which must be a key frame."""

    def __init__(self, target: Path, stream: VideoStream, start_us: int) -> None:
        self.target, self.start_us = target, start_us
        self.part = target.with_name(target.name + PART)
        self._first_pts: int | None = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self.part), "w", format="matroska", options=SAFE_WRITING)
            made = datetime.fromtimestamp(start_us / MICROSECONDS, UTC)
            self._container.metadata["creation_time"] = made.isoformat()
            self._stream = self._container.add_stream_from_template(stream)
        except (OSError, av.FFmpegError) as error:
            raise SegmentError(f"{self.part} can't be written: {error}") from error

    def write(self, packet: Packet) -> None:
        """Add a packet of the stream. Raises SegmentError."""
        assert packet.pts is not None and packet.dts is not None
        if self._first_pts is None:
            self._first_pts = packet.pts
        packet.pts -= self._first_pts
        packet.dts -= self._first_pts
        packet.stream = self._stream
        try:
            self._container.mux(packet)
        except (OSError, av.FFmpegError) as error:
            raise SegmentError(f"{self.part} can't be written: {error}") from error

    def finish(self) -> Path | None:
        """Complete the segment; its file, or None where nothing was in it. Raises SegmentError."""
        try:
            self._container.close()
        except (OSError, av.FFmpegError) as error:
            raise SegmentError(f"{self.part} can't be completed: {error}") from error
        return complete(self.part)


def complete(part: Path) -> Path | None:
    """Turn NAME.part, as far as it is readable, into NAME; None where there is no picture in it.

    Raises SegmentError where NAME can't be written; NAME.part is kept then.
    """
    target = part.with_name(part.name.removesuffix(PART))
    aside = target.with_name(f".{target.name}")
    try:
        if not _copy(part, aside, target.suffix):
            aside.unlink(missing_ok=True)
            part.unlink()
            return None
        with open(aside, "rb+") as file:
            os.fsync(file.fileno())
        aside.rename(target)
        part.unlink()
    except (OSError, av.FFmpegError) as error:
        aside.unlink(missing_ok=True)
        raise SegmentError(f"{target} can't be written: {error}") from error
    return target


def _copy(part: Path, aside: Path, suffix: str) -> bool:
    """Copy all readable packets into a container of the kind of `suffix`; says whether there were any."""
    try:
        source = av.open(str(part))
        stream = source.streams.video[0]
    except (av.FFmpegError, IndexError):
        return False
    written = False
    options = {"movflags": "faststart"} if suffix in (".mp4", ".mov", ".m4v") else {}
    with source, av.open(str(aside), "w", format=_format(suffix), options=options) as copy:
        copy.metadata.update(source.metadata)
        out = copy.add_stream_from_template(stream)
        try:
            for packet in source.demux(stream):
                if packet.dts is None:
                    continue
                packet.stream = out
                copy.mux(packet)
                written = True
        except av.error.InvalidDataError:  # the end of what a killed recorder wrote
            pass
    return written


def _format(suffix: str) -> str:
    return {".mkv": "matroska", ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".ts": "mpegts"}.get(suffix, "matroska")
