"""Groups: people who come in and walk together, so that footfall can be read by party as well as by head."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.distance import squareform

from flows.places import FLOOR, SECOND_US, microseconds

NEAR_M = 2.0
ENTRY_S = 8.0
LEAST_S = 5.0
WALKING_M_PER_S = 0.3
LEAST_SHARE = 0.5
LEAST_SHARE_UNSEEN, LEAST_UNSEEN_S = 0.7, 10.0
_APART_M = 1e6  # between two seconds, in the tree in which time is a coordinate


class _Pairs(NamedTuple):
    """P pairs of people (places in the list of people, first < second), and seconds in which they were near."""

    first: np.ndarray
    second: np.ndarray
    near_s: np.ndarray


def find_groups(
    trajectories: pd.DataFrame,
    footfall: pd.DataFrame | None,
    *,
    near_m: float = NEAR_M,
    entry_s: float = ENTRY_S,
    least_s: float = LEAST_S,
    least_share: float = LEAST_SHARE,
) -> pd.DataFrame:
    """Who came in and walked with whom.

    Two shoppers walk together if they are within `near_m` metres of each other in at least `least_share` of the seconds
    in which both are in sight and one of them at least walks (faster than 0.3 m/s: strangers stand together in every
    queue), and for at least `least_s` such seconds. They come in together if they cross the same entrance inward within
    `entry_s` seconds of each other. They are companions if they do both. Where the coming in of one was not seen (they
    were inside at opening), going out together takes its place; where that was not seen either, or the store has no
    entrances, walking together alone decides, and has to hold for a share of 0.7 and 10 s. A group is a set of people
    who are, on average over its pairs, companions (average linkage), so that one who walks behind a family does not
    join it. Staff are in no group; who is alone is a group of one. Only places on the floor count: distances in a
    camera's pixels are no metres.

    Args:
        trajectories: person_id, role, plane, time_us, x, y.
        footfall: the lake's table; None for a store without entrances.

    Returns:
        Rows of the lake's table `groups`: person_id, group_id (from 1, in order of the first sign of its members), one
        row a shopper with a place on the floor, ordered by person.
    """
    seconds = _by_second(trajectories)
    people = np.unique(seconds["person_id"].to_numpy())
    if not len(people):
        return pd.DataFrame({"person_id": np.zeros(0, np.int64), "group_id": np.zeros(0, np.int64)})
    place = np.searchsorted(people, seconds["person_id"].to_numpy())
    second, walks = seconds["second"].to_numpy(), seconds["walks"].to_numpy()
    pairs = _near_pairs(place, second, walks, seconds[["x", "y"]].to_numpy(), near_m)
    pairs = _Pairs(*(values[pairs.near_s >= least_s] for values in pairs))
    share = pairs.near_s / _seconds_on_the_way(place, second, walks, pairs)
    crossed = _crossed_together(people, footfall, pairs, entry_s)
    unseen = np.isnan(crossed)
    wanted = np.where(unseen, LEAST_SHARE_UNSEEN, least_share)
    apart = (crossed == 0) | (unseen & (pairs.near_s < LEAST_UNSEEN_S))
    odds = np.where(apart, 0.0, share / wanted)  # 1: just companions
    group = _linked(len(people), pairs, odds)
    return pd.DataFrame({"person_id": people, "group_id": _numbered(group, place, second)})


def parties_in(footfall: pd.DataFrame, groups: pd.DataFrame, entry_s: float = ENTRY_S) -> pd.DataFrame:
    """Footfall by party: the ways in of one group by one entrance, each within `entry_s` of the one before, are one.

    People without a group (staff, or never placed on the floor) are left out.

    Returns:
        entrance, time (of the first who came in), group_id, people; ordered by time.
    """
    inward = footfall[(footfall["direction"] == "in") & (footfall["role"] == "shopper")].merge(groups, on="person_id")
    inward = inward.sort_values(["group_id", "entrance", "time"], kind="stable", ignore_index=True)
    same = (inward[["group_id", "entrance"]] == inward[["group_id", "entrance"]].shift()).all(axis=1)
    soon = inward["time"].diff() <= pd.Timedelta(seconds=entry_s)
    parties = inward.assign(party=(~(same & soon)).cumsum()).groupby("party")
    found = parties.agg(
        entrance=("entrance", "first"),
        time=("time", "min"),
        group_id=("group_id", "first"),
        people=("person_id", "nunique"),
    )
    return found.sort_values(["time", "entrance", "group_id"], ignore_index=True)


def _by_second(trajectories: pd.DataFrame) -> pd.DataFrame:
    """Shoppers on the floor, their mean place in each second: person_id, second, x, y, walks (to the next second)."""
    keep = (trajectories["role"] == "shopper") & (trajectories["plane"] == FLOOR)
    rows = trajectories[keep.to_numpy() & np.isfinite(trajectories["x"]) & np.isfinite(trajectories["y"])]
    rows = rows[["person_id", "x", "y"]].assign(second=rows["time_us"] // SECOND_US)
    rows = rows.groupby(["person_id", "second"], as_index=False)[["x", "y"]].mean()
    step = rows.groupby("person_id")[["second", "x", "y"]].diff().shift(-1)
    return rows.assign(walks=np.hypot(step["x"], step["y"]) > WALKING_M_PER_S * step["second"])


def _near_pairs(place: np.ndarray, second: np.ndarray, walks: np.ndarray, xy: np.ndarray, near_m: float) -> _Pairs:
    """All pairs that were near each other on their way; one tree for the whole day, its seconds far apart."""
    tree = cKDTree(np.column_stack([xy, (second - second.min()) * _APART_M]))
    rows = tree.query_pairs(near_m, output_type="ndarray")
    rows = rows[walks[rows].any(axis=1)]
    pairs, near_s = np.unique(np.sort(place[rows], axis=1).reshape(-1, 2), axis=0, return_counts=True)
    return _Pairs(pairs[:, 0], pairs[:, 1], near_s)


def _seconds_on_the_way(place: np.ndarray, second: np.ndarray, walks: np.ndarray, pairs: _Pairs) -> np.ndarray:
    """Seconds in which both of each pair are in sight and one of them at least walks."""
    bounds = np.searchsorted(place, np.arange(place.max() + 2))
    counts = np.zeros(len(pairs.first), np.int64)
    for number, (a, b) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        own, other = slice(bounds[a], bounds[a + 1]), slice(bounds[b], bounds[b + 1])
        _, at, at_other = np.intersect1d(second[own], second[other], assume_unique=True, return_indices=True)
        counts[number] = (walks[own][at] | walks[other][at_other]).sum()
    return counts


def _crossed_together(people: np.ndarray, footfall: pd.DataFrame | None, pairs: _Pairs, entry_s: float) -> np.ndarray:
    """1 where both of a pair first came in (else last went out) together, 0 where not, NaN where neither was seen."""
    together = np.full(len(pairs.first), np.nan)
    if footfall is None:
        return together
    ordered = footfall.assign(time_us=microseconds(footfall["time"])).sort_values("time_us", kind="stable")
    ways_in, ways_out = (ordered[ordered["direction"] == direction] for direction in ("in", "out"))
    for own in (ways_in.drop_duplicates("person_id", keep="first"), ways_out.drop_duplicates("person_id", keep="last")):
        crossing = own.set_index("person_id").reindex(people)
        time_us, door = crossing["time_us"].to_numpy(float), crossing["entrance"].to_numpy()
        apart_s = np.abs(time_us[pairs.first] - time_us[pairs.second]) / SECOND_US
        now = (apart_s <= entry_s) & (door[pairs.first] == door[pairs.second])
        together = np.where(np.isnan(together) & ~np.isnan(apart_s), now.astype(float), together)
    return together


def _linked(people: int, pairs: _Pairs, odds: np.ndarray) -> np.ndarray:
    """Group number of each person: average linkage within sets of people who are connected by any companions."""
    strong = odds >= 1
    matrix = coo_matrix((np.ones(strong.sum()), (pairs.first[strong], pairs.second[strong])), shape=(people, people))
    _, island = connected_components(matrix, directed=False)
    group = island.astype(np.int64)
    following = people
    for members in (np.flatnonzero(island == number) for number in np.flatnonzero(np.bincount(island) > 2)):
        distance = np.ones((len(members), len(members)))
        inside = np.isin(pairs.first, members) & np.isin(pairs.second, members)
        a, b = (np.searchsorted(members, values[inside]) for values in (pairs.first, pairs.second))
        distance[a, b] = distance[b, a] = 1 - np.minimum(odds[inside], 2) / 2  # 0.5: just companions
        np.fill_diagonal(distance, 0)
        labels = fcluster(linkage(squareform(distance), "average"), 0.5, "distance")
        group[members] = following + labels
        following += len(members) + 1
    return group


def _numbered(group: np.ndarray, place: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Numbers from 1 in order of the first sign of each group's members."""
    first = pd.Series(second).groupby(place).min().to_numpy()
    order = np.lexsort((np.arange(len(group)), first))
    _, at = np.unique(group[order], return_index=True)
    numbers = {int(group[order][start]): number for number, start in enumerate(np.sort(at), start=1)}
    return np.array([numbers[int(one)] for one in group], np.int64)
