"""Joining tracklets into people: agglomeration on log-likelihood ratios under cannot-links, in deterministic rounds.

Two groups' looks are compared by their quality-weighted mean embeddings, so that a group is worth what one long track
would be; evidence from places adds up over the pairs and is limited, because ten cameras that see one wrong step do not
make it ten times as wrong. Each round merges all pairs of groups that are each
other's best partner, strongest level first; with one order over all edges this is deterministic and needs no matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reid.appearance import Appearance
from reid.lifetimes import Lifetimes

LEVELS = (12.0, 9.0, 7.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0)


@dataclass(frozen=True)
class Edges:
    """K pairs of nodes, each once: first < second int64 (K,); places float (K,), summed log-likelihood ratio of places;
    forbidden bool (K,): can never be one person."""

    first: np.ndarray
    second: np.ndarray
    places: np.ndarray
    forbidden: np.ndarray


def merge_edges(count: int, *parts: Edges) -> Edges:
    """One edge a pair: places added, forbidden if any is. `count`: number of nodes."""
    first, second = (np.concatenate([getattr(p, n) for p in parts]).astype(np.int64) for n in ("first", "second"))
    low, high = np.minimum(first, second), np.maximum(first, second)
    key, inverse = np.unique(low * count + high, return_inverse=True)
    places = np.bincount(inverse, weights=np.concatenate([p.places for p in parts]), minlength=len(key))
    forbidden = np.zeros(len(key), bool)
    forbidden[inverse[np.concatenate([p.forbidden for p in parts])]] = True
    return Edges(key // count, key % count, places, forbidden)


class Grouping:
    """Nodes joined so far. `group`: int64 (T,), each node's group, named after its lowest node."""

    def __init__(
        self,
        embedding: np.ndarray,
        weight: np.ndarray,
        edges: Edges,
        appearance: Appearance,
        limit: float,
        lifetimes: Lifetimes | None = None,
        pooled: bool = True,
    ) -> None:
        """embedding: (T, D) unit rows, 0 where there is none; weight: (T,) >= 0, their quality; limit: of places
        between groups; lifetimes: what is known of births and deaths, used once nothing else joins any more; pooled:
        compare groups by their mean embeddings, else by the mean similarity of their members."""
        self.count = len(weight)
        self.group = np.arange(self.count)
        self.sums = (embedding * weight[:, None]).astype(np.float32)
        self.weight = weight.astype(np.float64)
        self.edges, self.appearance, self.limit, self.pooled = edges, appearance, limit, pooled
        self.lifetimes, self.closed_world = lifetimes, False

    def similarity(self, first: np.ndarray, second: np.ndarray, block: int = 200_000) -> np.ndarray:
        """Cosine of two groups' looks; NaN where a side has no embedding."""
        size = np.linalg.norm(self.sums, axis=1) if self.pooled else self.weight
        result = np.full(len(first), np.nan)
        for start in range(0, len(first), block):
            a, b = first[start : start + block], second[start : start + block]
            product = size[a] * size[b]
            dot = np.einsum("nd,nd->n", self.sums[a], self.sums[b])
            result[start : start + block] = np.divide(dot, product, out=np.full(len(a), np.nan), where=product > 1e-12)
        return result

    def score(self, edges: Edges) -> np.ndarray:
        """Log odds that two groups are one person; -inf where forbidden."""
        score = np.full(len(edges.first), -np.inf)
        free = ~edges.forbidden
        first, second = edges.first[free], edges.second[free]
        quality = np.minimum(self.weight[first], self.weight[second])
        looks = self.appearance.evidence(self.similarity(first, second), quality)
        score[free] = looks + np.clip(edges.places[free], -self.limit, self.limit)
        if self.closed_world and self.lifetimes is not None:
            score[free] += self.lifetimes.saved(first, second)
        return score

    def join(self) -> np.ndarray:
        """Merge until no pair of groups is better off as one. Returns `group`."""
        for closed_world in (False, True) if self.lifetimes is not None else (False,):
            self.closed_world = closed_world
            score = self.score(self.edges)
            for level in LEVELS:
                while True:
                    first, second = self._mutual(score, level)
                    if not len(first):
                        break
                    score = self._merge(first, second, score)
        return self.group

    def _mutual(self, score: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of groups that are each other's best partner with a score over `level`."""
        rows = np.flatnonzero(score > level)
        first, second = self.edges.first[rows], self.edges.second[rows]
        order = np.lexsort((second, first, -score[rows]))
        rank = np.empty(len(rows), np.int64)
        rank[order] = np.arange(len(rows))
        best = np.full(self.count, len(rows))
        np.minimum.at(best, first, rank)
        np.minimum.at(best, second, rank)
        chosen = (best[first] == rank) & (best[second] == rank)
        return first[chosen], second[chosen]

    def _merge(self, kept: np.ndarray, gone: np.ndarray, score: np.ndarray) -> np.ndarray:
        """Put each of `gone` into its `kept`; returns the scores of the new edges."""
        names = np.arange(self.count)
        names[gone] = kept
        self.group = names[self.group]
        self.sums[kept] += self.sums[gone]
        self.weight[kept] += self.weight[gone]
        if self.lifetimes is not None:
            self.lifetimes = self.lifetimes.merged(kept, gone)
        edges = self.edges
        first, second = names[edges.first], names[edges.second]
        changed = np.zeros(self.count, bool)
        changed[kept] = True
        touched = (changed[first] | changed[second]) & (first != second)
        still = ~changed[first] & ~changed[second]
        new = merge_edges(
            self.count, Edges(first[touched], second[touched], edges.places[touched], edges.forbidden[touched])
        )
        self.edges = Edges(
            *(
                np.concatenate([getattr(edges, n)[still], getattr(new, n)])
                for n in ("first", "second", "places", "forbidden")
            )
        )
        return np.concatenate([score[still], self.score(new)])
