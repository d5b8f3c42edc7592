"""Record a live camera (RTSP, HTTP, whatever FFmpeg reads) into segment files named by time.

The time of a frame is the moment its stream began, by this machine's clock, plus its timestamp. What a stream sends at
once when it is opened was taken before, so the moment is that of the packet that was least delayed in the first
`SETTLE_S`. Where frames then run ahead of the clock, or stay behind it longer than a slow network explains (a camera's
clock that jumps), a new segment begins with a new moment. A stream that breaks, or says nothing for `timeout_s`, is
opened again until it is back, and the time between is a gap with its reason.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.packet import Packet
from av.video.stream import VideoStream

from detection.segments import Segment, SegmentError
from detection.timestamps import MICROSECONDS

AHEAD_S, BEHIND_S = 5.0, 5.0
"""How far a frame's time may be from the machine's; behind it, on top of the time-out."""

SETTLE_S = 0.5
LONGEST_WAIT_S = 30.0
ANALYSIS_S = 5.0
"""For so long FFmpeg may look at a stream before it knows what is in it."""


@dataclass(frozen=True)
class RecordingGap:
    """Time without pictures, [start_us, end_us) UTC microseconds, and why."""

    start_us: int
    end_us: int
    reason: str


@dataclass
class RecorderState:
    """What a recorder is doing, for people and watchdogs.

    `state`: connecting, recording, waiting (before the next try) or stopped. `alive`: monotonic clock of the last sign
    of life. `last_us`: UTC of the newest frame. `problem`: the last reason for not recording.
    """

    state: str = "connecting"
    alive: float = 0.0
    last_us: int | None = None
    segment: str = ""
    segments: int = 0
    packets: int = 0
    bytes: int = 0
    reconnects: int = 0
    gaps: int = 0
    lost_s: float = 0.0
    problem: str = ""


class StreamRecorder:
    """Records one stream until it is told to stop.

    Args:
        url: what FFmpeg opens.
        target: the path of a segment whose first frame has the given UTC microseconds; its suffix is the container.
        segment_s: segments begin at the first key frame after a multiple of it.
        timeout_s: a stream that says nothing for so long is opened again.
        first_wait_s: seconds before the second try; doubled for each further one, up to `LONGEST_WAIT_S`.
        on_gap: told of each gap once it is over.
        on_segment: told of each complete segment.
        last_us: UTC of the newest frame of an earlier run, from which on pictures are missing.
    """

    def __init__(
        self,
        url: str,
        target: Callable[[int], Path],
        *,
        segment_s: float = 900,
        timeout_s: float = 10,
        first_wait_s: float = 1,
        on_gap: Callable[[RecordingGap], None] = lambda gap: None,
        on_segment: Callable[[Path], None] = lambda path: None,
        last_us: int | None = None,
    ) -> None:
        self.url, self._target = url, target
        self._segment_us = round(segment_s * MICROSECONDS)
        self._timeout_s, self._first_wait_s = timeout_s, first_wait_s
        self._on_gap, self._on_segment = on_gap, on_segment
        self.state = RecorderState(last_us=last_us, problem="the recorder was not running" if last_us else "")
        self._interrupted = True
        self._segment: Segment | None = None

    def run(self, stop: threading.Event) -> None:
        """Record until `stop` is set; the segment under way is completed then."""
        wait_s = self._first_wait_s
        while not stop.is_set():
            packets = self.state.packets
            self._alive("connecting")
            try:
                self._record(stop)
                problem = "the stream ended"
            except SegmentError as error:
                problem = str(error)
            except av.error.ExitError:
                problem = f"timed out: the stream said nothing for {self._timeout_s:g} s"
            except (av.FFmpegError, OSError) as error:
                problem = hide_password(getattr(error, "strerror", None) or str(error))
            finally:
                self._close()
            if stop.is_set():
                break
            self.state.reconnects += not self._interrupted
            self._interrupted, self.state.problem = True, problem
            wait_s = self._first_wait_s if self.state.packets > packets else min(2 * wait_s, LONGEST_WAIT_S)
            self._wait(stop, wait_s)
        self._alive("stopped")

    def _record(self, stop: threading.Event) -> None:
        options = {"fpsprobesize": "0"} | ({"rtsp_transport": "tcp"} if self.url.startswith("rtsp") else {})
        timeout = (self._timeout_s + ANALYSIS_S, self._timeout_s)
        with av.open(self.url, timeout=timeout, options=options) as container:
            if not container.streams.video:
                raise OSError("there is no video in the stream")
            stream = container.streams.video[0]
            for packet, time_us in self._timed(container.demux(stream), stop):
                self._take(packet, time_us, stream)

    def _timed(self, packets: Iterator[Packet], stop: threading.Event) -> Iterator[tuple[Packet, int]]:
        """Packets with their UTC, from a key frame on."""
        settled: _Settled | None = None
        settling = _Settling()
        for packet in packets:
            if stop.is_set():
                break
            if packet.pts is None or packet.dts is None or packet.time_base is None:
                continue
            self._alive(self.state.state)
            own_us = round(packet.pts * packet.time_base * MICROSECONDS)
            now_us = time.time_ns() // 1000
            if settled is not None and self._astray(settled.began_us + own_us - now_us):
                settled, settling = None, _Settling()
                self._close()
            if settled is None:
                settled = settling.take(packet, own_us, now_us)
                if settled is not None:
                    yield from settled.packets(self.state.last_us)
            else:
                yield packet, settled.began_us + own_us
        if settled is None:
            yield from settling.settle().packets(self.state.last_us)

    def _astray(self, ahead_us: int) -> bool:
        return not -(BEHIND_S + self._timeout_s) * MICROSECONDS < ahead_us < AHEAD_S * MICROSECONDS

    def _take(self, packet: Packet, time_us: int, stream: VideoStream) -> None:
        if packet.is_keyframe and (
            self._segment is None or time_us // self._segment_us != self._segment.start_us // self._segment_us
        ):
            self._close()
            self._segment = Segment(self._target(time_us), stream, time_us)
            self.state.segment = self._segment.target.name
        if self._segment is None:
            return
        size = packet.size
        self._segment.write(packet)
        if self._interrupted:
            self._gap_until(time_us)
        self._alive("recording")
        self.state.packets += 1
        self.state.bytes += size
        self.state.last_us = max(time_us, self.state.last_us or 0)

    def _gap_until(self, time_us: int) -> None:
        """The stream is back: what was missing since the newest frame is a gap."""
        self._interrupted = False
        if self.state.last_us is None:
            return
        self.state.gaps += 1
        self.state.lost_s += (time_us - self.state.last_us) / MICROSECONDS
        self._on_gap(RecordingGap(self.state.last_us, time_us, self.state.problem))

    def _close(self) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        try:
            path = segment.finish()
        except SegmentError as error:  # NAME.part is kept, and completed by the next start
            self.state.problem = str(error)
            return
        if path is not None:
            self.state.segments += 1
            self._on_segment(path)

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not stop.is_set() and time.monotonic() < until:
            self._alive("waiting")
            stop.wait(min(0.5, seconds))

    def _alive(self, state: str) -> None:
        self.state.state, self.state.alive = state, time.monotonic()


class _Settling:
    """Packets that wait for the moment their stream began to be known, from the first key frame on."""

    def __init__(self) -> None:
        self._held: list[tuple[Packet, int]] = []
        self._least_us: int | None = None
        self._until_us = 0

    def take(self, packet: Packet, own_us: int, now_us: int) -> _Settled | None:
        if self._least_us is None:
            if not packet.is_keyframe:
                return None
            self._least_us, self._until_us = now_us - own_us, now_us + round(SETTLE_S * MICROSECONDS)
        self._least_us = min(self._least_us, now_us - own_us)
        self._held.append((packet, own_us))
        return self.settle() if now_us >= self._until_us else None

    def settle(self) -> _Settled:
        return _Settled(self._least_us or 0, self._held)


@dataclass
class _Settled:
    """The UTC of a stream's timestamp 0, and the packets that waited for it."""

    began_us: int
    held: list[tuple[Packet, int]]

    def packets(self, after_us: int | None) -> Iterator[tuple[Packet, int]]:
        """The packets with their UTC. No two of a recording overlap: all times are later than `after_us`."""
        if self.held and after_us is not None:
            self.began_us = max(self.began_us, after_us + 1 - self.held[0][1])
        for packet, own_us in self.held:
            yield packet, self.began_us + own_us
        self.held = []


def hide_password(text: str) -> str:
    """Without the user and the password of addresses in it."""
    return re.sub(r"(\w+://)[^/@\s]+@", r"\1", text)
