from __future__ import annotations

import numpy as np
import pytest

from reid.sampling import IdentitySampler, random_batch

IDS = np.repeat(np.arange(10), 6)
CAMERAS = np.tile([0, 0, 0, 1, 1, 2], 10)


def test_a_batch_is_p_identities_with_k_pictures_of_as_many_cameras_as_possible():
    sampler = IdentitySampler(IDS, CAMERAS, 4, 3, seed=1)
    for step in range(6):
        batch = sampler.batch(step)
        ids, counts = np.unique(IDS[batch], return_counts=True)
        assert len(ids) == 4 and (counts == 3).all()
        for k in range(4):
            own = batch[3 * k : 3 * k + 3]
            assert len(set(IDS[own])) == 1 and len(set(own)) == 3
            assert set(CAMERAS[own]) == {0, 1, 2}


def test_an_epoch_sees_each_identity_once():
    sampler = IdentitySampler(IDS, CAMERAS, 5, 2, seed=1)
    seen = np.concatenate([IDS[sampler.batch(step)] for step in range(sampler.steps_per_epoch)])
    assert sorted(set(seen)) == list(range(10)) and len(seen) == 20


def test_batches_depend_on_seed_and_step_alone():
    first, again = (IdentitySampler(IDS, CAMERAS, 4, 4, seed=3) for _ in range(2))
    first.batch(0)
    np.testing.assert_array_equal(first.batch(5), again.batch(5))
    assert not np.array_equal(again.batch(5), IdentitySampler(IDS, CAMERAS, 4, 4, seed=4).batch(5))


def test_few_pictures_are_repeated_and_junk_is_never_drawn():
    ids, cameras = np.array([0, 0, 1, -1, -1, -1]), np.zeros(6)
    batch = IdentitySampler(ids, cameras, 2, 4, seed=0).batch(0)
    assert sorted(ids[batch]) == [0, 0, 0, 0, 1, 1, 1, 1]
    assert set(batch) == {0, 1, 2}


def test_too_few_identities_are_an_error():
    with pytest.raises(ValueError, match="there are 10: lower"):
        IdentitySampler(IDS, CAMERAS, 11, 2, seed=0)


def test_random_batch_repeats_only_where_it_must():
    assert len(set(random_batch(20, 20, seed=0, step=3))) == 20
    assert len(random_batch(3, 8, seed=0, step=3)) == 8
