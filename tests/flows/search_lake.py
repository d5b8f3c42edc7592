"""A store whose people can be searched for, without a video: tracklets of known looks, written as the job does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from detection.colours import COLOURS
from flows.day_secrets import make_secret
from flows.lake import Lake
from flows.person_search import PersonSearch
from flows.places import SECOND_US
from flows.schemas import TABLES, empty, from_columns
from flows.store_reading import load_store
from flows.stores import DEMO
from reid.rotation import rotate

DAY = date(2025, 3, 14)
TEN = 1_741_942_800 * SECOND_US
"""Ten o'clock in Berlin on that day, UTC microseconds."""
REASON = "a mother asks at the desk"
PURPOSE = "Finding lost children, on the store manager's authority"


@dataclass(frozen=True)
class Seen:
    """A tracklet: who (looks follow from it), in which camera, from which second after ten, how tall, dressed how, and
    from where it walks a metre a second eastward for five seconds."""

    who: int
    camera: str
    start_s: float = 0.0
    height_m: float = 1.7
    upper: str = "blue"
    lower: str = "black"
    place: tuple[float, float] = (1.0, 1.0)


def looks(who: int, view: int = 0, dimension: int = 256) -> np.ndarray:
    """Embedding (D,) of a person as one camera sees them: views of one person have a cosine of about 0.8."""
    person = np.random.default_rng([who, 0]).standard_normal(dimension)
    view_of = np.random.default_rng([who, 1, view]).standard_normal(dimension)
    vector = person + 0.5 * view_of
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def write_store(folder: Path, **changes: Any) -> Path:
    """FOLDER/demo/store.yaml: the demo's, with person search on, and further changes; None takes a section out."""
    data = yaml.safe_load(DEMO.read_text()) | {"find": {"purpose": PURPOSE}} | changes
    data = {name: value for name, value in data.items() if value is not None}
    file = folder / "demo" / "store.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    return file


def write_day(file: Path, lake: Path | str, seen: Sequence[Seen], day: date = DAY) -> None:
    """A store-day of these tracklets, numbered from 1 in their order, each identity one `who`."""
    config = load_store(file)
    secret = make_secret(config, day)
    tracks = np.arange(1, len(seen) + 1)
    shift_us = (day - DAY).days * 86_400 * SECOND_US
    start = np.array([TEN + shift_us + round(one.start_s * SECOND_US) for one in seen], np.int64)
    plain = np.stack([looks(one.who, number) for number, one in enumerate(seen)])
    columns = {
        "camera": [one.camera for one in seen],
        "track_id": tracks,
        "start": start,
        "end": start + 5 * SECOND_US,
        "samples": np.full(len(seen), 26),
        "embedding": rotate(plain, secret.read()),
        "embedding_key": [secret.key] * len(seen),
        "quality": np.full(len(seen), 0.8),
        "height_m": [one.height_m for one in seen],
        "height_sigma_m": np.full(len(seen), 0.05),
        "upper_colours": np.stack([_mostly(one.upper) for one in seen]),
        "lower_colours": np.stack([_mostly(one.lower) for one in seen]),
        "truncated_start": np.zeros(len(seen), bool),
        "truncated_end": np.zeros(len(seen), bool),
    }
    tables: dict[str, Any] = {name: empty(name) for name in TABLES}
    tables["tracklets"] = from_columns("tracklets", columns, plain.shape[1])
    tables["identities"] = pd.DataFrame(
        {
            "camera": [one.camera for one in seen],
            "track_id": tracks,
            "person_id": [one.who for one in seen],
            "confidence": 0.9,
        }
    )
    tables["positions"] = pd.concat(
        [_positions(one, number, begin) for one, number, begin in zip(seen, tracks, start, strict=True)]
    )
    Lake(str(lake)).write_day(config.id, day, tables)


def open_search(file: Path, lake: Path | str, reason: str = REASON, days: Sequence[date] = (DAY,)) -> PersonSearch:
    return PersonSearch(file, str(lake), "anna", reason, days)


def _mostly(colour: str) -> np.ndarray:
    shares = np.full(len(COLOURS), 0.02)
    shares[COLOURS.index(colour)] = 0.8
    return shares


def _positions(one: Seen, track: int, start_us: int) -> pd.DataFrame:
    steps = np.arange(26)
    return pd.DataFrame(
        {
            "camera": one.camera,
            "track_id": track,
            "time": pd.to_datetime(start_us + steps * SECOND_US // 5, unit="us", utc=True),
            "x1": 100.0 + 4 * steps,
            "y1": 100.0,
            "x2": 160.0 + 4 * steps,
            "y2": 300.0,
            "score": 0.9,
            "x_m": one.place[0] + steps / 5,
            "y_m": one.place[1],
        }
    )
