"""From cosine similarity to evidence: log odds that two looks are one person, given how good the pictures were.

A blurred or half-hidden person looks less like themselves: the threshold falls with the log of the poorer side's
quality. The weights' calibration gives slope and threshold for single good crops; a store-day itself tells more, free
of labels by hand: two tracks of one camera at one time are two people, and two cameras' tracks that walk together step
by step are one. `fitted` moves the calibration to the site as far as those pairs carry it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

LEAST_QUALITY, MOST_QUALITY = 0.05, 4.0


@dataclass(frozen=True)
class Appearance:
    """Evidence is slope * (cosine - threshold - by_quality * log(quality)), limited to [-most_against, most_for].

    quality is that of the poorer side, a sum over its crops. `absent`: the evidence where one side has no embedding,
    the odds against two random tracklets.
    """

    threshold: float
    slope: float
    by_quality: float = 0.08
    most_for: float = 6.0
    most_against: float = 8.0
    absent: float = -1.5

    def evidence(self, similarity: np.ndarray, quality: np.ndarray) -> np.ndarray:
        """Log-likelihood ratios (K,) of cosines (K,); NaN (no embedding) becomes `absent`."""
        needed = self.threshold + self.by_quality * log_quality(quality)
        ratio = np.clip(self.slope * (similarity - needed), -self.most_against, self.most_for)
        return np.where(np.isnan(ratio), self.absent, ratio)


def log_quality(quality: np.ndarray) -> np.ndarray:
    return np.log(np.clip(quality, LEAST_QUALITY, MOST_QUALITY))


def fitted(
    prior: Appearance,
    similarity: np.ndarray,
    quality: np.ndarray,
    same: np.ndarray,
    spread: tuple[float, float, float] = (0.1, 5.0, 0.05),
) -> Appearance:
    """The calibration that pairs (K,) known to be the same or different give, with the prior's as a prior.

    Both kinds weigh the same in total, as many as there are of the rarer. spread: the prior's standard deviations of
    threshold, slope and by_quality. Without pairs of both kinds the prior comes back.
    """
    known = np.isfinite(similarity)
    similarity, quality, same = similarity[known], quality[known], same[known].astype(bool)
    if not same.any() or same.all():
        return prior
    rarer = min(same.sum(), (~same).sum())
    weight = np.where(same, rarer / same.sum(), rarer / (~same).sum())
    logs, sign = log_quality(quality), np.where(same, 1.0, -1.0)
    start = np.array([prior.threshold, prior.slope, prior.by_quality])

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        threshold, slope, by_quality = parameters
        odds = slope * (similarity - threshold - by_quality * logs)
        pull = -weight * sign * expit(-sign * odds)
        off = (parameters - start) / spread
        gradient = np.array(
            [(-slope * pull).sum(), (pull * odds).sum() / slope if slope else 0.0, (-slope * pull * logs).sum()]
        )
        value = (weight * np.logaddexp(0, -sign * odds)).sum() + (off**2).sum() / 2
        return float(value), gradient + off / spread

    bounds = [(-1.0, 1.0), (1.0, 60.0), (-0.3, 0.5)]
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return Appearance(*map(float, found), prior.most_for, prior.most_against, prior.absent)
