"""Position and direction of a camera from its floor homography (Hartley & Zisserman 2004, ch. 8; Zhang 2000, 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FOCAL_RANGE = (0.2, 10.0)  # focal length over the longer image side: 136 to 6 degrees of view
MAX_SKEW = 0.05  # how far from equally long and perpendicular the floor's axes may come out


@dataclass(frozen=True)
class CameraPose:
    """A pinhole camera: x_cam = R x + t (x right, y down, z forward), pixel = K x_cam; metres.

    `K` (3, 3), `R` (3, 3), `t` (3,), `position` (3,) of the camera, z above the floor.
    """

    K: np.ndarray
    R: np.ndarray
    t: np.ndarray
    position: np.ndarray

    def project(self, xyz: np.ndarray) -> np.ndarray:
        """Points (N, 3) in metres to pixels (N, 2); NaN behind the camera."""
        camera = np.asarray(xyz, float).reshape(-1, 3) @ self.R.T + self.t
        image = camera @ self.K.T
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = image[:, :2] / image[:, 2:]
        return np.where(camera[:, 2:] > 1e-9, pixels, np.nan)

    def foot_from_head(self, head_px: np.ndarray, height_m: float | np.ndarray) -> np.ndarray:
        """Floor places (N, 2) of people whose heads' tops are at pixels (N, 2), given their height in metres.

        The ray through the head meets the plane at that height; NaN where it doesn't, that is for heads seen at or
        above the plane's horizon.
        """
        head_px = np.asarray(head_px, float).reshape(-1, 2)
        rays = np.column_stack([head_px, np.ones(len(head_px))]) @ np.linalg.inv(self.K).T @ self.R
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = (np.asarray(height_m, float) - self.position[2]) / rays[:, 2]
        places = self.position[:2] + distance[:, None] * rays[:, :2]
        return np.where((distance > 0)[:, None] & np.isfinite(distance)[:, None], places, np.nan)


def pose_from_homography(floor_to_pixel: np.ndarray, image_size: tuple[int, int]) -> CameraPose | None:
    """Pose from a homography of the floor to pixels whose third coordinate is positive for what is seen.

    Square pixels and a principal point in the middle leave one unknown, the focal length: the floor's two axes must
    come out perpendicular and equally long. None where no focal length makes them so, as for a camera straight above.
    """
    width, height = image_size
    centred = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]]) @ floor_to_pixel
    focal = _focal_length(centred / np.linalg.norm(centred), max(image_size))
    if focal is None:
        return None
    intrinsic = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    axes = np.diag([1 / focal, 1 / focal, 1]) @ centred
    lengths = np.linalg.norm(axes[:, :2], axis=0)
    scale = float(lengths.mean())
    if abs(lengths[0] - lengths[1]) > MAX_SKEW * scale or abs(axes[:, 0] @ axes[:, 1]) > MAX_SKEW * scale**2:
        return None
    first, second, translation = (axes / scale).T
    left, _, right = np.linalg.svd(np.column_stack([first, second, np.cross(first, second)]))
    rotation = left @ right
    position = -rotation.T @ translation
    if np.linalg.det(rotation) < 0 or position[2] <= 0:
        return None
    return CameraPose(intrinsic, rotation, translation, position)


def _focal_length(centred: np.ndarray, longer_side: int) -> float | None:
    """Least squares over both conditions on the axes: each is across / focal**2 + along = 0."""
    unit = np.diag([1 / longer_side, 1 / longer_side, 1]) @ centred
    across = np.array([unit[:2, 0] @ unit[:2, 1], unit[:2, 0] @ unit[:2, 0] - unit[:2, 1] @ unit[:2, 1]])
    along = np.array([unit[2, 0] * unit[2, 1], unit[2, 0] ** 2 - unit[2, 1] ** 2])
    if not across @ across > 0:
        return None
    inverse_square = -(across @ along) / (across @ across)
    if inverse_square <= 0:
        return None
    focal = float(inverse_square**-0.5)
    return focal * longer_side if FOCAL_RANGE[0] <= focal <= FOCAL_RANGE[1] else None
