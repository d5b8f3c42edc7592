"""Recordings and uploads decoded in a process of their own, which may die or hang without taking the job along.

`IsolatedReader` gives what `detection.video.VideoReader` gives, `first_frames` one frame of each of many,
`probe` what `detection.container.probe` does, `decode_picture` what `detection.guarded_picture.decode_picture` does. A
file that kills the decoder (or makes it stand still for `STALL_S`) is a file that could be read up to there: the report
says so, and the missing time is a gap. What comes from the other process is checked before it is used: it may have
been taken over by the file that it read.
"""

from __future__ import annotations

import atexit
import base64
import fcntl
import json
import math
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from detection.container import VideoError, VideoInfo
from detection.coverage import Gap
from detection.decoder_child import ALIVE, ERROR, FRAME, HEAD, KEY, PART, PROBED, REPORT, STILL
from detection.guarded_picture import MOST_BYTES, PictureRefused, refuse_large
from detection.motion import GRID
from detection.timestamps import MICROSECONDS
from detection.video import Frame, Recording, VideoReport

STALL_S = 120.0
LARGEST_PICTURE = 100_000_000
LONGEST_TEXT = 10_000_000
PIPE_BYTES = 1 << 20


class DecoderDied(VideoError):
    """The decoding process ended by itself, stood still, or answered nonsense."""


class IsolatedReader:
    """Sampled frames of one recording, decoded in another process. Iterate once; arguments as for `VideoReader`."""

    def __init__(self, recording: Recording, sample_fps: float, **options: Any) -> None:
        self.recording = recording
        self._request = {"recording": asdict(recording), "options": {"sample_fps": sample_fps, **options}}
        self._report: VideoReport | None = None
        self._seen = 0
        self._last_us: int | None = None
        self._death: str | None = None

    def __iter__(self) -> Iterator[Frame]:
        child = _Child("read")
        try:
            child.ask(self._request)
            while True:
                kind, time_us, content = child.answer()
                if kind == FRAME:
                    self._seen, self._last_us = self._seen + 1, time_us
                    yield content
                elif kind == REPORT:
                    self._report = _report(content)
                    return
                elif kind == ERROR:
                    raise VideoError(content["message"], content["duration_s"])
        except DecoderDied as error:
            self._death = f"{os.path.basename(self.recording.path)}: {error}; what follows in this file is missing"
        finally:
            child.close()

    @property
    def report(self) -> VideoReport:
        """What was read: complete once the iteration has ended."""
        if self._report is not None:
            return self._report
        options = self._request["options"]
        start_us = int(options.get("from_us") or self.recording.start_us or 0)
        read_us = start_us if self._last_us is None else self._last_us
        end_us = int(options.get("to_us") or read_us)
        problem = self._death or f"{os.path.basename(self.recording.path)}: not read to its end"
        return VideoReport(
            path=self.recording.path,
            camera=self.recording.camera,
            start_us=start_us,
            end_us=end_us,
            frames_decoded=self._seen,
            frames_sampled=self._seen,
            seconds_seen=(read_us - start_us) / MICROSECONDS,
            gaps=(Gap(read_us, end_us, "the decoder died"),) if end_us > read_us else (),
            problems=(problem,),
            timestamps="container",
        )


def first_frames(requests: Iterable[tuple[Recording, float, dict[str, Any]]]) -> Iterator[Frame | None]:
    """The first frame of each request (the arguments of `IsolatedReader`), None where there is none to be had.

    One process decodes them all; where a file kills it, the next request gets another one.
    """
    child: _Child | None = None
    try:
        for recording, sample_fps, options in requests:
            child = child or _Child("read")
            asked = {"recording": asdict(recording), "options": {"sample_fps": sample_fps, **options}, "most": 1}
            frame = None
            try:
                child.ask(asked)
                while (answer := child.answer())[0] not in (REPORT, ERROR):
                    if answer[0] == FRAME:
                        frame = answer[2]
            except DecoderDied:
                child.close()
                child = None
            yield frame
    finally:
        if child is not None:
            child.close()


def probe(path: str) -> VideoInfo:
    """Size, rate, duration and codec of a video, from its header, read in another process. Raises VideoError."""
    with _probing:
        child = _probers.pop() if _probers else _Child("probe")
        try:
            child.ask({"path": path})
            kind, _, content = child.answer()
            if kind == ERROR:
                _probers.append(child)
                raise VideoError(content["message"], content["duration_s"])
            if kind != PROBED:
                raise DecoderDied("the decoder's answer makes no sense")
            info = VideoInfo(**content)
            _probers.append(child)
            return info
        except DecoderDied as error:
            child.close()
            raise VideoError(f"{os.path.basename(path)}: read 0 %: {error}") from None


