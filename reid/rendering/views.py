"""How a camera sees a place: projection, the box of a person in it, and how much of him shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reid.rendering.bodies import Bodies
from reid.rendering.figures import Figure
from reid.rendering.places import Place
from reid.rendering.surfaces import Random

CUT_SHORT = 0.1  # share of boxes that end at the thighs or the waist
Window = tuple[float, float, float, float]  # left, top, right, bottom on the camera's plane at distance 1


class View:
    """A camera at a place's position that looks at the person."""

    def __init__(self, place: Place, target: tuple[float, float, float]) -> None:
        self.position = np.array(place.camera)
        ahead = np.array(target) - self.position
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, (0, 0, 1.0))
        right /= np.linalg.norm(right)
        down = np.cross(ahead, right)
        cos, sin = np.cos(place.roll), np.sin(place.roll)
        self.rotation = np.array([cos * right + sin * down, cos * down - sin * right, ahead])

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N, 3) on the plane at distance 1, (N, 2): x right, y down."""
        seen = (points - self.position) @ self.rotation.T
        return np.asarray(seen[:, :2] / np.maximum(seen[:, 2:], 0.1))

    def clip(self, window: Window) -> NDArray[np.float64]:
        """OpenGL's clip matrix for a window on that plane."""
        left, top, right, bottom = window
        near, far = 0.2, 80.0
        lens = np.zeros((4, 4))
        lens[0, 0], lens[0, 2] = 2 / (right - left), -(right + left) / (right - left)
        lens[1, 1], lens[1, 2] = -2 / (bottom - top), (bottom + top) / (bottom - top)
        lens[2, 2], lens[2, 3] = (far + near) / (far - near), -2 * far * near / (far - near)
        lens[3, 2] = 1
        view = np.eye(4)
        view[:3, :3], view[:3, 3] = self.rotation, -self.rotation @ self.position
        return lens @ view


def box(bodies: Bodies, view: View, figure: Figure) -> Window:
    """Around a person's whole body, whether it is hidden or not."""
    seen = view.project(figure.in_place(slice(0, bodies.vertices)))
    (left, top), (right, bottom) = seen.min(axis=0), seen.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def jittered(whole: Window, random: Random, most: float = 0.1) -> Window:
    """A box as detectors make them: shifted and scaled by up to `most` of its sides; some end above the feet."""
    left, top, right, bottom = whole
    if random.random() < CUT_SHORT:
        bottom = top + (bottom - top) * random.uniform(0.45, 0.85)
    shift, scale = random.uniform(-most, most, 2), 1.03 + random.uniform(-most, most, 2)
    middle = np.array([(left + right) / 2, (top + bottom) / 2]) + shift * (right - left, bottom - top) / 2
    half = np.array([right - left, bottom - top]) * scale / 2
    low, high = middle - half, middle + half
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def visible_share(
    bodies: Bodies, figure: Figure, number: int, view: View, window: Window, whose: NDArray[np.uint8]
) -> float:
    """Share of the body's probes that show as the figure's own pixels; what lies outside the window is not seen."""
    left, top, right, bottom = window
    height, width = whose.shape
    spot = (view.project(figure.in_place(bodies.probes)) - (left, top)) / (right - left, bottom - top)
    pixel = np.floor(spot * (width, height)).astype(int)
    inside = (pixel >= 0).all(axis=1) & (pixel < (width, height)).all(axis=1)
    hit = whose[pixel[inside, 1], pixel[inside, 0]] == number
    return float(hit.sum() / len(pixel))
