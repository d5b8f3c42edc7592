"""How tall each person is, by all views of them: seen feet tell it, and so do two cameras that see one head.

Two views of a head at one instant meet at one height only. So people are joined, their heights learnt from all views,
placed anew by these, and joined again.
"""

from __future__ import annotations

import numpy as np

from reid.floor_agreement import (
    PAIRS_AT_ONCE,
    SLOT_S,
    FloorModel,
    at_height_0,
    in_slots,
    log_normal,
    pairs_in_slots,
    squared_by_height,
)
from reid.heights import Heights
from reid.tracklets import Samples

MOST_A_TRACKLET, MOST_A_PERSON, MOST_BY_VIEWS = 4.0, 12.0, 15.0
"""Limits of the log-likelihoods of a tracklet's own heights, of all of a person's, and of views that meet."""
FULL_SAMPLES = 10
"""Samples from which on a tracklet's own heights count in full."""
WRONG_VIEWS = 0.05
"""Share of meeting views that are off in some way: somebody else's, or a head that is bent."""
WRONG_LINKS = 0.1
"""Share of what each tracklet knows by itself that stays, since it may not be that person."""


def heights_of_people(samples: Samples, heights: Heights, person: np.ndarray, model: FloorModel) -> Heights:
    """Heights of T tracklets by all of their person's; person: int (T,), 0 or less for nobody's, which stay.

    samples: places of the tracklets, their slopes from each one's mean height in `heights`.
    """
    people = np.maximum(person, 0)
    own = np.log(heights.of + 1e-9) - np.log(heights.prior)
    size = np.bincount(samples.tracklet, minlength=len(people))
    told_each = np.clip(own, -MOST_A_TRACKLET, MOST_A_TRACKLET) * np.minimum(size / FULL_SAMPLES, 1)[:, None]
    told = np.zeros((int(people.max(initial=0)) + 1, len(heights.bins_m)))
    np.add.at(told, people, told_each)
    told = np.clip(told, -MOST_A_PERSON, MOST_A_PERSON) + by_meeting_views(samples, heights, people, model, len(told))
    posterior = told[people] - told_each + own + np.log(heights.prior)
    posterior = np.exp(posterior - posterior.max(axis=1, keepdims=True))
    posterior /= posterior.sum(axis=1, keepdims=True)
    mixed = (1 - WRONG_LINKS) * posterior + WRONG_LINKS * heights.of
    return Heights(heights.bins_m, heights.prior, np.where(person[:, None] > 0, mixed, heights.of))


def by_meeting_views(
    samples: Samples, heights: Heights, people: np.ndarray, model: FloorModel, count: int
) -> np.ndarray:
    """Log-likelihood (count, H) of each person's heights: how near to each other they put their places at one instant.
    people: (T,), 0 for nobody."""
    slots = in_slots(samples)
    level = at_height_0(slots.xy, slots.slope, heights.mean_m[slots.tracklet])
    owner = people[slots.tracklet]
    order = np.lexsort((slots.slot, owner))
    order = order[owner[order] > 0]
    _, meeting = np.unique(np.column_stack([owner, slots.slot])[order], axis=0, return_inverse=True)
    total = np.zeros((count, len(heights.bins_m)))
    for one, other in pairs_in_slots(meeting.ravel(), PAIRS_AT_ONCE // len(heights.bins_m)):
        one, other = order[one], order[other]
        variance = model.near_m**2 + slots.variance[one] + slots.variance[other]
        squared = squared_by_height(level[one] - level[other], slots.slope[one] - slots.slope[other], heights.bins_m)
        fits = np.logaddexp(
            log_normal(squared, variance[:, None]), np.log(WRONG_VIEWS / (2 * np.pi * variance))[:, None]
        )
        np.add.at(total, owner[one], (fits - fits.max(axis=1, keepdims=True)) * SLOT_S / model.hidden_correlation_s)
    return np.maximum(total - total.max(axis=1, keepdims=True), -MOST_BY_VIEWS)
