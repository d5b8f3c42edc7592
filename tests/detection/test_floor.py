from __future__ import annotations

import json

import numpy as np
import pytest

from detection.floor import CalibrationError, FloorCalibration, foot_points

SIZE = (960, 540)
FLOOR = np.array([[2, 2], [8, 2], [8, 7], [3, 7], [5, 4], [6, 5]], float)


def camera() -> tuple[np.ndarray, np.ndarray]:
    """A camera at (11.7, 8.7, 2.9) that looks into the room: P (3, 4) and its homography of the floor to pixels."""
    intrinsic = np.array([[660.0, 0, 480], [0, 660, 270], [0, 0, 1]])
    position, forward = np.array([11.7, 8.7, 2.9]), np.array([-0.484, -0.807, -0.338])
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    projection = intrinsic @ np.column_stack([rotation, -rotation @ position])
    return projection, projection[:, [0, 1, 3]]


def pixels_of(floor: np.ndarray) -> np.ndarray:
    image = np.column_stack([floor, np.ones(len(floor))]) @ camera()[1].T
    return image[:, :2] / image[:, 2:]


def test_fit_is_exact_on_exact_points_and_goes_both_ways():
    calibration = FloorCalibration.fit(pixels_of(FLOOR), FLOOR, SIZE)
    assert calibration.reprojection_error_m < 1e-6
    other = np.array([[4.0, 3.0], [7.5, 6.5]])
    np.testing.assert_allclose(calibration.to_floor(pixels_of(other)), other, atol=1e-6)
    np.testing.assert_allclose(calibration.to_pixels(other), pixels_of(other), atol=1e-5)


def test_points_beyond_the_horizon_are_no_place():
    calibration = FloorCalibration.fit(pixels_of(FLOOR), FLOOR, SIZE)
    assert np.isnan(calibration.to_floor([[480, -200]])).all()
    assert np.isfinite(calibration.to_floor([[480, 500]])).all()


def shuffled(pixels: np.ndarray) -> np.ndarray:
    return pixels[[1, 0, 2, 3]]


@pytest.mark.parametrize(
    ("pixels", "floor", "message"),
    [
        (pixels_of(FLOOR)[:3], FLOOR[:3], "at least 4 pairs"),
        (pixels_of(FLOOR)[:4], FLOOR[:5], "do not pair"),
        (pixels_of(FLOOR)[:4], np.array([[0, 0], [1, 1], [2, 2], [3, 3.0]]), "floor points lie on one line"),
        (np.array([[0, 0], [10, 10], [20, 20], [30, 30.0]]), FLOOR[:4], "pixel points lie on one line"),
        (pixels_of(FLOOR) * [-1, 1] + [960, 0], FLOOR, "mirrored"),
        (shuffled(pixels_of(FLOOR)[:4]), FLOOR[:4], "mixed up"),
        (pixels_of(FLOOR) + np.array([[0, 0]] * 5 + [[120, 60]]), FLOOR, r"reprojection error \d\.\d+ m"),
        (np.array([[0, 0], [1, 1], [np.nan, 2], [3, 3]]), FLOOR[:4], "finite"),
    ],
)
def test_a_calibration_that_can_not_be_is_refused_with_a_reason(pixels, floor, message):
    with pytest.raises(CalibrationError, match=message):
        FloorCalibration.fit(pixels, floor, SIZE)


def test_a_homography_the_wrong_way_round_is_refused():
    with pytest.raises(CalibrationError, match="horizon"):
        FloorCalibration.from_homography(np.diag([-1.0, 1, 1]) @ np.linalg.inv(camera()[1]), SIZE)
    with pytest.raises(CalibrationError, match="3x3"):
        FloorCalibration.from_homography(np.eye(4), SIZE)


@pytest.mark.case("frigate 8488")
def test_another_resolution_is_rescaled_and_another_aspect_refused():
    calibration = FloorCalibration.fit(pixels_of(FLOOR), FLOOR, SIZE)
    double = calibration.for_size((1920, 1080))
    np.testing.assert_allclose(double.to_floor(2 * pixels_of(FLOOR)), FLOOR, atol=1e-6)
    with pytest.raises(CalibrationError, match="another aspect"):
        calibration.for_size((1280, 960))


def test_pose_finds_heads_and_feet():
    pose = FloorCalibration.from_homography(np.linalg.inv(camera()[1]), SIZE).pose()
    assert pose is not None
    np.testing.assert_allclose(pose.position, [11.7, 8.7, 2.9], atol=1e-6)
    heads = np.array([[5, 4, 1.7], [7, 6, 1.1]])
    np.testing.assert_allclose(pose.foot_from_head(pose.project(heads), heads[:, 2]), heads[:, :2], atol=1e-6)
    assert np.isnan(pose.foot_from_head(np.array([[480.0, -2000.0]]), 1.7)).all()


def test_a_camera_straight_above_has_no_pose():
    straight_down = np.array([[0.01, 0, 0], [0, -0.01, 5.4], [0, 0, 1]])
    assert FloorCalibration.from_homography(straight_down, SIZE).pose() is None


@pytest.mark.parametrize("store", ["store_demo", "store_dev"])
def test_pose_of_rendered_cameras_is_the_true_one(shared, store):
    scene = json.loads((shared / "data" / store / "scene.json").read_text())
    for view in scene["cameras"]:
        pose = FloorCalibration.from_homography(np.array(view["image_to_floor"]), tuple(scene["size"])).pose()
        assert pose is not None
        for found, true in ((pose.K, view["K"]), (pose.R, view["R"]), (pose.t, view["t"])):
            np.testing.assert_allclose(found, true, atol=1e-6)
        np.testing.assert_allclose(pose.position, view["position_m"], atol=1e-6)


def test_a_place_is_the_middle_of_a_boxs_lower_edge():
    np.testing.assert_allclose(foot_points(np.array([[10, 20, 30, 90]])), [[20, 90]])
    assert foot_points(np.zeros((0, 4))).shape == (0, 2)