def read_picture(path: Path) -> np.ndarray:
    """`decode_picture` of a file, of which no more is read than a picture may have. Raises PictureRefused."""
    if not path.is_file():  # a device would never end, and a pipe never begin
        raise PictureRefused(f"{path} is no file")
    with path.open("rb") as file:
        return decode_picture(file.read(MOST_BYTES + 1))


def decode_picture(data: bytes) -> np.ndarray:
    """Pixels of an uploaded picture, uint8 RGB (H, W, 3), decoded in another process. Raises PictureRefused."""
    refuse_large(data)
    child = _Child("picture")
    try:
        child.ask({"data": base64.b64encode(data).decode()})
        kind, _, content = child.answer()
    except DecoderDied as error:
        raise PictureRefused(f"the picture could not be decoded: {error}") from None
    finally:
        child.close()
    if kind != FRAME:
        raise PictureRefused(str(content["message"]))
    return content.image


_probing = threading.Lock()
_probers: list[_Child] = []
os.register_at_fork(after_in_child=_probers.clear)  # a pipe has one reader


@atexit.register
def close_probers() -> None:
    """End the processes that `probe` keeps for its next call; the next ones see this process's environment anew."""
    while _probers:
        _probers.pop().close()


class _Child:
    """A decoding process and its pipes."""

    def __init__(self, task: str) -> None:
        root = str(Path(__file__).resolve().parents[1])
        paths = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "detection.decoder_child", task],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=os.environ | {"PYTHONPATH": paths},
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout.fileno()
        self._picture: np.ndarray | None = None
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            try:
                fcntl.fcntl(self._out, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            except OSError:  # more than this user may have: slower, no worse
                pass

    def ask(self, request: dict[str, Any]) -> None:
        try:
            self._in.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise DecoderDied(self._ending()) from None

    def answer(self) -> tuple[bytes, int, Any]:
        """The next message: its kind (FRAME for all frames), time, and frame or decoded JSON. Raises DecoderDied."""
        kind, time_us, height, width = HEAD.unpack(self._bytes(HEAD.size).tobytes())
        if kind in (FRAME, KEY, PART):
            if not 0 < height * width <= LARGEST_PICTURE:
                raise DecoderDied(f"it gave a picture of {width} x {height}")
            changed = None if kind == FRAME else self._bytes(math.prod(GRID)).reshape(GRID) != 0
            self._picture = self._bytes(height * width * 3).reshape(height, width, 3)
            return FRAME, time_us, Frame(time_us, self._picture, kind != PART, changed)
        if kind == STILL:
            if self._picture is None:
                raise DecoderDied("the decoder's answer makes no sense")
            return FRAME, time_us, Frame(time_us, self._picture, False, np.zeros(GRID, bool))
        if kind == ALIVE:
            return kind, 0, None
        if width > LONGEST_TEXT:
            raise DecoderDied("the decoder's answer makes no sense")
        try:
            return kind, 0, json.loads(self._bytes(width).tobytes())
        except ValueError:
            raise DecoderDied("the decoder's answer makes no sense") from None

    def _bytes(self, count: int) -> np.ndarray:
        data = np.empty(count, np.uint8)
        view, filled = data.data, 0
        while filled < count:
            if not select.select([self._out], [], [], STALL_S)[0]:
                raise DecoderDied(f"the decoder stood still for {STALL_S:.0f} s and was ended")
            got = os.readv(self._out, [view[filled:]])
            if got == 0:
                raise DecoderDied(self._ending())
            filled += got
        return data

    def _ending(self) -> str:
        status = self._process.wait(10)
        return f"the decoder died ({f'signal {-status}' if status < 0 else f'status {status}'})"

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _report(content: dict[str, Any]) -> VideoReport:
    """A report from its JSON. Raises DecoderDied."""
    try:
        gaps = tuple(Gap(**gap) for gap in content.pop("gaps"))
        return VideoReport(**content | {"gaps": gaps, "problems": tuple(map(str, content["problems"]))})
    except (TypeError, KeyError, AttributeError) as error:
        raise DecoderDied(f"the decoder's report makes no sense ({error})") from None
