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

from reid.agglomeration import Edges, Grouping, merge_edges
from reid.appearance import Appearance, fitted
from reid.floor_agreement import Density, FloorModel, at_once, in_sequence, one_a_second
from reid.lifetimes import lifetimes_of
from reid.neighbours import look_alike_pairs
from reid.tracklets import SECOND_US, Identities, Samples, Tracklets

__all__ = ["Identities", "Samples", "Tracklets", "link"]

DEFAULT_SLOPE = 15.0
CROP_EVERY_S = 4.0
SURE = 6.0
"""Log-likelihood ratio of places from which a pair counts as known to be one person, or two."""
MOST_PAIRS = 500_000


def link(
    tracklets: Tracklets,
    samples: Samples,
    *,
    threshold: float,
    slope: float = DEFAULT_SLOPE,
    doors: np.ndarray | None = None,
    least_seen_s: float = 1.0,
    floor: FloorModel | None = None,
    fit_to_site: bool = False,
    exact_up_to: int = 3000,
) -> Identities:
    """Join tracklets into people.

    threshold: cosine at which two good crops are as likely one person as two, from the embedder's calibration; slope:
    its log odds a unit of cosine. doors: (E, 2, 2) entrance lines in floor metres, where people can appear and vanish;
    None where they are not known. least_seen_s: seconds a person must have been seen in all. fit_to_site: move the
    calibration to this day's own pairs (reid/appearance.py). exact_up_to: with more tracklets than this, looks are
    compared with each one's nearest neighbours only.
    The same input gives the same output, whatever the tracklets' order; ids follow first appearance.
    Raises ValueError where arrays disagree in length or samples name tracklets that are not there.
    """
    if len(samples.tracklet) and (samples.tracklet.min() < 0 or samples.tracklet.max() >= len(tracklets)):
        raise ValueError(f"samples name tracklets outside 0..{len(tracklets) - 1}")
    if not len(tracklets):
        return Identities(np.zeros(0, np.int64), np.zeros(0, np.float32))
    model = floor or FloorModel()
    embedding, weight = usable_embeddings(tracklets)
    together, at_once_, later = evidence_of_places(tracklets, samples, model)
    looks = Appearance(threshold, slope)
    if fit_to_site:
        looks = fit_looks(looks, embedding, weight, together, at_once_)
    first, second = look_alike_pairs(embedding, weight, looks.threshold - 0.25, exact_up_to)
    alike = Edges(first, second, np.zeros(len(first)), np.zeros(len(first), bool))
    edges = merge_edges(len(tracklets), together, at_once_, later, alike)
    lifetimes = None if doors is None else lifetimes_of(tracklets, samples, doors)
    group = Grouping(embedding, weight, edges, looks, model.limit, lifetimes).join()
    confidence = link_confidence(group, embedding, weight, edges, looks, model.limit)
    return Identities(_number(group, tracklets, least_seen_s), confidence.astype(np.float32))


def usable_embeddings(tracklets: Tracklets) -> tuple[np.ndarray, np.ndarray]:
    """Unit embeddings (T, D), rows of 0 where there is none, and their weights (T,), 0 there.

    A weight is about the sum of the crops' qualities: their mean times how many slices of time the track ran through.
    """
    embedding = np.asarray(tracklets.embedding, np.float32)
    length = np.linalg.norm(embedding, axis=1) if embedding.shape[1] else np.zeros(len(embedding))
    good = np.isfinite(length) & (length > 0)
    unit = np.zeros_like(embedding)
    unit[good] = embedding[good] / length[good, None]
    crops = 1 + (tracklets.end_us - tracklets.start_us) / (CROP_EVERY_S * SECOND_US)
    quality = np.clip(np.nan_to_num(np.asarray(tracklets.quality, float)), 1e-3, None)
    return unit, np.where(good, quality * crops, 0.0)


def evidence_of_places(tracklets: Tracklets, samples: Samples, model: FloorModel) -> tuple[Edges, Edges, Edges]:
    """Pairs of one camera at one time (two people for certain), seen at once by two cameras, one after the other."""
    slots = one_a_second(samples)
    density = Density(slots.xy)
    first, second, ratio = at_once(slots, model, density)
    across = tracklets.camera[first] != tracklets.camera[second]
    at_once_ = Edges(first[across], second[across], ratio[across], np.zeros(int(across.sum()), bool))
    first, second, ratio = in_sequence(tracklets, samples, model, density)
    return _together(tracklets), at_once_, Edges(first, second, ratio, np.zeros(len(first), bool))


def fit_looks(
    prior: Appearance, embedding: np.ndarray, weight: np.ndarray, together: Edges, at_once_: Edges
) -> Appearance:
    """The calibration moved to the day's own pairs: one camera at one time differs, two cameras in step are one."""
    sure = np.abs(at_once_.places) >= SURE
    first = np.concatenate([together.first, at_once_.first[sure]])
    second = np.concatenate([together.second, at_once_.second[sure]])
    same = np.concatenate([np.zeros(len(together.first), bool), at_once_.places[sure] > 0])
    both = (weight[first] > 0) & (weight[second] > 0)
    first, second, same = first[both], second[both], same[both]
    if len(first) > MOST_PAIRS:
        chosen = np.linspace(0, len(first) - 1, MOST_PAIRS).astype(int)
        first, second, same = first[chosen], second[chosen], same[chosen]
    similarity = np.einsum("nd,nd->n", embedding[first], embedding[second])
    return fitted(prior, similarity, np.minimum(weight[first], weight[second]), same)


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
    length = np.linalg.norm(rest, axis=1)
    known = (length > 1e-9) & (weight[node] > 0)
    dot = np.einsum("nd,nd->n", rest, embedding[node])
    similarity = np.divide(dot, length, out=np.full(len(node), np.nan), where=known)
    quality = np.minimum(weight[node], total[other] - np.where(own, weight[node], 0))
    score = looks.evidence(similarity, quality) + np.clip(places, -limit, limit)
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
