"""The process that recordings are decoded in: `python -m detection.decoder_child TASK`: read, probe or picture.

A recording is untrusted input, and a decoder's mistake must end this process at most. It reads one JSON line a request
on its standard input, and answers on its standard output in messages: a head (`HEAD`), then as many bytes as that says.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import resource
import struct
import sys
import threading
from dataclasses import asdict

import numpy as np

from detection.container import VideoError, probe
from detection.guarded_picture import PictureRefused, decode_picture
from detection.video import Frame, Recording, VideoReader

HEAD = struct.Struct("<cqII")
"""Kind, time in UTC microseconds, height and width of a frame; or kind, 0, 0 and the length of a JSON text.

A key frame and one in part are followed by the cells that changed since the last key frame, a byte each, and then by
the picture, like a plain frame; a still one, in which nothing did, by nothing.
"""
KEY, PART, STILL = b"K", b"C", b"S"
FRAME, REPORT, ALIVE, PROBED, ERROR = b"F", b"R", b"A", b"P", b"E"
ALIVE_EVERY_S = 5.0
LARGEST_MEMORY = 8 << 30


def main(task: str) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (LARGEST_MEMORY, LARGEST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = _Answers()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if task == "probe":
                answers.text(PROBED, asdict(probe(request["path"])))
            elif task == "picture":
                answers.frame(0, decode_picture(base64.b64decode(request["data"])))
            else:
                _read(request, answers)
        except VideoError as error:
            answers.text(ERROR, {"message": str(error), "duration_s": error.duration_s})
        except PictureRefused as error:
            answers.text(ERROR, {"message": str(error)})


def _read(request: dict, answers: _Answers) -> None:
    reader = VideoReader(Recording(**request["recording"]), **request["options"])
    done = threading.Event()
    threading.Thread(target=_tell_alive, args=(reader, answers, done), daemon=True).start()
    try:
        for frame in itertools.islice(reader, request.get("most")):
            answers.compared(frame)
    finally:
        done.set()
    answers.text(REPORT, asdict(reader.report))


def _tell_alive(reader: VideoReader, answers: _Answers, done: threading.Event) -> None:
    """Say now and then that the reader gets on, while it passes over what was not asked for."""
    before = None
    while not done.wait(ALIVE_EVERY_S):
        if reader.position_us != before:
            before = reader.position_us
            answers.send(HEAD.pack(ALIVE, 0, 0, 0), b"")


class _Answers:
    """Standard output, one message at a time. What libraries print goes to standard error."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def frame(self, time_us: int, image: np.ndarray) -> None:
        self.send(HEAD.pack(FRAME, time_us, image.shape[0], image.shape[1]), image.data.cast("B"))

    def compared(self, frame: Frame) -> None:
        if frame.changed is None:
            return self.frame(frame.time_us, frame.image)
        if not (frame.key or frame.changed.any()):
            return self.send(HEAD.pack(STILL, frame.time_us, 0, 0), b"")
        head = HEAD.pack(KEY if frame.key else PART, frame.time_us, *frame.image.shape[:2])
        self.send(head + frame.changed.tobytes(), frame.image.data.cast("B"))

    def text(self, kind: bytes, content: dict) -> None:
        data = json.dumps(content).encode()
        self.send(HEAD.pack(kind, 0, 0, len(data)), data)

    def send(self, head: bytes, data: bytes | memoryview) -> None:
        with self._lock:
            for part in (memoryview(head), memoryview(data)):
                while len(part):
                    part = part[self._out.write(part) :]


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except BrokenPipeError:  # nobody wants the rest
        os._exit(0)
