"""Pixels to floor metres: the homography of a camera, from pairs of points (Hartley & Zisserman 2004, ch. 4).

Pixel (0, 0) is the corner of the first pixel. The floor is seen from above: x to the right (east), y up (north).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from detection.camera_pose import CameraPose, pose_from_homography

MAX_ERROR_M = 0.25
# Smallest share of a set of points' longer extent that their shorter one may be before they count as on one line.
FLATNESS = 0.02
ASPECT_TOLERANCE = 0.01


class CalibrationError(ValueError):
    """Points or a homography that can't be those of a camera above this floor; the message says what to mend."""


@dataclass(frozen=True)
class FloorCalibration:
    """Where the pixels of one camera lie on the floor.

    `homography` (3, 3) takes pixels to floor metres, signed so that what the camera sees has a positive third
    coordinate. `image_size` is (width, height). The errors are root mean squares over the calibration's points, on the
    floor and in the picture; 0 where a homography was given.
    """

    homography: np.ndarray
    image_size: tuple[int, int]
    reprojection_error_m: float = 0.0
    reprojection_error_px: float = 0.0

    @classmethod
    def fit(
        cls, pixels: np.ndarray, floor: np.ndarray, image_size: tuple[int, int], *, max_error_m: float = MAX_ERROR_M
    ) -> FloorCalibration:
        """Least squares over all pairs; errors are minimised in the picture, where people click.

        Args:
            pixels: (N, 2), N >= 4.
            floor: (N, 2) metres, the same points.
            image_size: (width, height) of the picture they were taken in.
            max_error_m: highest root mean square error on the floor.

        Raises:
            CalibrationError: fewer than 4 pairs, points on a line, mirrored or in another order, or a bad fit.
        """
        pixels, floor = _checked_points(pixels, "pixel"), _checked_points(floor, "floor")
        if len(pixels) != len(floor):
            raise CalibrationError(f"{len(pixels)} pixel points do not pair with {len(floor)} floor points")
        if len(pixels) < 4:
            raise CalibrationError(f"a calibration needs at least 4 pairs of points, not {len(pixels)}; add some")
        for points, what in ((pixels, "pixel"), (floor, "floor")):
            _refuse_line(points, what)
        to_pixels, _ = cv2.findHomography(floor, pixels, 0)
        if to_pixels is None or not np.isfinite(to_pixels).all() or abs(np.linalg.det(to_pixels)) < 1e-12:
            raise CalibrationError("no homography fits these points; three of four must not lie on one line")
        homography = _signed(np.linalg.inv(to_pixels))
        weights = _weights(homography, pixels)
        if (weights <= 0).any():
            if (weights < 0).all():
                raise CalibrationError(
                    "the floor comes out mirrored: on the floor x goes right and y up, seen from above"
                )
            raise CalibrationError("the horizon runs between the points: some pairs are mixed up, check their order")
        there, back = _apply(homography, pixels), _apply(np.linalg.inv(homography), floor)
        errors = np.linalg.norm(there - floor, axis=1)
        error_m, error_px = _root_mean_square(errors), _root_mean_square(np.linalg.norm(back - pixels, axis=1))
        if error_m > max_error_m:
            worst = int(errors.argmax())
            raise CalibrationError(
                f"the points do not fit: reprojection error {error_m:.2f} m ({error_px:.1f} px), at most {max_error_m}"
                f" m; point {worst + 1} is worst with {errors[worst]:.2f} m, measure or click it again"
            )
        return cls(homography, image_size, error_m, error_px)

    @classmethod
    def from_homography(cls, homography: np.ndarray, image_size: tuple[int, int]) -> FloorCalibration:
        """A known homography from pixels to floor metres.

        Raises:
            CalibrationError: not an invertible 3x3 matrix, or the bottom of the picture does not look at the floor.
        """
        homography = np.asarray(homography, float)
        if homography.shape != (3, 3) or not np.isfinite(homography).all():
            raise CalibrationError(f"a homography is a 3x3 matrix of finite numbers, not of shape {homography.shape}")
        if np.linalg.cond(homography) > 1e15:
            raise CalibrationError("the homography can't be inverted")
        homography = _signed(homography)
        if _weights(homography, np.array([[image_size[0] / 2, image_size[1]]]))[0] <= 0:
            raise CalibrationError(
                "the bottom of the picture would lie beyond the horizon: the homography is mirrored (y goes up on the"
                " floor), or takes the floor to pixels instead of pixels to the floor"
            )
        return cls(homography, image_size)

    def for_size(self, image_size: tuple[int, int]) -> FloorCalibration:
        """The same calibration for recordings of another size, (width, height).

        Raises:
            CalibrationError: another aspect: the picture was cropped or stretched, and no scaling is right.
        """
        if image_size == self.image_size:
            return self
        scale = np.array(image_size) / np.array(self.image_size)
        if abs(scale[0] / scale[1] - 1) > ASPECT_TOLERANCE:
            old, new = ("x".join(map(str, size)) for size in (self.image_size, image_size))
            raise CalibrationError(f"calibrated at {old}, but the recording is {new}, another aspect: calibrate anew")
        homography = _signed(self.homography @ np.diag([1 / scale[0], 1 / scale[1], 1.0]))
        error_px = self.reprojection_error_px * float(scale.mean())
        return FloorCalibration(homography, image_size, self.reprojection_error_m, error_px)

    def to_floor(self, points: np.ndarray) -> np.ndarray:
        """Pixels (N, 2) to floor metres (N, 2); NaN for points on or beyond the horizon."""
        return _apply(self.homography, np.asarray(points, float).reshape(-1, 2))

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Floor metres (N, 2) to pixels (N, 2), possibly outside the picture; NaN for points behind the camera."""
        return _apply(np.linalg.inv(self.homography), np.asarray(points, float).reshape(-1, 2))

    def pose(self) -> CameraPose | None:
        """Where the camera hangs, assuming square pixels and a centred principal point; None where that can't be.

        A camera that looks straight down has no pose by this means: its focal length can't be told from its height.
        """
        return pose_from_homography(np.linalg.inv(self.homography), self.image_size)


def foot_points(boxes: np.ndarray) -> np.ndarray:
    """Bottom centres (N, 2) of boxes (N, 4) xyxy: the place of a person in the picture."""
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    return np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)


def _checked_points(points: np.ndarray, what: str) -> np.ndarray:
    points = np.asarray(points, float)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise CalibrationError(f"{what} points must be pairs of finite numbers, not of shape {points.shape}")
    return points


def _refuse_line(points: np.ndarray, what: str) -> None:
    extents = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if extents[1] < FLATNESS * extents[0] or extents[0] == 0:
        raise CalibrationError(f"the {what} points lie on one line or in one place; spread them over the floor")


def _signed(homography: np.ndarray) -> np.ndarray:
    """Scaled to unit norm, with the sign that a camera above a floor with y up gives: a negative determinant."""
    homography = homography / np.linalg.norm(homography)
    return -homography if np.linalg.det(homography) > 0 else homography


def _weights(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ homography[2, :2] + homography[2, 2]


def _apply(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    weights = _weights(homography, points)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        there = (points @ homography[:2, :2].T + homography[:2, 2]) / weights
    return np.where(weights > 1e-12, there, np.nan)


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
