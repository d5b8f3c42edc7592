"""k-reciprocal re-ranking.

Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from reid.metrics import Floats, normalised


def rerank(
    query_features: Floats, gallery_features: Floats, *, k1: int = 20, k2: int = 6, weight: float = 0.3
) -> NDArray[np.float32]:
    """Distances (queries, gallery) that weigh the original distance with the Jaccard distance of neighbourhoods.

    Args:
        query_features, gallery_features: (Q, D) and (G, D).
        k1: Neighbours that can be reciprocal (section 3.2).
        k2: Neighbours whose encodings are averaged (local query expansion, section 3.4).
        weight: lambda, of the original distance (equation 12).

    As the authors' code does, the original distance is the squared Euclidean distance of normalised features, each
    row divided by its largest value. The encodings are sparse; memory is a few (Q + G)^2 float32 matrices.

    Raises:
        ValueError: k1 or k2 below 1, or a feature without direction.
    """
    if k1 < 1 or k2 < 1:
        raise ValueError(f"k1 and k2 must be at least 1, not {k1} and {k2}")
    features = np.concatenate([normalised(query_features), normalised(gallery_features)])
    queries, count = len(query_features), len(features)
    distance = np.maximum(2 - 2 * features @ features.T, 0)
    distance /= distance.max(axis=1, keepdims=True)
    near = min(count, max(k1 + 1, k2))
    nearest = np.argpartition(distance, near - 1, axis=1)[:, :near]
    order = np.argsort(np.take_along_axis(distance, nearest, axis=1), axis=1, kind="stable")
    nearest = np.take_along_axis(nearest, order, axis=1)
    encoding = _encoding(distance, nearest, k1)
    if k2 > 1:
        encoding = vstack([csr_matrix(encoding[nearest[row, :k2]].mean(axis=0)) for row in range(count)]).tocsr()
    jaccard = _jaccard(encoding, queries)
    return ((1 - weight) * jaccard + weight * distance[:queries, queries:]).astype(np.float32)


def _reciprocal(nearest: NDArray[np.intp], row: int, k: int) -> NDArray[np.intp]:
    """Those of the k + 1 nearest of a row (itself among them) that have the row among their own k + 1 nearest."""
    forward = nearest[row, : k + 1]
    return forward[(nearest[forward, : k + 1] == row).any(axis=1)]


def _encoding(distance: NDArray[np.float32], nearest: NDArray[np.intp], k1: int) -> csr_matrix:
    """Gaussian weights over the expanded reciprocal neighbours of each row (equations 5 and 7)."""
    half = max(1, round(k1 / 2))
    rows, columns, values = [], [], []
    for row in range(len(nearest)):
        own = _reciprocal(nearest, row, k1)
        expanded = own
        for candidate in own:
            theirs = _reciprocal(nearest, candidate, half)
            if len(np.intersect1d(theirs, own)) > 2 / 3 * len(theirs):
                expanded = np.append(expanded, theirs)
        expanded = np.unique(expanded)
        weights = np.exp(-distance[row, expanded])
        rows.append(np.full(len(expanded), row))
        columns.append(expanded)
        values.append(weights / weights.sum())
    shape = (len(nearest), len(nearest))
    return csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape)


def _jaccard(encoding: csr_matrix, queries: int) -> NDArray[np.float32]:
    """Jaccard distance between the encodings of queries and gallery (equation 10): rows sum to 1, so that the sum of
    maxima is 2 minus the sum of minima."""
    by_column = encoding.tocsc()
    result = np.zeros((queries, encoding.shape[0] - queries), dtype=np.float32)
    for query in range(queries):
        start, stop = encoding.indptr[query], encoding.indptr[query + 1]
        minimum = np.zeros(encoding.shape[0], dtype=np.float32)
        for column, value in zip(encoding.indices[start:stop], encoding.data[start:stop], strict=True):
            entries = slice(by_column.indptr[column], by_column.indptr[column + 1])
            minimum[by_column.indices[entries]] += np.minimum(value, by_column.data[entries])
        shared = minimum[queries:]
        result[query] = 1 - shared / (2 - shared)
    return result
