"""The parts of linking: linkage against brute force, looks, places, lifetimes, neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from reid.agglomeration import Edges, Grouping
from reid.appearance import Appearance, fitted
from reid.floor_agreement import Density, FloorModel, at_once, in_sequence, in_slots
from reid.identities import Samples, Tracklets
from reid.lifetimes import far_from_doors
from reid.neighbours import look_alike_pairs

SECOND = 1_000_000


def brute_force(evidence: np.ndarray, forbidden: np.ndarray) -> list[set[int]]:
    """Average linkage with cannot-links, one best pair at a time."""
    groups = [{i} for i in range(len(evidence))]
    while True:
        best = (0.0, -1, -1)
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                rows, columns = list(groups[a]), list(groups[b])
                if not forbidden[np.ix_(rows, columns)].any():
                    best = max(best, (float(evidence[np.ix_(rows, columns)].mean()), a, b))
        if best[0] <= 0:
            return groups
        groups[best[1]] |= groups.pop(best[2])


@pytest.mark.parametrize("seed", range(6))
def test_rounds_give_what_one_merge_at_a_time_gives(seed):
    rng = np.random.default_rng(seed)
    count = 24
    evidence = rng.normal(-1, 3, (count, count))
    evidence = (evidence + evidence.T) / 2
    forbidden = rng.random((count, count)) < 0.05
    forbidden |= forbidden.T
    first, second = np.triu_indices(count, 1)
    ones, zeros = np.ones(len(first)), np.zeros(len(first))
    edges = Edges(first, second, evidence[first, second], ones, zeros, zeros, forbidden[first, second])
    group = Grouping(np.zeros((count, 0)), np.zeros(count), edges, Appearance(0.5, 10)).join()
    found = {frozenset(np.flatnonzero(group == name).tolist()) for name in np.unique(group)}
    assert found == {frozenset(members) for members in brute_force(evidence, forbidden)}


def test_poor_pictures_need_less_likeness():
    looks = Appearance(0.5, 10)
    assert looks.evidence(np.array([0.4]), np.array([0.1])) > looks.evidence(np.array([0.4]), np.array([2.0]))
    assert looks.evidence(np.array([np.nan]), np.array([1.0])) == looks.absent


def test_calibration_follows_many_pairs_and_stays_without_any():
    prior = Appearance(0.5, 15)
    rng = np.random.default_rng(0)
    same = np.arange(4000) < 1000
    similarity = np.where(same, rng.normal(0.5, 0.08, 4000), rng.normal(0.1, 0.08, 4000))
    found = fitted(prior, similarity, np.ones(4000), same)
    assert found.threshold == pytest.approx(0.3, abs=0.02)
    assert fitted(prior, similarity[:1000], np.ones(1000), same[:1000]) == prior


def paths(*walks: tuple[float, float, float, float]) -> Samples:
    """Tracklets that stand at (x, y) from one second to another, five samples a second."""
    rows, times, xs, ys = [], [], [], []
    for row, (x, y, start, end) in enumerate(walks):
        moments = np.arange(start, end, 0.2)
        rows += [row] * len(moments)
        times += np.round(moments * SECOND).astype(int).tolist()
        xs += [x] * len(moments)
        ys += [y] * len(moments)
    return Samples(np.array(rows), np.array(times), np.array(xs, float), np.array(ys, float))


def test_places_at_once_are_evidence_both_ways():
    crowd = [(float(x), float(y), 0, 20) for x in range(0, 20, 4) for y in range(0, 20, 4)]
    samples = paths((6, 6, 0, 20), (6.1, 6, 0, 20), (10, 6, 0, 20), *crowd)
    slots = in_slots(samples)
    first, second, ratio = at_once(slots, FloorModel(), Density(slots.xy))
    evidence = dict(zip(zip(first.tolist(), second.tolist(), strict=True), ratio, strict=True))
    assert evidence[0, 1] > 5 and evidence[0, 2] < -2 and evidence[1, 2] < -2
    assert len(first) == len(evidence)


def test_a_gap_is_bridged_by_a_walk_not_by_a_leap():
    crowd = [(float(x), float(y), 0, 60) for x in range(0, 40, 5) for y in range(0, 40, 5)]
    samples = paths((6, 6, 0, 20), (7, 6, 21, 40), (38, 38, 21, 40), *crowd)
    count = 3 + len(crowd)
    start = np.array([0, 21, 21] + [0] * len(crowd)) * SECOND
    end = np.array([20, 40, 40] + [60] * len(crowd)) * SECOND
    none = np.zeros((count, 0), np.float32)
    tracklets = Tracklets(np.full(count, "a"), np.arange(count), start, end, none, np.zeros(count))
    slots = in_slots(samples)
    first, second, ratio = in_sequence(tracklets, samples, FloorModel(), Density(slots.xy))
    evidence = dict(zip(zip(first.tolist(), second.tolist(), strict=True), ratio, strict=True))
    assert evidence[0, 1] > 1 and evidence[0, 2] == -FloorModel().limit


def test_far_from_doors():
    doors = np.array([[[8.0, 1.0], [10.0, 1.0]]])
    far = far_from_doors(np.array([[9.0, 0.5], [9.0, 4.0], [9.0, 9.0], [np.nan, np.nan]]), doors)
    assert far.tolist() == [0.0, 0.5, 1.0, 0.0]


def test_neighbours_find_the_alike_pairs_that_all_pairs_hold():
    rng = np.random.default_rng(3)
    people = rng.normal(size=(150, 64))
    vectors = np.repeat(people, 8, axis=0) + 0.3 * rng.normal(size=(1200, 64))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    weight = np.ones(1200)
    found = set(zip(*(side.tolist() for side in look_alike_pairs(vectors, weight, 0.5, 0)), strict=True))
    first, second = look_alike_pairs(vectors, weight, 0.5, 5000)
    alike = np.einsum("nd,nd->n", vectors[first], vectors[second]) >= 0.5
    wanted = set(zip(first[alike].tolist(), second[alike].tolist(), strict=True))
    assert len(wanted) > 4000 and wanted <= found
