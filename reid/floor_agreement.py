"""Evidence from places: do two tracklets walk as one person? Log-likelihood ratios, same person against two people.

Two views at once: one person's two floor places differ by the foot points' errors. These are small where feet are seen
(`near_m`) and metres, for as long as the view lasts, where a shelf hides them (`hidden_m`, a share `hidden_share` of
tracklet pairs); so the likelihood is a mixture of the two over the whole time together, not one an instant. Two
people's places are as far apart as people are in this store (the density of all places), or close, if they walk
together.

One view after another: in a gap, one person moves no farther than walking takes them.

The place of a head whose feet are hidden lies on a line, and where on it depends on how tall the person is. One person
has one height in both views: the likelihood is the mean over heights, by what both know of them. So two views of a
child's head agree although each by itself would have put an adult somewhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from reid.heights import Heights
from reid.tracklets import SECOND_US, Samples, Tracklets

PAIRS_AT_ONCE = 1_000_000
SLOT_S = 2.0
FAR_SIGMAS = 4.0
FAR_RATIO, OFF_RATIO = -6.0, -24.0
"""Least evidence a slot of places that are metres apart, and of places too far apart for feet that are seen."""
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
    """Median place of each tracklet in each SLOT_S: tracklet (P,), slot int64 (P,), xy (P, 2), slope (P, 2), as in
    Samples, and variance (P,)."""

    tracklet: np.ndarray
    slot: np.ndarray
    xy: np.ndarray
    slope: np.ndarray
    variance: np.ndarray


def in_slots(samples: Samples) -> Slots:
    """Medians by tracklet and slot, ordered by slot; samples without a place are left out."""
    keep = np.isfinite(samples.x_m) & np.isfinite(samples.y_m)
    tracklet = samples.tracklet[keep].astype(np.int64)
    slot = samples.time_us[keep].astype(np.int64) // round(SLOT_S * SECOND_US)
    sigma, slope = (values[keep] for values in _sigma_and_slope(samples))
    order = np.lexsort((tracklet, slot))
    tracklet, slot = tracklet[order], slot[order]
    new = np.ones(len(tracklet), bool)
    new[1:] = (np.diff(tracklet) != 0) | (np.diff(slot) != 0)
    group = np.cumsum(new) - 1
    size = np.bincount(group)
    first = np.concatenate([[0], np.cumsum(size)[:-1]]) if len(size) else size

    def median(values: np.ndarray) -> np.ndarray:
        ranked = values[np.lexsort((values, group))].astype(float)
        return np.asarray((ranked[first + (size - 1) // 2] + ranked[first + size // 2]) / 2)

    places = [median(values[keep][order]) for values in (samples.x_m, samples.y_m)]
    slopes = [median(slope[order, axis]) for axis in (0, 1)]
    variance = np.bincount(group, weights=sigma[order] ** 2) / np.maximum(size, 1)
    pairs = [np.column_stack(values).reshape(-1, 2) for values in (places, slopes)]
    return Slots(tracklet[new], slot[new], pairs[0], pairs[1], variance)


def _sigma_and_slope(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations (S,) and slopes (S, 2), 0 where they are not known."""
    count = len(samples.tracklet)
    sigma = np.zeros(count) if samples.sigma_m is None else np.asarray(samples.sigma_m, float)
    slope = np.zeros((count, 2)) if samples.slope is None else np.asarray(samples.slope, float)
    return sigma, slope


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


def at_height_0(xy: np.ndarray, slope: np.ndarray, mean_m: np.ndarray) -> np.ndarray:
    """Places (K, 2) that heads would have at height 0, by their places at each one's mean height and the slopes."""
    return np.asarray(xy - slope * mean_m[:, None])


def squared_by_height(off: np.ndarray, slope: np.ndarray, bins_m: np.ndarray) -> np.ndarray:
    """Squared distances (K, H) of places `off` (K, 2) apart at height 0, which move by `slope` (K, 2) a metre of it."""
    off, slope, height = off.astype(np.float32), slope.astype(np.float32), bins_m.astype(np.float32)
    return np.asarray((off[:, :1] + slope[:, :1] * height) ** 2 + (off[:, 1:] + slope[:, 1:] * height) ** 2)


