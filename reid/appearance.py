"""From cosine similarity to evidence: log odds that two looks are one person, given how good the pictures were.

A blurred or half-hidden person looks less like themselves: the threshold falls with the log of the poorer side's
quality. The weights' calibration gives slope and threshold for single good crops; a store-day itself tells more, free
of labels by hand: two tracks of one camera at one time are two people, and two cameras' tracks that walk together step
by step are one. `fitted` moves the calibration to the site as far as those pairs carry it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

LEAST_QUALITY, MOST_QUALITY = 0.1, 4.0


@dataclass(frozen=True)
class Appearance:
    """Evidence is slope * (cosine - threshold - by_quality * log(quality)), limited to [-most_against, most_for].

    quality is that of the poorer side, a sum over its crops. `absent`: the evidence where one side has no embedding,
    the odds against two random tracklets; crops of quality `half` are trusted half, worse ones come near to `absent`.
    """

    threshold: float
    slope: float
    by_quality: float = 0.08
    most_for: float = 6.0
    most_against: float = 8.0
    absent: float = -1.5
    half: float = 0.1

    def odds(self, similarity: np.ndarray, quality: np.ndarray) -> np.ndarray:
        """Log odds (K,) of one person by cosines (K,), taken at their word."""
        return np.asarray(self.slope * (similarity - self.threshold - self.by_quality * log_quality(quality)))

    def evidence(self, similarity: np.ndarray, quality: np.ndarray) -> np.ndarray:
        """Log-likelihood ratios (K,) of cosines (K,); NaN (no embedding) becomes `absent`."""
        ratio = np.clip(self.odds(similarity, quality), -self.most_against, self.most_for)
        trust = quality / (quality + self.half)
        return np.where(np.isnan(ratio), self.absent, trust * ratio + (1 - trust) * self.absent)


def log_quality(quality: np.ndarray) -> np.ndarray:
    return np.log(np.clip(quality, LEAST_QUALITY, MOST_QUALITY))


def fitted(
    prior: Appearance,
    similarity: np.ndarray,
    quality: np.ndarray,
    same: np.ndarray,
    wrong_same: float = 0.2,
    spread: tuple[float, float, float] = (0.1, 5.0, 0.03),
) -> Appearance:
    """The calibration that pairs (K,) known to be the same or different give, with the prior's as a prior.

    Both kinds weigh the same in total, as many as there are of the rarer. wrong_same: share of the pairs called the
    same that are not (two who walk in step). spread: the prior's standard deviations of threshold, slope and
    by_quality. Without pairs of both kinds the prior comes back.
    """
    known = np.isfinite(similarity)
    similarity, quality, same = similarity[known], quality[known], same[known].astype(bool)
    if not same.any() or same.all():
        return prior
    rarer = min(same.sum(), (~same).sum())
    weight = np.where(same, rarer / same.sum(), rarer / (~same).sum())
    logs = log_quality(quality)
    start = np.array([prior.threshold, prior.slope, prior.by_quality])

    def loss(parameters: np.ndarray) -> float:
        threshold, slope, by_quality = parameters
        likely = expit(slope * (similarity - threshold - by_quality * logs))
        told_same = (1 - wrong_same) * likely + wrong_same * (1 - likely)
        fit = weight @ -np.log(np.where(same, told_same, 1 - likely) + 1e-9)
        return float(fit + (((parameters - start) / spread) ** 2).sum() / 2)

    bounds = [(-1.0, 1.0), (1.0, 60.0), (0.0, 0.3)]
    threshold, slope, by_quality = minimize(loss, start, bounds=bounds, method="L-BFGS-B").x
    return replace(prior, threshold=float(threshold), slope=float(slope), by_quality=float(by_quality))
