"""Joining tracklets into people: constrained average linkage on log-likelihood ratios, sparse and in rounds.

The score of two groups is the weighted mean evidence over all pairs of their members, less all that their members'
conflicts (reid/conflicts.py) add up to. Linkage by such a score is reducible (Bruynooghe 1977; a mean is no more than
its greater part, and conflicts only grow): all pairs of groups that are each other's best partner can be merged at
once, with the result of merging one best pair at a time; so it needs no matrix, and with one order over all edges it
is deterministic.

Those who were seen well come together first, and the others join them. In the end (`closed_world`) a group that was
never seen well, or begins or ends in the middle of the store (reid/lifetimes.py), is likely a part of another one.

Pairs that were not looked at (beyond the nearest neighbours of a large day) count with the evidence of their mean
cosine, which is known without them: that of all pairs follows from the groups' summed embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reid.appearance import Appearance, log_quality
from reid.lifetimes import Lifetimes
from reid.neighbours import products

FIELDS = ("first", "second", "evidence", "pairs", "compared", "similarity", "conflict")
EDGES_AT_ONCE = 1 << 20
CAUTION = np.array([0.0, 1.0, 6.0])
"""Log odds asked for beyond even, by how many of two groups were never seen well: heads behind shelves look alike, and
a group that grew out of them by looks keeps each of them from the person it belongs to."""
NEVER_WELL_SEEN_ODDS = 4.0
"""Log odds against a person whom no camera ever saw well."""


@dataclass(frozen=True)
class Edges:
    """K pairs of nodes, first < second (K,). evidence (K,): summed log-likelihood ratio over `pairs` (K,) pairs of
    members, `compared` (K,) of which have embeddings on both sides, their cosines summing to `similarity` (K,); a pair
    counts with the product of its members' influences. conflict (K,): log odds against one person that no mean over
    other pairs makes up for."""

    first: np.ndarray
    second: np.ndarray
    evidence: np.ndarray
    pairs: np.ndarray
    compared: np.ndarray
    similarity: np.ndarray
    conflict: np.ndarray

    def part(self, rows: slice) -> Edges:
        """Some of them, without a copy."""
        return Edges(*(getattr(self, name)[rows] for name in FIELDS))


def added_up(
    count: int, edges: Edges, chosen: np.ndarray, low: np.ndarray, high: np.ndarray
) -> dict[str, list[np.ndarray]]:
    """One edge a pair of groups low < high (K,) of the edges chosen, bool (K,): sums added. Each field in parts, by
    ranges of groups, so that a large day's edges fit in memory. `count`: number of nodes."""
    step = max(1, int(count * EDGES_AT_ONCE / max(int(np.count_nonzero(chosen)), 1)))
    parts: dict[str, list[np.ndarray]] = {name: [] for name in FIELDS}
    for start in range(0, count, step):
        rows = np.flatnonzero(chosen & (low >= start) & (low < start + step))
        key, inverse = np.unique(low[rows].astype(np.int64) * count + high[rows], return_inverse=True)
        parts["first"].append((key // count).astype(np.int32))
        parts["second"].append((key % count).astype(np.int32))
        with np.errstate(over="ignore"):  # conflicts beyond float16 become infinite, which is what they come to
            for name in FIELDS[2:]:
                values = getattr(edges, name)
                sums = np.bincount(inverse, weights=values[rows], minlength=len(key))
                parts[name].append(sums.astype(values.dtype))
    return parts


class Grouping:
    """Nodes joined so far. `group`: int64 (T,), each node's group, named after one of its nodes."""

    def __init__(
        self,
        embedding: np.ndarray,
        weight: np.ndarray,
        share: np.ndarray,
        well_seen: np.ndarray,
        edges: Edges,
        looks: Appearance,
        lifetimes: Lifetimes | None = None,
        group: np.ndarray | None = None,
    ) -> None:
        """embedding: (T, D) unit rows, 0 where there is none; weight: (T,), quality, 0 there; share: (T,), influence of
        each node on its group; well_seen: bool (T,), has a good picture; edges: each pair once, evidence times both
        shares; lifetimes: what is known of births and deaths, used once nothing else joins any more; group: (T,), to
        begin with, each named after one of its nodes; None: each node by itself."""
        self.count = len(weight)
        self.group = np.arange(self.count)
        self.size = share.copy()
        self.embedded = share * (weight > 0)
        self.sums = share[:, None].astype(embedding.dtype) * embedding
        self.qualities = np.where(weight > 0, share * log_quality(weight), 0.0)
        self.well_seen = well_seen.copy()
        self.edges, self.looks = edges, looks
        self.lifetimes, self.closed_world = lifetimes, False
        if group is not None and (group != self.group).any():
            self._gather(group)

    def score(self, edges: Edges) -> np.ndarray:
        """Log odds (K,) float32 that two groups are one person."""
        score = np.empty(len(edges.first), np.float32)
        for start in range(0, len(score), EDGES_AT_ONCE):
            rows = slice(start, start + EDGES_AT_ONCE)
            score[rows] = self._score(edges.part(rows))
        return score

    def _score(self, edges: Edges) -> np.ndarray:
        a, b = edges.first, edges.second
        comparable = self.embedded[a] * self.embedded[b]
        unlike = self.unlike(edges, comparable)
        score = mean_evidence(edges, self.size[a] * self.size[b], comparable, unlike, self.looks.absent)
        badly_seen = 2 - self.well_seen[a].astype(int) - self.well_seen[b]
        score -= CAUTION[badly_seen]
        if self.closed_world:
            score += NEVER_WELL_SEEN_ODDS * (badly_seen > 0)
        if self.lifetimes is not None:
            score -= self.lifetimes.against_passage(a, b)
            if self.closed_world:
                score += self.lifetimes.saved(a, b)
        return score - edges.conflict

    def unlike(self, edges: Edges, comparable: np.ndarray) -> np.ndarray:
        """Mean evidence (K,) of looks of those pairs of members that were not compared; 0 where all were."""
        evidence = np.zeros(len(comparable))
        rows = np.flatnonzero(comparable > edges.compared * (1 + 1e-4))
        a, b = edges.first[rows], edges.second[rows]
        total = products(self.sums, a, b)
        similarity = (total - edges.similarity[rows]) / (comparable[rows] - edges.compared[rows])
        quality = np.minimum(self.qualities[a] / self.embedded[a], self.qualities[b] / self.embedded[b])
        evidence[rows] = self.looks.evidence(similarity, np.exp(quality))
        return evidence

    def join(self) -> np.ndarray:
        """Merge until no pair of groups is better off as one. Returns `group`."""
        for closed_world in (False, True):
            self.closed_world = closed_world
            score = self.score(self.edges)
            while True:
                first, second = self._mutual(score)
                if not len(first):
                    break
                score = self._merge(first, second, score)
        return self.group

    def _gather(self, group: np.ndarray) -> None:
        """Put every node into its group."""
        moved = np.flatnonzero(group != self.group)
        self._add_up(group[moved], moved)
        self.group = np.array(group, np.int64)
        if self.lifetimes is not None:
            self.lifetimes = self.lifetimes.of_groups(group)
        self._rename(group.astype(np.int32), np.ones(self.count, bool))

    def _add_up(self, kept: np.ndarray, gone: np.ndarray) -> None:
        """Sums of each of `gone` to those of its `kept`."""
        for values in (self.size, self.embedded, self.sums, self.qualities):
            np.add.at(values, kept, values[gone])
        np.logical_or.at(self.well_seen, kept, self.well_seen[gone])

    def _rename(self, names: np.ndarray, changed: np.ndarray) -> np.ndarray:
        """Edges by the groups' new names (T,): first those of groups that are not `changed`, bool (T,), as they were,
        then one a pair of groups, sums added. Returns which of the edges, bool (K,), are the first."""
        first, second = names[self.edges.first], names[self.edges.second]
        low, high = np.minimum(first, second), np.maximum(first, second)
        del first, second  # here and below: of a large day these would fill memory
        moved = changed[low] | changed[high]
        parts = added_up(self.count, self.edges, moved & (low != high), low, high)
        still = ~moved
        del low, high, moved
        self.edges = Edges(*(np.concatenate([getattr(self.edges, name)[still], *parts.pop(name)]) for name in FIELDS))
        return still

    def _mutual(self, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of groups that are each other's best partner and better off as one."""
        rows = np.flatnonzero(score > 0)
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
        names: np.ndarray = np.arange(self.count, dtype=np.int32)
        names[gone] = kept
        self.group = names[self.group]
        self._add_up(kept, gone)
        if self.lifetimes is not None:
            self.lifetimes = self.lifetimes.merged(kept, gone)
        changed = np.zeros(self.count, bool)
        changed[kept] = True
        still = self._rename(names, changed)
        new = slice(int(np.count_nonzero(still)), None)
        return np.concatenate([score[still], self.score(self.edges.part(new))])


def mean_evidence(
    edges: Edges, pairs: np.ndarray, comparable: np.ndarray, unlike: np.ndarray | float, absent: float
) -> np.ndarray:
    """Mean (K,) over all `pairs` (K,) of members, `comparable` (K,) of which have embeddings on both sides.

    unlike: of a pair that was not compared although it could be; absent: of a pair without an edge that could not.
    """
    left_out = comparable - edges.compared
    lacking = (pairs - comparable) - (edges.pairs - edges.compared)
    return (edges.evidence + left_out * unlike + lacking * absent) / pairs
