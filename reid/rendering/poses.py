"""How people stand and walk: bone rotations, from bump fits to normal gait curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rotation = NDArray[np.float64]
LEFT_RIGHT = (("L", 0.0, 1), ("R", 0.5, -1))
# (shoulder, elbow) in degrees of an arm that does something; without one it hangs or swings
ARMS = {"reach": (80, 25), "phone": (32, 105), "carry": (4, 70), "hold": (3, 8), "push": (38, 42), "pocket": (-12, 55)}


@dataclass(frozen=True)
class Gait:
    """Of one person, the same wherever he is seen. Angles in degrees.

    Attributes:
        amplitude: Of the steps, beside the mean person's.
        swing, elbow, arm_down: Of the arms: swing, bend, and how close they hang.
        stoop, look, nod: Of the back and head.
        lean: Weight on one leg, standing.
    """

    amplitude: float
    swing: float
    elbow: float
    arm_down: float
    stoop: float
    look: float
    nod: float
    lean: float


def random_gait(random: np.random.Generator) -> Gait:
    """A person's."""
    return Gait(
        amplitude=random.uniform(0.8, 1.15),
        swing=random.uniform(8, 28),
        elbow=random.uniform(6, 28),
        arm_down=random.uniform(29, 37),
        stoop=random.uniform(-3, 9),
        look=random.uniform(-15, 15),
        nod=random.uniform(-4, 20),
        lean=random.uniform(-4, 4),
    )


def rotation(axis: tuple[float, float, float] | NDArray[np.float64], degrees: float) -> Rotation:
    """3x3 rotation about `axis`, right-handed."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def pose(
    gait: Gait, walking: bool, phase: float, hands: dict[str, str], looseness: NDArray[np.float64]
) -> dict[str, Rotation]:
    """Rotations by bone.

    Args:
        phase: Of the step, 0 to 1; `walking` False stands.
        hands: What L and R do: a key of `ARMS`, or not in it.
        looseness: float (8,), degrees that shoulders, elbows, hips and knees differ from the curves.
    """
    size, found = gait.amplitude, {}
    for k, (side, offset, sign) in enumerate(LEFT_RIGHT):
        step = (phase + offset) % 1
        forward = np.cos(2 * np.pi * step)
        if walking:
            hip = (6 + 21 * forward) * size
            knee = 4 + size * (15 * _bump(step, 0.14, 0.09) + 58 * _bump(step, 0.73, 0.13))
            ankle = size * (-6 * _bump(step, 0.07, 0.05) + 9 * _bump(step, 0.42, 0.16) - 18 * _bump(step, 0.63, 0.07))
            shoulder, elbow = -gait.swing * forward * size, gait.elbow + 10 * max(0.0, -forward)
        else:
            hip, knee, ankle, shoulder, elbow = 2 + sign * gait.lean, 4, -1, 2, gait.elbow
        shoulder, elbow = ARMS.get(hands.get(side, ""), (shoulder, elbow))
        loose = looseness[4 * k : 4 * k + 4]
        found[f"upperleg01.{side}"] = rotation((1, 0, 0), -hip - loose[0]) @ rotation((0, 1, 0), sign * 3.8)
        found[f"lowerleg01.{side}"] = rotation((1, 0, 0), knee + abs(loose[1]))
        found[f"foot.{side}"] = rotation((1, 0, 0), -ankle)
        down = rotation((0, 1, 0), sign * gait.arm_down)
        found[f"upperarm01.{side}"] = rotation((1, 0, 0), -shoulder - loose[2]) @ down
        found[f"lowerarm01.{side}"] = rotation(down.T @ (1.0, 0, 0), -elbow - abs(loose[3]))
        found |= _fist(side, sign)
    twist = 5 * size * np.cos(2 * np.pi * phase) if walking else 0.0
    found["root"] = rotation((0, 0, 1), -twist)
    found["spine03"] = rotation((0, 0, 1), 1.8 * twist) @ rotation((1, 0, 0), gait.stoop)
    found["head"] = rotation((1, 0, 0), gait.nod) @ rotation((0, 0, 1), gait.look)
    return found


def _bump(step: float, centre: float, width: float) -> float:
    return float(np.exp(-(((((step - centre + 0.5) % 1) - 0.5) / width) ** 2)))


def _fist(side: str, sign: int) -> dict[str, Rotation]:
    axis = np.array([0.39 * sign, 0.82, -0.43]) * sign
    return {
        f"finger{finger}-{joint}.{side}": rotation(axis, curl)
        for finger in range(2, 6)
        for joint, curl in ((1, 18), (2, 28), (3, 18))
    }
