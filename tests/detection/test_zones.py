from __future__ import annotations

import re

import numpy as np
import pytest
import shapely

from detection.zones import (
    distance_to_border,
    line_crossings,
    overlap_area,
    points_in_polygon,
    polygon_area,
    polygon_problem,
)

LINE, INSIDE = np.array([[0.0, 0.0], [4.0, 0.0]]), np.array([2.0, 1.0])
BENT = np.array([[0, 0], [1, 0.2], [0.5, 0.5], [0.8, 1], [0.1, 0.7]])


def walk(x: float = 2.0, start: float = -1.5, end: float = 1.4) -> np.ndarray:
    return np.column_stack([np.full(30, x), np.linspace(start, end, 30)])


def crossings(path: np.ndarray, line: np.ndarray = LINE, hysteresis_m: float = 0.2) -> list[int]:
    return line_crossings(path, line, INSIDE, hysteresis_m=hysteresis_m).directions.tolist()


@pytest.mark.case("ultralytics PR 9998, 15697")
def test_one_person_in_and_out_again():
    both_ways = np.concatenate([walk(), walk()[::-1]])
    indices, directions = line_crossings(both_ways, LINE, INSIDE)
    assert directions.tolist() == [1, -1]
    assert both_ways[indices[0], 1] > 0 > both_ways[indices[0] - 1, 1]
    assert both_ways[indices[1], 1] < 0 < both_ways[indices[1] - 1, 1]


@pytest.mark.case("ultralytics PR 25492")
@pytest.mark.parametrize("step", [1, 3, 6])
def test_every_sampling_counts_the_same(step):
    assert crossings(walk()[::step]) == [1]


@pytest.mark.case("supervision PR 1540")
def test_trembling_counts_once_at_most():
    noise = np.random.default_rng(0).normal(0, 0.05, 100)
    trembling = np.column_stack([np.full(100, 2.0), noise])
    assert len(crossings(trembling)) <= 1
    assert crossings(np.concatenate([walk(end=0.0), trembling, walk(start=0.0)])) == [1]
    assert crossings(np.concatenate([walk(end=0.0), trembling, walk(end=0.0)[::-1]])) == []


@pytest.mark.case("opendatacam 204, 185")
def test_slanted_line_and_passing_beyond_its_end():
    slanted = np.array([[0.0, -1.0], [4.0, 1.0]])
    rng = np.random.default_rng(1)
    standing = np.array([2.0, 0.0]) + rng.normal(0, 0.06, (300, 2))
    assert crossings(np.concatenate([walk(end=0), standing, walk(start=0)]), slanted) == [1]
    assert crossings(walk(x=4.5)) == []
    assert crossings(walk(x=3.9)) == [1]


def test_round_the_end_and_out_through_the_line_is_one_out():
    assert crossings(np.concatenate([walk(x=5.0), walk(x=2.0)[::-1]])) == [-1]


def test_who_vanishes_in_the_doorway_went_out():
    assert crossings(walk(start=1.0, end=-0.05)) == [-1]
    assert crossings(walk(start=-0.05, end=1.0)) == [1]


def test_places_that_are_missing_are_skipped():
    path = walk()
    path[10:20] = np.nan
    indices, directions = line_crossings(path, LINE, INSIDE)
    assert directions.tolist() == [1] and indices.tolist() == [20]
    assert crossings(np.full((5, 2), np.nan)) == [] and crossings(np.zeros((0, 2))) == []


def test_an_inside_point_on_the_line_is_refused():
    with pytest.raises(ValueError, match="inside point"):
        line_crossings(walk(), LINE, np.array([1.0, 0.0]))


def test_points_in_polygon_and_distance_agree_with_shapely():
    points = np.random.default_rng(2).uniform(-0.5, 1.5, (2000, 2))
    polygon = shapely.Polygon(BENT)
    inside = shapely.contains_xy(polygon, points[:, 0], points[:, 1])
    np.testing.assert_array_equal(points_in_polygon(points, BENT), inside)
    distance = shapely.distance(shapely.points(points), polygon.exterior)
    np.testing.assert_allclose(distance_to_border(points, BENT), np.where(inside, distance, -distance), atol=1e-12)
    assert polygon_area(BENT) == pytest.approx(polygon.area)
    assert not points_in_polygon(np.array([[np.nan, 0.2]]), BENT).any()


@pytest.mark.case("supervision 1855, PR 1748, PR 1991")
def test_a_point_on_a_shared_edge_is_in_exactly_one_zone():
    corners = {"a": [0.13, 0.07], "b": [0.71, 1.93], "west": [-2.0, 1.1], "east": [3.0, 0.9]}
    west = np.array([corners["a"], corners["b"], corners["west"]])
    east = np.array([corners["b"], corners["a"], corners["east"]])
    shares = np.random.default_rng(3).random((5000, 1))
    on_edge = np.array(corners["a"]) + shares * (np.array(corners["b"]) - np.array(corners["a"]))
    assert (points_in_polygon(on_edge, west) ^ points_in_polygon(on_edge, east)).all()
    assert overlap_area(west, east) == 0


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ([[0, 0], [1, 1], [1, 0], [0, 1]], r"crosses or touches itself near \(0\.50, 0\.50\)"),
        ([[0, 0], [1, 1]], "at least 3"),
        ([[0, 0], [1, 1], [0, 0], [1, 1]], "at least 3 different corners, not 2"),
        ([[0, 0], [1, 0], [float("nan"), 1]], "finite"),
    ],
)
def test_bad_polygons_say_why(corners, message):
    problem = polygon_problem(np.array(corners))
    assert problem is not None
    assert re.search(message, problem)
    assert polygon_problem(BENT) is None
