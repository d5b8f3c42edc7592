"""Recorded video in, sampled frames with their UTC time out (PyAV).

Time comes from the container's presentation timestamps plus the recording's start, never from counting frames, so a
variable frame rate and dropped packets come out right. Whatever can't be read is a `Gap` and a line in
`VideoReport.problems`; the rest of the recording still counts, and nothing read is never the same as nobody there.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from detection.container import (
    RAW_FORMATS,
    VideoError,
    VideoInfo,
    declared_seconds,
    open_video,
    probe,
    start_from_container,
)
from detection.coverage import Coverage, Gap
from detection.motion import MotionTest
from detection.timestamps import MICROSECONDS, PresentationClock, SamplingGrid

__all__ = ["Frame", "Gap", "Recording", "VideoError", "VideoInfo", "VideoReader", "VideoReport", "probe"]

# Formats whose index or clusters can be sought without meeting a restarted clock; others are read from their start.
SEEKABLE_FORMATS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi"})
READ_ERRORS_IN_A_ROW = 50
# Read on from this much before the part asked for: the sampling grid needs to know the frame before its first.
PREROLL_US = MICROSECONDS


@dataclass(frozen=True)
class Recording:
    """One video file of one camera. `start_us`: UTC of its first timestamp; None: the container's creation time."""

    path: str
    camera: str
    start_us: int | None = None


@dataclass(frozen=True)
class Frame:
    """A sampled picture: `time_us` UTC microseconds, `image` uint8 RGB (H, W, 3).

    A reader with a motion test (detection/motion.py) says what `changed` since the last key frame, bool `motion.GRID`,
    and whether this one is a `key` frame; where nothing did, `image` may be that of the frame before. None: not known.
    """

    time_us: int
    image: np.ndarray
    key: bool = True
    changed: np.ndarray | None = None


@dataclass(frozen=True)
class VideoReport:
    """What was read of a recording, or of the part of it that was asked for.

    `start_us` to `end_us` is what should have been there; `seconds_seen` is that less the gaps. `timestamps` is
    'assumed' where the file has no usable time and the configured frame rate took its place, else 'container'.
    """

    path: str
    camera: str
    start_us: int
    end_us: int
    frames_decoded: int
    frames_sampled: int
    seconds_seen: float
    gaps: tuple[Gap, ...]
    problems: tuple[str, ...]
    timestamps: str


