"""reid.verification against counting every pair."""

from __future__ import annotations

import numpy as np
import pytest

from reid.metrics import normalised
from reid.verification import calibrate, pair_similarities, true_positive_rate


def made_up(seed=0, identities=40, cameras=3, spread=0.9):
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(identities, 16))
    ids = np.repeat(np.arange(identities), cameras * 2)
    features = centres[ids] + spread * generator.normal(size=(len(ids), 16))
    return features, ids, np.tile(np.arange(cameras), identities * 2)


def test_rate_equals_counting_every_pair():
    features, ids, cameras = made_up()
    similarity = normalised(features) @ normalised(features).T
    first, second = np.triu_indices(len(ids), 1)
    pair = cameras[first] != cameras[second]
    same = similarity[first, second][pair & (ids[first] == ids[second])]
    different = similarity[first, second][pair & (ids[first] != ids[second])]
    rate, threshold = true_positive_rate(pair_similarities(features, ids, cameras, chunk=50), 0.01)
    assert np.mean(different >= threshold) == pytest.approx(0.01, abs=5e-4)
    assert np.mean(different >= threshold + 1e-4) <= 0.01
    assert rate == pytest.approx(np.mean(same >= threshold), abs=1e-3)


def test_confidence_is_even_where_both_kinds_are_as_likely_and_rises():
    features, ids, cameras = made_up(spread=1.5)
    pairs = pair_similarities(features, ids, cameras)
    calibration = calibrate(pairs)
    assert calibration.slope > 0
    assert calibration.pairs == pairs.same.sum()
    middle = -calibration.offset / calibration.slope
    assert calibration.confidence(np.array([middle]))[0] == pytest.approx(0.5)
    # The mean confidence over both kinds, weighted evenly, is one half: the fit's first-order condition.
    edges = (np.arange(len(pairs.same)) + 0.5) * 2 / len(pairs.same) - 1
    confidence = calibration.confidence(edges)
    mean = (np.average(confidence, weights=pairs.same) + np.average(confidence, weights=pairs.different)) / 2
    assert mean == pytest.approx(0.5, abs=1e-3)


def test_junk_is_left_out_and_missing_pairs_are_an_error():
    features, ids, cameras = made_up()
    junk = ids.copy()
    junk[:6] = -1
    assert pair_similarities(features, junk, cameras).same.sum() == 39 * 12
    with pytest.raises(ValueError, match="different cameras"):
        pair_similarities(features, ids, np.zeros_like(cameras))
