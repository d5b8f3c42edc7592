from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from flows.footfall import entrance_crossings, people_in
from flows.places import SECOND_US, Entrance, microseconds
from flows.trajectories import trajectories

S = SECOND_US
GATE = Entrance("main", "floor", np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([1.0, 1.0]))


def seen(camera: str, track: int, times_s, xs, ys, **more) -> pd.DataFrame:
    times_us = np.rint(np.asarray(times_s, float) * S).astype(np.int64)
    return pd.DataFrame({"camera": camera, "track_id": track, "time_us": times_us, "x": xs, "y": ys, **more})


def same_person(*tracks: tuple[str, int], person: int = 1) -> pd.DataFrame:
    return pd.DataFrame([(*track, person) for track in tracks], columns=["camera", "track_id", "person_id"])


@pytest.mark.case("LeonLok/Multi-Camera 41, scenescape 544")
def test_one_person_in_two_overlapping_cameras_is_one_place() -> None:
    times = np.arange(0, 10, 0.2)
    positions = pd.concat([seen("a", 1, times, 1.0, 2.0), seen("b", 7, times, 1.4, 2.0)])
    paths = trajectories(positions, same_person(("a", 1), ("b", 7)), calibrated=["a", "b"])
    assert len(paths) == 50
    assert paths["x"].tolist() == pytest.approx([1.2] * 50)
    assert set(paths["plane"]) == {"floor"}


def test_the_more_certain_place_weighs_more_and_wins_where_they_disagree() -> None:
    times = np.arange(0, 4, 0.2)
    near = pd.concat([seen("a", 1, times, 0.0, 0.0, uncertainty=0.1), seen("b", 1, times, 1.0, 0.0, uncertainty=0.3)])
    both = same_person(("a", 1), ("b", 1))
    assert trajectories(near, both, calibrated=["a", "b"])["x"].tolist() == pytest.approx([0.1] * 20)
    far = near.assign(x=np.where(near["camera"] == "b", 5.0, 0.0))
    assert trajectories(far, both, calibrated=["a", "b"])["x"].tolist() == pytest.approx([0.0] * 20)


def test_two_cameras_that_agree_outvote_a_third() -> None:
    times = np.arange(0, 4, 0.2)
    positions = pd.concat([seen("a", 1, times, 9.0, 0.0), seen("b", 1, times, 1.0, 0.0), seen("c", 1, times, 2.0, 0.0)])
    paths = trajectories(positions, same_person(("a", 1), ("b", 1), ("c", 1)), calibrated=["a", "b", "c"])
    assert paths["x"].tolist() == pytest.approx([1.5] * 20)


