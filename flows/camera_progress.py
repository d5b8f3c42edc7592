"""How far each camera's day is, and when it will be through, from the chunks that are done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from flows.lake_files import open_files
from flows.plan import Plan


@dataclass(frozen=True)
class CameraState:
    """A camera's share done in percent, and that and the time left in words."""

    camera: str
    percent: float
    text: str


class CameraProgress:
    """Told of each finished chunk of a plan; chunks are taken to be started in the plan's order, cameras one by one.

    A chunk weighs its seconds of video. Chunks that an earlier run finished count as done and say nothing of the speed.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._plan, self._clock, self._began = plan, clock, clock()
        found = set(open_files(plan.work).names(""))
        lengths = [chunk.seconds for chunk in plan.chunks]
        known = [length for length in lengths if length is not None]
        typical = sum(known) / len(known) if known else 1.0
        self._weight = [typical if length is None else length for length in lengths]
        self._new = [chunk.file_name not in found for chunk in plan.chunks]
        self._done = [not new for new in self._new]

    def finished(self, number: int) -> CameraState:
        """Chunk `number` of the plan is done: the state of its camera."""
        self._done[number] = True
        return self.state(self._plan.chunks[number].camera)

    def state(self, camera: str) -> CameraState:
        """A camera's state now."""
        own = [number for number, chunk in enumerate(self._plan.chunks) if chunk.camera == camera]
        total = sum(self._weight[number] for number in own)
        done = sum(self._weight[number] for number in own if self._done[number])
        percent = 100 * done / total if total else 100.0
        text = f"{camera}: {done:,.0f} of {total:,.0f} s of video"
        if done < total:
            text += f", {self._time_left(own[-1])}"
        return CameraState(camera, percent, text)

    def _time_left(self, last: int) -> str:
        """Until chunk `last` is done: all that is before it in the plan comes first."""
        processed = sum(w for w, new, done in zip(self._weight, self._new, self._done, strict=True) if new and done)
        if not processed:
            return "time left not known yet"
        left = sum(self._weight[number] for number in range(last + 1) if not self._done[number])
        seconds = left * (self._clock() - self._began) / processed
        return f"about {seconds / 60:,.0f} min left" if seconds >= 90 else f"about {seconds:,.0f} s left"
