"""Time of a frame: presentation timestamps made into UTC microseconds that only ever increase, and the sampling grid.

Recorders restart their clock, stamp bursts of frames with zero or with nothing, and raw streams have no time at all.
What follows in the project (tracks, visits, Parquet) needs times that are unique and in order, so this is where each
such stamp is mended, counted and later reported: a mended stamp is never silent.
"""

from __future__ import annotations

from fractions import Fraction

MICROSECONDS = 1_000_000
# Matroska and many recorders round stamps to a millisecond: a frame at 33 ms is the frame of grid time 33.333 ms.
GRID_TOLERANCE_US = 1_000
SMALL_DELAY_FRAMES = 3


class PresentationClock:
    """Presentation timestamps to strictly increasing UTC microseconds.

    A stamp that is missing, or not later than the frame before, is replaced by the time of the frame before plus one
    frame interval. Where a clock restarted, the frames after it keep their distances from each other: the whole rest
    is moved. The file's own clock is taken up again as soon as it gives a time that fits and is nearer.

    Args:
        start_us: UTC time of the stream's first timestamp.
        time_base: seconds per timestamp unit.
        first_pts: timestamp that `start_us` belongs to; None: the first one seen.
        interval_us: nominal time between two frames, used where stamps can't be.
    """

    def __init__(self, start_us: int, time_base: Fraction, first_pts: int | None, interval_us: int) -> None:
        self.start_us = start_us
        self.time_base = time_base
        self.first_pts = first_pts
        self.interval_us = interval_us
        self.missing = 0
        self.not_increasing = 0
        self.placed = 0
        self._shift_us = 0
        self._last_us: int | None = None
        self._last_pts: int | None = None

    def place(self, pts: int | None) -> int:
        """UTC microseconds of the next frame in presentation order, later than every time returned before."""
        self.placed += 1
        if pts is None:
            self.missing += 1
            time_us = self.start_us if self._last_us is None else self._last_us + self.interval_us
        else:
            time_us = self._from_stamp(pts)
        self._last_us = time_us
        return time_us

    def _from_stamp(self, pts: int) -> int:
        if self.first_pts is None:
            self.first_pts = pts
        own_us = self.start_us + round((pts - self.first_pts) * self.time_base * MICROSECONDS)
        ticking = self._last_pts is not None and pts > self._last_pts
        self._last_pts = pts
        if self._last_us is None:
            return own_us
        shifted_us = own_us + self._shift_us
        if own_us > self._last_us:
            time_us = min(own_us, shifted_us) if shifted_us > self._last_us else own_us
        elif ticking and self._shift_us and self._last_us - own_us < SMALL_DELAY_FRAMES * self.interval_us:
            # A stamp was repeated and put one interval later; half intervals bring the file's own clock back.
            self.not_increasing += 1
            time_us = self._last_us + self.interval_us // 2
        elif shifted_us > self._last_us:
            time_us = shifted_us
        else:
            self.not_increasing += 1
            time_us = self._last_us + self.interval_us
        self._shift_us = time_us - own_us
        return time_us

    @property
    def assumed(self) -> bool:
        """Whether times come from an assumed frame rate: most frames had no usable stamp of their own."""
        return 2 * (self.missing + self.not_increasing) > self.placed


class SamplingGrid:
    """Choice of frames by time: of each grid time (a multiple of 1/fps since the epoch) the first frame at or after it.

    The grid is absolute, so a recording read whole and read in parts chooses the same frames. Frames up to
    `GRID_TOLERANCE_US` early count as on time, because containers round.
    """

    def __init__(self, sample_fps: float) -> None:
        if not sample_fps > 0:
            raise ValueError(f"frames per second to sample must be above 0, not {sample_fps}")
        self._fps = Fraction(sample_fps).limit_denominator(10_000)
        self._last_index: int | None = None

    def takes(self, time_us: int) -> bool:
        """Whether the frame at `time_us` is sampled; call for every decoded frame, in order."""
        index = (time_us + GRID_TOLERANCE_US) * self._fps.numerator // (self._fps.denominator * MICROSECONDS)
        taken = self._last_index is None or index > self._last_index
        self._last_index = index
        return taken
