"""Links: how well each tracklet fits its own group and the others it might be in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from reid.agglomeration import EDGES_AT_ONCE, FIELDS, Edges, mean_evidence
from reid.neighbours import distinct


@dataclass(frozen=True)
class Links:
    """L pairs of a tracklet and a group, in order of tracklet and group: only its own group and those that something
    speaks for. odds (L,): mean log odds that it is one person with the rest of the group, contradictions left out;
    conflict (L,): log odds of these. `group`: (T,), each tracklet's."""

    group: np.ndarray
    node: np.ndarray
    other: np.ndarray
    odds: np.ndarray
    conflict: np.ndarray

    def fit(self, node: int, groups: tuple[int, ...]) -> float:
        """Mean log odds of a tracklet with groups, 0 with one that nothing speaks for; at least 0."""
        start, end = np.searchsorted(self.node, [node, node + 1])
        places = start + np.searchsorted(self.other[start:end], groups)
        linked = [
            place for place, group in zip(places, groups, strict=True) if place < end and self.other[place] == group
        ]
        return max(float(self.odds[linked].sum()) / len(groups), 0.0)


def link_confidence(links: Links) -> np.ndarray:
    """Probability (T,) that each tracklet is rightly in its group: its log odds with the rest of the group, less those
    of the best other group it could be in; alone: that no other group fits."""
    count = len(links.group)
    alone = np.bincount(links.group, minlength=count)[links.group] == 1
    own, score = links.group[links.node] == links.other, links.odds - links.conflict
    inside, outside = np.full(count, -np.inf), np.full(count, -np.inf)
    np.maximum.at(inside, links.node[own], score[own])
    np.maximum.at(outside, links.node[~own], score[~own])
    inside = np.where(np.isfinite(inside), inside, 0.0)
    return expit(np.where(alone, -outside, inside - np.maximum(outside, 0.0)))


def links_of(
    group: np.ndarray, weight: np.ndarray, share: np.ndarray, edges: Edges, unlike: float, absent: float
) -> Links:
    """Links of tracklets to groups (T,).

    weight: (T,), quality, 0 without an embedding; share: (T,), influence; edges: of tracklets; unlike: evidence of
    looks that were not compared; absent: of a pair without looks.
    """
    embedded = share * (weight > 0)
    size = np.bincount(group, weights=share, minlength=len(group))
    known = np.bincount(group, weights=embedded, minlength=len(group))
    node, other, sums = _towards_groups(group, edges)
    own = group[node] == other
    pairs = (size[other] - own * share[node]) * share[node]
    comparable = (known[other] - own * embedded[node]) * embedded[node]
    odds = mean_evidence(Edges(node, other, *sums), np.maximum(pairs, 1e-9), comparable, unlike, absent)
    return Links(group, node, other, odds, sums[4])


def _towards_groups(group: np.ndarray, edges: Edges) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Edges summed by tracklet and group: only of the tracklet's own group and of groups that something speaks for."""
    count = len(group)

    def towards(rows: slice | np.ndarray) -> list[np.ndarray]:
        first, second = edges.first[rows], edges.second[rows]
        return [one.astype(np.int64) * count + group[other] for one, other in ((first, second), (second, first))]

    telling = np.flatnonzero((edges.evidence > 0) | (group[edges.first] == group[edges.second]))
    wanted = distinct(np.concatenate(towards(telling)))
    sums = [np.zeros(len(wanted)) for _ in FIELDS[2:]]
    for start in range(0, len(edges.first) if len(wanted) else 0, EDGES_AT_ONCE):
        rows = slice(start, start + EDGES_AT_ONCE)
        for key in towards(rows):
            place = np.minimum(np.searchsorted(wanted, key), len(wanted) - 1)
            chosen = np.flatnonzero(wanted[place] == key)
            for total, name in zip(sums, FIELDS[2:], strict=True):
                np.add.at(total, place[chosen], getattr(edges, name)[rows][chosen])
    return wanted // count, wanted % count, sums
