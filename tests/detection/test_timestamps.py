from __future__ import annotations

from fractions import Fraction

import pytest

from detection.timestamps import PresentationClock, SamplingGrid


def place(stamps: list[int | None]) -> tuple[list[int], PresentationClock]:
    clock = PresentationClock(1_000_000, Fraction(1, 1000), None, 40_000)
    return [(clock.place(stamp) - 1_000_000) // 1000 for stamp in stamps], clock


@pytest.mark.case("PyAV 1105, 493")
@pytest.mark.parametrize(
    ("stamps", "expected", "mended"),
    [
        ([0, 40, 90, 200], [0, 40, 90, 200], 0),
        ([0, 40, 80, 0, 0, 0, 240, 280], [0, 40, 80, 120, 160, 200, 240, 280], 3),
        ([5000, 5040, 0, 50, 90], [0, 40, 80, 130, 170], 1),
        ([0, 40, None, None, 160], [0, 40, 80, 120, 160], 2),
        ([0, 40, 40, 80, 120], [0, 40, 80, 100, 120], 2),
    ],
    ids=["variable", "burst of zeros", "clock restarts", "missing", "repeated"],
)
def test_times_only_increase(stamps, expected, mended):
    times, clock = place(stamps)
    assert times == expected
    assert clock.missing + clock.not_increasing == mended
    assert not clock.assumed


@pytest.mark.parametrize("stamps", [[0] * 10, [None] * 10])
def test_a_stream_without_usable_stamps_runs_at_the_assumed_rate_and_says_so(stamps):
    times, clock = place(stamps)
    assert times == list(range(0, 400, 40))
    assert clock.assumed


def test_grid_takes_the_first_frame_at_or_after_each_grid_time():
    grid = SamplingGrid(2)
    times_ms = [0, 300, 499, 501, 800, 1600, 1900, 2000, 2100]
    assert [time for time in times_ms if grid.takes(time * 1000)] == [0, 499, 1600, 2000]


def test_grid_is_the_same_wherever_reading_starts():
    times_us = [number * 1_000_000 // 30 for number in range(300)]
    whole = SamplingGrid(7)
    chosen = [time for time in times_us if whole.takes(time)]
    later = SamplingGrid(7)
    from_second = [time for time in times_us[29:] if later.takes(time)]
    assert from_second[1:] == [time for time in chosen if time > from_second[0]]
    assert len(chosen) == 70


def test_a_rate_of_zero_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        SamplingGrid(0)
