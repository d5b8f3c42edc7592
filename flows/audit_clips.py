"""The clip of a question: what was recorded of a camera in a span of time, as an MP4 that a browser plays."""

from __future__ import annotations

import os
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from detection.heads import coarse
from detection.isolated import IsolatedReader
from detection.video import Recording
from flows.audit import AuditError, Question
from flows.config import StoreConfig
from flows.places import SECOND_US
from flows.recordings import find_camera_day

FPS = 5
WIDTH = 640
DETAIL = 320
"""Pixels that are left across the picture: enough to count people, too few to know one, detected or not."""


def write_clip(config: StoreConfig, store_file: Path, question: Question, target: Path) -> Path:
    """Write a question's clip: H.264, 640 pixels wide, 5 pictures a second, black where nothing was recorded. It is as
    coarse as if it were half as wide, so that nobody's face can be told.

    It is made anew rather than cut out, since few browsers play what recorders write. Whoever calls it removes it.

    Raises:
        AuditError: the recording is there no longer.
    """
    camera = next(camera for camera in config.cameras if camera.id == question.camera)
    files = find_camera_day(config, store_file.parent, camera, question.day).files
    own = [f for f in files if f.start_us < question.end_us and (f.end_us or question.end_us) > question.start_us]
    if not own:
        raise AuditError(f"the recording of {question.camera} on {question.day} is there no longer; ask another one")
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".clip-", suffix=".mp4", dir=target.parent)
    os.close(handle)
    try:
        _encode(own, question, config.recordings.assumed_fps, Path(name))
        os.replace(name, target)
    finally:
        Path(name).unlink(missing_ok=True)
    return target


def _encode(files, question: Question, assumed_fps: float, target: Path) -> None:
    with av.open(str(target), "w", options={"movflags": "faststart"}) as video:
        stream = video.add_stream("libx264", rate=Fraction(FPS), options={"crf": "28", "preset": "veryfast"})
        stream.pix_fmt, stream.width, stream.height = "yuv420p", WIDTH, 0
        at = -1
        for file in files:
            reader = IsolatedReader(
                Recording(file.path, question.camera, file.start_us),
                FPS,
                from_us=question.start_us,
                to_us=question.end_us,
                assumed_fps=assumed_fps,
            )
            for frame in reader:
                if not stream.height:
                    stream.height = round(WIDTH * frame.image.shape[0] / frame.image.shape[1] / 2) * 2
                number = round((frame.time_us - question.start_us) * FPS / SECOND_US)
                while at + 1 < number:  # a hole: dark, as long as it was
                    at += 1
                    _mux(video, stream, np.zeros((stream.height, WIDTH, 3), np.uint8), at)
                if number > at:
                    at = number
                    _mux(video, stream, frame.image, at)
        if at < 0:
            raise AuditError(f"no picture of {question.camera} could be read in this span; ask another one")
        video.mux(stream.encode(None))


def _mux(video, stream, image: np.ndarray, number: int) -> None:
    nobody = coarse(image, DETAIL)
    picture = av.VideoFrame.from_ndarray(nobody, format="rgb24").reformat(WIDTH, stream.height, "yuv420p")
    picture.pts, picture.time_base = number, Fraction(1, FPS)
    video.mux(stream.encode(picture))