class _PairSums:
    """Sums of rows (n, C) by a pair's key, collected in blocks."""

    def __init__(self, columns: int) -> None:
        self.keys: list[np.ndarray] = [np.zeros(0, np.int64)]
        self.sums: list[np.ndarray] = [np.zeros((0, columns), np.float32)]

    def add(self, key: np.ndarray, values: np.ndarray) -> None:
        keys, sums = self._summed(key, values)
        self.keys.append(keys)
        self.sums.append(sums)

    def total(self) -> tuple[np.ndarray, np.ndarray]:
        """Keys (K,) in order and their sums (K, C)."""
        key, values = np.concatenate(self.keys), np.concatenate(self.sums)
        self.keys, self.sums = [], []
        return self._summed(key, values)

    @staticmethod
    def _summed(key: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not len(key):
            return key, values
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=-1) > 0)
        return key[order][starts], np.add.reduceat(values[order], starts, axis=0, dtype=np.float32)


def at_once(
    slots: Slots, model: FloorModel, density: Density, heights: Heights
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evidence of every pair of tracklets that have places in the same slots.

    Returns first (K,), second (K,) with first < second, and the log-likelihood ratio (K,), limited to +-model.limit.
    """
    count, bins = len(heights.of), len(heights.bins_m)
    common = np.sqrt((1 - model.companion_share) * density.at(slots.xy))
    level = at_height_0(slots.xy, slots.slope, heights.mean_m[slots.tracklet])
    # Most pairs are nowhere near each other in any slot, at no height: they need no column a height.
    every, close = _PairSums(2), _PairSums(bins)
    for one, other in pairs_in_slots(slots.slot, PAIRS_AT_ONCE // bins):
        near, hidden = _ratios(slots, level, common, one, other, model, heights.bins_m)
        key = slots.tracklet[one] * count + slots.tracklet[other]
        rows = np.flatnonzero(near.max(axis=1) > OFF_RATIO)
        every.add(key, np.column_stack([hidden, np.ones(len(key), np.float32)]))
        close.add(key[rows], near[rows] - OFF_RATIO)
    key, sums = every.total()
    hidden, near_off = sums[:, 0] * SLOT_S, sums[:, 1] * SLOT_S * OFF_RATIO
    first, second = key // count, key % count
    near = near_off / model.near_correlation_s
    close_key, close_sums = close.total()
    rows = np.searchsorted(key, close_key)
    for start in range(0, len(rows), PAIRS_AT_ONCE // bins):
        part = slice(start, start + PAIRS_AT_ONCE // bins)
        by_height = close_sums[part] * (SLOT_S / model.near_correlation_s)
        by_height = by_height + heights.of_one(first[rows[part]], second[rows[part]])
        near[rows[part]] += np.logaddexp.reduce(by_height, axis=1)
    ratio = np.logaddexp(
        np.log(1 - model.hidden_share) + near,
        np.log(model.hidden_share) + hidden / model.hidden_correlation_s,
    )
    return first, second, np.clip(ratio, -model.limit, model.limit)


def _ratios(
    slots: Slots,
    level: np.ndarray,
    common: np.ndarray,
    one: np.ndarray,
    other: np.ndarray,
    model: FloorModel,
    bins_m: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood ratios of places in one slot: feet seen, or heads of people of each height (n, H); feet hidden in
    some other way (n,). OFF_RATIO and FAR_RATIO where they are too far apart for any doubt (most pairs in a large
    store, which saves the rest of the work). `level`: places (P, 2) at height 0."""
    off = slots.xy[one] - slots.xy[other]
    squared = np.einsum("nd,nd->n", off, off)
    near = np.full((len(one), len(bins_m)), OFF_RATIO, np.float32)
    hidden = np.full(len(one), FAR_RATIO, np.float32)
    close = np.flatnonzero(squared < (FAR_SIGMAS * model.hidden_m) ** 2)
    one, other, squared = one[close], other[close], squared[close]
    variance = slots.variance[one] + slots.variance[other]
    apart = common[one] * common[other]
    apart += model.companion_share * np.exp(log_normal(squared, model.companion_m**2 + variance))
    apart = np.log(apart)
    by_height = squared_by_height(level[one] - level[other], slots.slope[one] - slots.slope[other], bins_m)
    same = log_normal(by_height, (model.near_m**2 + variance)[:, None].astype(np.float32))
    near[close] = np.maximum(same - apart[:, None], OFF_RATIO)
    hidden[close] = np.maximum(log_normal(squared, model.hidden_m**2 + variance) - apart, FAR_RATIO)
    return near, hidden


def pairs_in_slots(slot: np.ndarray, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows one < other that share a slot, each pair once, in blocks of about `most`. `slot` is in order."""
    last = np.searchsorted(slot, slot, side="right")
    partners = last - np.arange(len(slot)) - 1
    ends = np.cumsum(partners)
    start = 0
    while start < len(slot):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + most, side="right")))
        sizes = partners[start:stop]
        if sizes.sum():
            one = np.repeat(np.arange(start, stop), sizes)
            offset = np.arange(len(one)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            yield one, one + 1 + offset
        start = stop


def in_sequence(
    tracklets: Tracklets, samples: Samples, model: FloorModel, density: Density, heights: Heights
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evidence of every pair where one tracklet starts within `longest_gap_s` after the other's end.

    Returns first (K,), second (K,) rows with first < second, and the log-likelihood ratio (K,). What no walk explains
    has at most -model.limit.
    """
    first, last = ends_of(samples, len(tracklets))
    known = np.flatnonzero(np.isfinite(first.xy[:, 0]))
    by_start = known[np.argsort(tracklets.start_us[known], kind="stable")]
    starts, ends = tracklets.start_us[by_start], tracklets.end_us[known]
    low = np.searchsorted(starts, ends, side="right")
    high = np.searchsorted(starts, ends + round(model.longest_gap_s * SECOND_US), side="right")
    sizes = high - low
    before = np.repeat(known, sizes)
    offset = np.arange(len(before)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    after = by_start[np.repeat(low, sizes) + offset]
    ratio = np.zeros(len(before))
    step = PAIRS_AT_ONCE // len(heights.bins_m)
    for start in range(0, len(before), step):
        rows = slice(start, start + step)
        ratio[rows] = _walked(tracklets, last, first, before[rows], after[rows], model, density, heights)
    return np.minimum(before, after), np.maximum(before, after), ratio


def _walked(
    tracklets: Tracklets,
    last: Ends,
    first: Ends,
    before: np.ndarray,
    after: np.ndarray,
    model: FloorModel,
    density: Density,
    heights: Heights,
) -> np.ndarray:
    """Log-likelihood ratio (K,) of one person going from the end of `before` (K,) to the start of `after` (K,)."""
    gap_s = (tracklets.start_us[after] - tracklets.end_us[before]) / SECOND_US
    variance = first.variance[after] + last.variance[before]
    moved = (model.pace_m_s * gap_s) ** 2
    mean_m = heights.mean_m
    off = at_height_0(first.xy[after], first.slope[after], mean_m[after])
    off -= at_height_0(last.xy[before], last.slope[before], mean_m[before])
    squared = squared_by_height(off, first.slope[after] - last.slope[before], heights.bins_m)
    error = (model.near_m**2 + variance + moved)[:, None]
    same_camera = tracklets.camera[before] == tracklets.camera[after]
    hidden_share = (np.where(same_camera, 0.5, 1.0) * model.hidden_share)[:, None]
    same = (1 - hidden_share) * np.exp(log_normal(squared, error))
    same += hidden_share * np.exp(log_normal(squared, error + model.hidden_m**2))
    same = (np.exp(heights.of_one(before, after)) * same).sum(axis=1)
    distance = np.linalg.norm(first.xy[after] - last.xy[before], axis=1)
    apart = (1 - model.companion_share) * density.at(first.xy[after])
    apart += model.companion_share * np.exp(log_normal(distance**2, model.companion_m**2 + variance + moved))
    ratio = np.clip(np.log(same + 1e-30) - np.log(apart), -model.gap_limit, model.gap_limit)
    ratio[np.sqrt(squared.min(axis=1)) > model.fastest_m_s * gap_s + 2 * model.hidden_m] = -model.limit
    return np.asarray(ratio)


@dataclass(frozen=True)
class Ends:
    """One end of each tracklet: xy (T, 2), slope (T, 2), as in Samples, variance (T,); NaN where there is no place."""

    xy: np.ndarray
    slope: np.ndarray
    variance: np.ndarray


def ends_of(samples: Samples, count: int) -> tuple[Ends, Ends]:
    """First and last place of each of `count` tracklets, means over END_US."""
    keep = np.flatnonzero(np.isfinite(samples.x_m) & np.isfinite(samples.y_m))
    tracklet, time = samples.tracklet[keep], samples.time_us[keep]
    sigma, slope = (values[keep] for values in _sigma_and_slope(samples))
    values = np.column_stack([samples.x_m[keep], samples.y_m[keep], slope, sigma**2])
    low, high = np.full(count, np.iinfo(np.int64).max), np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(low, tracklet, time)
    np.maximum.at(high, tracklet, time)
    result = []
    for near in (time <= low[tracklet] + END_US, time >= high[tracklet] - END_US):
        total, size = np.zeros((count, values.shape[1])), np.bincount(tracklet[near], minlength=count)[:, None]
        np.add.at(total, tracklet[near], values[near])
        mean = np.divide(total, size, out=np.full(total.shape, np.nan), where=size > 0)
        result.append(Ends(mean[:, :2], mean[:, 2:4], mean[:, 4]))
    return result[0], result[1]
