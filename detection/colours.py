"""The colours of a person's clothes: shares of the eleven basic colour names (Berlin & Kay 1969) in each garment.

Each pixel of a garment's region takes the name of the nearest prototype in CIELAB, lightness counting less than hue
because it changes with the light. Shares, not one name: a checked shirt is two colours, and dark blue is nearly black.
"""

from __future__ import annotations

import cv2
import numpy as np

COLOURS = ("black", "grey", "white", "red", "orange", "brown", "yellow", "green", "blue", "purple", "pink")
GARMENTS = ("upper", "lower")

LIGHTNESS_WEIGHT = 0.5
REGIONS = {"upper": ((0.2, 0.45), (0.25, 0.75)), "lower": ((0.55, 0.85), (0.3, 0.7))}
"""Rows and columns of a person's box, as shares, that show the garment and little else."""
REGION_SIZE = (16, 24)

# Typical sRGB of what people call by each name, light, middle and dark (xkcd colour survey, Munroe 2010).
_PROTOTYPES: dict[str, tuple[str, ...]] = {
    "black": ("#000000", "#1b1b1f", "#2b2b2e"),
    "grey": ("#505054", "#7f8184", "#adafb1"),
    "white": ("#dcdcdc", "#ffffff", "#efebe0"),
    "red": ("#e50000", "#a01818", "#6e1418"),
    "orange": ("#f97306", "#d96a28"),
    "brown": ("#653700", "#86603a", "#b09070", "#43301f"),
    "yellow": ("#ffff14", "#e0c040", "#f3e58c"),
    "green": ("#15b01a", "#2a5c34", "#7a8f4e", "#8fc79a", "#1f3b2a"),
    "blue": ("#0343df", "#1f2f5c", "#3f6a9c", "#95d0fc", "#40b0c0"),
    "purple": ("#7e1e9c", "#4b2a5c", "#9a78b8"),
    "pink": ("#ff81c0", "#d8708c", "#f0b8c4"),
}


def _lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB (..., 3) of uint8 RGB (H, W, 3), lightness weighted."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return lab * np.array([LIGHTNESS_WEIGHT, 1, 1], np.float32)


_NAME = np.array([COLOURS.index(name) for name, shades in _PROTOTYPES.items() for _ in shades])
_SHADES = _lab(
    np.array([[tuple(bytes.fromhex(shade[1:])) for shades in _PROTOTYPES.values() for shade in shades]], np.uint8)
)[0]


def garment_colours(crop: np.ndarray) -> np.ndarray:
    """Shares (2, 11), float32, rows summing to 1, of COLOURS in GARMENTS of a person's crop, uint8 RGB (H, W, 3)."""
    height, width = crop.shape[:2]
    shares = np.zeros((len(GARMENTS), len(COLOURS)), np.float32)
    for row, garment in enumerate(GARMENTS):
        (top, bottom), (left, right) = REGIONS[garment]
        rows = slice(int(top * height), max(int(bottom * height), int(top * height) + 1))
        columns = slice(int(left * width), max(int(right * width), int(left * width) + 1))
        region = cv2.resize(crop[rows, columns], REGION_SIZE, interpolation=cv2.INTER_AREA)
        pixels = _lab(region).reshape(-1, 3)
        nearest = ((pixels[:, None] - _SHADES[None]) ** 2).sum(axis=2).argmin(axis=1)
        shares[row] = np.bincount(_NAME[nearest], minlength=len(COLOURS)) / len(pixels)
    return shares


def colour_index(name: str) -> int:
    """Place of a colour in COLOURS. Raises ValueError for a name that is none of them."""
    if name not in COLOURS:
        raise ValueError(f"{name!r} is none of the colours {', '.join(COLOURS)}")
    return COLOURS.index(name)
