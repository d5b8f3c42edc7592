"""People's heights across cameras: what one camera sees of somebody's feet places them in all others.

A camera that looks over a shelf sees a head, and places it by a height that it has to guess; a few centimetres of it
are decimetres on the floor. Once it is known whose head it is, the height is known from where that person's feet were
seen, and from other cameras that saw the head at the same time. So people are joined, placed anew, and joined again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from flows.camera_day import CameraTracks, Shop, placed_by_height
from flows.config import StoreConfig
from flows.day_tables import heights_of, samples_of, tracklets_of
from reid.floor_agreement import FloorModel
from reid.triangulation import heights_of_people


def placed_anew(
    config: StoreConfig, tracks: Sequence[CameraTracks], identities: pd.DataFrame, shop: Shop
) -> list[CameraTracks]:
    """All cameras' tracks, placed by the heights of the people they belong to (camera, track_id, person_id)."""
    tracklets = tracklets_of(tracks)
    known = identities.set_index(["camera", "track_id"])["person_id"]
    person = known.reindex(pd.MultiIndex.from_arrays([tracklets.camera, tracklets.track_id]), fill_value=0).to_numpy()
    told = heights_of_people(samples_of(tracks), heights_of(tracks), person, FloorModel()).of
    parts = np.split(told, np.cumsum([len(one.ids) for one in tracks])[:-1])
    return [
        placed_by_height(camera, one, shop, heights)
        for camera, one, heights in zip(config.cameras, tracks, parts, strict=True)
    ]
