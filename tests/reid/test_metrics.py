"""reid.metrics against a plain reimplementation of torchreid's published algorithm, written out here."""

from __future__ import annotations

import numpy as np
import pytest

from reid.metrics import cosine_distances, market_ranking, normalised, ranking_of_distances, single_gallery_shot


def torchreid_rule(distances, query_ids, gallery_ids, query_cameras, gallery_cameras, max_rank):
    """torchreid's eval_market1501 in plain steps, with a stable sort; junk is dropped when the gallery is read."""
    keep = gallery_ids != -1
    distances, gallery_ids, gallery_cameras = distances[:, keep], gallery_ids[keep], gallery_cameras[keep]
    all_cmc, all_precision, all_penalty = [], [], []
    for query in range(len(query_ids)):
        order = np.argsort(distances[query], kind="stable")
        own = (gallery_ids[order] == query_ids[query]) & (gallery_cameras[order] == query_cameras[query])
        matches = (gallery_ids[order] == query_ids[query])[~own].astype(int)
        if not matches.any():
            continue
        cmc = matches.cumsum()
        all_penalty.append(matches.sum() / (np.flatnonzero(matches)[-1] + 1))
        precision = cmc / np.arange(1, len(cmc) + 1) * matches
        all_precision.append(precision.sum() / matches.sum())
        cmc = np.minimum(cmc, 1)
        all_cmc.append(np.pad(cmc, (0, max_rank), mode="edge")[:max_rank])
    return np.mean(all_cmc, axis=0), np.mean(all_precision), np.mean(all_penalty), len(all_cmc)


def random_sets(seed, queries=60, gallery=300, identities=15):
    generator = np.random.default_rng(seed)
    features = generator.integers(-1, 2, (queries + gallery, 5)).astype(np.float32)  # few values: many ties
    features[~features.any(axis=1)] = 1
    ids = generator.integers(1, identities, queries + gallery)
    ids[queries:][generator.random(gallery) < 0.1] = -1
    ids[queries:][generator.random(gallery) < 0.1] = 0
    ids[0] = 999  # a query without a right picture
    cameras = generator.integers(0, 3, queries + gallery)
    return (features[:queries], ids[:queries], cameras[:queries], features[queries:], ids[queries:], cameras[queries:])


@pytest.mark.parametrize("seed", range(5))
def test_market_rule_equals_torchreid_with_ties_junk_and_distractors(seed):
    sets = random_sets(seed)
    query, query_ids, query_cameras, gallery, gallery_ids, gallery_cameras = sets
    distances = cosine_distances(query, gallery)
    assert (np.diff(np.sort(distances, axis=1), axis=1) == 0).any(axis=1).all(), "every list must hold ties"
    cmc, precision, penalty, queries = torchreid_rule(
        distances, query_ids, gallery_ids, query_cameras, gallery_cameras, 20
    )
    ours = market_ranking(*sets, max_rank=20, chunk=len(query))
    np.testing.assert_allclose(ours.cmc, cmc, atol=1e-12)
    assert ours.mean_average_precision == pytest.approx(precision, abs=1e-12)
    assert ours.mean_inverse_negative_penalty == pytest.approx(penalty, abs=1e-12)
    assert ours.queries == queries == len(query) - 1
    by_distance = ranking_of_distances(distances, query_ids, query_cameras, gallery_ids, gallery_cameras, max_rank=20)
    np.testing.assert_allclose(by_distance.cmc, cmc, atol=1e-12)


def test_market_rule_equals_torchreid_on_a_small_gallery():
    sets = random_sets(9, queries=5, gallery=8, identities=3)
    distances = cosine_distances(sets[0], sets[3])
    cmc, precision, _, _ = torchreid_rule(distances, sets[1], sets[4], sets[2], sets[5], 8)
    ours = market_ranking(*sets)
    np.testing.assert_allclose(ours.cmc, cmc)
    assert ours.mean_average_precision == pytest.approx(precision)


def test_chunks_do_not_change_the_result():
    generator = np.random.default_rng(3)
    sets = random_sets(3)
    smooth = (generator.normal(size=(60, 16)), *sets[1:3], generator.normal(size=(300, 16)), *sets[4:])
    whole, parts = market_ranking(*smooth, chunk=60), market_ranking(*smooth, chunk=7)
    np.testing.assert_allclose(whole.cmc, parts.cmc)
    assert whole.mean_average_precision == pytest.approx(parts.mean_average_precision, abs=1e-6)


def test_single_gallery_shot_draws_one_picture_an_identity():
    axis = np.eye(4, dtype=np.float32)
    # identity 1: one right picture near the query, one far away; identity 2 lies between.
    gallery = np.stack([axis[0], axis[1], axis[0] * 0.8 + axis[2] * 0.6])
    ranking = single_gallery_shot(
        axis[:1], np.array([1]), np.array([0]), gallery, np.array([1, 1, 2]), np.array([1, 1, 1]), repeats=400, seed=1
    )
    assert ranking.cmc[0] == pytest.approx(0.5, abs=0.08)
    assert ranking.cmc[1] == 1
    assert ranking.mean_average_precision == pytest.approx((1 + ranking.cmc[0]) / 2)


def test_single_gallery_shot_repeats_with_its_seed():
    sets = random_sets(4)
    first, again = (single_gallery_shot(*sets, seed=5) for _ in range(2))
    other = single_gallery_shot(*sets, seed=6)
    np.testing.assert_array_equal(first.cmc, again.cmc)
    assert not np.array_equal(first.cmc, other.cmc)


def test_errors_say_which_row_and_what_is_missing():
    with pytest.raises(ValueError, match="row 1"):
        normalised(np.array([[1.0, 0], [0, 0]]))
    one = np.ones((1, 2))
    with pytest.raises(ValueError, match="no query"):
        market_ranking(one, np.array([1]), np.array([0]), one, np.array([1]), np.array([0]))
    with pytest.raises(ValueError, match="gallery: 1 features, 2 identities"):
        market_ranking(one, np.array([1]), np.array([0]), one, np.array([1, 2]), np.array([0]))


def test_as_dict_names_the_protocol():
    figures = market_ranking(*random_sets(0)).as_dict()
    assert figures["protocol"] == "market1501"
    assert 0 < figures["rank1"] <= figures["rank5"] <= figures["rank10"] <= 1
