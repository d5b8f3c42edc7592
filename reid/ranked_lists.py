"""A picture of ranked lists: each query with its nearest gallery pictures, right ones framed green, wrong ones red."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reid.augment import resized
from reid.datasets import Pictures, read_picture

GREEN, RED, WHITE = (20, 160, 60), (210, 40, 40), (255, 255, 255)
_HEIGHT, _WIDTH, _FRAME, _GAP = 128, 64, 4, 6


def ranked_list_picture(
    distances: NDArray[np.floating],
    query: Pictures,
    gallery: Pictures,
    *,
    queries: int = 10,
    shown: int = 10,
    seed: int = 0,
) -> NDArray[np.uint8]:
    """uint8 RGB, one row a query: the query, then its `shown` nearest gallery pictures.

    Args:
        distances: (Q, G).
        queries: How many, drawn at random by `seed` from those that have a right picture.

    Pictures of the query's own camera and identity, and junk, are left out, as the Market-1501 rule does.
    """
    usable = [row for row in range(len(query)) if _right(query, gallery, row).any()]
    drawn = sorted(np.random.default_rng(seed).permutation(usable)[:queries])
    step_x, step_y = _WIDTH + 2 * _FRAME + _GAP, _HEIGHT + 2 * _FRAME + _GAP
    canvas = np.full((step_y * len(drawn) + _GAP, step_x * (shown + 1) + 2 * _GAP, 3), 255, dtype=np.uint8)
    for line, row in enumerate(drawn):
        same = gallery.ids == query.ids[row]
        removed = (same & (gallery.cameras == query.cameras[row])) | (gallery.ids < 0)
        order = np.argsort(np.where(removed, np.inf, distances[row]), kind="stable")
        order = order[: min(shown, int((~removed).sum()))]
        tiles = [(query.files[row], WHITE)] + [(gallery.files[k], GREEN if same[k] else RED) for k in order]
        for column, (file, colour) in enumerate(tiles):
            left = _GAP + column * step_x + (_GAP if column else 0)
            top = _GAP + line * step_y
            canvas[top : top + _HEIGHT + 2 * _FRAME, left : left + _WIDTH + 2 * _FRAME] = colour
            canvas[top + _FRAME : top + _FRAME + _HEIGHT, left + _FRAME : left + _FRAME + _WIDTH] = resized(
                read_picture(file), (_HEIGHT, _WIDTH)
            )
    return canvas


def _right(query: Pictures, gallery: Pictures, row: int) -> NDArray[np.bool_]:
    return (gallery.ids == query.ids[row]) & (gallery.cameras != query.cameras[row])
