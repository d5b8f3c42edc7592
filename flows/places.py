"""Zones and entrances as the metrics see them, and people's paths split into stays.

Every place lies in a plane: `floor` (metres; all calibrated cameras together) or an uncalibrated camera's id (pixels).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from detection.zones import polygon_area
from flows.config import StoreConfig

FLOOR = "floor"
SECOND_US = 1_000_000
Window = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Zone:
    """A part of a plane. `polygon` (N, 2); `area_m2` None in pixels; `capacity` people at which it is crowded."""

    id: str
    name: str
    kind: str
    plane: str
    polygon: np.ndarray
    area_m2: float | None = None
    capacity: int | None = None


@dataclass(frozen=True, eq=False)
class Entrance:
    """A line (2, 2) that people cross to come in; `inside` (2,) is a point on the inner side."""

    id: str
    plane: str
    line: np.ndarray
    inside: np.ndarray


def zones_of(config: StoreConfig) -> list[Zone]:
    """The zones of a store's configuration."""
    zones = []
    for zone in config.zones:
        polygon = np.asarray(zone.polygon, float)
        area = polygon_area(polygon) if zone.camera is None else None
        plane = zone.camera or FLOOR
        zones.append(Zone(zone.id, zone.name or zone.id, zone.kind, plane, polygon, area, zone.capacity))
    return zones


def entrances_of(config: StoreConfig) -> list[Entrance]:
    """The entrances of a store's configuration."""
    return [
        Entrance(gate.id, gate.camera or FLOOR, np.asarray(gate.line, float), np.asarray(gate.inside, float))
        for gate in config.entrances
    ]


@dataclass(frozen=True, eq=False)
class Paths:
    """N places of one plane in order of person and time.

    `person` int64, `role` codes into `roles`, `time_us` int64, `x`, `y` float64; `stay` int64 numbers spans in which a
    person was never out of sight for longer than the longest hidden span: only within a stay is a path a line.
    """

    person: np.ndarray
    role: np.ndarray
    roles: np.ndarray
    time_us: np.ndarray
    x: np.ndarray
    y: np.ndarray
    stay: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    @cached_property
    def stay_bounds(self) -> np.ndarray:
        """First row of each stay and, at the end, N."""
        if not len(self):
            return np.zeros(1, np.int64)
        return np.flatnonzero(np.concatenate([[True], np.diff(self.stay) != 0, [True]]))


def paths(trajectories: pd.DataFrame, plane: str, max_hidden_s: float) -> Paths:
    """The paths in one plane.

    Args:
        trajectories: person_id, role, plane, time_us, x, y; any order; one row a person, plane and time.
        plane: the plane wanted.
        max_hidden_s: a person who is not seen for longer, in seconds, starts a new stay.

    Raises:
        ValueError: somebody is in two places of the plane at once.
    """
    rows = trajectories if _is_all(trajectories["plane"], plane) else trajectories[trajectories["plane"] == plane]
    person = rows["person_id"].to_numpy(np.int64)
    time_us = rows["time_us"].to_numpy(np.int64)
    role, roles = pd.factorize(rows["role"], sort=True)
    x, y = rows["x"].to_numpy(float), rows["y"].to_numpy(float)
    known = np.isfinite(x) & np.isfinite(y)
    person, time_us, role, x, y = (values[known] for values in (person, time_us, role, x, y))
    same = person[1:] == person[:-1]
    if not np.all((person[1:] > person[:-1]) | (same & (time_us[1:] >= time_us[:-1]))):
        order = np.lexsort((time_us, person))
        person, time_us, role, x, y = (values[order] for values in (person, time_us, role, x, y))
        same = person[1:] == person[:-1]
    step = np.diff(time_us)
    if np.any(same & (step == 0)):
        twice = int(person[1:][same & (step == 0)][0])
        raise ValueError(f"person {twice} is in two places of {plane} at the same time; fuse the cameras first")
    breaks = np.concatenate([[False], ~same | (step > round(max_hidden_s * SECOND_US))])[: len(person)]
    return Paths(person, role, np.asarray(roles, dtype=object), time_us, x, y, np.cumsum(breaks))


def _is_all(planes: pd.Series, plane: str) -> bool:
    return len(planes) > 0 and bool((planes == plane).all())


def microseconds(times: pd.Series) -> np.ndarray:
    """Times of a table (timestamps with a zone, or already UTC microseconds) as int64 UTC microseconds."""
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        return times.dt.as_unit("us").astype("int64").to_numpy()
    return times.to_numpy(np.int64)


def timestamps(time_us: np.ndarray) -> pd.Series:
    """int64 UTC microseconds as a column of timestamps."""
    return pd.Series(np.asarray(time_us, np.int64).astype("datetime64[us]")).dt.tz_localize("UTC")


def observed_spans(observed: Iterable[Sequence[float]] | None, window: Window) -> np.ndarray:
    """Spans in which something of a place was seen: int64 (K, 2), within the window, in order, joined where they touch.

    `observed`: (from_us, to_us) or (from_us, to_us, share of the area), shares of 0 are not observed; None: all of the
    window.
    """
    spans = [(window[0], window[1])] if observed is None else [span[:2] for span in observed if _share(span) > 0]
    joined: list[list[int]] = []
    for start, end in sorted((max(int(a), window[0]), min(int(b), window[1])) for a, b in spans):
        if end <= start:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return np.array(joined, np.int64).reshape(-1, 2)


def _share(span: Sequence[float]) -> float:
    return float(span[2]) if len(span) > 2 else 1.0
