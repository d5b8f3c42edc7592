"""What a camera and its recording do to a picture: too few pixels, blur, noise, a colour cast, compression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.augment import compressed
from reid.rendering.surfaces import Picture, Random


@dataclass(frozen=True)
class Recording:
    """Faults of a camera.

    Attributes:
        pixels: Height of the person in the recording.
        blur, motion: Of focus (deviation) and along a line (length), in pixels of the crop.
        gain: Of each channel; `gamma` and `saturation` of the picture.
        shade: Change of brightness from one side of the crop to the other, (down, right).
        noise: Deviation in grey levels.
        quality: JPEG's.
    """

    pixels: int
    blur: float
    motion: float
    gain: NDArray[np.float64]
    gamma: float
    saturation: float
    shade: tuple[float, float]
    noise: float
    quality: int

    def __call__(self, picture: Picture, size: tuple[int, int], random: Random) -> Picture:
        """The recorded crop, uint8 RGB, at (height, width)."""
        small = max(8, round(self.pixels * size[1] / size[0])), self.pixels
        values: NDArray[Any] = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        if self.motion > 1:
            values = cv2.filter2D(values, -1, _line(self.motion * self.pixels / size[0], random))
        if self.blur > 0.2:
            values = cv2.GaussianBlur(values, (0, 0), self.blur * max(0.5, self.pixels / size[0]))
        down, right = (np.linspace(-s / 2, s / 2, n) for s, n in zip(self.shade, values.shape[:2], strict=True))
        values = values * (1 + down[:, None] + right)[:, :, None] * self.gain
        values = np.clip(values, 0, 1) ** self.gamma
        grey = values.mean(axis=2, keepdims=True)
        values = 255 * (grey + (values - grey) * self.saturation) + random.normal(0, self.noise, values.shape)
        large = cv2.resize(np.clip(values, 0, 255).astype(np.uint8), size[::-1], interpolation=cv2.INTER_LINEAR)
        return compressed(large, self.quality)


def random_recording(random: Random, varied: bool = True) -> Recording:
    """A camera; `varied` False is a good one, which differs from others in its pixels alone."""
    if not varied:
        return Recording(int(random.integers(96, 256)), 0.4, 0, np.ones(3), 1.0, 1.0, (0.0, 0.0), 2.0, 88)
    return Recording(
        pixels=int(np.exp(random.uniform(np.log(48), np.log(256)))),
        blur=random.uniform(0, 1.3),
        motion=random.uniform(2, 7) if random.random() < 0.15 else 0.0,
        gain=random.uniform(0.75, 1.25) * (1 + random.uniform(-0.12, 0.12, 3)),
        gamma=float(np.exp(random.normal(0, 0.22))),
        saturation=random.uniform(0.45, 1.35),
        shade=(random.normal(0, 0.15), random.normal(0, 0.15)),
        noise=random.uniform(0.5, 9) * random.random(),
        quality=int(random.integers(35, 95)),
    )


def _line(length: float, random: Random) -> NDArray[np.float32]:
    """A blur kernel along a line, mostly level."""
    side = max(3, 2 * round(length / 2) + 1)
    kernel = np.zeros((side, side), np.float32)
    angle, middle = random.normal(0, 0.4), side // 2
    end = np.array([np.cos(angle), np.sin(angle)]) * middle
    first, last = (tuple(int(v) for v in np.round(middle + sign * end)) for sign in (-1, 1))
    cv2.line(kernel, first, last, 1.0)
    return kernel / kernel.sum()
