from __future__ import annotations

import numpy as np
import pytest

from reid.augment import Augmentation, augmented_map, erase, network_input, recoloured, resized
from tests.reid.pictures import made_up_person

SIZE = (64, 32)


@pytest.mark.parametrize("settings", [Augmentation(), Augmentation(colour=0.3, blur=1, box_fault=0.1, occlude=1)])
def test_a_picture_of_a_seed_always_looks_the_same(settings):
    image, other = made_up_person(1, 1, 0), made_up_person(2, 1, 0)
    first, again, later = (settings(image, SIZE, np.random.default_rng(seed), other) for seed in (4, 4, 5))
    assert first.shape == (3, *SIZE) and first.dtype == np.float32 and np.isfinite(first).all()
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, later)


def test_nothing_switched_on_is_plain_input():
    image = made_up_person(1, 1, 0, (40, 20))
    plain = Augmentation(flip=0, crop=0, erase=0)(image, SIZE, np.random.default_rng(0))
    np.testing.assert_array_equal(plain, network_input(resized(image, SIZE)))


def test_erasing_covers_the_papers_share_with_the_mean_colour():
    shares = []
    for seed in range(200):
        values = np.ones((3, 256, 128), dtype=np.float32)
        erase(values, np.random.default_rng(seed))
        assert ((values == 0).all(axis=0) | (values == 1).all(axis=0)).all()
        shares.append(np.mean(values == 0))
    assert 0.018 < min(shares) and max(shares) < 0.42
    assert 0.12 < np.mean(shares) < 0.28


def test_recolouring_changes_the_light_and_keeps_the_pattern():
    image = made_up_person(3, 1, 0)
    changed = recoloured(image, 0.3, np.random.default_rng(2))
    assert changed.dtype == np.uint8 and np.abs(changed.astype(int) - image).mean() > 3
    assert np.corrcoef(changed[:, :, 0].ravel(), image[:, :, 0].ravel())[0, 1] > 0.9


def test_a_map_moves_by_whole_positions():
    values = np.arange(2 * 6 * 4, dtype=np.float16).reshape(2, 6, 4)
    moved = augmented_map(values, 1, 0.0, np.random.default_rng(1))
    assert moved.dtype == np.float32 and moved.shape == values.shape
    assert any(
        np.array_equal(moved[:, 1:-1, 1:-1], values[:, 1 + y : 5 + y, 1 + x : 3 + x])
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    )
    np.testing.assert_array_equal(augmented_map(values, 0, 0.0, np.random.default_rng(1)), values)
