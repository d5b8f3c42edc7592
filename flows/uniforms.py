"""Who wears the store's uniform: those who look as much like a picture of it as one person looks like themselves.

The re-identification network sees clothes before faces, so two of the staff in one uniform are to it what one person
is to other cameras. References are turned by the day's secret as the tracklets are, and compared in memory only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from detection.guarded_picture import PictureRefused, decode_picture
from flows.config import StoreConfig
from flows.day_secrets import DaySecret
from reid.embedder import Embedder
from reid.identities import usable_embeddings
from reid.rotation import rotate
from reid.tracklets import Tracklets

UNIFORM_ODDS = 3.0
"""Log odds, by the calibration of the weights, of one person against two: twenty to one."""


def uniform_problems(config: StoreConfig) -> Iterator[tuple[int, str]]:
    """Places in `staff.uniform` of pictures that can't be used, and why."""
    for number, path in enumerate(config.staff.uniform if config.staff else ()):
        try:
            decode_picture(Path(path).read_bytes())
        except (OSError, PictureRefused) as error:
            yield number, f"{path}: {error.strerror or error if isinstance(error, OSError) else error}"


def uniform_embeddings(config: StoreConfig, embedder: Embedder, secret: DaySecret) -> np.ndarray:
    """Unit embeddings (R, D) of the pictures in `staff.uniform`, turned as the day's are. Raises PictureRefused."""
    paths = config.staff.uniform if config.staff else ()
    if not paths:
        return np.zeros((0, embedder.dimension), np.float32)
    return rotate(embedder.embed([decode_picture(Path(path).read_bytes()) for path in paths]), secret.read())


def in_uniform(
    tracklets: Tracklets, identities: pd.DataFrame, references: np.ndarray, threshold: float, slope: float
) -> set[int]:
    """person_id of everyone whose tracklets, the better seen the weightier, are on average like one of the references.

    identities: camera, track_id, person_id; references: (R, D); threshold and slope: of the weights' calibration.
    """
    if not len(references) or identities.empty:
        return set()
    embedding, weight = usable_embeddings(tracklets)
    rows = pd.DataFrame(
        {
            "camera": tracklets.camera.astype(str),
            "track_id": tracklets.track_id,
            "likeness": weight * (embedding @ references.T).max(axis=1),
            "weight": weight,
        }
    )
    people = identities.merge(rows, on=["camera", "track_id"]).groupby("person_id")[["likeness", "weight"]].sum()
    people = people[people["weight"] > 0]
    odds = slope * (people["likeness"] / people["weight"] - threshold)
    return {int(person) for person in odds.index[odds >= UNIFORM_ODDS]}
