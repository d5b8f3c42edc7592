"""Re-identification measures: CMC, mAP and mINP by the Market-1501 rule, the CUHK03 classic rule, and verification.

All functions take features as float arrays (N, D), identities and cameras as int arrays (N,), and compare by cosine
distance. Work goes in chunks of queries, so that memory stays bounded: Market-1501 (3,368 queries, 15,913 gallery
pictures, 2,048 dimensions) needs well under 4 GB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

JUNK_IDENTITY = -1  # Market-1501 marks pictures that count neither as right nor as wrong

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Ranking:
    """Quality of the ranked lists of many queries.

    Attributes:
        cmc: float64 (max_rank,), share of queries whose first right picture is among the first 1, 2, ... pictures.
        mean_average_precision: Mean over queries of the average precision, not interpolated.
        mean_inverse_negative_penalty: Mean over queries of right pictures / rank of the last right one
            (Ye et al., "Deep Learning for Person Re-identification: A Survey and Outlook", section 3.3).
        queries: Queries that have a right picture in the gallery; the others don't count.
        protocol: Name of the rule.
    """

    cmc: NDArray[np.float64]
    mean_average_precision: float
    mean_inverse_negative_penalty: float
    queries: int
    protocol: str

    def as_dict(self) -> dict[str, float | int | str]:
        """The figures as JSON-ready values: rank1, rank5, rank10, mAP, mINP, queries, protocol."""
        ranks = {f"rank{rank}": float(self.cmc[min(rank, len(self.cmc)) - 1]) for rank in (1, 5, 10)}
        return {
            **ranks,
            "mAP": self.mean_average_precision,
            "mINP": self.mean_inverse_negative_penalty,
            "queries": self.queries,
            "protocol": self.protocol,
        }


def normalised(features: Floats) -> NDArray[np.float32]:
    """Features (N, D) scaled to length 1, float32.

    Raises:
        ValueError: A row is not finite or has length 0; the message names the first such row.
    """
    features = np.asarray(features, dtype=np.float32)
    if features.ndim != 2:
        raise ValueError(f"features must have the shape (N, D), not {features.shape}")
    length = np.linalg.norm(features, axis=1, keepdims=True)
    bad = np.flatnonzero(~(np.isfinite(length[:, 0]) & (length[:, 0] > 0)))
    if len(bad):
        raise ValueError(
            f"{len(bad)} of {len(features)} features have no direction (zero or not finite), the first "
            f"is row {bad[0]}: embed these pictures again or leave them out"
        )
    return features / length


def cosine_distances(query: Floats, gallery: Floats) -> NDArray[np.float32]:
    """1 - cosine similarity, float32 (queries, gallery)."""
    return np.float32(1) - normalised(query) @ normalised(gallery).T


def market_ranking(
    query_features: Floats,
    query_ids: Integers,
    query_cameras: Integers,
    gallery_features: Floats,
    gallery_ids: Integers,
    gallery_cameras: Integers,
    *,
    max_rank: int = 50,
    chunk: int = 256,
) -> Ranking:
    """CMC, mAP and mINP by the Market-1501 rule (Zheng et al., ICCV 2015), which CUHK03's new protocol uses too.

    Of each query's list, gallery pictures of the same identity *and* camera are removed, and junk (identity -1) with
    them; distractors (identity 0 in Market-1501) stay. Queries without a right picture are skipped. Pictures at the
    same distance keep the gallery's order, as a stable sort leaves them.

    Raises:
        ValueError: Shapes disagree, a feature has no direction, or no query has a right picture.
    """
    query, gallery = normalised(query_features), normalised(gallery_features)
    _check(query, query_ids, query_cameras, "query")
    _check(gallery, gallery_ids, gallery_cameras, "gallery")
    tally = _Tally(max_rank, len(gallery))
    for start in range(0, len(query), chunk):
        rows = slice(start, start + chunk)
        distances = np.float32(1) - query[rows] @ gallery.T
        tally.add(distances, query_ids[rows], query_cameras[rows], gallery_ids, gallery_cameras)
    return tally.ranking("market1501")


def ranking_of_distances(
    distances: Floats,
    query_ids: Integers,
    query_cameras: Integers,
    gallery_ids: Integers,
    gallery_cameras: Integers,
    *,
    max_rank: int = 50,
    protocol: str = "market1501",
) -> Ranking:
    """The same as `market_ranking` for given distances (queries, gallery), of re-ranking for instance."""
    tally = _Tally(max_rank, len(gallery_ids))
    for start in range(0, len(query_ids), 256):
        rows = slice(start, start + 256)
        tally.add(
            np.asarray(distances[rows], dtype=np.float32),
            query_ids[rows],
            query_cameras[rows],
            gallery_ids,
            gallery_cameras,
        )
    return tally.ranking(protocol)


class _Tally:
    """Sums over queries. Only the ranks of right pictures are needed, so values are sorted, never indices."""

    def __init__(self, max_rank: int, gallery_size: int) -> None:
        self.first = np.zeros(max(1, min(max_rank, gallery_size)), dtype=np.int64)
        self.precision = self.penalty = 0.0
        self.queries = 0

    def add(
        self,
        distances: Floats,
        query_ids: Integers,
        query_cameras: Integers,
        gallery_ids: Integers,
        gallery_cameras: Integers,
    ) -> None:
        same_id = query_ids[:, None] == gallery_ids[None, :]
        removed = same_id & (query_cameras[:, None] == gallery_cameras[None, :])
        removed |= (gallery_ids == JUNK_IDENTITY)[None, :]
        right = same_id & ~removed
        distances = np.where(removed, np.float32(np.inf), distances)
        in_order = np.sort(distances, axis=1)
        for row in np.flatnonzero(right.any(axis=1)):
            self._add_ranks(ranks_of(distances[row], in_order[row], np.flatnonzero(right[row])))

    def _add_ranks(self, ranks: NDArray[np.int64]) -> None:
        self.queries += 1
        if ranks[0] <= len(self.first):
            self.first[ranks[0] - 1] += 1
        self.precision += float(np.mean(np.arange(1, len(ranks) + 1) / ranks))
        self.penalty += len(ranks) / float(ranks[-1])

    def ranking(self, protocol: str) -> Ranking:
        if not self.queries:
            raise ValueError(
                "no query has a picture of the same identity in another camera: check the identities "
                "and cameras of query and gallery"
            )
        return Ranking(
            np.cumsum(self.first) / self.queries,
            self.precision / self.queries,
            self.penalty / self.queries,
            self.queries,
            protocol,
        )


def ranks_of(distances: Floats, in_order: Floats, places: NDArray[np.intp]) -> NDArray[np.int64]:
    """Ranks (from 1, ascending) that a stable sort of `distances` (G,) gives the entries at `places`.

    `in_order` holds the sorted distances. An entry's rank is the number of smaller distances plus the number of equal
    ones before it.
    """
    own = distances[places]
    smaller = np.searchsorted(in_order, own, side="left")
    ranks = smaller + 1
    for k in np.flatnonzero(np.searchsorted(in_order, own, side="right") - smaller > 1):
        ranks[k] += np.count_nonzero(distances[: places[k]] == own[k])
    return np.sort(ranks).astype(np.int64)


def single_gallery_shot(
    query_features: Floats,
    query_ids: Integers,
    query_cameras: Integers,
    gallery_features: Floats,
    gallery_ids: Integers,
    gallery_cameras: Integers,
    *,
    repeats: int = 10,
    seed: int = 0,
    max_rank: int = 50,
) -> Ranking:
    """CUHK03's classic rule (Li et al., CVPR 2014): one gallery picture an identity, drawn at random, `repeats` times.

    Of each query's list, pictures of its own identity and camera are removed before the draw. With one right picture
    a list, average precision and inverse negative penalty are both 1 / rank.

    Raises:
        ValueError: As for `market_ranking`.
    """
    query, gallery = normalised(query_features), normalised(gallery_features)
    _check(query, query_ids, query_cameras, "query")
    _check(gallery, gallery_ids, gallery_cameras, "gallery")
    generator = np.random.default_rng(seed)
    first = np.zeros(max_rank, dtype=np.int64)
    inverse, count = 0.0, 0
    usable = np.flatnonzero(gallery_ids != JUNK_IDENTITY)
    for _ in range(repeats):
        order = usable[generator.permutation(len(usable))]
        ids, positions = np.unique(gallery_ids[order], return_index=True)
        shots = order[positions]
        distances = np.float32(1) - query @ gallery[shots].T
        for row in range(len(query)):
            own = order[(gallery_ids[order] == query_ids[row]) & (gallery_cameras[order] != query_cameras[row])]
            if not len(own):
                continue
            nearest = np.float32(1) - query[row] @ gallery[own[0]]
            rank = 1 + int(np.count_nonzero(distances[row][ids != query_ids[row]] < nearest))
            count += 1
            inverse += 1 / rank
            if rank <= max_rank:
                first[rank - 1] += 1
    if not count:
        raise ValueError(
            "no query has a picture of the same identity in another camera: check the identities and "
            "cameras of query and gallery"
        )
    return Ranking(
        np.cumsum(first) / count,
        inverse / count,
        inverse / count,
        count // repeats,
        f"cuhk03-single-gallery-shot-{repeats}-repeats-seed-{seed}",
    )


def _check(features: Floats, ids: Integers, cameras: Integers, name: str) -> None:
    if not len(features) == len(ids) == len(cameras):
        raise ValueError(
            f"{name}: {len(features)} features, {len(ids)} identities and {len(cameras)} cameras; "
            "the three must be of the same length"
        )
