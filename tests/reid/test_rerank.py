"""k-reciprocal re-ranking against the steps of the paper written out with dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

from reid.metrics import market_ranking, normalised, ranking_of_distances
from reid.rerank import rerank


def as_published(query, gallery, k1, k2, weight):
    features = np.concatenate([normalised(query), normalised(gallery)]).astype(np.float64)
    count, queries = len(features), len(query)
    distance = ((features[:, None] - features[None]) ** 2).sum(-1)
    distance = distance / distance.max(axis=1, keepdims=True)
    order = np.argsort(distance, axis=1)
    encoding = np.zeros((count, count))
    for row in range(count):

        def reciprocal(item, k):
            forward = order[item, : k + 1]
            return [other for other in forward if item in order[other, : k + 1]]

        own = reciprocal(row, k1)
        expanded = set(own)
        for candidate in own:
            theirs = reciprocal(candidate, int(np.around(k1 / 2)))
            if len(set(theirs) & set(own)) > 2 / 3 * len(theirs):
                expanded |= set(theirs)
        expanded = sorted(expanded)
        values = np.exp(-distance[row, expanded])
        encoding[row, expanded] = values / values.sum()
    encoding = np.stack([encoding[order[row, :k2]].mean(0) for row in range(count)])
    jaccard = np.zeros((queries, count))
    for row in range(queries):
        shared = np.minimum(encoding[row], encoding).sum(1)
        jaccard[row] = 1 - shared / (2 - shared)
    return ((1 - weight) * jaccard + weight * distance[:queries])[:, queries:]


@pytest.mark.parametrize(("k1", "k2", "weight"), [(20, 6, 0.3), (5, 3, 0.5), (4, 1, 0.0)])
def test_equals_the_published_steps(k1, k2, weight):
    generator = np.random.default_rng(0)
    query, gallery = generator.normal(size=(12, 8)), generator.normal(size=(40, 8))
    np.testing.assert_allclose(
        rerank(query, gallery, k1=k1, k2=k2, weight=weight), as_published(query, gallery, k1, k2, weight), atol=2e-5
    )


def test_neighbours_help_where_a_person_has_many_pictures():
    generator = np.random.default_rng(1)
    centres = generator.normal(size=(30, 24))
    ids = np.repeat(np.arange(30), 8)
    features = centres[ids] + 1.5 * generator.normal(size=(len(ids), 24))
    cameras = np.tile(np.arange(8) % 2, 30)
    query, gallery = cameras == 0, cameras == 1
    plain = market_ranking(
        features[query], ids[query], cameras[query], features[gallery], ids[gallery], cameras[gallery]
    )
    after = ranking_of_distances(
        rerank(features[query], features[gallery]), ids[query], cameras[query], ids[gallery], cameras[gallery]
    )
    assert after.mean_average_precision > plain.mean_average_precision + 0.02


def test_settings_below_one_are_an_error():
    with pytest.raises(ValueError, match="at least 1"):
        rerank(np.ones((1, 2)), np.ones((1, 2)), k1=0)
