"""A person posed in a place, as triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid.rendering.bodies import BAGS, Bodies, Floats, box_mesh
from reid.rendering.people import Bag, Person
from reid.rendering.poses import pose
from reid.rendering.surfaces import Random

IDLE_HANDS = ("", "reach", "phone", "carry", "hold", "pocket")
IDLE_SHARES = (0.7, 0.05, 0.06, 0.06, 0.07, 0.06)
PUSHES = 0.06  # share of people who push a trolley


@dataclass(frozen=True)
class Figure:
    """A posed person in a place: vertices and normals (V + 48, 3) in metres, standing at `spot`, turned by `turn`."""

    person: Person
    vertices: Floats
    normals: Floats
    spot: tuple[float, float]
    turn: float

    def matrix(self) -> NDArray[np.float64]:
        """From the body to the place, 4x4."""
        found = np.eye(4)
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        found[:2, :2], found[:2, 3] = [[cos, -sin], [sin, cos]], self.spot
        return found

    def in_place(self, rows: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float64]:
        """Vertices in the place, (N, 3)."""
        matrix = self.matrix()
        return self.vertices[rows] @ matrix[:3, :3].T + matrix[:3, 3]


def random_figure(
    random: Random, bodies: Bodies, person: Person, spot: tuple[float, float], varied: bool = True
) -> Figure:
    """A person walking or standing, turned anywhere. `varied` False keeps to the curves, with empty hands."""
    hands = {bag.where: "hold" if bag.where in "LR" else "carry" for bag in person.bags}
    if varied:
        hands = _busy(random, hands)
    loose = random.normal(0, 5.0, 8) if varied else np.zeros(8)
    walking = bool(random.random() < 0.65)
    vertices, bones = bodies.posed(person.body, pose(person.gait, walking, random.random(), hands, loose))
    scale = person.height_m / float(vertices[:, 2].max())
    vertices = vertices * np.array([scale * person.girth, scale * person.girth, scale], np.float32)
    bones = bones * (scale * person.girth, scale * person.girth, scale)
    parts = [(vertices, bodies.normals(vertices))]
    parts += [_bag(bodies, bag, vertices, bones) for bag in person.bags]
    parts += [box_mesh(np.zeros(3), np.zeros(3))] * (BAGS - len(person.bags))
    joined = [np.concatenate([part[k] for part in parts]).astype(np.float32) for k in range(2)]
    return Figure(person, joined[0], joined[1], spot, random.uniform(0, 2 * np.pi))


def _busy(random: Random, hands: dict[str, str]) -> dict[str, str]:
    """What the hands do that carry nothing. Whoever holds something in front of him, or pushes a trolley, uses both."""
    idle = {side: str(random.choice(IDLE_HANDS, p=IDLE_SHARES)) for side in "LR"}
    if "front" in hands:
        return hands | {"L": "carry", "R": "carry"}
    if random.random() < PUSHES:
        return hands | {"L": "push", "R": "push"}
    return idle | hands


def _bag(bodies: Bodies, bag: Bag, vertices: Floats, bones: NDArray[np.float64]) -> tuple[Floats, Floats]:
    across, deep, high = bag.size
    torso, spine = vertices[bodies.faces["top"]], bones[bodies.bone["spine02"]]
    if bag.where == "back":
        behind = float(torso[:, :, 1].max()) - 0.03
        return box_mesh(
            np.array([-across / 2, behind, spine[2] - 0.1]),
            np.array([across / 2, behind + deep, spine[2] - 0.1 + high]),
        )
    if bag.where == "front":
        before, low = float(torso[:, :, 1].min()) + 0.1, spine[2] - 0.12
        return box_mesh(np.array([-across / 2, before - deep, low]), np.array([across / 2, before, low + high]))
    x, y, z = bones[bodies.bone[f"wrist.{bag.where}"]] + (0, -0.02, -0.09)
    return box_mesh(np.array([x - across / 2, y - deep / 2, z - high]), np.array([x + across / 2, y + deep / 2, z]))
