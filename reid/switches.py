"""Tracks that passed from one person to another are cut where their pictures change.

Where people cross, a tracker may go on with the wrong one. A few such tracks do much harm: each keeps the two people's
other tracks apart, for no one is in two places at once. So pictures of each track are compared before and after every
moment between two of them, and where they look more like two people than like one the track is cut. To cut somebody in
two by mistake costs little, as pieces of one person are joined again with all other tracks (reid/identities.py).
"""

from __future__ import annotations

import numpy as np

from reid.appearance import Appearance

LEAST_ODDS = 1.5
"""Log odds of one person that the pictures before and after a moment must have."""
LEAST_PIECE_US = 1_000_000
"""A piece is at least so long: for a moment in a crossing, a picture shows somebody else in front."""


def cut_where_pictures_change(
    track_id: np.ndarray,
    time_us: np.ndarray,
    looks: np.ndarray,
    picture: np.ndarray,
    embedding: np.ndarray,
    quality: np.ndarray,
    appearance: Appearance,
) -> np.ndarray:
    """Track numbers int64 (N,), with new ones from each cut on.

    Args:
        track_id: int64 (N,) of detections in order of time; -1 where there is no track.
        time_us: int64 (N,), UTC microseconds.
        looks: (N, L), colours of every detection, which tell the moment between two pictures.
        picture: int64 (N,), row of each detection's picture, -1 where it has none, in embedding (K, D), of length 1,
            and quality (K,).
        appearance: what a cosine of embeddings says, calibrated with their weights.
    """
    result = np.array(track_id, np.int64)
    tracked = np.flatnonzero(result > 0)
    rows = tracked[np.argsort(result[tracked], kind="stable")]
    uncut = np.split(rows, np.flatnonzero(np.diff(result[rows])) + 1)
    number = int(result.max(initial=0))
    while uncut:
        own = uncut.pop()
        seen = np.flatnonzero(picture[own] >= 0)
        if len(seen) < 2:
            continue
        pictures = picture[own[seen]]
        odds = _odds_of_one_person(embedding[pictures], quality[pictures], appearance)
        for moment in np.argsort(odds, kind="stable")[: np.count_nonzero(odds < LEAST_ODDS)].tolist():
            cut = _change_of_colours(looks[own], int(seen[moment]), int(seen[moment + 1]))
            if min(time_us[own[cut]] - time_us[own[0]], time_us[own[-1]] - time_us[own[cut - 1]]) >= LEAST_PIECE_US:
                number += 1
                result[own[cut:]] = number
                uncut += [own[:cut], own[cut:]]
                break
    return result


def _odds_of_one_person(embedding: np.ndarray, quality: np.ndarray, appearance: Appearance) -> np.ndarray:
    """Log odds (K - 1,) that the pictures before and those after each moment between two of K show one person."""
    quality = np.maximum(quality, 1e-3).astype(float)
    sums = np.cumsum(quality[:, None] * embedding, axis=0)
    known = np.cumsum(quality)
    before, after = sums[:-1], sums[-1] - sums[:-1]
    length = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    cosine = (before * after).sum(axis=1) / np.maximum(length, 1e-12)
    return appearance.odds(cosine, np.minimum(known[:-1], known[-1] - known[:-1]))


def _change_of_colours(looks: np.ndarray, last: int, first: int) -> int:
    """The row from `last` + 1 to `first` that begins the second of two parts, each of colours as even as can be."""
    part = looks[last : first + 1].astype(float)
    size = np.arange(1, len(part))
    sums, squares = np.cumsum(part, axis=0), np.cumsum((part**2).sum(axis=1))
    before = squares[:-1] - (sums[:-1] ** 2).sum(axis=1) / size
    after = squares[-1] - squares[:-1] - ((sums[-1] - sums[:-1]) ** 2).sum(axis=1) / size[::-1]
    return last + 1 + int((before + after).argmin())
