"""People's heights across cameras: what one camera sees of somebody's feet places them in all others.

A camera that looks over a shelf sees a head, and places it by a height that it has to guess; a few centimetres of it
are decimetres on the floor. Once it is known whose head it is, the height is known from where that person's feet were
seen, and places that are righter tell better who is who. So people are joined, placed anew, and joined again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from flows.camera_day import CameraTracks, Shop, placed_by_height
from flows.config import StoreConfig

KNOWN_SIGMA_M = 0.05
"""A track whose height is at least so sure saw its person's feet."""
TOLD_SIGMA_M = 0.06
"""Standard deviation of a height told by other tracks: calibrations differ, people bend, and some links are wrong."""


def placed_anew(
    config: StoreConfig, tracks: Sequence[CameraTracks], identities: pd.DataFrame, shop: Shop
) -> list[CameraTracks]:
    """All cameras' tracks, placed by the heights of the people they belong to (camera, track_id, person_id)."""
    own = [
        pd.DataFrame(
            {"camera": one.camera, "track_id": one.ids, "height_m": one.height_m, "sigma_m": one.height_sigma_m}
        )
        for one in tracks
    ]
    heights = person_heights(pd.concat(own, ignore_index=True), identities)
    parts = np.split(heights[["height_m", "sigma_m"]].to_numpy(float), np.cumsum([len(one) for one in own])[:-1])
    return [
        placed_by_height(camera, one, shop, part[:, 0], part[:, 1])
        for camera, one, part in zip(config.cameras, tracks, parts, strict=True)
    ]


def person_heights(tracks: pd.DataFrame, identities: pd.DataFrame) -> pd.DataFrame:
    """Tracks (camera, track_id, height_m, sigma_m; NaN where a camera can't tell) with better heights, row by row.

    Who saw the feet keeps the own height. Else it is the person's, the median of the tracks that did see them (one
    of somebody else among them changes little), together with the own guess; the guess alone where nobody did.
    """
    person = tracks.merge(identities, on=["camera", "track_id"], how="left")["person_id"].to_numpy(float)
    height, sigma = tracks["height_m"].to_numpy(float), tracks["sigma_m"].to_numpy(float)
    knows = sigma <= KNOWN_SIGMA_M
    known = pd.Series(height[knows]).groupby(person[knows]).median()
    told = np.where(knows, np.nan, known.reindex(person).to_numpy(float))
    own_weight, told_weight = sigma**-2, np.where(np.isnan(told), 0.0, TOLD_SIGMA_M**-2)
    total = own_weight + told_weight
    return tracks.assign(
        height_m=(own_weight * height + told_weight * np.nan_to_num(told)) / total, sigma_m=total**-0.5
    )
