"""Small counts withheld from exports: a count of one to k - 1 people says too much about each of them.

Zeros stay: that nobody was there is about nobody. No further cells are withheld for the sake of sums, so publish either
the zones or the total, not both, where somebody could subtract.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

LEAST = 5
PEOPLE = {
    "zone_counts": ("unique_people", "entries", "exits", "occupancy_max"),
    "zone_quarters": ("entries", "exits", "occupancy_max"),
}
"""Tables of counts: the columns in which people are counted."""
SINGLE = ("positions", "tracklets", "identities", "visits", "groups", "footfall")
"""Tables with a row for each person, track or crossing: no count in them can be withheld."""
KEPT = ("store", "date", "zone", "bucket_start", "bucket_s", "quarter_start", "role_filter", "observed_s", "coverage")
"""Columns that say where, when, and how much was seen."""


def check_suppression(tables: Sequence[str], least: int) -> None:
    """Raises ValueError for tables whose rows are single people, or where `least` is below 2."""
    if least < 2:
        raise ValueError(f"the least count is a number of people from 2, not {least}")
    single = [name for name in tables if name in SINGLE]
    if single:
        raise ValueError(
            f"{', '.join(single)}: a row for each person, track or crossing, so no count can be withheld: export "
            f"{' or '.join(PEOPLE)}, or leave out the least count"
        )


def suppress_small_counts(table: str, rows: pd.DataFrame, least: int = LEAST) -> pd.DataFrame:
    """The rows with every number of those null in which 1 to `least` - 1 people are counted, and `suppressed` beside;
    tables that are not about people as they are. Raises ValueError as `check_suppression` does."""
    check_suppression([table], least)
    if table not in PEOPLE:
        return rows
    return withhold(rows, PEOPLE[table], [str(name) for name in rows if name not in KEPT], least)


def withhold(rows: pd.DataFrame, counts: Sequence[str], numbers: Sequence[str], least: int) -> pd.DataFrame:
    """The rows with all `numbers` of those null in which any of `counts`, which may be a mean of counts, is above 0 and
    below `least`; `suppressed`: which."""
    small = np.zeros(len(rows), bool)
    for name in counts:
        small |= ((rows[name] > 0) & (rows[name] < least)).to_numpy(bool, na_value=False)
    return rows.assign(**{name: rows[name].mask(small) for name in numbers}, suppressed=small)
