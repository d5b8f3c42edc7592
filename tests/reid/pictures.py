"""Small made-up pictures of people-like shapes for tests: an identity is a pair of colours."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def made_up_person(identity: int, camera: int, take: int, size: tuple[int, int] = (64, 32)) -> np.ndarray:
    """uint8 RGB: coloured upper and lower halves by identity, brightness by camera, noise by take."""
    colours = np.random.default_rng([identity, 1]).integers(20, 235, (2, 3))
    noise = np.random.default_rng([identity, camera, take]).normal(0, 12, (*size, 3))
    image = colours.repeat([size[0] // 2, size[0] - size[0] // 2], axis=0)[:, None]
    return np.clip(image * (0.8 + 0.1 * camera) + noise, 0, 255).astype(np.uint8)


def write_people(folder: Path, identities: int, cameras: int = 2, takes: int = 2) -> Path:
    """Files IIII_cC_TT.png; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for identity in range(identities):
        for camera in range(1, cameras + 1):
            for take in range(takes):
                image = made_up_person(identity, camera, take)
                cv2.imwrite(str(folder / f"{identity:04d}_c{camera}_{take:02d}.png"), image[:, :, ::-1])
    return folder
