"""Density: people per m2, Fruin's levels of service, and crowding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from flows.places import SECOND_US, Zone, microseconds, timestamps

FRUIN_LIMITS = (0.31, 0.43, 0.72, 1.08, 2.15)
FRUIN_LEVELS = ("A", "B", "C", "D", "E", "F")


def fruin_level(density: np.ndarray) -> np.ndarray:
    """Level of service of densities (N,) in people per m2, for walkways: A < 0.31, B < 0.43, C < 0.72, D < 1.08,
    E < 2.15, F from there (J. J. Fruin, Pedestrian Planning and Design, 1971). None where the density is NaN."""
    density = np.asarray(density, float)
    levels = np.array(FRUIN_LEVELS, dtype=object)[np.searchsorted(FRUIN_LIMITS, density, "right").clip(0, 5)]
    levels[np.isnan(density)] = None
    return levels


def occupancy_steps(visits: pd.DataFrame) -> pd.DataFrame:
    """People in each zone, exactly, at every change: zone, start, end, people; also between visits, with 0 people.

    Of one zone's visits it covers the time from the first entry to the last exit.
    """
    parts = []
    for zone, own in visits.groupby("zone", sort=True, observed=True):
        enter, leave = microseconds(own["enter"]), microseconds(own["exit"])
        times, position = np.unique(np.concatenate([enter, leave]), return_inverse=True)
        change = np.bincount(position, weights=np.repeat([1, -1], len(own))).astype(np.int64)
        people = np.cumsum(change)[:-1]
        steps = {"zone": zone, "start": timestamps(times[:-1]), "end": timestamps(times[1:]), "people": people}
        parts.append(pd.DataFrame(steps))
    if not parts:
        none = timestamps(np.zeros(0, np.int64))
        return pd.DataFrame(
            {"zone": pd.Series(dtype="str"), "start": none, "end": none, "people": pd.Series(dtype=int)}
        )
    return pd.concat(parts, ignore_index=True)


def crowding_episodes(visits: pd.DataFrame, zones: Sequence[Zone], *, at_least_s: float = 30.0) -> pd.DataFrame:
    """Times in which a zone held more people than its capacity, without interruption, for `at_least_s` seconds.

    Returns zone, start, end, seconds, most_people, capacity; zones without a capacity have none.
    """
    rows, visits = [], visits[["zone", "enter", "exit"]]  # choosing a zone's rows copies every column there is
    for zone in zones:
        if zone.capacity is None:
            continue
        own = occupancy_steps(visits[visits["zone"] == zone.id])
        over = (own["people"] > zone.capacity).to_numpy()
        start, end, people = microseconds(own["start"]), microseconds(own["end"]), own["people"].to_numpy()
        first = np.flatnonzero(over & ~np.append(False, over[:-1]))
        last = np.flatnonzero(over & ~np.append(over[1:], False))
        for a, b in zip(first, last, strict=True):
            seconds = (end[b] - start[a]) / SECOND_US
            if seconds >= at_least_s:
                rows.append((zone.id, start[a], end[b], seconds, int(people[a : b + 1].max()), zone.capacity))
    table = pd.DataFrame(rows, columns=["zone", "start", "end", "seconds", "most_people", "capacity"])
    for name in ("start", "end"):
        table[name] = timestamps(table[name].to_numpy(np.int64))
    return table
