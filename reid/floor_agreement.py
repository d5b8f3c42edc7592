"""Evidence from places: do two tracklets walk as one person? Log-likelihood ratios, same person against two people.

Two views at once: one person's two floor places differ by the foot points' errors. These are small where feet are seen
(`near_m`) and metres, for as long as the view lasts, where a shelf hides them (`hidden_m`, a share `hidden_share` of
tracklet pairs); so the likelihood is a mixture of the two over the whole time together, not one an instant. Two
people's places are as far apart as people are in this store (the density of all places), or close, if they walk
together.

One view after another: in a gap, one person moves no farther than walking takes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from reid.tracklets import SECOND_US, Samples, Tracklets

PAIRS_AT_ONCE = 1_000_000
SLOT_S = 2.0
FAR_SIGMAS = 4.0
FAR_RATIO = -6.0
END_US = 500_000


@dataclass(frozen=True)
class FloorModel:
    """Constants of the evidence, metres and seconds. Measured on rendered stores by tests/benchmarks/identities.py."""

    near_m: float = 0.2
    hidden_m: float = 2.5
    hidden_share: float = 0.1
    near_correlation_s: float = 2.0
    hidden_correlation_s: float = 4.0
    companion_share: float = 0.05
    companion_m: float = 1.5
    limit: float = 50.0
    longest_gap_s: float = 6.0
    pace_m_s: float = 0.6
    fastest_m_s: float = 2.5
    gap_limit: float = 4.0


@dataclass(frozen=True)
class Slots:
    """Median place of each tracklet in each SLOT_S: tracklet (P,), slot int64 (P,), xy (P, 2), variance (P,)."""

    tracklet: np.ndarray
    slot: np.ndarray
    xy: np.ndarray
    variance: np.ndarray


def in_slots(samples: Samples) -> Slots:
    """Medians by tracklet and slot, ordered by slot; samples without a place are left out."""
    keep = np.isfinite(samples.x_m) & np.isfinite(samples.y_m)
    tracklet = samples.tracklet[keep].astype(np.int64)
    slot = samples.time_us[keep].astype(np.int64) // round(SLOT_S * SECOND_US)
    sigma = np.zeros(len(tracklet)) if samples.sigma_m is None else np.asarray(samples.sigma_m, float)[keep]
    order = np.lexsort((tracklet, slot))
    tracklet, slot = tracklet[order], slot[order]
    new = np.ones(len(tracklet), bool)
    new[1:] = (np.diff(tracklet) != 0) | (np.diff(slot) != 0)
    group = np.cumsum(new) - 1
    size = np.bincount(group)
    first = np.concatenate([[0], np.cumsum(size)[:-1]]) if len(size) else size
    columns = []
    for values in (samples.x_m[keep][order], samples.y_m[keep][order]):
        ranked = values[np.lexsort((values, group))].astype(float)
        columns.append((ranked[first + (size - 1) // 2] + ranked[first + size // 2]) / 2)
    variance = np.bincount(group, weights=sigma[order] ** 2) / np.maximum(size, 1)
    return Slots(tracklet[new], slot[new], np.column_stack(columns).reshape(-1, 2), variance)


class Density:
    """How often people are at a place: share a m2, from all places of the day, smoothed over about a metre."""

    def __init__(self, xy: np.ndarray) -> None:
        xy = xy if len(xy) else np.zeros((1, 2))
        low, high = np.quantile(xy, [0.005, 0.995], axis=0)
        self.origin = low - 2
        self.shape = np.clip(np.ceil(high + 2 - self.origin), 5, 400).astype(int)
        cells = self._cells(xy)
        counts = np.bincount(cells, minlength=int(self.shape.prod())).reshape(self.shape).astype(float)
        smooth = gaussian_filter(counts, 1.0, mode="constant") / len(xy)
        self.values = np.maximum(smooth, 0.1 / self.shape.prod()).ravel()

    def _cells(self, xy: np.ndarray) -> np.ndarray:
        cell = np.clip(np.floor(xy - self.origin), 0, self.shape - 1).astype(np.int64)
        return cell[:, 0] * self.shape[1] + cell[:, 1]

    def at(self, xy: np.ndarray) -> np.ndarray:
        return self.values[self._cells(xy)]


def log_normal(squared_m2: np.ndarray, variance_m2: np.ndarray | float) -> np.ndarray:
    """Log density of a displacement on the floor, both axes with this variance."""
    return -squared_m2 / (2 * variance_m2) - np.log(2 * np.pi * variance_m2)


def at_once(slots: Slots, model: FloorModel, density: Density) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evidence of every pair of tracklets that have places in the same slots.

    Returns first (K,), second (K,) with first < second, and the log-likelihood ratio (K,), limited to +-model.limit.
    """
    keys, sums = [], []
    count = int(slots.tracklet.max(initial=0)) + 1
    common = np.sqrt((1 - model.companion_share) * density.at(slots.xy))
    for one, other in _pairs_in_slots(slots.slot):
        near, hidden = _ratios(slots, common, one, other, model)
        unique, inverse = np.unique(slots.tracklet[one] * count + slots.tracklet[other], return_inverse=True)
        keys.append(unique)
        sums.append(np.stack([np.bincount(inverse, weights=ratio) for ratio in (near, hidden)]).astype(np.float32))
    if not keys:
        none = np.zeros(0, np.int64)
        return none, none, np.zeros(0)
    key, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    del keys
    near, hidden = (
        np.bincount(inverse, weights=ratio, minlength=len(key)) * SLOT_S for ratio in np.concatenate(sums, axis=1)
    )
    del sums, inverse
    ratio = np.logaddexp(
        np.log(1 - model.hidden_share) + near / model.near_correlation_s,
        np.log(model.hidden_share) + hidden / model.hidden_correlation_s,
    )
    return key // count, key % count, np.clip(ratio, -model.limit, model.limit)


