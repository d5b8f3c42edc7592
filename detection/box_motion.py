"""Where boxes go next: the constant-velocity Kalman filter of SORT (Bewley et al. 2016) and ByteTrack, many at once.

A box is measured as centre x, centre y, width by height, and height. The four move and are measured independently of
each other, so each has a filter of its own with two states, and all filters of all boxes are one array `motion`,
float64 (T, 5, 4): place, velocity a frame, and the variances of place, of place with velocity, and of velocity. How
uncertain a box is follows its height, as in ByteTrack.
"""

from __future__ import annotations

import numpy as np

PLACE, VELOCITY, PLACE_VARIANCE, COVARIANCE, VELOCITY_VARIANCE = range(5)
HEIGHT = 3
"""Of the four measures."""
PLACE_SHARE, VELOCITY_SHARE = 1 / 20, 1 / 160
"""Standard deviations of a frame, shares of the box's height."""
SHAPE_DRIFT, SHAPE_VELOCITY_DRIFT, SHAPE_MEASURED = 1e-2, 1e-5, 1e-1
"""Standard deviations of width by height, which has no unit: drift in a frame, of its velocity, of a measurement."""


def begin(boxes: np.ndarray) -> np.ndarray:
    """Motion (T, 5, 4) of boxes (T, 4) xyxy px seen for the first time, which stand still as far as one knows."""
    measured = _measures(boxes)
    motion = np.zeros((len(boxes), 5, 4))
    motion[:, PLACE] = measured
    motion[:, PLACE_VARIANCE] = _variance(measured, 2 * PLACE_SHARE, SHAPE_DRIFT)
    motion[:, VELOCITY_VARIANCE] = _variance(measured, 10 * VELOCITY_SHARE, SHAPE_VELOCITY_DRIFT)
    return motion


def predict(motion: np.ndarray) -> np.ndarray:
    """Motion a frame later."""
    place, velocity, variance, covariance, velocity_variance = np.moveaxis(motion, 1, 0)
    later = [
        place + velocity,
        velocity,
        variance + 2 * covariance + velocity_variance + _variance(place, PLACE_SHARE, SHAPE_DRIFT),
        covariance + velocity_variance,
        velocity_variance + _variance(place, VELOCITY_SHARE, SHAPE_VELOCITY_DRIFT),
    ]
    return np.stack(later, axis=1)


def correct(motion: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Motion after boxes (T, 4) xyxy px were found, one each."""
    place, velocity, variance, covariance, velocity_variance = np.moveaxis(motion, 1, 0)
    innovation = _measures(boxes) - place
    whole = variance + _variance(place, PLACE_SHARE, SHAPE_MEASURED)
    corrected = [
        place + innovation * variance / whole,
        velocity + innovation * covariance / whole,
        variance - variance**2 / whole,
        covariance - variance * covariance / whole,
        velocity_variance - covariance**2 / whole,
    ]
    return np.stack(corrected, axis=1)


def boxes_of(motion: np.ndarray) -> np.ndarray:
    """Boxes (T, 4) xyxy px where they are now."""
    x, y, shape, height = motion[:, PLACE].T
    width = shape * height
    return np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1)


def _measures(boxes: np.ndarray) -> np.ndarray:
    """Centre x, centre y, width by height and height (T, 4) of boxes (T, 4) xyxy that have a height."""
    corners = np.asarray(boxes, float)
    sides = corners[:, 2:] - corners[:, :2]
    return np.column_stack([(corners[:, :2] + corners[:, 2:]) / 2, sides[:, 0] / sides[:, 1], sides[:, 1]])


def _variance(place: np.ndarray, share: float, of_shape: float) -> np.ndarray:
    """Variances (T, 4): of what is measured in pixels by the height, of the shape as given."""
    deviation = share * place[:, HEIGHT]
    return np.stack([deviation, deviation, np.full(len(place), of_shape), deviation], axis=1) ** 2
