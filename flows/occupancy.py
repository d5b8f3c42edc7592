"""Occupancy of the whole store from its entrances, and from people's places; and how the two agree."""

from __future__ import annotations

import numpy as np
import pandas as pd

from flows.places import Window, microseconds, paths, timestamps


def occupancy_by_crossings(footfall: pd.DataFrame, window: Window, *, role: str | None = None) -> pd.DataFrame:
    """People inside the store at every change, counted at the entrances.

    It begins anew every day (the window is the store's day). People who go out without having come in were inside at
    the beginning: as many as are needed for the number never to fall below zero are taken to have been, and told as
    `inside_at_opening`. Whoever is still inside at the window's end is not carried into the next day.

    Args:
        footfall: the lake's table, one store and day.
        window: the store's local day, [from, to) in UTC microseconds.
        role: count this role alone; None: everyone.

    Returns:
        time, inside (people from that time on), inside_at_opening (the same in all rows); the first row is the
        window's start.
    """
    rows = footfall if role is None else footfall[footfall["role"] == role]
    times = microseconds(rows["time"])
    change = np.where(rows["direction"].to_numpy() == "in", 1, -1)
    order = np.lexsort((-change, times))  # in the same microsecond, in before out
    times, change = times[order], change[order]
    kept = (times >= window[0]) & (times < window[1])
    balance = np.concatenate([[0], np.cumsum(change[kept])])
    at_opening = int(max(0, -balance.min()))
    return pd.DataFrame(
        {
            "time": timestamps(np.concatenate([[window[0]], times[kept]])),
            "inside": balance + at_opening,
            "inside_at_opening": at_opening,
        }
    )


def occupancy_by_places(
    trajectories: pd.DataFrame, *, plane: str = "floor", max_hidden_s: float = 20.0, role: str | None = None
) -> pd.DataFrame:
    """People in view of the cameras at every change: each from the first place of a stay to its last.

    Returns time, inside, as `occupancy_by_crossings`.
    """
    rows = trajectories if role is None else trajectories[trajectories["role"] == role]
    own = paths(rows, plane, max_hidden_s)
    if not len(own):
        return pd.DataFrame({"time": timestamps(np.zeros(0, np.int64)), "inside": np.zeros(0, np.int64)})
    bounds = own.stay_bounds
    return occupancy_by_stays(own.time_us[bounds[:-1]], own.time_us[bounds[1:] - 1])


def occupancy_by_stays(first_us: np.ndarray, last_us: np.ndarray) -> pd.DataFrame:
    """People inside at every change, from the first and last moment of each stay (int64 UTC microseconds).

    Who comes as another goes is counted beside them. Returns time, inside, as `occupancy_by_crossings`.
    """
    times = np.concatenate([first_us, last_us])
    change = np.repeat([1, -1], len(first_us))
    order = np.lexsort((-change, times))
    return pd.DataFrame({"time": timestamps(times[order]), "inside": np.cumsum(change[order])})


def occupancy_mean(occupancy: pd.DataFrame, window: Window, bucket_s: int = 3600) -> pd.DataFrame:
    """Time-weighted mean and peak of an occupancy (time, inside) in buckets aligned to the window's start.

    Before the first row nobody is inside. Returns bucket_start, mean, peak.
    """
    length = bucket_s * 1_000_000
    edges = np.append(np.arange(window[0], window[1], length), window[1])
    times, inside = microseconds(occupancy["time"]), occupancy["inside"].to_numpy(float)
    points = np.unique(np.concatenate([edges, times[(times > window[0]) & (times < window[1])]]))
    now = np.searchsorted(times, points[:-1], "right") - 1
    value = np.where(now >= 0, inside[np.maximum(now, 0)] if len(inside) else 0.0, 0.0)
    start = np.searchsorted(points[:-1], edges[:-1])
    total = np.add.reduceat(value * np.diff(points), start)
    return pd.DataFrame(
        {
            "bucket_start": timestamps(edges[:-1]),
            "mean": total / np.diff(edges),
            "peak": np.maximum.reduceat(value, start),
        }
    )


def occupancy_disagreement(
    crossings: pd.DataFrame, places: pd.DataFrame, window: Window, bucket_s: int = 3600
) -> pd.DataFrame:
    """Mean occupancy by crossings and by places in each bucket, and their difference.

    They differ where people were missed at an entrance (the difference stays for the rest of the day) or stood where no
    camera looks (it goes again). Returns bucket_start, by_crossings, by_places, difference (crossings - places).
    """
    first, second = (occupancy_mean(rows, window, bucket_s) for rows in (crossings, places))
    return pd.DataFrame(
        {
            "bucket_start": first["bucket_start"],
            "by_crossings": first["mean"],
            "by_places": second["mean"],
            "difference": first["mean"] - second["mean"],
        }
    )
