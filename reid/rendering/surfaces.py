"""Pictures of materials: cloth, walls, floors, shelves full of goods. uint8 RGB, square, and they tile."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = 128
Picture = NDArray[np.uint8]
Colour = NDArray[np.float64]  # (3,), display RGB in 0..1
Random = np.random.Generator


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour; the hue goes round."""
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))


def cloth_colour(random: Random) -> Colour:
    """As clothes are worn: mostly dark, white, grey and muted, one in three strong."""
    hue = random.random()
    kind = random.choice(["dark", "light", "grey", "muted", "strong"], p=[0.24, 0.14, 0.1, 0.22, 0.3])
    if kind == "dark":
        return hsv(hue, random.uniform(0.05, 0.6), random.uniform(0.06, 0.34))
    if kind == "light":
        return hsv(hue, random.uniform(0.0, 0.14), random.uniform(0.7, 0.97))
    if kind == "grey":
        return hsv(hue, 0.06, random.uniform(0.3, 0.7))
    if kind == "muted":
        return hsv(hue, random.uniform(0.15, 0.5), random.uniform(0.3, 0.75))
    return hsv(hue, random.uniform(0.5, 0.95), random.uniform(0.35, 0.95))


def any_colour(random: Random) -> Colour:
    """Of a room: every hue, mostly pale."""
    return hsv(random.random(), random.beta(1.2, 3), random.uniform(0.08, 0.98))


def noise(random: Random, cells: int) -> NDArray[np.float64]:
    """Smooth noise in 0..1, (SIZE, SIZE), that tiles, with about `cells` bumps a side."""
    grid = random.random((cells, cells)).astype(np.float32)
    around = np.pad(grid, 2, mode="wrap")
    step = SIZE / cells
    large = cv2.resize(around, (round((cells + 4) * step),) * 2, interpolation=cv2.INTER_CUBIC)
    first = round(2 * step)
    return np.clip(large[first : first + SIZE, first : first + SIZE], 0, 1).astype(np.float64)


def plain_cloth(colour: Colour, random: Random, amount: float = 0.06) -> Picture:
    """One colour with a weave."""
    shade = 1 + amount * (random.standard_normal((SIZE, SIZE)) + 2 * (noise(random, 6) - 0.5))
    return _picture(colour * shade[:, :, None])


def cloth(random: Random) -> Picture:
    """Of a garment: half of them plain, else woven or printed in two to four colours."""
    colours = np.array([cloth_colour(random) for _ in range(4)])
    if random.random() < 0.5:
        return plain_cloth(colours[0], random)
    picture = WOVEN[random.integers(len(WOVEN))](colours, random)
    return _picture(picture * (1 + 0.05 * random.standard_normal((SIZE, SIZE, 1))))


def surface(random: Random) -> Picture:
    """Of a floor, a wall or furniture."""
    colours = np.array([any_colour(random) for _ in range(4)])
    picture = BUILT[random.choice(len(BUILT), p=BUILT_SHARES)](colours, random)
    return _picture(picture * (0.85 + 0.3 * noise(random, int(random.integers(3, 24)))[:, :, None]))


def _picture(values: NDArray[np.float64]) -> Picture:
    return (np.clip(values, 0, 1) * 255).astype(np.uint8)


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    return x, y


