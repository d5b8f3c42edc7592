"""Seconds by stage of the processing."""

from __future__ import annotations

import time


class Stages:
    """A clock that gives the time since its last lap to a stage. `seconds`: by stage, in order of first lap."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def lap(self, stage: str | None) -> None:
        """The time since the last lap was spent on `stage`; None: on none."""
        now = time.monotonic()
        if stage is not None:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now
