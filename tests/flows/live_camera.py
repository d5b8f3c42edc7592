"""A camera on loopback that sends MPEG-TS over HTTP in real time, and can be cut off, fall silent and come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np

FPS, SECONDS, STEP_S = 10, 20, 0.1


class LiveCamera:
    """Each connection gets the same clip from its start, as fast as it was taken."""

    def __init__(self, folder: Path, port: int) -> None:
        self.clip, self.port = folder / "live.ts", port
        self.silent = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._cut = threading.Event()
        noise = np.random.default_rng(0)
        options = {"g": "5", "preset": "ultrafast", "tune": "zerolatency"}
        with av.open(str(self.clip), "w", format="mpegts") as video:
            stream = video.add_stream("libx264", rate=FPS, options=options)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            for number in range(FPS * SECONDS):
                picture = noise.integers(0, 255, (64, 96, 3), np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                video.mux(stream.encode(frame))
            video.mux(stream.encode(None))

    @property
    def url(self) -> str:
        return f"http://user:secret@127.0.0.1:{self.port}/live"

    def start(self) -> None:
        self._cut = cut = threading.Event()
        data, silent = self.clip.read_bytes(), self.silent
        piece = len(data) * STEP_S / SECONDS

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "video/mp2t")
                self.end_headers()
                began = time.monotonic()
                for step in range(round(SECONDS / STEP_S)):
                    if cut.is_set():
                        return
                    if not silent.is_set():
                        try:
                            self.wfile.write(data[round(step * piece) : round((step + 1) * piece)])
                        except OSError:
                            return
                    time.sleep(max(0.0, began + (step + 1) * STEP_S - time.monotonic()))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def cut_off(self) -> None:
        """Nobody is connected any more, and nobody can connect."""
        self._cut.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @contextmanager
    def falls_silent(self) -> Iterator[None]:
        """Connections stay open and nothing comes."""
        self.silent.set()
        yield
        self.silent.clear()


def pictures(path: Path) -> list[bytes]:
    """The decoded pictures of a file."""
    with av.open(str(path)) as video:
        return [frame.to_ndarray().tobytes() for frame in video.decode(video=0)]
