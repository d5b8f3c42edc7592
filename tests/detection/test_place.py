"""Places of people whose feet are seen, hidden, or cut off, by a camera whose pose is known."""

from __future__ import annotations

import numpy as np
import pytest

from detection.camera_pose import CameraPose
from detection.place import HEIGHTS_M, SHOE_M, Fixture, locate, mean_height

SIZE = (960, 540)


@pytest.fixture(scope="module")
def pose() -> CameraPose:
    """A camera at 2.9 m in a corner, looking along the diagonal and down, as in a shop."""
    position, target = np.array([0.3, 0.3, 2.9]), np.array([5.2, 4.3, 0.6])
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, (0, 0, 1.0))
    right /= np.linalg.norm(right)
    rotation = np.array([right, np.cross(forward, right), forward])
    intrinsic = np.array([[640.0, 0, 480], [0, 640, 270], [0, 0, 1]])
    return CameraPose(intrinsic, rotation, -rotation @ position, position)


def box_of(pose: CameraPose, xy: tuple[float, float], height: float, seen_from: float = 0.0) -> np.ndarray:
    """Box around a body of this height; seen_from: what is lower, in metres, is hidden."""
    away = np.array(xy) - pose.position[:2]
    away /= np.linalg.norm(away)
    foot = np.array(xy) - SHOE_M * away if seen_from == 0 else np.array(xy)
    ends = pose.project(np.array([[*foot, seen_from], [*xy, height]]))
    half = 0.12 * abs(ends[0, 1] - ends[1, 1])
    return np.array([ends[:, 0].min() - half, ends[1, 1], ends[:, 0].max() + half, ends[0, 1]])


@pytest.mark.parametrize("xy", [(3.0, 2.5), (5.0, 5.0), (7.5, 2.5), (2.5, 6.5)])
@pytest.mark.parametrize("height", [1.58, 1.75, 1.9])
def test_seen_feet_give_place_and_height(pose, xy, height):
    found = locate(box_of(pose, xy, height), np.array([1]), pose, SIZE)
    assert np.linalg.norm(found.xy[0] - xy) < 0.1
    assert found.feet_seen[0] > 0.5 and found.sigma_m[0] < 0.2
    assert mean_height(found.heights)[0] == pytest.approx(height, abs=0.08)


def test_hidden_feet_are_placed_from_the_head_with_the_height_learnt_elsewhere(pose):
    places = [(3.0 + 0.3 * step, 3.0) for step in range(12)]
    boxes = [box_of(pose, xy, 1.85, 0.0 if step < 6 else 1.0) for step, xy in enumerate(places)]
    found = locate(np.array(boxes), np.ones(12, int), pose, SIZE)
    assert (found.feet_seen[6:] < 0.5).all()
    assert np.linalg.norm(found.xy - np.array(places), axis=1).max() < 0.25
    assert (found.sigma_m[6:] > found.sigma_m[:6]).all()


def test_a_height_known_from_elsewhere_places_a_head_that_was_never_seen_with_feet(pose):
    places = np.array([(3.0 + 0.3 * step, 3.0) for step in range(6)])
    boxes = np.array([box_of(pose, tuple(xy), 1.5, 1.0) for xy in places])
    guessed = locate(boxes, np.ones(6, int), pose, SIZE)
    known = locate(boxes, np.ones(6, int), pose, SIZE, heights=np.isclose(HEIGHTS_M, 1.5)[None] * 1.0)
    assert np.linalg.norm(guessed.xy - places, axis=1).min() > 0.3
    assert np.linalg.norm(known.xy - places, axis=1).max() < 0.15
    assert (known.sigma_m < guessed.sigma_m).all()
    moved = guessed.xy + guessed.slope * (1.5 - mean_height(guessed.heights))
    assert np.linalg.norm(moved - known.xy, axis=1).max() < 0.01, "places move along the slope with the height"


def test_a_shelf_in_the_way_tells_a_hidden_adult_from_a_child(pose):
    xy = (5.0, 4.5)
    shelf = Fixture(np.array([[4.0, 3.2], [4.6, 3.8], [3.8, 4.6], [3.2, 4.0]]), 1.6)
    boxes = np.array([box_of(pose, xy, 1.72, 1.1)] * 5)
    found = locate(boxes, np.ones(5, int), pose, SIZE, [shelf])
    assert (found.feet_seen < 0.5).all()
    assert np.linalg.norm(found.xy - xy, axis=1).max() < 0.4


def test_a_child_in_the_open_is_no_adult_behind_something(pose):
    places = [(3.0 + 0.3 * step, 3.0) for step in range(10)]
    boxes = np.array([box_of(pose, xy, 1.2) for xy in places])
    found = locate(boxes, np.ones(10, int), pose, SIZE)
    assert np.linalg.norm(found.xy - np.array(places), axis=1).max() < 0.15
    assert mean_height(found.heights)[0] == pytest.approx(1.2, abs=0.05)
    assert (found.slope == 0).all(), "seen feet give the place, whatever the height"


def test_feet_cut_off_by_the_picture_are_hidden(pose):
    box = box_of(pose, (1.9, 1.6), 1.75)
    cut = np.array([box[0], box[1], box[2], SIZE[1]])
    assert box[3] > SIZE[1] + 20
    found = locate(cut, np.array([1]), pose, SIZE)
    assert found.feet_seen[0] < 0.5 and np.linalg.norm(found.xy[0] - (1.9, 1.6)) < 0.35


def test_nobody(pose):
    assert len(locate(np.zeros((0, 4)), np.zeros(0, int), pose, SIZE).xy) == 0


def test_nobody_stands_behind_the_wall_or_in_a_shelf(pose):
    boxes = np.array([box_of(pose, (9.3, 7.0), 1.6, 0.9)] * 3)
    open_floor = locate(boxes, np.ones(3, int), pose, SIZE)
    walled = locate(boxes, np.ones(3, int), pose, SIZE, floor_size=(9.6, 7.2))
    off = [np.linalg.norm(found.xy[0] - (9.3, 7.0)) for found in (open_floor, walled)]
    assert off[1] < 0.7 * off[0]