def _ratios(
    slots: Slots, common: np.ndarray, one: np.ndarray, other: np.ndarray, model: FloorModel
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood ratios of places in one slot, feet seen and feet hidden; FAR_RATIO where they are too far apart
    for any doubt (most pairs in a large store, which saves the rest of the work)."""
    off = slots.xy[one] - slots.xy[other]
    squared = np.einsum("nd,nd->n", off, off)
    near, hidden = np.full(len(one), 4 * FAR_RATIO), np.full(len(one), FAR_RATIO)
    close = np.flatnonzero(squared < (FAR_SIGMAS * model.hidden_m) ** 2)
    one, other, squared = one[close], other[close], squared[close]
    variance = slots.variance[one] + slots.variance[other]
    apart = common[one] * common[other]
    apart += model.companion_share * np.exp(log_normal(squared, model.companion_m**2 + variance))
    apart = np.log(apart)
    near[close] = np.maximum(log_normal(squared, model.near_m**2 + variance) - apart, 4 * FAR_RATIO)
    hidden[close] = np.maximum(log_normal(squared, model.hidden_m**2 + variance) - apart, FAR_RATIO)
    return near, hidden


def _pairs_in_slots(slot: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows one < other that share a slot, each pair once, in blocks of bounded size. `slot` is in order."""
    last = np.searchsorted(slot, slot, side="right")
    partners = last - np.arange(len(slot)) - 1
    ends = np.cumsum(partners)
    start = 0
    while start < len(slot):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + PAIRS_AT_ONCE, side="right")))
        sizes = partners[start:stop]
        if sizes.sum():
            one = np.repeat(np.arange(start, stop), sizes)
            offset = np.arange(len(one)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            yield one, one + 1 + offset
        start = stop


def in_sequence(
    tracklets: Tracklets, samples: Samples, model: FloorModel, density: Density
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evidence of every pair where one tracklet starts within `longest_gap_s` after the other's end.

    Returns first (K,), second (K,) rows with first < second, and the log-likelihood ratio (K,). What no walk explains
    has at most -model.limit.
    """
    first, last = ends_of(samples, len(tracklets))
    known = np.flatnonzero(np.isfinite(first[:, 0]))
    by_start = known[np.argsort(tracklets.start_us[known], kind="stable")]
    starts, ends = tracklets.start_us[by_start], tracklets.end_us[known]
    low = np.searchsorted(starts, ends, side="right")
    high = np.searchsorted(starts, ends + round(model.longest_gap_s * SECOND_US), side="right")
    sizes = high - low
    before = np.repeat(known, sizes)
    offset = np.arange(len(before)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    after = by_start[np.repeat(low, sizes) + offset]
    gap_s = (tracklets.start_us[after] - tracklets.end_us[before]) / SECOND_US
    distance = np.linalg.norm(first[after, :2] - last[before, :2], axis=1)
    variance = first[after, 2] + last[before, 2]
    moved = (model.pace_m_s * gap_s) ** 2
    same_camera = tracklets.camera[before] == tracklets.camera[after]
    error = model.near_m**2 + variance + moved
    hidden_share = np.where(same_camera, 0.5, 1.0) * model.hidden_share
    same = (1 - hidden_share) * np.exp(log_normal(distance**2, error))
    same += hidden_share * np.exp(log_normal(distance**2, error + model.hidden_m**2))
    apart = (1 - model.companion_share) * density.at(first[after, :2])
    apart += model.companion_share * np.exp(log_normal(distance**2, model.companion_m**2 + variance + moved))
    ratio = np.clip(np.log(same + 1e-30) - np.log(apart), -model.gap_limit, model.gap_limit)
    impossible = distance > model.fastest_m_s * gap_s + 2 * model.hidden_m
    ratio[impossible] = -model.limit
    return np.minimum(before, after), np.maximum(before, after), ratio


def ends_of(samples: Samples, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last place of each tracklet (T, 3): x, y, variance, means over END_US; NaN where there is none."""
    keep = np.flatnonzero(np.isfinite(samples.x_m) & np.isfinite(samples.y_m))
    tracklet, time = samples.tracklet[keep], samples.time_us[keep]
    sigma = np.zeros(len(keep)) if samples.sigma_m is None else np.asarray(samples.sigma_m, float)[keep]
    values = np.column_stack([samples.x_m[keep], samples.y_m[keep], sigma**2])
    low, high = np.full(count, np.iinfo(np.int64).max), np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(low, tracklet, time)
    np.maximum.at(high, tracklet, time)
    result = []
    for near in (time <= low[tracklet] + END_US, time >= high[tracklet] - END_US):
        total, size = np.zeros((count, 3)), np.bincount(tracklet[near], minlength=count)[:, None]
        np.add.at(total, tracklet[near], values[near])
        result.append(np.divide(total, size, out=np.full((count, 3), np.nan), where=size > 0))
    return result[0], result[1]
