"""Footfall: entrances crossed, raw and de-duplicated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from detection.zones import INWARD, line_crossings, signed_side
from flows.places import SECOND_US, Entrance, Paths, paths, timestamps

HYSTERESIS_M = 0.2
HYSTERESIS_PX = 8.0
FASTEST_M_S = 3.0
"""Across a line on the floor; people walk at up to 2 m/s and run in at hardly more. A path that goes faster leaps from
where one person is to where another is, joined by mistake, and nobody passed the door."""
PASSING_US = 400_000
"""How long before and after a crossing its speed is measured: longer than a place is smoothed over."""
COLUMNS = ("person_id", "role", "entrance", "time", "direction")


def entrance_crossings(
    trajectories: pd.DataFrame,
    entrances: Sequence[Entrance],
    *,
    max_hidden_s: float = 20.0,
    hysteresis_m: float = HYSTERESIS_M,
    hysteresis_px: float = HYSTERESIS_PX,
) -> pd.DataFrame | None:
    """Crossings of entrances: the way between two places cuts the line between its ends.

    A person is on the other side only when they have got `hysteresis_m` (pixels: `hysteresis_px`) beyond the line, so
    that standing on it counts nothing; the time is that of the cut, interpolated (see
    `detection.zones.line_crossings`). A path is not joined over a hidden span longer than `max_hidden_s`. On the floor,
    crossings at more than `FASTEST_M_S` count nothing.

    Returns:
        Rows of the lake's table `footfall`: person_id, role, entrance, time, direction (in, out), ordered by time. None
        for a store without entrances: its footfall is not known, which is not the same as 0.
    """
    if not entrances:
        return None
    found = []
    for entrance in entrances:
        own = paths(trajectories, entrance.plane, max_hidden_s)
        hysteresis = hysteresis_m if entrance.plane == "floor" else hysteresis_px
        found.append(_crossings(own, entrance, hysteresis))
    rows = pd.concat(found, ignore_index=True)
    return rows.sort_values(["time", "entrance", "person_id"], kind="stable", ignore_index=True)


def _crossings(own: Paths, entrance: Entrance, hysteresis: float) -> pd.DataFrame:
    xy = np.column_stack([own.x, own.y])
    side = signed_side(xy, entrance.line, entrance.inside) if len(own) else np.zeros(0)
    rows, directions = [np.zeros(0, np.int64)], [np.zeros(0, np.int8)]
    for start, end in _stays_on_both_sides(own, side):
        crossed = line_crossings(xy[start:end], entrance.line, entrance.inside, hysteresis_m=hysteresis)
        rows.append(crossed.indices + start)
        directions.append(crossed.directions)
    row, inward = np.concatenate(rows), np.concatenate(directions) == INWARD
    before = side[row - 1]
    share = before / (before - side[row]) if len(row) else np.zeros(0)
    time_us = own.time_us[row - 1] + np.rint(share * (own.time_us[row] - own.time_us[row - 1])).astype(np.int64)
    if entrance.plane == "floor":
        walked = _speed_across(own, side, row, time_us) <= FASTEST_M_S
        row, inward, time_us = row[walked], inward[walked], time_us[walked]
    return pd.DataFrame(
        {
            "person_id": own.person[row],
            "role": pd.Series(own.roles[own.role[row]] if len(row) else [], dtype="str"),
            "entrance": pd.Series([entrance.id] * len(row), dtype="str"),
            "time": timestamps(time_us),
            "direction": pd.Series(np.where(inward, "in", "out"), dtype="str"),
        }
    )


def _speed_across(own: Paths, side: np.ndarray, row: np.ndarray, time_us: np.ndarray) -> np.ndarray:
    """Metres a second (C,) at which the paths with these rows go across a line at these times."""
    bounds = own.stay_bounds
    stay = np.searchsorted(bounds, row, side="right") - 1
    speed = np.zeros(len(row))
    for number, (start, end) in enumerate(zip(bounds[stay].tolist(), bounds[stay + 1].tolist(), strict=True)):
        times = own.time_us[start:end]
        span = np.clip(time_us[number] + np.array([-PASSING_US, PASSING_US]), times[0], times[-1])
        places = np.interp(span, times, side[start:end])
        speed[number] = abs(places[1] - places[0]) / (span[1] - span[0]) * SECOND_US
    return speed


def _stays_on_both_sides(own: Paths, side: np.ndarray) -> list[tuple[int, int]]:
    """Rows [start, end) of the stays that have places on both sides of a line; the others can't cross it."""
    if not len(own):
        return []
    bounds = own.stay_bounds
    low, high = np.minimum.reduceat(side, bounds[:-1]), np.maximum.reduceat(side, bounds[:-1])
    both = np.flatnonzero((low < 0) & (high > 0))
    return [(int(bounds[number]), int(bounds[number + 1])) for number in both]


def people_in(footfall: pd.DataFrame, role: str | None = "shopper") -> pd.DataFrame:
    """De-duplicated footfall: each person's first way in of the day by any entrance; later ones are the same visitor.

    `role` None keeps every role. Rows as in the table.
    """
    inward = footfall[footfall["direction"] == "in"]
    if role is not None:
        inward = inward[inward["role"] == role]
    return inward.sort_values("time", kind="stable").drop_duplicates("person_id").reset_index(drop=True)
