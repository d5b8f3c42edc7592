"""Visits and zone counts against a brute-force reference, and the ways in which other counters went wrong."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.places import SECOND_US, Zone, microseconds, observed_spans
from flows.schemas import conform
from flows.visits import EDGE_S, zone_visits
from flows.zone_counts import zone_counts
from tests.flows import metrics_reference as reference

S = SECOND_US
DAY = 20_000 * 86_400 * S
WINDOW = (DAY, DAY + 600 * S)


def rectangle_zone(x0: float, y0: float, x1: float, y1: float, name: str = "zone", **more) -> Zone:
    polygon = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)
    return Zone(name, name, "aisle", "floor", polygon, (x1 - x0) * (y1 - y0), **more)


def walk(times_s, xs, ys=None, person: int = 1, role: str = "shopper", plane: str = "floor") -> pd.DataFrame:
    times_s, xs = np.asarray(times_s, float), np.asarray(xs, float)
    ys = np.ones(len(xs)) if ys is None else np.asarray(ys, float)
    time_us = DAY + np.rint(times_s * S).astype(np.int64)
    return pd.DataFrame({"person_id": person, "role": role, "plane": plane, "time_us": time_us, "x": xs, "y": ys})


def spans(visits: pd.DataFrame) -> list[tuple[float, float]]:
    enter, leave = ((microseconds(visits[name]) - DAY) / S for name in ("enter", "exit"))
    return list(zip(enter.tolist(), leave.tolist(), strict=True))


AISLE = rectangle_zone(2, 0, 6, 4)

people_strategy = st.lists(
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(0, 8), st.integers(0, 8)).map(lambda p: (p[0] * S // 2, p[1], p[2])),
        min_size=1,
        max_size=25,
    ),
    max_size=4,
)
observed_strategy = st.lists(st.integers(0, 300), min_size=2, max_size=8, unique=True).map(
    lambda edges: [(DAY + a * S, DAY + b * S) for a, b in list(pairwise(sorted(edges)))[::2]]
)


@settings(max_examples=60, deadline=None)
@given(people_strategy, observed_strategy, st.sampled_from([0, 1, 3]), st.sampled_from([5, 20]), st.data())
def test_visits_and_counts_are_those_of_the_reference(people, observed, hysteresis_s, max_hidden_s, data) -> None:
    """To the microsecond; person-seconds agree exactly; entries - exits is the change; no visit overlaps itself."""
    box = data.draw(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(5, 9), st.integers(5, 9)))
    window = (DAY, DAY + 300 * S)
    rows, wanted = [], {}
    for number, steps in enumerate(people, start=1):
        times = DAY + np.cumsum([step for step, _, _ in steps])
        places = [(int(t), x, y) for t, (_, x, y) in zip(times, steps, strict=True)]
        rows += [(number, "shopper" if number % 2 else "staff", "floor", *place) for place in places]
        wanted[number] = reference.visits(places, box, observed, hysteresis_s * S, max_hidden_s * S, round(EDGE_S * S))
    trajectories = pd.DataFrame(rows, columns=["person_id", "role", "plane", "time_us", "x", "y"])
    zone = rectangle_zone(*box)
    seen = {"zone": observed}
    visits = zone_visits(
        trajectories, [zone], window, observed=seen, hysteresis_s=hysteresis_s, max_hidden_s=max_hidden_s, edge_s=EDGE_S
    )
    enter, leave = microseconds(visits["enter"]), microseconds(visits["exit"])
    for number in wanted:
        own = visits["person_id"].to_numpy() == number
        found = sorted(zip(enter[own].tolist(), leave[own].tolist(), strict=True))
        assert found == wanted[number]
        assert all(before[1] <= after[0] for before, after in pairwise(found))
    edges = {time for span in observed for time in span}
    touches = [a in edges or b in edges for a, b in zip(enter.tolist(), leave.tolist(), strict=True)]
    assert visits["truncated"].tolist() == touches

    table = zone_counts(visits, [zone], window, observed=seen)
    conform("visits", visits)
    conform("zone_counts", table)
    for role_filter in ("shoppers", "all"):
        kept = visits if role_filter == "all" else visits[visits["role"] == "shopper"]
        expected = reference.counts(kept, observed, window, 60 * S)
        got = table[table["role_filter"] == role_filter].reset_index(drop=True)
        _same_counts(got, expected)
        _change_in_occupancy(got, kept, observed)


def _same_counts(got: pd.DataFrame, expected) -> None:
    assert len(got) == len(expected)
    for row, want in zip(got.itertuples(), expected, strict=True):
        if want is None:
            assert row.coverage == 0
            assert pd.isna(row.occupancy_mean) and pd.isna(row.entries) and pd.isna(row.dwell_s)
            continue
        assert round(row.dwell_s * S) == want["dwell_us"]
        assert row.dwell_s == want["dwell_us"] / S
        assert row.occupancy_mean == pytest.approx(row.dwell_s / (row.coverage * 60))
        for name in ("entries", "exits", "unique_people", "occupancy_max"):
            assert getattr(row, name) == want[name], name


def _change_in_occupancy(got: pd.DataFrame, visits: pd.DataFrame, observed) -> None:
    """In a bucket that was observed as a whole, and without an edge at its start."""
    enter, leave = microseconds(visits["enter"]), microseconds(visits["exit"])
    for row, start in zip(got.itertuples(), microseconds(got["bucket_start"]), strict=True):
        end = start + 60 * S
        if any(a < start and end < b for a, b in observed):
            before, after = (int(((enter < t) & (t <= leave)).sum()) for t in (start, end))
            assert row.entries - row.exits == after - before


def test_times_are_those_of_the_crossing_between_two_places() -> None:
    visits = zone_visits(walk([0, 10, 20, 30], [0, 4, 4, 8]), [AISLE], WINDOW)
    assert spans(visits) == [(5.0, 25.0)]
    assert visits["dwell_s"].tolist() == [20.0]
    assert not visits["truncated"].any()


@pytest.mark.case("ultralytics PR 25492")
@pytest.mark.parametrize("every", [1, 3, 6])
def test_the_same_walk_at_every_frame_every_third_every_sixth(every: int) -> None:
    times = np.arange(0, 36.1, 0.2)
    xs = np.interp(times, [0, 5, 20, 30, 36], [0, 1, 5, 7, 8])
    visits = zone_visits(walk(times[::every], xs[::every]), [AISLE], WINDOW)
    assert len(visits) == 1
    assert visits["dwell_s"].iloc[0] == pytest.approx(25 - 5 - 3.75, abs=0.01)


def test_a_walk_through_a_corner_between_two_places_counts() -> None:
    visits = zone_visits(walk([0, 10], [0, 8], [1, 1]), [AISLE], WINDOW, hysteresis_s=0)
    assert spans(visits) == [(2.5, 7.5)]


@pytest.mark.case("supervision PR 1540")
def test_a_place_that_trembles_about_the_border_is_one_visit_at_most() -> None:
    times = np.arange(0, 10, 0.2)
    trembling = 2 + 0.1 * np.where(np.arange(len(times)) % 2, 1, -1)
    assert len(zone_visits(walk(times, trembling), [AISLE], WINDOW)) == 0
    inside_first = np.concatenate([np.full(20, 3.0), trembling[20:40], np.full(10, 0.0)])
    assert len(zone_visits(walk(times, inside_first), [AISLE], WINDOW)) == 1


def test_hysteresis_is_in_seconds_whatever_the_rate() -> None:
    for step in (0.1, 0.5, 1.0):
        times = np.arange(0, 60.01, step)
        out_for_short = np.where((times >= 20) & (times < 21), 1.9, 3.0)
        assert len(zone_visits(walk(times, out_for_short), [AISLE], WINDOW, hysteresis_s=2)) == 1
        out_for_long = np.where((times >= 20) & (times < 26), 1.9, 3.0)
        assert len(zone_visits(walk(times, out_for_long), [AISLE], WINDOW, hysteresis_s=2)) == 2


@pytest.mark.case("FairMOT 168, 475, 383")
def test_someone_who_comes_back_after_twenty_seconds_is_one_person_with_two_visits() -> None:
    visits = zone_visits(walk([10, 20, 41, 50], [3, 3, 3, 3]), [AISLE], WINDOW, max_hidden_s=20)
    assert spans(visits) == [(10.0, 20.0), (41.0, 50.0)]
    assert visits["person_id"].tolist() == [1, 1]
    assert len(zone_visits(walk([10, 20, 39, 50], [3, 3, 3, 3]), [AISLE], WINDOW, max_hidden_s=20)) == 1


@pytest.mark.case("opencv 17276")
def test_nobodys_dwell_bridges_a_hole_in_the_video() -> None:
    """Six seconds cut out."""
    times = np.concatenate([np.arange(0, 20, 0.5), np.arange(26, 40, 0.5)])
    observed = {"zone": [(DAY, DAY + 20 * S), (DAY + 26 * S, WINDOW[1])]}
    visits = zone_visits(walk(times + 0.1, np.full(len(times), 3.0)), [AISLE], WINDOW, observed=observed)
    assert spans(visits) == [(0.0, 20.0), (26.0, 39.6)]
    assert visits["truncated"].tolist() == [True, True]
    counts = zone_counts(visits, [AISLE], WINDOW, observed=observed)
    first = counts[counts["role_filter"] == "all"].iloc[0]
    assert first["coverage"] == pytest.approx(0.9)
    assert first["dwell_s"] == pytest.approx(33.6)
    assert first["occupancy_mean"] == pytest.approx(33.6 / 54)
    assert first[["entries", "exits"]].tolist() == [0, 1]


@pytest.mark.case("supervision 131")
def test_frames_without_anyone_are_zeros_and_no_frames_are_nulls() -> None:
    nobody = walk([], [])
    observed = {"zone": [(DAY, DAY + 120 * S)]}
    visits = zone_visits(nobody, [AISLE], WINDOW, observed=observed)
    assert len(visits) == 0
    counts = zone_counts(visits, [AISLE], WINDOW, observed=observed)
    rows = counts[counts["role_filter"] == "shoppers"]
    assert len(rows) == 10
    assert rows["coverage"].tolist() == [1, 1] + [0] * 8
    assert rows["occupancy_mean"].iloc[:2].tolist() == [0, 0]
    assert rows["entries"].iloc[:2].tolist() == [0, 0]
    assert (
        rows[["occupancy_mean", "occupancy_max", "entries", "dwell_s", "density_mean"]].iloc[2:].isna().all(axis=None)
    )
    assert len(conform("visits", visits)) == 0
    assert conform("zone_counts", counts)["occupancy_max"].null_count == 16


@pytest.mark.case("supervision 1855, PR 1748, PR 1991")
def test_never_in_two_zones_that_do_not_overlap() -> None:
    left, right = rectangle_zone(0, 0, 3, 4, "left"), rectangle_zone(3, 0, 6, 4, "right")
    on_the_border = walk(np.arange(0, 60, 0.5), np.full(120, 3.0))
    visits = zone_visits(on_the_border, [left, right], WINDOW)
    assert visits["zone"].tolist() == ["right"]
    random = np.random.default_rng(3)
    people = pd.concat(
        [
            walk(np.arange(0, 300, 0.5), np.clip(np.cumsum(random.normal(0, 0.3, 600)) + 3, 0, 5.9), person=p)
            for p in range(1, 6)
        ]
    )
    counts = zone_counts(zone_visits(people, [left, right], WINDOW, hysteresis_s=0), [left, right], WINDOW)
    together = counts[counts["role_filter"] == "all"].groupby("bucket_start")["dwell_s"].sum()
    assert together.iloc[:4].tolist() == pytest.approx([300.0] * 4, abs=1e-5)


def test_a_zone_in_an_uncalibrated_camera_sees_its_own_plane_only() -> None:
    pixels = Zone("counter", "Counter", "other", "cam", np.array([[0, 0], [50, 0], [50, 50], [0, 50.0]]))
    people = pd.concat([walk([0, 10], [10, 10], plane="cam"), walk([100, 110], [3, 3], plane="floor")])
    visits = zone_visits(people, [pixels, AISLE], WINDOW)
    assert visits["zone"].tolist() == ["counter", "zone"]
    counts = zone_counts(visits, [pixels], WINDOW)
    assert counts["density_mean"].isna().all()
    assert counts["occupancy_mean"].notna().all()


def test_a_zone_of_which_a_part_is_seen_has_coverage_below_one() -> None:
    observed = {"zone": [(DAY, DAY + 60 * S, 1.0), (DAY + 60 * S, WINDOW[1], 0.6)]}
    visits = zone_visits(walk([30, 100, 130], [3, 3, 0]), [AISLE], WINDOW, observed=observed, max_hidden_s=90)
    assert visits["truncated"].tolist() == [False]  # a camera less is no hole
    counts = zone_counts(visits, [AISLE], WINDOW, observed=observed)
    assert counts["coverage"].iloc[:3].tolist() == pytest.approx([1, 0.6, 0.6])
    assert counts["occupancy_mean"].iloc[0] == pytest.approx(0.5)


def test_staff_are_in_all_and_not_in_shoppers() -> None:
    visits = zone_visits(walk([0, 60], [3, 3], role="staff"), [AISLE], WINDOW, max_hidden_s=90)
    counts = zone_counts(visits, [AISLE], WINDOW).groupby("role_filter")["dwell_s"].sum()
    assert counts.to_dict() == {"all": 60.0, "shoppers": 0.0}


def test_someone_in_two_places_at_once_is_refused() -> None:
    twice = pd.concat([walk([0, 1], [3, 3]), walk([1], [5])])
    with pytest.raises(ValueError, match="person 1 is in two places of floor at the same time; fuse the cameras first"):
        zone_visits(twice, [AISLE], WINDOW)


def test_buckets_are_aligned_to_utc_minutes() -> None:
    window = (DAY + 30 * S, DAY + 90 * S)
    counts = zone_counts(zone_visits(walk([40, 80], [3, 3]), [AISLE], window, max_hidden_s=90), [AISLE], window)
    rows = counts[counts["role_filter"] == "all"]
    assert ((microseconds(rows["bucket_start"]) - DAY) / S).tolist() == [0, 60]
    assert rows["coverage"].tolist() == [0.5, 0.5]
    assert rows["dwell_s"].tolist() == [20.0, 20.0]
    assert rows["occupancy_mean"].tolist() == pytest.approx([2 / 3, 2 / 3])


def test_observed_spans_are_joined_clipped_and_sorted() -> None:
    given_spans = [(50, 60), (10, 30, 0.5), (30, 40, 1.0), (70, 80, 0.0), (90, 200)]
    assert observed_spans(given_spans, (20, 100)).tolist() == [[20, 40], [50, 60], [90, 100]]


def test_a_stay_up_to_the_last_look_of_a_slow_camera_is_truncated() -> None:
    """Looked at every 5 s: the last look is up to 5 s before the end of what was observed."""
    observed = {"zone": [(DAY, DAY + 100 * S), (DAY + 200 * S, WINDOW[1])]}
    visits = zone_visits(walk(np.arange(30, 96, 5), np.full(14, 3.0)), [AISLE], WINDOW, observed=observed, edge_s=5.5)
    assert spans(visits) == [(30.0, 100.0)]
    assert visits["truncated"].tolist() == [True]
