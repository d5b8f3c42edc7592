from __future__ import annotations

import numpy as np
import pytest

from reid.centring import centred
from reid.verification import pair_similarities, true_positive_rate


def test_a_shift_of_each_camera_is_removed():
    generator = np.random.default_rng(0)
    ids, cameras = np.repeat(np.arange(40), 4), np.tile([0, 0, 1, 1], 40)
    people, shift = generator.normal(size=(40, 24)), 2.5 * generator.normal(size=(2, 24))
    features = people[ids] + shift[cameras] + 0.7 * generator.normal(size=(160, 24))
    before, _ = true_positive_rate(pair_similarities(features, ids, cameras))
    after, _ = true_positive_rate(pair_similarities(centred(features, cameras), ids, cameras))
    assert after > before + 0.2
    for camera in (0, 1):
        lengths = np.linalg.norm(centred(features, cameras)[cameras == camera], axis=1)
        np.testing.assert_allclose(lengths, 1, atol=1e-5)


def test_a_camera_with_few_rows_takes_the_overall_mean():
    features = np.random.default_rng(1).normal(size=(9, 4))
    cameras = np.array(["a"] * 8 + ["b"])
    result = centred(features, cameras, minimum=5)
    np.testing.assert_allclose(result[8], centred(features, np.zeros(9))[8], atol=1e-6)
    with pytest.raises(ValueError, match="row 8"):
        centred(features, cameras)
