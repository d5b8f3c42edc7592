"""Pairs of tracklets that look alike, without comparing everything with everything, and how alike pairs are."""

from __future__ import annotations

import faiss
import numpy as np

NEIGHBOURS = 96
PROBED_LISTS = 8


def look_alike_pairs(
    embedding: np.ndarray, weight: np.ndarray, least: float, exact_up_to: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs first < second of nodes with an embedding.

    Up to `exact_up_to` nodes: all pairs. Beyond: each node's nearest neighbours by an inverted file, with a cosine
    of at least `least`. Deterministic.
    """
    known = np.flatnonzero(weight > 0)
    if len(known) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if len(known) <= exact_up_to:
        one, other = np.triu_indices(len(known), 1)
        return known[one], known[other]
    vectors = np.ascontiguousarray(embedding[known])
    lists = int(2 * np.sqrt(len(known)))
    quantizer = faiss.IndexFlatIP(vectors.shape[1])
    index = faiss.IndexIVFFlat(quantizer, vectors.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.seed = 8, 1
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, 64  # enough, and no warning
    index.train(vectors)
    index.add(vectors)
    index.nprobe = PROBED_LISTS
    similarity, neighbour = index.search(vectors, NEIGHBOURS + 1)
    row = np.repeat(np.arange(len(known)), NEIGHBOURS + 1)
    neighbour, similarity = neighbour.ravel(), similarity.ravel()
    good = (neighbour >= 0) & (neighbour != row) & (similarity > least)
    low, high = np.minimum(row[good], neighbour[good]), np.maximum(row[good], neighbour[good])
    key = distinct(low * len(known) + high)
    return known[key // len(known)], known[key % len(known)]


def distinct(keys: np.ndarray) -> np.ndarray:
    """Keys (K,), 0 or more, each once and in order; numpy's own `unique` hashes, which takes several times as long."""
    keys = np.sort(keys)
    return keys[np.diff(keys, prepend=-1) > 0]


def products(vectors: np.ndarray, first: np.ndarray, second: np.ndarray, block: int = 1 << 18) -> np.ndarray:
    """Dot products float32 (K,) of rows of float32 vectors (T, D), without copies of the rows."""
    vectors = np.ascontiguousarray(vectors, np.float32)
    result = np.empty(len(first), np.float32)
    rows = faiss.swig_ptr(vectors)
    for start in range(0, len(first), block):
        one, other = (side[start : start + block].astype(np.int64) for side in (first, second))
        into = faiss.swig_ptr(result[start : start + block])
        faiss.pairwise_indexed_inner_product(  # type: ignore[attr-defined]  # its stubs leave it out
            vectors.shape[1], len(one), rows, faiss.swig_ptr(one), rows, faiss.swig_ptr(other), into
        )
    return result
