"""Which part of a recording was seen: gaps between frames, and before and after them."""

from __future__ import annotations

from dataclasses import dataclass

MICROSECONDS = 1_000_000
# A stream may end this much before its declared duration without being called cut off.
END_TOLERANCE_US = 500_000


@dataclass(frozen=True)
class Gap:
    """A stretch of the recording, [start_us, end_us) UTC microseconds, that gave no pictures, and why."""

    start_us: int
    end_us: int
    reason: str


class Coverage:
    """Account of the frames of a part of a recording, in order of time.

    A frame stands for the time until the next one, or for one frame interval (the one before it, at most the nominal
    one) where that comes more than `max_gap_us` later: the rest is a gap. Frames outside the part may be given; they
    tell where its first gap begins.

    Args:
        from_us: start of the part.
        to_us: its end; None: the end of the recording.
        max_gap_us: longest time between two frames that is no gap.
    """

    def __init__(self, from_us: int, to_us: int | None, max_gap_us: int) -> None:
        self.from_us = from_us
        self.to_us = to_us
        self.max_gap_us = max_gap_us
        self.gaps: list[Gap] = []
        self.last_us: int | None = None
        self._before_us: int | None = None

    def frame(self, time_us: int, interval_us: int) -> None:
        """Account for a decoded frame; `interval_us` is the nominal time to the next."""
        if self.last_us is None:
            self._add(self.from_us, time_us, "no pictures at the start", self.max_gap_us)
        elif time_us - self.last_us > self.max_gap_us:
            self._add(self._shown_until(interval_us), time_us, "no pictures", 0)
        self._before_us, self.last_us = self.last_us, time_us

    def close(self, declared_end_us: int | None, interval_us: int, reason: str) -> int:
        """Account for what should follow the last frame and return the end of the part.

        The end is the declared one, or the last frame's where that is later or nothing is declared. Where there was
        no frame at all, it is what was asked for.
        """
        seen_us = None if self.last_us is None else self._shown_until(interval_us)
        ends = [end for end in (declared_end_us, seen_us) if end is not None]
        end_us = max(ends) if ends else self.to_us if self.to_us is not None else self.from_us
        if self.to_us is not None:
            end_us = min(end_us, self.to_us)
        end_us = max(end_us, self.from_us)
        start_us = self.from_us if seen_us is None else max(seen_us, self.from_us)
        self._add(start_us, end_us, reason, 0 if seen_us is None else END_TOLERANCE_US)
        return end_us

    def seconds_missing(self) -> float:
        return sum(gap.end_us - gap.start_us for gap in self.gaps) / MICROSECONDS

    def _shown_until(self, interval_us: int) -> int:
        assert self.last_us is not None
        if self._before_us is not None:
            interval_us = min(interval_us, self.last_us - self._before_us)
        return self.last_us + interval_us

    def _add(self, start_us: int, end_us: int, reason: str, tolerance_us: int) -> None:
        start_us = max(start_us, self.from_us)
        if self.to_us is not None:
            end_us = min(end_us, self.to_us)
        if end_us - start_us > tolerance_us:
            self.gaps.append(Gap(start_us, end_us, reason))
