"""How tall people are, as evidence: two tracklets of one person have one height.

What a camera knows of a height is a probability for each of a few bins: narrow where it saw the feet, little more than
what is known of anybody where it saw a head behind a shelf. A child's height tells it from all adults.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reid.neighbours import products

MOST_AGAINST, MOST_FOR = -3.0, 1.0
"""Limits of the evidence: boxes are cut off and people bend; and brothers and sisters are children alike."""


@dataclass(frozen=True)
class Heights:
    """Of T tracklets: `of` (T, H), the probability of each of `bins_m` (H,) metres; `prior` (H,), that of anybody."""

    bins_m: np.ndarray
    prior: np.ndarray
    of: np.ndarray

    def __post_init__(self) -> None:
        if self.of.ndim != 2 or not self.of.shape[1] == len(self.bins_m) == len(self.prior):
            raise ValueError(
                f"heights {self.of.shape} need a column for each of {len(self.bins_m)} bins and a prior of as many"
            )

    @classmethod
    def unknown(cls, count: int) -> Heights:
        """Nothing is known: one bin that everybody is in."""
        return cls(np.zeros(1), np.ones(1), np.ones((count, 1)))

    @property
    def mean_m(self) -> np.ndarray:
        """Mean heights (T,)."""
        return np.asarray(self.of @ self.bins_m)

    def evidence(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Log-likelihood ratios (K,) of pairs being as tall as one person, limited to MOST_AGAINST..MOST_FOR."""
        both = products((self.of / np.sqrt(self.prior)).astype(np.float32), first, second)
        return np.clip(np.log(np.maximum(both, 1e-6)), MOST_AGAINST, MOST_FOR)

    def of_one(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Log probability (K, H) of the height of pairs, if each is one person."""
        both = self.of[first] * self.of[second] / self.prior + 1e-9
        return np.log(both / both.sum(axis=1, keepdims=True))
