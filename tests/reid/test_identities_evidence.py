"""The parts of linking: linkage against brute force, looks, places, lifetimes, neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reid.agglomeration import Edges, Grouping
from reid.appearance import Appearance, fitted
from reid.conflicts import overlaps
from reid.floor_agreement import Density, FloorModel, at_once, in_sequence, in_slots
from reid.heights import Heights
from reid.identities import Samples, Tracklets, number_people, well_seen, well_seen_seconds
from reid.lifetimes import NEVER, RETURN_ODDS, UNSEEN_PASSAGE_ODDS, far_from_doors, lifetimes_of
from reid.neighbours import look_alike_pairs
from reid.triangulation import heights_of_people

SECOND = 1_000_000
DOOR = np.array([[[8.0, 1.0], [10.0, 1.0], [9.0, 2.0]]])


def brute_force(evidence: np.ndarray, conflict: np.ndarray, share: np.ndarray) -> list[set[int]]:
    """Weighted average linkage less conflicts, one best pair at a time."""
    weight = np.outer(share, share)
    groups = [{i} for i in range(len(evidence))]
    while True:
        best = (0.0, -1, -1)
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                rows, columns = list(groups[a]), list(groups[b])
                pairs = np.ix_(rows, columns)
                score = float(np.average(evidence[pairs], weights=weight[pairs])) - float(conflict[pairs].sum())
                best = max(best, (score, a, b))
        if best[0] <= 0:
            return groups
        groups[best[1]] |= groups.pop(best[2])


@pytest.mark.parametrize("seed", range(6))
def test_rounds_give_what_one_merge_at_a_time_gives(seed):
    rng = np.random.default_rng(seed)
    count = 24
    evidence = rng.normal(-1, 3, (count, count))
    evidence = (evidence + evidence.T) / 2
    conflict = np.where(rng.random((count, count)) < 0.1, rng.uniform(0, 12, (count, count)), 0)
    conflict = np.triu(conflict, 1) + np.triu(conflict, 1).T
    share = rng.uniform(0.05, 1, count)
    first, second = np.triu_indices(count, 1)
    pairs, zeros = share[first] * share[second], np.zeros(len(first))
    edges = Edges(first, second, pairs * evidence[first, second], pairs, zeros, zeros, conflict[first, second])
    group = Grouping(
        np.zeros((count, 0)), np.zeros(count), share, np.ones(count, bool), edges, Appearance(0.5, 10)
    ).join()
    found = {frozenset(np.flatnonzero(group == name).tolist()) for name in np.unique(group)}
    assert found == {frozenset(members) for members in brute_force(evidence, conflict, share)}


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
    first, second, ratio = at_once(slots, FloorModel(), Density(slots.xy), Heights.unknown(28))
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
    first, second, ratio = in_sequence(tracklets, samples, FloorModel(), Density(slots.xy), Heights.unknown(count))
    evidence = dict(zip(zip(first.tolist(), second.tolist(), strict=True), ratio, strict=True))
    assert evidence[0, 1] > 1 and evidence[0, 2] == -FloorModel().limit


HEIGHTS = Heights(np.array([1.1, 1.4, 1.7]), np.array([0.1, 0.1, 0.8]), np.tile([0.1, 0.1, 0.8], (27, 1)))


def heads(place: tuple[float, float], height_m: float) -> Samples:
    """A crowd, and one person at a place of whom two cameras see the head, from the south and from the west. Each by
    itself puts them where somebody of the mean height would be."""
    crowd = [(float(x), float(y), 0, 20) for x in range(0, 20, 4) for y in range(0, 20, 4)]
    slopes = np.array([(0.0, -4.0), (-4.0, 0.0), *[(0.0, 0.0)] * len(crowd)])
    taller = (HEIGHTS.mean_m[0] - height_m) * slopes[:2]
    samples = paths(*((*(np.array(place) + step), 0, 20) for step in taller), *crowd)
    return replace(samples, slope=slopes[samples.tracklet])


def test_two_views_of_a_childs_head_agree_although_each_puts_it_somewhere_else():
    samples = heads((10, 10), 1.1)
    assert np.hypot(*(np.ptp(values[samples.tracklet < 2]) for values in (samples.x_m, samples.y_m))) > 2
    slots = in_slots(samples)

    def evidence(heights: Heights) -> float:
        first, second, ratio = at_once(slots, FloorModel(), Density(slots.xy), heights)
        return float(ratio[(first == 0) & (second == 1)][0])

    adults = replace(HEIGHTS, of=np.tile([0.0, 0.0, 1.0], (27, 1)))
    assert evidence(HEIGHTS) > 20 + evidence(adults)


def test_two_views_of_a_head_tell_how_tall_its_owner_is():
    person = np.array([1, 1, *[0] * 25])
    for height, column in ((1.1, 0), (1.4, 1), (1.7, 2)):
        told = heights_of_people(heads((10, 10), height), HEIGHTS, person, FloorModel())
        assert told.of[:2, column].min() > 0.8
        assert (told.of[2:] == HEIGHTS.of[2:]).all(), "nobody's stay as they are"


def test_a_child_is_no_adult_and_unknown_heights_say_nothing():
    of = np.array([[1, 0, 0], [0, 0, 1], [0.1, 0.1, 0.8]], float)
    known = Heights(HEIGHTS.bins_m, HEIGHTS.prior, of)
    child_adult, child_anybody = known.evidence(np.array([0, 0]), np.array([1, 2]))
    assert child_adult == -3 and child_anybody == pytest.approx(0, abs=1e-5)
    assert Heights.unknown(2).evidence(np.array([0]), np.array([1])).tolist() == [0]
    with pytest.raises(ValueError, match="column"):
        Heights(np.zeros(2), np.ones(3), of)


def spans(*of: tuple[str, int, int]) -> Tracklets:
    count = len(of)
    start, end = (np.array([span[side] for span in of]) * SECOND for side in (1, 2))
    return Tracklets(
        np.array([span[0] for span in of]), np.arange(count), start, end, np.zeros((count, 0)), np.zeros(count)
    )


NOWHERE = Samples(np.zeros(0, int), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


def in_pictures(*of: tuple[int, range, tuple[float, float, float, float]]) -> Samples:
    """Tracklets with a box in each of some pictures, five a second."""
    rows, pictures, boxes = (np.concatenate(part) for part in zip(*(
        ([row] * len(at), list(at), np.tile(np.array(box, np.float32), (len(at), 1))) for row, at, box in of
    ), strict=True))  # fmt: skip
    unknown = np.full(len(rows), np.nan)
    return Samples(rows, pictures.astype(np.int64) * SECOND // 5, unknown, unknown, boxes=boxes)


def test_only_pictures_with_a_box_of_each_apart_from_the_other_are_an_overlap():
    body, head, elsewhere = (100, 100, 200, 400), (110, 100, 190, 160), (300, 100, 400, 400)
    samples = in_pictures(
        (0, range(0, 200), body),
        (1, range(0, 200), head),
        (2, range(50, 80), elsewhere),
        (3, range(80, 200, 2), elsewhere),
        (4, range(81, 200, 2), elsewhere),
        (5, range(50, 80), body),
    )
    together = overlaps(spans(*[("a", 0, 40)] * 5, ("b", 0, 40)), samples)
    found = dict(
        zip(zip(together.first.tolist(), together.second.tolist(), strict=True), together.seconds, strict=True)
    )
    assert set(found) == {(0, 2), (1, 2), (0, 3), (1, 3), (0, 4), (1, 4)}
    assert found[0, 2] == pytest.approx(6) and found[0, 3] == pytest.approx(12)


def test_an_overlap_in_one_camera_speaks_against_one_person_with_its_length_and_weight():
    tracklets = spans(("a", 0, 60), ("a", 59, 70), ("a", 50, 53), ("b", 0, 60), ("a", 20, 45))
    together = overlaps(tracklets, NOWHERE)
    odds = together.odds_against(np.array([1, 1, 0.05, 1, 0.05]))
    found = dict(zip(zip(together.first.tolist(), together.second.tolist(), strict=True), odds, strict=True))
    assert set(found) == {(0, 2), (0, 4)}, "a second of handing over, and two cameras, are no conflict"
    assert found[0, 2] < 2 < found[0, 4] == pytest.approx(32), "a brief one that was hardly seen counts for little"


def test_whatever_overlaps_in_the_end_is_parted():
    tracklets = spans(("a", 0, 60), ("a", 50, 55), ("a", 54, 70), ("b", 0, 60))
    share = np.array([1, 0.1, 0.5, 0.3])
    together = overlaps(tracklets, NOWHERE)
    assert together.parted(np.zeros(4, int), share).tolist() == [False, True, True, False]
    assert not together.parted(np.arange(4), share).any()


def test_far_from_doors():
    far = far_from_doors(np.array([[9.0, 0.5], [9.0, 4.0], [9.0, 9.0], [np.nan, np.nan]]), DOOR)
    assert far.tolist() == [0.0, 0.5, 1.0, 0.0]


def walks(*ways: tuple[float, float, int, int]) -> tuple[Tracklets, Samples]:
    """Tracklets by the door at x = 9, each from depth to depth (metres inside) between two seconds."""
    samples = paths(*((9.0, y, start, end) for y, _, start, end in ways))
    share = np.concatenate([np.linspace(0, 1, count) for count in np.bincount(samples.tracklet)])
    last = np.array([y for _, y, _, _ in ways])[samples.tracklet]
    samples = replace(samples, y_m=1 + samples.y_m + share * (last - samples.y_m))
    start, end = (np.array([way[side] for way in ways]) * SECOND for side in (2, 3))
    count = len(ways)
    none = np.zeros((count, 0), np.float32)
    return Tracklets(np.full(count, "a"), np.arange(count), start, end, none, np.zeros(count)), samples


def test_who_comes_in_was_not_inside_before_and_who_left_is_gone():
    inside, comes, leaves, later, back = (
        (5, 6, 0, 20),
        (-1, 4, 30, 40),
        (4, -1, 50, 60),
        (5, 6, 70, 90),
        (-1, 4, 65, 75),
    )
    tracklets, samples = walks(inside, comes, leaves, later, back)
    seen = lifetimes_of(tracklets, samples, DOOR)
    assert (seen.in_us < NEVER).tolist() == [False, True, False, False, True]
    assert (seen.out_us > -NEVER).tolist() == [False, False, True, False, False]
    first, second = np.array([0, 1, 0, 2, 2, 1]), np.array([1, 2, 2, 3, 4, 3])
    assert seen.against_passage(first, second).tolist() == [
        UNSEEN_PASSAGE_ODDS,  # inside before coming in: left unseen, and came back
        0,  # came in, went out
        0,
        UNSEEN_PASSAGE_ODDS,  # inside after having left
        RETURN_ODDS,  # left, and was seen to come back
        0,
    ]
    assert (seen.against_passage(second, first) == seen.against_passage(first, second)).all()
    together = seen.merged(np.array([2]), np.array([4]))
    assert together.against_passage(np.array([2]), np.array([3]))[0] == 0, "came back, and is inside later"


def test_heads_behind_a_shelf_join_whom_they_follow_and_not_one_another():
    """Three heads look alike. Two of them go on, in place, as people who are seen well."""
    first, second = np.triu_indices(5, 1)
    evidence = np.full(len(first), -2.0)
    for one, other, value in ((0, 1, 3.0), (1, 2, 3.0), (0, 2, 3.0), (0, 3, 2.5), (1, 4, 2.5), (3, 4, -9.0)):
        evidence[(first == one) & (second == other)] = value
    good = np.array([False, False, False, True, True])
    ones, zeros = np.ones(len(first)), np.zeros(len(first))
    edges = Edges(first, second, evidence, ones, zeros, zeros, zeros)
    nothing = np.zeros((5, 0))
    group = Grouping(nothing, np.zeros(5), np.ones(5), good, edges, Appearance(0.5, 10)).join()
    assert group[0] == group[3] and group[1] == group[4] and group[0] != group[1]
    group = Grouping(nothing, np.zeros(5), np.ones(5), np.ones(5, bool), edges, Appearance(0.5, 10)).join()
    assert group[0] == group[1] == group[2], "were they seen well, they would be one"


def test_who_was_seen_too_briefly_is_nobody_and_pieces_add_up():
    tracklets, _ = walks((5, 5, 0, 4), (5, 5, 10, 14), (5, 5, 20, 28), (5, 5, 70, 71))
    seen_s = np.array([4.0, 2.0, 8.0, 1.5])
    assert number_people(np.arange(4), tracklets, seen_s, 3.0).tolist() == [1, -1, 2, -1]
    assert number_people(np.array([0, 1, 2, 1]), tracklets, seen_s, 3.0).tolist() == [1, 2, 3, 2]


def test_seconds_of_bad_pictures_count_for_less():
    def seconds(quality: tuple[float, ...], weight: np.ndarray) -> list[float]:
        none = np.zeros(len(quality), np.int64)
        end = none + 10_000_000
        tracklets = Tracklets(np.full(len(quality), "a"), none, none, end, none[:, None], np.array(quality))
        return well_seen_seconds(tracklets, weight).tolist()

    assert seconds((0.7, 0.35, 0.07, 0.7), np.array([1, 1, 1, 0.0])) == pytest.approx([10, 10, 2, 0])
    assert seconds((0.7, 0.1), np.zeros(2)) == [10, 10], "no pictures at all: time alone decides"


def test_good_pictures_are_those_of_the_site():
    def tracklets(*quality: float) -> Tracklets:
        none = np.zeros(len(quality), np.int64)
        return Tracklets(np.full(len(quality), "a"), none, none, none, none[:, None], np.array(quality))

    clear, small = (0.1, 0.3, 0.5, 0.6, 0.7), (0.01, 0.02, 0.03, 0.04, 0.05)
    assert well_seen(tracklets(*clear), np.ones(5)).tolist() == [False, False, True, True, True]
    assert well_seen(tracklets(*small), np.ones(5)).tolist() == [False, False, False, True, True]
    assert well_seen(tracklets(0.2, 0.19), np.ones(2)).all(), "two who are seen alike are both seen well"
    assert well_seen(tracklets(*clear), np.zeros(5)).all(), "no pictures at all: places decide"


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
