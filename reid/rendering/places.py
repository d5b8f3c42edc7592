"""Where a picture is taken: floor, walls, furniture, light, the camera. Metres; the person stands at 0, 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid.rendering.surfaces import Random, hsv

FREE_M = 0.55  # around the person and the line of sight
KINDS_OF_SURFACE = 12  # in one place


@dataclass(frozen=True)
class Box:
    """Furniture, a wall or the floor: a turned box. `surface` numbers one of the place's surfaces."""

    centre: tuple[float, float]
    low: float
    size: tuple[float, float, float]
    turn: float
    surface: int
    repeat: float
    tint: float

    def matrix(self) -> NDArray[np.float64]:
        """From the unit cube to the place, 4x4."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        turned = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
        found = np.eye(4)
        found[:3, :3] = turned * self.size
        found[:3, 3] = np.array([*self.centre, self.low]) - turned @ (np.array(self.size) * (0.5, 0.5, 0))
        return found


@dataclass(frozen=True)
class Light:
    """Linear RGB of the light from above, from below, and of a lamp or the sun from `key_direction` (a unit vector)."""

    sky: NDArray[np.float64]
    ground: NDArray[np.float64]
    key: NDArray[np.float64]
    key_direction: NDArray[np.float64]
    shadow: float


@dataclass(frozen=True)
class Place:
    """A scene and a camera in it.

    Attributes:
        number: The camera's, for the index.
        camera: Its position; it looks at the person.
        roll: In radians.
        behind: Linear RGB where nothing stands.
    """

    number: int
    boxes: tuple[Box, ...]
    camera: tuple[float, float, float]
    roll: float
    behind: NDArray[np.float64]
    light: Light


def random_light(random: Random, varied: bool = True) -> Light:
    """Light of a lamp-lit room or of the open; `varied` False is even light from above, a little stronger or weaker."""
    if not varied:
        power = random.uniform(0.75, 0.95) * np.ones(3)
        return Light(power, 0.6 * power, 0.3 * power, np.array([0.0, 0.0, 1.0]), 0.4)
    cast = 1 + random.uniform(-0.22, 0.22, 3) * random.random()
    level = np.exp(random.normal(0.0, 0.35))
    share = random.beta(1.3, 2.2)  # of the light that has a direction
    angle, height = random.uniform(0, 2 * np.pi), random.uniform(0.15, 1.0)
    direction = np.array([*(np.sqrt(1 - height**2) * np.array([np.cos(angle), np.sin(angle)])), height])
    sky = level * (1 - share) * cast
    return Light(sky, sky * random.uniform(0.35, 0.9), 1.8 * level * share * cast[::-1], direction, share)


def random_place(random: Random, number: int, light: Light) -> Place:
    """A floor, up to four walls, furniture that leaves the line of sight free, and now and then something in front."""
    distance = random.uniform(2.5, 10)
    height = random.choice(
        [random.uniform(2, 3.6), random.uniform(0.9, 2), random.uniform(3.6, 6)], p=[0.65, 0.25, 0.1]
    )
    boxes = [_box(random, (0, 0), (60, 60, 1), low=-1.0, repeat=random.uniform(0.2, 1.5))]
    aslant = 0.3 * np.pi * random.random()  # how far the room is turned from the line of sight
    for side in range(4):
        if random.random() < 0.7:
            away = random.uniform(1.0, 9.0) if side else random.uniform(distance + 0.5, distance + 8)
            towards = aslant - np.pi / 2 + side * np.pi / 2
            centre = (float(away * np.cos(towards)), float(away * np.sin(towards)))
            size = (0.2, 40.0, random.uniform(2.4, 6))
            boxes.append(_box(random, centre, size, turn=towards, repeat=random.uniform(0.15, 1.2)))
    for _ in range(int(random.integers(2, 22))):
        size = (
            random.uniform(0.3, 3),
            random.uniform(0.3, 1.2),
            random.choice([random.uniform(0.2, 1.2), random.uniform(1.2, 2.4)]),
        )
        spot = random.uniform(-7, 7, 2)
        if not _hides(spot, max(size[:2]) * 0.75, distance):
            low = random.uniform(0.6, 2) if random.random() < 0.15 else 0.0
            boxes.append(_box(random, (float(spot[0]), float(spot[1])), size, low=low))
    if random.random() < 0.22:
        boxes.append(_in_front(random))
    behind = hsv(random.random(), random.beta(1, 3), random.uniform(0.1, 1)) ** 2.2
    camera = (0.0, -distance, float(height))
    return Place(number, tuple(boxes), camera, random.normal(0, 0.03), behind, light)


def _box(
    random: Random,
    centre: tuple[float, float],
    size: tuple[float, float, float],
    low: float = 0.0,
    turn: float | None = None,
    repeat: float | None = None,
) -> Box:
    turn = random.uniform(0, np.pi) if turn is None else turn
    repeat = random.uniform(0.4, 2.5) if repeat is None else repeat
    return Box(centre, low, size, float(turn), int(random.integers(KINDS_OF_SURFACE)), repeat, random.uniform(0.5, 1.2))


def _hides(centre: NDArray[np.float64], radius: float, distance: float) -> bool:
    """Whether a box there would stand on the person or between him and the camera at (0, -distance)."""
    nearest = np.array([0.0, np.clip(centre[1], -distance, 0.0)])
    return bool(np.hypot(*(centre - nearest)) < radius + FREE_M)


def _in_front(random: Random) -> Box:
    """A counter, shelf or trolley that covers the legs or a side."""
    size = (random.uniform(0.4, 2), random.uniform(0.3, 0.8), random.uniform(0.35, 1.0))
    side = random.uniform(-0.8, 0.8)
    return _box(random, (side, -0.5 - size[1] / 2 - random.uniform(0, 0.5)), size, turn=random.normal(0, 0.2))
