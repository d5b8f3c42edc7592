"""Cross-camera identities: which tracklets of a store-day are one person.

Each pair of tracklets has a log-likelihood ratio: how they look (cosine of their embeddings, calibrated with the
weights: threshold and slope), how tall they are, where they were at the same instants, and whether a walk leads from
one's end to the other's start. Two tracklets of one camera at one time are two people (reid/conflicts.py). Groups are
joined by average linkage on these (reid/agglomeration.py) for as long as joining is more likely than not; then those
who would have appeared or vanished in the middle of the store are joined with a bonus (reid/lifetimes.py). In the end
groups that only a few misplaced tracklets keep apart are put together without those (reid/reunion.py).

A person who leaves and comes back on the same day stays one person, as far as looks tell. A person needs to be seen for
`least_seen_s` seconds in all, longer where badly; what is seen for less and joins nobody gets person_id -1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reid.agglomeration import EDGES_AT_ONCE, Edges, Grouping
from reid.appearance import Appearance, fitted
from reid.conflicts import Overlaps, overlaps
from reid.floor_agreement import Density, FloorModel, at_once, in_sequence, in_slots
from reid.heights import Heights
from reid.lifetimes import RETURN_ODDS, lifetimes_of
from reid.links import Links, link_confidence, links_of
from reid.neighbours import look_alike_pairs, products
from reid.reunion import Contradictions, reunited
from reid.tracklets import SECOND_US, Identities, Samples, Tracklets

__all__ = ["Identities", "Samples", "Tracklets", "link"]

DEFAULT_SLOPE = 15.0
CROP_EVERY_S = 4.0
"""Seconds of being seen that weigh like one more picture, whether or not one was embedded in them."""
STAY_S = 900.0
SURE = 6.0
"""Log-likelihood ratio of places from which a pair counts as known to be one person, or two."""
MOST_PAIRS = 500_000
MOST_REUNIONS = 3
LEAST_INFLUENCE, HALF_INFLUENCE = 0.05, 0.1
GOOD_QUALITY, GOOD_SHARE = 0.35, 0.7
"""Mean quality of a tracklet's crops from which on they show who it is; where no camera gets so near to people, this
share of the quality that the best tenth has."""


def link(
    tracklets: Tracklets,
    samples: Samples,
    *,
    threshold: float,
    slope: float = DEFAULT_SLOPE,
    doors: np.ndarray | None = None,
    heights: Heights | None = None,
    least_seen_s: float = 3.0,
    floor: FloorModel | None = None,
    fit_to_site: bool = False,
    exact_up_to: int = 3000,
) -> Identities:
    """Join tracklets into people.

    threshold: cosine at which two good crops are as likely one person as two, from the embedder's calibration; slope:
    its log odds a unit of cosine. doors: (E, 3, 2) floor metres, the entrances' line ends and a point inside: where
    people can appear and vanish; None where they are not known. heights: what is known of the tracklets' people's
    heights, which samples.slope refers to; None: nothing. least_seen_s: seconds a person must have been seen in all.
    fit_to_site: move the calibration to this day's own pairs (reid/appearance.py). exact_up_to: with more tracklets
    than this, looks are compared with each one's nearest neighbours only. The same input gives the same output in any
    order of the tracklets; ids follow first appearance. Raises ValueError where arrays disagree in length or samples
    name tracklets that are not there.
    """
    if len(samples.tracklet) and (samples.tracklet.min() < 0 or samples.tracklet.max() >= len(tracklets)):
        raise ValueError(f"samples name tracklets outside 0..{len(tracklets) - 1}")
    if not len(tracklets):
        return Identities(np.zeros(0, np.int64), np.zeros(0, np.float32))
    embedding, weight = usable_embeddings(tracklets)
    heights = heights or Heights.unknown(len(tracklets))
    share = influence(weight)
    together = overlaps(tracklets, samples)
    places = evidence_of_places(tracklets, samples, heights, together, share, floor or FloorModel())
    looks = Appearance(threshold, slope)
    if fit_to_site:
        looks = fit_looks(looks, embedding, weight, places)
    alike = look_alike_pairs(embedding, weight, looks.threshold - 0.25, exact_up_to)
    edges = pair_evidence(places, alike, embedding, weight, looks, heights, tracklets)
    del places, alike  # a large day's fill memory
    lifetimes = None if doors is None else lifetimes_of(tracklets, samples, doors)
    good = well_seen(tracklets, weight)
    unlike = typical_evidence(embedding, weight, looks)

    def joined(group: np.ndarray | None = None) -> tuple[Grouping, Links]:
        grouping = Grouping(embedding, weight, share, good, edges, looks, lifetimes, group)
        return grouping, links_of(grouping.join(), weight, share, edges, unlike, looks.absent)

    against = Contradictions(together, share, lifetimes)
    grouping, links = joined()
    for _ in range(MOST_REUNIONS):
        mended = reunited(grouping, links, against)
        if mended is None:
            break
        grouping, again = joined(mended)
        if len(np.unique(again.group)) >= len(np.unique(links.group)):
            break
        links = again
    group, confidence = links.group, link_confidence(links)
    seen_s = well_seen_seconds(tracklets, weight)
    person = number_people(group, tracklets, seen_s, least_seen_s)
    person[together.parted(group, share)] = -1
    return Identities(person, confidence.astype(np.float32))


def usable_embeddings(tracklets: Tracklets) -> tuple[np.ndarray, np.ndarray]:
    """Unit embeddings (T, D), rows of 0 where there is none, and their weights (T,), 0 there.

    A weight is the crops' mean quality times how long the track ran, in units of CROP_EVERY_S.
    """
    embedding = np.asarray(tracklets.embedding, np.float32)
    length = np.linalg.norm(embedding, axis=1) if embedding.shape[1] else np.zeros(len(embedding))
    good = np.isfinite(length) & (length > 0)
    unit = np.zeros_like(embedding)
    unit[good] = embedding[good] / length[good, None]
    crops = 1 + (tracklets.end_us - tracklets.start_us) / (CROP_EVERY_S * SECOND_US)
    quality = np.clip(np.nan_to_num(np.asarray(tracklets.quality, float)), 1e-3, None)
    return unit, np.where(good, quality * crops, 0.0)


@dataclass(frozen=True)
class PlaceEvidence:
    """Pairs (K,) with what their places and times say: log-likelihood ratio, and log odds of a conflict."""

    first: np.ndarray
    second: np.ndarray
    ratio: np.ndarray
    conflict: np.ndarray


def evidence_of_places(
    tracklets: Tracklets,
    samples: Samples,
    heights: Heights,
    together: Overlaps,
    influence: np.ndarray,
    model: FloorModel,
) -> PlaceEvidence:
    """Pairs seen at once by two cameras, one after the other, or by one camera at one time. influence: (T,)."""
    slots = in_slots(samples)
    density = Density(slots.xy)
    first, second, ratio = at_once(slots, model, density, heights)
    across = tracklets.camera[first] != tracklets.camera[second]
    parts = [(first[across], second[across], ratio[across])]
    parts.append(in_sequence(tracklets, samples, model, density, heights))
    odds = together.odds_against(influence)
    parts.append((together.first, together.second, np.zeros(len(odds))))
    one, other = (np.concatenate([part[side] for part in parts]).astype(np.int32) for side in (0, 1))
    ratio = np.concatenate([part[2] for part in parts]).astype(np.float32)
    conflict = np.zeros(len(one), np.float16)  # of a large day's millions of pairs nearly all are 0
    conflict[len(one) - len(odds) :] = odds
    return PlaceEvidence(one, other, ratio, conflict)


def pair_evidence(
    places: PlaceEvidence,
    alike: tuple[np.ndarray, np.ndarray],
    embedding: np.ndarray,
    weight: np.ndarray,
    looks: Appearance,
    heights: Heights,
    tracklets: Tracklets,
) -> Edges:
    """Looks, heights, places and the odds of coming back, one edge a pair. `alike`: further pairs to look at."""
    count = len(weight)
    key = np.concatenate([places.first.astype(np.int64) * count + places.second, alike[0] * count + alike[1]])
    order = np.argsort(key)
    key = key[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1) > 0)
    key = key[starts]
    unplaced = (0, len(alike[0]))
    ratio = np.add.reduceat(np.pad(places.ratio, unplaced)[order], starts)
    conflict = np.add.reduceat(np.pad(places.conflict, unplaced)[order], starts)
    del order, starts
    first, second = (key // count).astype(np.int32), (key % count).astype(np.int32)
    del key
    own_share = influence(weight).astype(np.float32)
    share = own_share[first] * own_share[second]
    compared, similarity = np.zeros_like(share), np.zeros_like(share)
    for start in range(0, len(share), EDGES_AT_ONCE):
        rows = slice(start, start + EDGES_AT_ONCE)
        cosine, quality = similarity_of(first[rows], second[rows], embedding, weight)
        ratio[rows] += looks.evidence(cosine, quality) + heights.evidence(first[rows], second[rows])
        ratio[rows] -= odds_against_return(tracklets, first[rows], second[rows])
        compared[rows] = share[rows] * (quality > 0)
        similarity[rows] = share[rows] * np.nan_to_num(cosine)
    return Edges(first, second, share * ratio, share, compared, similarity, conflict)


def odds_against_return(tracklets: Tracklets, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Log odds (K,) against two tracklets so far apart in time being one person: the longer the gap, the more other
    people there are that it could be, and few customers come back."""
    later = np.maximum(tracklets.start_us[first], tracklets.start_us[second])
    gap_s = (later - np.minimum(tracklets.end_us[first], tracklets.end_us[second])) / SECOND_US
    return RETURN_ODDS * (1 - np.exp(-np.clip(gap_s, 0, None) / STAY_S))