def test_hidden_spans_are_filled_up_to_the_longest() -> None:
    positions = pd.concat([seen("a", 1, [0.0, 0.2], [0.0, 0.0], 0.0), seen("a", 2, [10.2, 10.4], [5.0, 5.0], 0.0)])
    one = same_person(("a", 1), ("a", 2))
    filled = trajectories(positions, one, calibrated=["a"], max_hidden_s=20, smoothing_s=0)
    assert len(filled) == 53
    assert np.diff(microseconds(filled["time_us"])).tolist() == [S // 5] * 52
    assert np.interp(5.2, filled["time_us"] / S, filled["x"]) == pytest.approx(2.5)
    assert len(trajectories(positions, one, calibrated=["a"], max_hidden_s=9)) == 4


@pytest.mark.parametrize(("after_s", "away_m", "filled"), [(100, 1.5, True), (100, 2.5, False), (140, 1.5, False)])
def test_who_is_seen_again_where_they_vanished_stood_there(after_s: float, away_m: float, filled: bool) -> None:
    positions = pd.concat([seen("a", 1, [0.0], [0.0], 0.0), seen("a", 2, [after_s], [away_m], 0.0)])
    one = same_person(("a", 1), ("a", 2))
    paths = trajectories(positions, one, calibrated=["a"], max_hidden_s=20, smoothing_s=0)
    assert len(paths) == (5 * after_s + 1 if filled else 2)
    in_pixels = trajectories(positions, one, calibrated=[], max_hidden_s=20, smoothing_s=0)
    assert len(in_pixels) == 2, "a pixel is no measure of how far somebody is"


def test_smoothing_calms_and_does_not_reach_over_a_break() -> None:
    random = np.random.default_rng(1)
    times = np.concatenate([np.arange(0, 20, 0.2), np.arange(60, 80, 0.2)])
    xs = np.concatenate([np.zeros(100), np.full(100, 8.0)]) + random.normal(0, 0.2, 200)
    paths = trajectories(seen("a", 1, times, xs, 0.0), same_person(("a", 1)), calibrated=["a"])
    assert len(paths) == 200
    assert paths["x"].iloc[:100].std() < 0.15 < np.std(xs[:100])
    assert paths["x"].iloc[:100].max() < 1 < 7 < paths["x"].iloc[100:].min()
    assert paths["x"].iloc[[0, 99, 100, 199]].tolist() == pytest.approx(xs[[0, 99, 100, 199]])


def test_uncalibrated_cameras_are_planes_of_their_own_and_strangers_are_left_out() -> None:
    times = np.arange(0, 2, 0.2)
    positions = pd.concat(
        [seen("a", 1, times, 1.0, 1.0), seen("px", 1, times, 300.0, 200.0), seen("a", 2, times, 0.0, 0.0)]
    )
    roles = {3: "staff"}
    paths = trajectories(positions, same_person(("a", 1), ("px", 1), person=3), calibrated=["a"], roles=roles)
    assert paths.groupby("plane", observed=True).size().to_dict() == {"floor": 10, "px": 10}
    assert set(paths["role"]) == {"staff"}
    assert set(paths["person_id"]) == {3}


def test_nobody_at_all() -> None:
    nothing = seen("a", 1, [], [], [])
    for identities in (same_person(), same_person(("a", 1))):
        paths = trajectories(nothing, identities, calibrated=["a"])
        assert list(paths.columns) == ["person_id", "role", "plane", "time_us", "x", "y"]
        assert len(paths) == 0
        crossings = entrance_crossings(paths, [GATE])
        assert crossings is not None and len(crossings) == 0


def test_a_place_beyond_the_horizon_is_no_place() -> None:
    positions = seen("a", 1, [0.0, 0.2, 0.4], [1.0, np.nan, 3.0], 0.0)
    assert trajectories(positions, same_person(("a", 1)), calibrated=["a"], smoothing_s=0)["x"].tolist() == [1, 2, 3]


def person_walks(ys, times_s=None, xs=1.0, person: int = 1, role: str = "shopper") -> pd.DataFrame:
    times_s = np.arange(len(ys)) if times_s is None else np.asarray(times_s)
    rows = {"person_id": person, "role": role, "plane": "floor", "time_us": np.rint(times_s * S).astype(np.int64)}
    return pd.DataFrame(rows | {"x": np.broadcast_to(xs, len(ys)), "y": np.asarray(ys, float)})


@pytest.mark.case("ultralytics PR 9998, 15697")
def test_one_who_walks_in_once_is_one_in() -> None:
    found = entrance_crossings(person_walks([-2, -1, 1, 2]), [GATE])
    assert found is not None
    assert found[["entrance", "direction", "role"]].to_numpy().tolist() == [["main", "in", "shopper"]]
    assert microseconds(found["time"]).tolist() == [1_500_000]


@pytest.mark.case("ultralytics PR 25492")
@pytest.mark.parametrize("every", [1, 3, 6])
def test_crossings_do_not_depend_on_the_sampling(every: int) -> None:
    times = np.arange(0, 36.1, 0.2)
    ys = np.interp(times, [0, 10, 14, 22, 36], [-3, 3, 3, -3, -3])
    found = entrance_crossings(person_walks(ys[::every], times[::every]), [GATE])
    assert found is not None
    assert found["direction"].tolist() == ["in", "out"]
    assert (microseconds(found["time"]) / S).tolist() == pytest.approx([5, 18], abs=0.05)


@pytest.mark.case("opendatacam 204, 185")
@pytest.mark.case("supervision PR 1540")
def test_standing_on_a_slanted_line_and_passing_beyond_its_end() -> None:
    slanted = Entrance("main", "floor", np.array([[0.0, 0.0], [2.0, 2.0]]), np.array([0.0, 2.0]))
    random = np.random.default_rng(0)
    ys = np.concatenate([[0.2, 0.6], 1 + random.normal(0, 0.05, 150), [1.5, 2.0]])
    times = np.concatenate([[0, 1], np.linspace(2, 32, 150), [33, 34]])
    found = entrance_crossings(person_walks(ys, times), [slanted])
    assert found is not None and found["direction"].tolist() == ["in"]
    beyond = entrance_crossings(person_walks([-1, 1], xs=2.5), [GATE])
    assert beyond is not None and len(beyond) == 0


@pytest.mark.case("viseron 807")
def test_a_store_without_entrances_has_no_footfall_and_not_zero() -> None:
    assert entrance_crossings(person_walks([-1, 1]), []) is None


def test_footfall_raw_and_deduplicated() -> None:
    people = pd.concat(
        [
            person_walks([-1, 1, -1, 1]),
            person_walks([1, -1], person=2),
            person_walks([-1, 1], [9, 10], person=3),
            person_walks([-1, 1], [9, 10], person=4, role="staff"),
        ]
    )
    raw = entrance_crossings(people, [GATE])
    assert raw is not None
    assert (raw["direction"] == "in").sum() == 4
    assert people_in(raw)["person_id"].tolist() == [1, 3]
    assert people_in(raw, role=None)["person_id"].tolist() == [1, 3, 4]


@pytest.mark.parametrize("speed_m_s, count", [(2.8, 1), (6.0, 0)])
def test_who_runs_in_is_counted_and_a_leap_from_one_person_to_another_is_not(speed_m_s: float, count: int) -> None:
    times = np.arange(0, 6, 0.2)
    ys = np.interp(times, [2, 2 + 4 / speed_m_s], [-2, 2])
    found = entrance_crossings(person_walks(ys, times), [GATE])
    assert found is not None and found["direction"].tolist() == ["in"] * count
    mirrored = entrance_crossings(person_walks(-ys, times), [GATE])
    assert mirrored is not None and mirrored["direction"].tolist() == ["out"] * count


def test_no_crossing_is_made_up_over_a_long_hidden_span() -> None:
    found = entrance_crossings(person_walks([-1, 1], [0, 100]), [GATE], max_hidden_s=20)
    assert found is not None and len(found) == 0
