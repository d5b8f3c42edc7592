"""What counts as a change between two pictures, and what doesn't."""

from __future__ import annotations

import numpy as np
import pytest

from detection.motion import GRID, PIXELS, MotionTest, changed_cells

SECOND = 1_000_000
SHAPE = (GRID[0] * PIXELS, GRID[1] * PIXELS)


def shop(noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """A small grey picture of gentle slopes, with a sensor's noise."""
    slopes = np.linspace(60, 180, SHAPE[1])[None] + np.linspace(-30, 30, SHAPE[0])[:, None]
    return np.rint(slopes + np.random.default_rng(seed).normal(0, noise, SHAPE)).clip(0, 255).astype(np.int16)


def with_person(picture: np.ndarray, row: int, column: int, contrast: int = 12) -> np.ndarray:
    """Somebody who covers cells `row`, `row + 1` of one column of cells."""
    picture = picture.copy()
    picture[row * PIXELS : (row + 2) * PIXELS, column * PIXELS : (column + 1) * PIXELS] += contrast
    return picture


def test_somebody_who_moved_changed_where_they_were_and_where_they_are():
    changed = changed_cells(with_person(shop(), 5, 10), with_person(shop(), 5, 12))
    assert sorted(zip(*np.nonzero(changed), strict=True)) == [(5, 10), (5, 12), (6, 10), (6, 12)]


@pytest.mark.parametrize("noise", [0, 0.5, 2, 6])
def test_noise_is_no_change_and_a_person_shows_through_it(noise):
    assert not changed_cells(shop(noise, 1), shop(noise, 2)).any()
    strong = max(12, int(8 * noise))
    assert changed_cells(shop(noise, 1), with_person(shop(noise, 2), 5, 10, strong))[5:7, 10].all()


def test_light_that_fades_is_no_change_and_light_that_falls_from_one_side_is():
    assert not changed_cells(shop(), shop() - 25).any()
    lit = shop()
    lit[:, : SHAPE[1] // 4] += 40
    assert changed_cells(shop(), lit)[:, : GRID[1] // 4].all()


def test_key_pictures_go_by_the_clock_and_some_are_compared_with_nothing():
    test = MotionTest(key_s=2, fresh_s=4)
    halves = range(7 * 2 - 3, 9 * 2)  # of seconds, from 5.5 s
    seen = [test.compare(half * SECOND // 2, with_person(shop(), 5, half)) for half in halves]
    assert [key for key, _ in seen] == [True, True, False, False, False, True, False]
    assert [bool(changed.all()) for _, changed in seen] == [True, False, False, False, False, True, False]


@pytest.mark.parametrize(("key_s", "seen"), [(4, [False] * 4 + [True] * 3), (0, [False] * 4 + [True] + [False] * 2)])
def test_a_slow_walk_is_seen_since_the_key_picture_stays_until_something_changed(key_s, seen):
    test = MotionTest(key_s, fresh_s=8)
    test.compare(0, shop())
    steps = [test.compare(step * SECOND // 5, with_person(shop(), 5, 10, step)) for step in range(1, 8)]
    assert [bool(changed.any()) for _, changed in steps] == seen
    assert [key for key, _ in steps] == ([False] * 7 if key_s else seen)


def test_what_can_be_no_time_between_key_pictures_is_told():
    with pytest.raises(ValueError, match="can't be -1 and 4"):
        MotionTest(-1, 4)
    assert all(MotionTest(0, 4).compare(number, with_person(shop(), 5, number))[0] for number in range(3))