def similarity_of(
    first: np.ndarray, second: np.ndarray, embedding: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cosine (K,) of pairs, NaN where a side has no embedding, and the poorer side's quality (K,)."""
    similarity = products(embedding, first, second)
    quality = np.minimum(weight[first], weight[second]).astype(np.float32)
    similarity[quality <= 0] = np.nan
    return similarity, quality


def influence(weight: np.ndarray) -> np.ndarray:
    """How much each tracklet (T,) has to say about its group: one that was seen badly or briefly says little."""
    return LEAST_INFLUENCE + (1 - LEAST_INFLUENCE) * weight / (weight + HALF_INFLUENCE)


def good_quality(tracklets: Tracklets, weight: np.ndarray) -> float:
    """Quality of pictures that show who it is: GOOD_QUALITY, or such as comes near to that of this site's best tenth of
    the time; 0 without any pictures."""
    embedded = weight > 0
    if not embedded.any():
        return 0.0
    seconds = (tracklets.end_us - tracklets.start_us)[embedded] / SECOND_US + CROP_EVERY_S
    best = np.quantile(tracklets.quality[embedded], 0.9, weights=seconds, method="inverted_cdf")
    return min(GOOD_QUALITY, GOOD_SHARE * float(best))


def well_seen(tracklets: Tracklets, weight: np.ndarray) -> np.ndarray:
    """Whether each tracklet (T,) has good pictures. Without any pictures all count as seen well, and places alone
    decide."""
    good = good_quality(tracklets, weight)
    return np.asarray((weight > 0) & (tracklets.quality >= good)) if good else np.ones(len(weight), bool)


def well_seen_seconds(tracklets: Tracklets, weight: np.ndarray) -> np.ndarray:
    """Seconds (T,) that each tracklet was seen, in so far as its pictures are good: half as good is half as long."""
    seconds = (tracklets.end_us - tracklets.start_us) / SECOND_US
    good = good_quality(tracklets, weight)
    if not good:
        return np.asarray(seconds)
    share = np.clip(np.nan_to_num(tracklets.quality) / good, 0, 1)
    return np.asarray(seconds * np.where(weight > 0, share, 0.0))


def typical_evidence(embedding: np.ndarray, weight: np.ndarray, looks: Appearance) -> float:
    """Mean evidence of looks of pairs taken evenly from all, nearly all of them two people."""
    known = np.flatnonzero(weight > 0)
    if len(known) < 2:
        return looks.absent
    first = np.tile(known, 4)
    second = np.concatenate([np.roll(known, max(1, round(len(known) * share))) for share in (0.2, 0.3, 0.4, 0.5)])
    return float(looks.evidence(*similarity_of(first, second, embedding, weight)).mean())


def fit_looks(prior: Appearance, embedding: np.ndarray, weight: np.ndarray, places: PlaceEvidence) -> Appearance:
    """The calibration moved to the day's own pairs: one camera at one time differs, two cameras in step are one."""
    two = places.conflict >= SURE
    sure = np.flatnonzero(two | (np.abs(places.ratio) >= SURE))
    sure = sure[(weight[places.first[sure]] > 0) & (weight[places.second[sure]] > 0)]
    if len(sure) > MOST_PAIRS:
        sure = sure[np.linspace(0, len(sure) - 1, MOST_PAIRS).astype(int)]
    same = ~two[sure] & (places.ratio[sure] > 0)
    return fitted(prior, *similarity_of(places.first[sure], places.second[sure], embedding, weight), same)


def number_people(group: np.ndarray, tracklets: Tracklets, seen_s: np.ndarray, least_seen_s: float) -> np.ndarray:
    """Number people 1.. by first appearance; -1 where a group was not seen well for long enough.

    seen_s: (T,), seconds each tracklet was seen, the badly seen ones for a share: what is only ever a head behind a
    shelf is more often a piece of somebody who was counted already than one more person.
    """
    count = len(group)
    seen = np.bincount(group, weights=seen_s, minlength=count)
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, group, tracklets.start_us)
    people = np.unique(group)
    people = people[seen[people] >= least_seen_s]
    order = people[np.argsort(first[people], kind="stable")]
    number = np.full(count, -1, np.int64)
    number[order] = np.arange(1, len(order) + 1)
    return number[group]