class VideoReader:
    """Sampled frames of one recording, in order of presentation; `report` says what was and what was not read.

    Sampling uses an absolute grid (`SamplingGrid`), so the parts of a recording choose the frames that the whole
    chooses. A part is sought to through the file's index (MP4, Matroska, AVI); other formats, and files whose index is
    gone, are read from the start. Damage never raises out of the iteration. Memory does not grow with length: one
    frame is held at a time, and only sampled frames are converted to RGB. Iterate once.

    Args:
        recording: file, camera and start.
        sample_fps: frames per second to give out; more than the file has gives every frame.
        from_us, to_us: part of the recording, [from_us, to_us) UTC microseconds.
        assumed_fps: rate of a stream that has no time of its own.
        max_gap_s: a longer time between two decoded frames is a gap.
        threads: decoder threads; 0 lets FFmpeg choose.
        motion: seconds between key frames, and between those that are compared with nothing; None: no motion test.

    Raises:
        VideoError: on construction, where `recording.start_us` is None and the file doesn't say when it was made.
    """

    def __init__(
        self,
        recording: Recording,
        sample_fps: float,
        *,
        from_us: int | None = None,
        to_us: int | None = None,
        assumed_fps: float = 25.0,
        max_gap_s: float = 2.0,
        threads: int = 0,
        motion: tuple[float, float] | None = None,
    ) -> None:
        if not assumed_fps > 0:
            raise ValueError(f"assumed frames per second must be above 0, not {assumed_fps}")
        start_us = start_from_container(recording.path) if recording.start_us is None else recording.start_us
        self.recording = replace(recording, start_us=start_us)
        self._start_us = start_us
        self._threads = threads
        self._motion = MotionTest(*motion) if motion else None
        self._grid = SamplingGrid(sample_fps)
        self._interval_us = round(MICROSECONDS / assumed_fps)
        from_us = start_us if from_us is None else max(start_us, from_us)
        self._coverage = Coverage(from_us, to_us, round(max_gap_s * MICROSECONDS))
        self._clock: PresentationClock | None = None
        self._raw = self._in_decode_order = False
        self._first_dts: int | None = None
        self._reorder_delay: int | None = None
        self._frame_number: int | None = None
        self._declared_end_us: int | None = None
        self._decoded = self._sampled = self._damaged = 0
        self._problems: list[str] = []
        self._failure: str | None = None

    def __iter__(self) -> Iterator[Frame]:
        if self._clock is not None or self._failure is not None:
            raise RuntimeError("a VideoReader reads its recording once: make a new one")
        try:
            container, stream = open_video(self.recording.path)
        except VideoError as error:
            self._failure = str(error)
            if error.duration_s is not None:
                self._declared_end_us = self._start_us + round(error.duration_s * MICROSECONDS)
            return
        with container:
            self._read_header(container, stream)
            yield from self._sample(container, stream)
        if self._clock is not None and self._clock.placed == 0:
            self._failure = f"{self._name}: no picture could be decoded ({stream.codec_context.name})"

    @property
    def position_us(self) -> int | None:
        """Time of the last decoded frame, also of one that was not asked for."""
        return self._coverage.last_us

    @property
    def report(self) -> VideoReport:
        """What was read so far: complete once the iteration has ended."""
        account = copy.deepcopy(self._coverage)
        end_us = account.close(self._declared_end_us, self._interval_us, self._failure or "the recording ends early")
        total_s = (end_us - account.from_us) / MICROSECONDS
        seen_s = total_s - account.seconds_missing()
        return VideoReport(
            path=self.recording.path,
            camera=self.recording.camera,
            start_us=account.from_us,
            end_us=end_us,
            frames_decoded=self._decoded,
            frames_sampled=self._sampled,
            seconds_seen=seen_s,
            gaps=tuple(account.gaps),
            problems=tuple(self._all_problems(account.gaps, seen_s, total_s)),
            timestamps="assumed" if self._raw or (self._clock is not None and self._clock.assumed) else "container",
        )

    def _read_header(self, container: InputContainer, stream: VideoStream) -> None:
        self._raw = container.format.name in RAW_FORMATS
        self._in_decode_order = container.format.name == "avi"
        rate = stream.guessed_rate or stream.average_rate
        if not self._raw and rate and Fraction(1, 2) <= rate <= 240:
            self._interval_us = round(MICROSECONDS / rate)
        seconds = None if self._raw else declared_seconds(container, stream)
        if seconds is not None:
            self._declared_end_us = self._start_us + round(seconds * MICROSECONDS)
        time_base = stream.time_base or Fraction(1, MICROSECONDS)
        self._clock = PresentationClock(self._start_us, time_base, stream.start_time, self._interval_us)

    def _sample(self, container: InputContainer, stream: VideoStream) -> Iterator[Frame]:
        assert self._clock is not None
        self._seek(container, stream)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = self._threads
        width, height = stream.codec_context.width, stream.codec_context.height
        reformatter = VideoReformatter()
        for picture in self._decode(container, stream):
            time_us = self._clock.place(self._stamp(picture))
            self._coverage.frame(time_us, self._interval_us)
            if self._coverage.to_us is not None and time_us >= self._coverage.to_us:
                return
            taken = self._grid.takes(time_us)
            if time_us < self._coverage.from_us:
                continue
            self._decoded += 1
            self._damaged += bool(picture.is_corrupt)
            if taken:
                self._sampled += 1
                self._check_size(picture, width, height)
                key, changed = self._motion.look(time_us, picture) if self._motion else (True, None)
                if changed is None or key or changed.any():
                    rgb = reformatter.reformat(picture, width=width, height=height, format="rgb24", threads=1)
                    image = rgb.to_ndarray()
                yield Frame(time_us, image, key, changed)

    def _seek(self, container: InputContainer, stream: VideoStream) -> None:
        """Go to the key frame before the part asked for, where the file allows it."""
        offset_us = self._coverage.from_us - PREROLL_US - self._start_us
        if offset_us <= 0 or container.format.name not in SEEKABLE_FORMATS:
            return
        if stream.start_time is None or stream.time_base is None:
            return
        try:
            container.seek(stream.start_time + int(offset_us / stream.time_base / MICROSECONDS), stream=stream)
        except av.FFmpegError:  # no index, a cut AVI say: the part is reached by reading on from the start
            return

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        """Decoded frames in order of presentation, over every read and decode error that leaves something to read."""
        errors_in_a_row = 0
        while errors_in_a_row < READ_ERRORS_IN_A_ROW:
            try:
                for packet in container.demux(stream):
                    if self._first_dts is None:
                        self._first_dts = packet.dts
                    try:
                        pictures = packet.decode()
                    except av.FFmpegError:
                        self._damaged += 1
                        continue
                    errors_in_a_row = 0
                    yield from pictures
                return
            except av.FFmpegError as error:
                if errors_in_a_row == 0:
                    self._note_once(f"{self._name}: error while reading: {error.strerror}")
                errors_in_a_row += 1
        try:
            yield from stream.codec_context.decode(None)
        except av.FFmpegError:
            self._damaged += 1

    def _stamp(self, picture: av.VideoFrame) -> int | None:
        """Presentation timestamp; AVI has frame numbers in order of decoding only, so they are counted back."""
        if self._raw:
            return None
        if not self._in_decode_order:
            return picture.pts if picture.pts is not None else picture.dts
        if picture.dts is None or self._first_dts is None:
            self._frame_number = None if self._frame_number is None else self._frame_number + 1
        else:
            if self._reorder_delay is None:
                self._reorder_delay = picture.dts - self._first_dts
            self._frame_number = picture.dts - self._reorder_delay
        return self._frame_number

    def _check_size(self, picture: av.VideoFrame, width: int, height: int) -> None:
        if (picture.width, picture.height) != (width, height):
            self._note_once(
                f"{self._name}: the picture changes from {width}x{height} to {picture.width}x{picture.height} on the"
                " way; it is scaled to the first size, and places are wrong if the camera was set up anew"
            )

    def _all_problems(self, gaps: list[Gap], seen_s: float, total_s: float) -> Iterator[str]:
        if self._failure is not None:
            yield self._failure
        elif gaps:
            share = int(100 * seen_s / total_s)
            yield f"{self._name}: read {share} % of {total_s:.1f} s; {gaps[0].reason}; gaps: {len(gaps)}"
        yield from self._problems
        if self._damaged:
            yield f"{self._name}: {self._damaged} damaged pictures"
        if self._raw:
            yield f"{self._name}: no timestamps in the file; {MICROSECONDS / self._interval_us:g} frames/s assumed"
        elif self._clock is not None and self._clock.missing + self._clock.not_increasing:
            yield (
                f"{self._name}: {self._clock.missing} frames without a timestamp, {self._clock.not_increasing} not"
                " later than the frame before; placed one frame interval after it"
            )

    @property
    def _name(self) -> str:
        return os.path.basename(self.recording.path)

    def _note_once(self, problem: str) -> None:
        if problem not in self._problems:
            self._problems.append(problem)