def _plain(colours: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    return np.broadcast_to(colours[0], (SIZE, SIZE, 3)).copy()


def _bands(colours: NDArray[np.float64], random: Random, along: NDArray[np.float64]) -> NDArray[np.float64]:
    count = int(random.integers(1, 9))
    edges = np.sort(random.random(int(random.integers(1, 5))))
    return np.asarray(colours[np.searchsorted(edges, (along * count) % 1) % len(colours)])


def _stripes(colours: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    x, y = _grid()
    return _bands(colours, random, [x, y, y, x + y][random.integers(4)])


def _checks(colours: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    x, y = _grid()
    return (_bands(colours, random, x) + _bands(colours, random, y)) / 2


def _dots(colours: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    x, y = _grid()
    count = int(random.integers(2, 14))
    row = np.floor(y * count)
    away = np.hypot((x * count + 0.5 * (row % 2)) % 1 - 0.5, (y * count) % 1 - 0.5)
    return np.where((away < random.uniform(0.12, 0.42))[:, :, None], colours[1], colours[0])


def _blotches(colours: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    height = noise(random, int(random.integers(3, 16))) + 0.5 * noise(random, 24)
    edges = np.quantile(height, np.sort(random.uniform(0.1, 0.9, 3)))
    return np.asarray(colours[np.searchsorted(edges, height)])


def _flowers(colours: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    picture = np.broadcast_to(colours[0], (SIZE, SIZE, 3)).copy()
    for _ in range(int(random.integers(8, 60))):
        centre, radius = random.integers(0, SIZE, 2), int(random.integers(3, 16))
        axes = (radius, max(1, int(radius * random.uniform(0.3, 1))))
        for shift in np.array([(0, 0), (SIZE, 0), (0, SIZE), (-SIZE, 0), (0, -SIZE)]):
            where = tuple(int(v) for v in centre + shift)
            cv2.ellipse(picture, where, axes, random.uniform(0, 180), 0, 360, tuple(colours[random.integers(1, 4)]), -1)
    return picture


def _print(colours: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    inks = (colours * 255).astype(int).tolist()
    picture = np.full((SIZE, SIZE, 3), inks[0], np.uint8)
    for _ in range(int(random.integers(1, 4))):
        word = "".join(random.choice(list("AEHIKLMNORSTUXZ0147"), int(random.integers(2, 7))))
        where = (int(random.integers(-20, 60)), int(random.integers(30, SIZE)))
        font, scale = int(random.integers(0, 8)), random.uniform(0.8, 2.6)
        cv2.putText(picture, word, where, font, scale, inks[random.integers(1, 4)], 3)
    if random.random() < 0.6:
        corners = random.integers(20, SIZE - 20, (int(random.integers(3, 7)), 2)).astype(np.int32)
        cv2.fillPoly(picture, [corners], inks[3])
    return picture / 255


def _gradient(colours: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    share = (0.5 - 0.5 * np.cos(2 * np.pi * _grid()[random.integers(2)]))[:, :, None]
    return colours[0] * share + colours[1] * (1 - share)


def _mosaic(colours: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    points = random.random((int(random.integers(8, 60)), 2))
    x, y = _grid()
    gap = [np.abs(axis[:, :, None] - points[:, k]) for k, axis in enumerate((x, y))]
    nearest = sum(np.minimum(g, 1 - g) ** 2 for g in gap).argmin(axis=2)
    return np.asarray(colours[nearest % len(colours)])


def _tiles(colours: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    count = int(random.integers(1, 7))
    x, y = (axis * count for axis in _grid())
    joint = np.minimum(x % 1, y % 1) < random.uniform(0.02, 0.1)
    board = (np.floor(x) + np.floor(y)) % 2 if random.random() < 0.3 else np.zeros_like(x)
    picture = np.where(board[:, :, None] > 0, colours[1], colours[0])
    return np.where(joint[:, :, None], colours[0] * random.uniform(0.4, 0.9), picture)


def _planks(colours: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    count = int(random.integers(3, 12))
    row = np.floor(_grid()[1] * count).astype(int)
    shade = random.uniform(0.75, 1.1, count)[row] * (0.9 + 0.2 * cv2.resize(noise(random, 20), (SIZE, SIZE)))
    picture = colours[0] * shade[:, :, None]
    picture[np.abs((_grid()[1] * count) % 1) < 0.06] *= 0.5
    return picture


def _goods(colours: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    picture = np.broadcast_to(colours[0] * 0.3, (SIZE, SIZE, 3)).copy()
    rows = int(random.integers(2, 6))
    for row in range(rows):
        bottom, left = (row + 1) * SIZE // rows, 0
        picture[bottom - 2 : bottom] = colours[1]
        while left < SIZE:
            width, height = int(random.integers(5, 20)), int(SIZE / rows * random.uniform(0.5, 0.95))
            pack, label = hsv(random.random(), random.random(), random.uniform(0.15, 1)), any_colour(random)
            for _ in range(int(random.integers(1, 5))):
                if left < SIZE:
                    picture[bottom - 2 - height : bottom - 2, left : left + width - 1] = pack
                    picture[bottom - height // 2 : bottom - height // 4, left : left + width - 1] = label
                left += width
    return picture


def _poster(colours: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    picture = np.broadcast_to(colours[0], (SIZE, SIZE, 3)).copy()
    for _ in range(int(random.integers(2, 9))):
        first = random.integers(0, SIZE - 10, 2)
        last = first + random.integers(6, 70, 2)
        picture[first[1] : last[1], first[0] : last[0]] = any_colour(random)
    return picture


WOVEN = (_stripes, _checks, _dots, _blotches, _flowers, _print, _gradient, _mosaic)
BUILT = (_plain, _tiles, _planks, _blotches, _goods, _poster, _gradient, _stripes, _mosaic)
BUILT_SHARES = (0.16, 0.14, 0.08, 0.1, 0.25, 0.09, 0.08, 0.05, 0.05)
