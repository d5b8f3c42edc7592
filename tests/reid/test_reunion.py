from __future__ import annotations

import numpy as np
import pytest

from reid.agglomeration import Edges, Grouping
from reid.appearance import Appearance
from reid.conflicts import Overlaps
from reid.lifetimes import NEVER, Lifetimes
from reid.links import links_of
from reid.reunion import Contradictions, reunited

COUNT = 9
LOOKS = Appearance(0.35, 15.0)
GROUPS = np.array([0, 0, 0, 0, 4, 4, 4, 4, 0])
"""One person's tracklets in two groups, and the last tracklet, somebody else's, in the first of them."""


def mend(overlapping: list[tuple[int, int]], evidence: float = 3.0, lives: Lifetimes | None = None):
    first, second = np.triu_indices(COUNT, 1)
    of_other = second == COUNT - 1
    share = np.ones(COUNT)
    together = Overlaps(*np.array(overlapping, int).reshape(-1, 2).T, np.full(len(overlapping), 6.0))
    conflict = np.zeros(len(first))
    for (one, other), odds in zip(overlapping, together.odds_against(share), strict=True):
        conflict[(first == one) & (second == other)] = odds
    ones, ratio = np.ones(len(first)), np.where(of_other, np.where(first < 4, 0.5, -1.0), evidence)
    edges = Edges(first, second, ratio, ones, ones, 0.5 * ones, conflict)
    embedding = np.tile(np.eye(1, 4), (COUNT, 1))
    grouping = Grouping(embedding, share, share, share > 0, edges, LOOKS, lives, GROUPS)
    grouping.closed_world = True
    links = links_of(GROUPS, share, share, edges, -1.0, LOOKS.absent)
    return reunited(grouping, links, Contradictions(together, share, lives))


def test_two_groups_that_one_misplaced_tracklet_keeps_apart_are_joined_without_it() -> None:
    again = mend([(5, 8)])
    assert again is not None
    assert again.tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 8]


def test_who_is_often_in_two_places_at_once_is_two_people() -> None:
    assert mend([(0, 4), (1, 5), (2, 6), (3, 7)]) is None


def test_groups_that_do_not_clearly_look_like_one_person_stay_apart() -> None:
    assert mend([(5, 8)], evidence=1.5) is None
    assert mend([]) is None  # nothing keeps them apart: it was for the joining to decide


@pytest.mark.parametrize("leaves", [8, 3])
def test_a_passage_that_contradicts_goes_with_the_tracklet_that_passed_unless_it_belongs(leaves: int) -> None:
    never = np.full(COUNT, NEVER)
    out = np.full(COUNT, -NEVER)
    out[leaves] = 10_000_000
    start = np.where(GROUPS == 4, 20_000_000, 0)
    lives = Lifetimes(start, start + 10_000_000, np.zeros(COUNT), np.zeros(COUNT), never, out)
    again = mend([], lives=lives)
    assert again is not None
    assert (again[[0, 1, 2, 4, 5, 6, 7]] == 0).all()
    assert (again[8] == 8) == (leaves == 8)


def test_joining_goes_on_from_groups_as_if_it_had_made_them() -> None:
    random = np.random.default_rng(0)
    first, second = np.triu_indices(30, 1)
    who = np.arange(30) % 5
    ratio = np.where(who[first] == who[second], 3.0, -3.0) + random.normal(0, 2, len(first))
    ones, share = np.ones(len(first)), np.ones(30)
    edges = Edges(first, second, ratio, ones, ones, 0.5 * ones, np.zeros(len(first)))
    embedding = np.tile(np.eye(1, 4), (30, 1))
    times = random.integers(0, 100, (4, 30)) * 1_000_000
    lives = Lifetimes(times[0], times[0] + times[1], *random.random((2, 30)), times[2], times[3])
    whole = Grouping(embedding, share, share, share > 0, edges, LOOKS, lives)
    joined = whole.join().copy()
    again = Grouping(embedding, share, share, share > 0, edges, LOOKS, lives, joined)
    names = np.unique(joined)
    for name in ("start_us", "end_us", "birth", "death", "in_us", "out_us"):
        np.testing.assert_array_equal(getattr(again.lifetimes, name)[names], getattr(whole.lifetimes, name)[names])
    for name in ("size", "embedded", "qualities", "sums"):
        np.testing.assert_allclose(getattr(again, name)[names], getattr(whole, name)[names])
    np.testing.assert_array_equal(again.join(), joined)
