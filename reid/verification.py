"""Same person or not: the share of true pairs accepted at a given false positive rate, and calibrated confidence.

Counting people over cameras asks this question of every pair, so the rate matters more there than the order of lists.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from reid.metrics import JUNK_IDENTITY, Floats, Integers, normalised

BINS = 200_000  # of cosine similarity between -1 and 1: similarities are exact to 1e-5


@dataclass(frozen=True)
class PairSimilarities:
    """Histograms of cosine similarity over pairs of pictures from two different cameras.

    Attributes:
        same: int64 (BINS,), pairs of one person.
        different: int64 (BINS,), pairs of two people.
    """

    same: NDArray[np.int64]
    different: NDArray[np.int64]


@dataclass(frozen=True)
class Calibration:
    """How to turn a cosine similarity into a decision and a confidence.

    Attributes:
        threshold: Pairs at or above this similarity are taken for one person.
        tpr: Share of same-person pairs at or above the threshold.
        fpr: Share of different-person pairs at or above the threshold.
        slope, offset: P(same | similarity) = 1 / (1 + exp(-(slope * similarity + offset))) where both kinds of pairs
            are equally likely beforehand.
        pairs: Same-person pairs that it was measured on.
    """

    threshold: float
    tpr: float
    fpr: float
    slope: float
    offset: float
    pairs: int

    def confidence(self, similarity: Floats) -> NDArray[np.float64]:
        """Probability that a pair of this similarity is one person, with even odds beforehand."""
        return np.asarray(expit(self.slope * np.asarray(similarity, dtype=np.float64) + self.offset))


def pair_similarities(features: Floats, ids: Integers, cameras: Integers, *, chunk: int = 512) -> PairSimilarities:
    """Histograms of all pairs of pictures (each pair once) that two different cameras took; junk is left out.

    Raises:
        ValueError: There is no pair of one person, or none of two people, in different cameras.
    """
    keep = np.asarray(ids) != JUNK_IDENTITY
    features, ids, cameras = normalised(features)[keep], np.asarray(ids)[keep], np.asarray(cameras)[keep]
    counts = np.zeros((2, BINS), dtype=np.int64)
    for start in range(0, len(features), chunk):
        rows = slice(start, start + chunk)
        similarity = features[rows] @ features[start:].T
        later = np.arange(similarity.shape[1])[None, :] > np.arange(similarity.shape[0])[:, None]
        pair = later & (cameras[rows, None] != cameras[None, start:])
        same = ids[rows, None] == ids[None, start:]
        bins = np.clip((similarity + 1) * (BINS / 2), 0, BINS - 1).astype(np.int64)
        counts[0] += np.bincount(bins[pair & same], minlength=BINS)
        counts[1] += np.bincount(bins[pair & ~same], minlength=BINS)
    if not counts.sum(axis=1).all():
        raise ValueError(
            "verification needs pairs of one person and of two people from different cameras; "
            f"there are {counts[0].sum()} and {counts[1].sum()}"
        )
    return PairSimilarities(counts[0], counts[1])


def true_positive_rate(pairs: PairSimilarities, fpr: float = 0.01) -> tuple[float, float]:
    """(share of same-person pairs accepted, similarity threshold) where at most `fpr` of the others are accepted."""
    above = np.cumsum(pairs.different[::-1])[::-1]  # different pairs at or above each bin's lower edge
    allowed = np.flatnonzero(above <= fpr * pairs.different.sum())
    lowest = int(allowed[0]) if len(allowed) else BINS
    return float(pairs.same[lowest:].sum() / pairs.same.sum()), lowest * 2 / BINS - 1


def calibrate(pairs: PairSimilarities, fpr: float = 0.01) -> Calibration:
    """Threshold at the given false positive rate, and a logistic curve by maximum likelihood with even class weights
    (Platt, 1999)."""
    tpr, threshold = true_positive_rate(pairs, fpr)
    used = np.flatnonzero(pairs.same + pairs.different)
    similarity = (used + 0.5) * 2 / BINS - 1
    same = pairs.same[used] / pairs.same.sum()
    different = pairs.different[used] / pairs.different.sum()

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logit = parameters[0] * (similarity - 0.5) + parameters[1]
        error = different * expit(logit) - same * expit(-logit)
        value = np.sum(same * np.logaddexp(0, -logit) + different * np.logaddexp(0, logit))
        return float(value), np.array([np.sum(error * (similarity - 0.5)), np.sum(error)])

    slope, middle = minimize(loss, np.array([10.0, 0.0]), jac=True, method="BFGS").x
    accepted = pairs.different[round((threshold + 1) * BINS / 2) :].sum() / pairs.different.sum()
    return Calibration(
        float(threshold), tpr, float(accepted), float(slope), float(middle - 0.5 * slope), int(pairs.same.sum())
    )
