"""Who came with whom: walks of known people, and the rendered store's parties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from flows.groups import find_groups, parties_in
from flows.places import SECOND_US, timestamps
from flows.score_groups import pair_scores
from tests.benchmarks.groups import measure

Start = tuple[int, float]  # second of coming in, metres west of the door's middle


def walks(starts: dict[int, Start], role: str = "shopper", seconds: int = 40) -> pd.DataFrame:
    """People who walk north from a door at 0.8 m/s, five places a second."""
    frames = []
    for person, (second, west) in starts.items():
        time = np.arange(seconds * 5) / 5
        frames.append(
            pd.DataFrame(
                {
                    "person_id": person,
                    "role": role,
                    "plane": "floor",
                    "time_us": ((second + time) * SECOND_US).astype(np.int64),
                    "x": 5.0 - west,
                    "y": 0.8 * time,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def doors(starts: dict[int, Start], direction: str = "in") -> pd.DataFrame:
    times = np.array([second for second, _ in starts.values()]) * SECOND_US
    columns = {"person_id": list(starts), "role": "shopper", "entrance": "main", "direction": direction}
    return pd.DataFrame(columns).assign(time=timestamps(times))


def together(groups: pd.DataFrame) -> list[list[int]]:
    return sorted(sorted(own) for own in groups.groupby("group_id")["person_id"].agg(list))


def test_two_who_come_in_and_walk_together_are_one_party() -> None:
    starts = {1: (0, 0.0), 2: (1, 0.7), 3: (30, 0.0)}
    groups = find_groups(walks(starts), doors(starts))
    assert together(groups) == [[1, 2], [3]]
    assert groups["group_id"].tolist() == [1, 1, 2]
    parties = parties_in(doors(starts), groups)
    assert parties["people"].tolist() == [2, 1] and parties["entrance"].tolist() == ["main", "main"]


def test_who_walks_behind_at_a_distance_is_alone() -> None:
    starts = {1: (0, 0.0), 2: (5, 0.0)}  # four metres behind
    assert together(find_groups(walks(starts), doors(starts))) == [[1], [2]]


def test_strangers_who_stand_in_a_queue_are_no_group() -> None:
    starts = {1: (0, 0.0), 2: (60, 6.0)}
    ways = walks(starts)
    queue = pd.concat([ways[ways["person_id"] == who].tail(1) for who in starts])
    waits = pd.concat(
        [queue.assign(x=8.0 + queue["person_id"], y=9.0, time_us=second * SECOND_US) for second in range(110, 300)]
    )
    assert together(find_groups(pd.concat([ways, waits]), doors(starts))) == [[1], [2]]


def test_who_was_inside_at_opening_is_joined_by_going_out_or_by_the_walk() -> None:
    starts = {1: (0, 0.0), 2: (0, 0.7)}
    nobody = doors(starts).head(0)
    assert together(find_groups(walks(starts), nobody)) == [[1, 2]]
    assert together(find_groups(walks(starts), None)) == [[1, 2]]
    apart = pd.concat([doors({1: (45, 0.0)}, "out"), doors({2: (90, 0.0)}, "out")])
    assert together(find_groups(walks(starts), apart)) == [[1], [2]]


def test_a_third_who_is_near_one_of_two_does_not_join() -> None:
    starts = {1: (0, 0.0), 2: (0, 1.8), 3: (0, 3.6)}  # 1 and 3 are never near
    ways = walks(starts)
    turns_off = (ways["person_id"] == 3) & (ways["time_us"] > 24 * SECOND_US)
    ways.loc[turns_off, "x"] -= 5
    assert together(find_groups(ways, doors(starts))) == [[1, 2], [3]]


def test_staff_and_people_in_pixels_are_in_no_group() -> None:
    starts = {1: (0, 0.0), 2: (0, 0.7)}
    assert find_groups(walks(starts, role="staff"), doors(starts)).empty
    assert find_groups(walks(starts).assign(plane="west"), doors(starts)).empty


def test_the_same_party_that_comes_twice_is_two_parties_in() -> None:
    starts = {1: (0, 0.0), 2: (1, 0.7)}
    crossings = pd.concat([doors(starts), doors({1: (600, 0.0), 2: (604, 0.0)})])
    assert parties_in(crossings, find_groups(walks(starts), crossings))["people"].tolist() == [2, 2]


def test_pair_scores() -> None:
    groups = pd.DataFrame({"person_id": [1, 2, 3, 4], "group_id": [1, 1, 1, 2]})
    scores = pair_scores(groups, pd.Series({1: 1.0, 2: 1.0, 3: np.nan, 4: 2.0, 5: 2.0}))
    assert (scores["group_pairs_found"], scores["group_pairs_true"], scores["group_pairs_right"]) == (3, 2, 1)
    assert scores["group_pair_precision"] == 1 / 3 and scores["group_pair_recall"] == 0.5
    assert pair_scores(groups.head(0), pd.Series(dtype=float))["group_pair_precision"] is None


def test_the_parties_of_the_rendered_store(shared: Path) -> None:
    scores = measure(shared / "data" / "store_dev" / "truth")
    assert scores["group_pairs_true"] == 13  # parties of 4, 3, 3 and 2
    assert scores["group_pair_precision"] >= 0.9 and scores["group_pair_recall"] >= 0.9
    assert scores["parties_in"] < scores["people_in"]
