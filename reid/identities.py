"""Cross-camera identities: which tracklets of a store-day are one person.

Each pair of tracklets has a log-likelihood ratio: how they look (cosine of their embeddings, calibrated with the
weights: threshold and slope), where they were at the same instants, and whether a walk leads from one's end to the
other's start. Two tracklets of one camera at one time are never one person. Groups are joined by constrained average
linkage on these (reid/agglomeration.py) for as long as joining is more likely than not.

A person who leaves and comes back on the same day stays one person, as far as looks tell. A person needs to be seen for
`least_seen_s` seconds in all; what is seen for less and joins nobody gets person_id -1.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from reid.agglomeration import Appearance, Edges, Grouping, merge_edges
from reid.floor_agreement import Density, FloorModel, at_once, in_sequence, one_a_second
from reid.neighbours import look_alike_pairs
from reid.tracklets import SECOND_US, Identities, Samples, Tracklets

__all__ = ["Identities", "Samples", "Tracklets", "link"]

DEFAULT_SLOPE = 15.0


def link(
    tracklets: Tracklets,
    samples: Samples,
    *,
    threshold: float,
    slope: float = DEFAULT_SLOPE,
    least_seen_s: float = 1.0,
    floor: FloorModel | None = None,
    exact_up_to: int = 3000,
) -> Identities:
    """Join tracklets into people.

    threshold: cosine at which a pair is as likely one person as two, from the embedder's calibration; slope: its log
    odds a unit of cosine. least_seen_s: seconds a person must have been seen in all. exact_up_to: with more tracklets
    than this, looks are compared with each one's nearest neighbours only.
    The same input gives the same output, whatever the tracklets' order in time; ids follow first appearance.
    Raises ValueError where arrays disagree in length or samples name tracklets that are not there.
    """
    if len(samples.tracklet) and (samples.tracklet.min() < 0 or samples.tracklet.max() >= len(tracklets)):
        raise ValueError(f"samples name tracklets outside 0..{len(tracklets) - 1}")
    if not len(tracklets):
        return Identities(np.zeros(0, np.int64), np.zeros(0, np.float32))
    model = floor or FloorModel()
    embedding, weight = usable_embeddings(tracklets)
    edges = evidence(tracklets, samples, embedding, weight, model, exact_up_to, threshold)
    looks = Appearance(threshold, slope)
    grouping = Grouping(embedding, weight, edges, looks, model.limit)
    group = grouping.join()
    confidence = link_confidence(group, embedding, weight, edges, looks, model.limit)
    return Identities(_number(group, tracklets, least_seen_s), confidence.astype(np.float32))


def usable_embeddings(tracklets: Tracklets) -> tuple[np.ndarray, np.ndarray]:
    """Unit embeddings (T, D), rows of 0 where there is none, and their weights (T,), 0 there."""
    embedding = np.asarray(tracklets.embedding, np.float32)
    length = np.linalg.norm(embedding, axis=1) if embedding.shape[1] else np.zeros(len(embedding))
    good = np.isfinite(length) & (length > 0)
    unit = np.zeros_like(embedding)
    unit[good] = embedding[good] / length[good, None]
    quality = np.nan_to_num(np.asarray(tracklets.quality, float))
    return unit, np.where(good, np.clip(quality, 1e-3, None), 0.0)


def evidence(
    tracklets: Tracklets,
    samples: Samples,
    embedding: np.ndarray,
    weight: np.ndarray,
    model: FloorModel,
    exact_up_to: int,
    threshold: float,
) -> Edges:
    """All pairs worth a look: seen at once, one after the other, or alike."""
    count = len(tracklets)
    slots = one_a_second(samples)
    density = Density(slots.xy)
    pairs = [_together(tracklets)]
    for found in (at_once(slots, model, density), in_sequence(tracklets, slots, model, density)):
        pairs.append(Edges(*found, np.zeros(len(found[0]), bool)))
    first, second = look_alike_pairs(embedding, weight, threshold, exact_up_to)
    pairs.append(Edges(first, second, np.zeros(len(first)), np.zeros(len(first), bool)))
    return merge_edges(count, *pairs)


def _together(tracklets: Tracklets) -> Edges:
    """Pairs of one camera whose times overlap: two people."""
    firsts, seconds = [], []
    for camera in np.unique(tracklets.camera):
        rows = np.flatnonzero(tracklets.camera == camera)
        rows = rows[np.argsort(tracklets.start_us[rows], kind="stable")]
        starts, ends = tracklets.start_us[rows], tracklets.end_us[rows]
        sizes = np.searchsorted(starts, ends, side="right") - np.arange(len(rows)) - 1
        one = np.repeat(np.arange(len(rows)), sizes)
        other = one + 1 + np.arange(len(one)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        firsts.append(rows[one])
        seconds.append(rows[other])
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    return Edges(np.minimum(first, second), np.maximum(first, second), np.zeros(len(first)), np.ones(len(first), bool))


def link_confidence(
    group: np.ndarray, embedding: np.ndarray, weight: np.ndarray, edges: Edges, looks: Appearance, limit: float
) -> np.ndarray:
    """Probability (T,) that each tracklet is rightly in its group: its log odds with the rest of the group, less those
    of the best other group it could be in; alone: that no other group fits."""
    count = len(group)
    sums = np.zeros_like(embedding)
    np.add.at(sums, group, embedding * weight[:, None])
    total = np.bincount(group, weights=weight, minlength=count)
    node = np.concatenate([edges.first, edges.second])
    other = group[np.concatenate([edges.second, edges.first])]
    key, inverse = np.unique(node * count + other, return_inverse=True)
    places = np.bincount(inverse, weights=np.tile(edges.places, 2), minlength=len(key))
    forbidden = np.zeros(len(key), bool)
    forbidden[inverse[np.tile(edges.forbidden, 2)]] = True
    node, other = key // count, key % count
    own = group[node] == other
    rest = sums[other] - np.where(own, weight[node], 0)[:, None] * embedding[node]
    product = weight[node] * 0 + (total[other] - np.where(own, weight[node], 0))
    dot = np.einsum("nd,nd->n", rest, embedding[node])
    known = (product > 1e-9) & (weight[node] > 0)
    similarity = np.divide(dot, product, out=np.full(len(node), np.nan), where=known)
    score = looks.evidence(similarity) + np.clip(places, -limit, limit)
    score[forbidden] = -np.inf
    inside, outside = np.full(count, -np.inf), np.full(count, -np.inf)
    np.maximum.at(inside, node[own], score[own])
    np.maximum.at(outside, node[~own], score[~own])
    alone = np.bincount(group, minlength=count)[group] == 1
    inside = np.where(alone, 0.0, np.where(np.isfinite(inside), inside, 0.0))
    return expit(inside - np.where(alone, outside, np.maximum(outside, 0.0)))


def _number(group: np.ndarray, tracklets: Tracklets, least_seen_s: float) -> np.ndarray:
    """Number people 1.. by first appearance; -1 where the whole group was seen for less than `least_seen_s`."""
    count = len(group)
    seen = np.bincount(group, weights=(tracklets.end_us - tracklets.start_us) / SECOND_US, minlength=count)
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, group, tracklets.start_us)
    people = np.unique(group)
    people = people[seen[people] >= least_seen_s]
    order = people[np.argsort(first[people], kind="stable")]
    number = np.full(count, -1, np.int64)
    number[order] = np.arange(1, len(order) + 1)
    return number[group]
