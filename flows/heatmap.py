"""Heat map: where people spend their time on the floor, and which way they walk."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from flows.places import FLOOR, SECOND_US, paths

STANDING_M_PER_S = 0.2


class HeatMap(NamedTuple):
    """Cells of `cell_m` metres; [row, column] = [north, east], row 0 at y = 0.

    `person_seconds_per_m2` float64 (R, C). `direction_x`, `direction_y` (R, C): sum of the ways walked in a cell over
    their length: (0, 1) all walk north, (0, 0) as many one way as the other; NaN where nobody walked.
    """

    cell_m: float
    person_seconds_per_m2: np.ndarray
    direction_x: np.ndarray
    direction_y: np.ndarray


def heat_map(
    trajectories: pd.DataFrame,
    width_m: float,
    depth_m: float,
    *,
    cell_m: float = 0.25,
    max_hidden_s: float = 20.0,
    role: str | None = "shopper",
) -> HeatMap:
    """Person-seconds per m2 of each cell: the time between two places counts at the middle between them.

    So the sum over the floor, times the cell's area, is all the time people were in sight on it. Places off the floor
    are left out; ways slower than 0.2 m/s have no direction. `role` None: everyone.
    """
    rows = trajectories if role is None else trajectories[trajectories["role"] == role]
    own = paths(rows, FLOOR, max_hidden_s)
    same = own.stay[1:] == own.stay[:-1]
    seconds = (np.diff(own.time_us) / SECOND_US)[same]
    x, y = (((values[1:] + values[:-1]) / 2)[same] for values in (own.x, own.y))
    step_x, step_y = np.diff(own.x)[same], np.diff(own.y)[same]
    columns, lines = (max(1, int(np.ceil(length / cell_m - 1e-9))) for length in (width_m, depth_m))
    column, line = np.floor(x / cell_m).astype(np.int64), np.floor(y / cell_m).astype(np.int64)
    on_floor = (column >= 0) & (column < columns) & (line >= 0) & (line < lines)
    cell = (line * columns + column)[on_floor]

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(cell, weights=values[on_floor], minlength=lines * columns).reshape(lines, columns)

    length = np.hypot(step_x, step_y)
    walks = length >= STANDING_M_PER_S * seconds
    walked = summed(np.where(walks, length, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        direction_x = summed(np.where(walks, step_x, 0.0)) / walked
        direction_y = summed(np.where(walks, step_y, 0.0)) / walked
    return HeatMap(cell_m, summed(seconds) / cell_m**2, direction_x, direction_y)
