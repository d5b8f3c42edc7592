"""Trajectories: where each person was, one place a time, whichever cameras saw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from flows.places import FLOOR, SECOND_US

DISAGREE_M = 1.5
SMOOTHING_S = 0.6
IN_PLACE_M, IN_PLACE_SPANS = 2.0, 6
"""Who is seen again so near to where they vanished stood there unseen, for up to so many longest hidden spans."""
UNKNOWN_UNCERTAINTY = 1.0


def trajectories(
    positions: pd.DataFrame,
    identities: pd.DataFrame,
    *,
    calibrated: Sequence[str],
    roles: Mapping[int, str] | None = None,
    step_s: float = 0.2,
    max_hidden_s: float = 20.0,
    smoothing_s: float = SMOOTHING_S,
) -> pd.DataFrame:
    """Fuse the cameras' positions into one path a person and plane.

    Args:
        positions: camera, track_id, time_us, x, y (floor metres, or pixels in a camera that is not calibrated; rows
            with NaN are left out), optionally `uncertainty` (standard deviation in the same unit; NaN: unknown).
        identities: camera, track_id, person_id. Positions of other tracks are left out.
        calibrated: cameras whose places are floor metres; each other camera is a plane of its own.
        roles: role by person_id; who is not in it is a shopper.
        step_s: the common time grid, in seconds since the epoch; best the sampling interval of the fastest camera.
        max_hidden_s: hidden spans up to this are filled with a straight line; longer ones stay empty, but for those of
            people who stayed in place on the floor.
        smoothing_s: width of the moving average; below two steps: none.

    Returns:
        person_id, role, plane, time_us, x, y: one row a person, plane and time, ordered by plane, person and time.
    """
    person, plane, planes, time_us, x, y, sigma = _join(positions, identities, calibrated)
    step_us = round(step_s * SECOND_US)
    if step_us <= 0:
        raise ValueError(f"a time grid of {step_s} s has no steps; give the sampling interval in seconds")
    order = np.lexsort((time_us, person, plane))
    person, plane, time_us, x, y, sigma = (values[order] for values in (person, plane, time_us, x, y, sigma))
    tick = (time_us + step_us // 2) // step_us
    start = _group_starts(plane, person, tick)
    is_floor = np.array([name == FLOOR for name in planes], bool)[plane] if len(plane) else np.zeros(0, bool)
    x, y = _fuse(start, x, y, sigma, np.where(is_floor, DISAGREE_M, np.inf))
    person, plane, tick = person[start], plane[start], tick[start]
    longest = round(max_hidden_s * SECOND_US) // step_us
    owner, tick, x, y = _fill(plane, person, tick, x, y, is_floor[start], longest)
    person, plane = person[owner], plane[owner]
    x, y = _smooth(_group_starts(plane, person, tick - np.arange(len(tick))), x, y, smoothing_s / step_s)
    return pd.DataFrame(
        {
            "person_id": person,
            "role": _roles(person, roles or {}),
            "plane": pd.Categorical.from_codes(plane, categories=pd.Index(planes, dtype="str")),
            "time_us": tick * step_us,
            "x": x,
            "y": y,
        }
    )


def _join(
    positions: pd.DataFrame, identities: pd.DataFrame, calibrated: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Person and plane (code into the names) of each position that has a person and a place."""
    camera, cameras = pd.factorize(positions["camera"])
    known = identities[identities["camera"].isin(cameras)]
    owner_camera = pd.Index(cameras).get_indexer(pd.Index(known["camera"]))
    width = 1 + max(positions["track_id"].max() if len(positions) else 0, known["track_id"].max() if len(known) else 0)
    keys = pd.Index(owner_camera * width + known["track_id"].to_numpy(np.int64))
    if not keys.is_unique:
        raise ValueError("identities names a track twice; each track is one person")
    found = keys.get_indexer(pd.Index(camera * width + positions["track_id"].to_numpy(np.int64)))
    x, y = positions["x"].to_numpy(float), positions["y"].to_numpy(float)
    keep = (found >= 0) & np.isfinite(x) & np.isfinite(y)
    names = [FLOOR if name in set(calibrated) else str(name) for name in cameras]
    planes = sorted(set(names))
    plane = np.array([planes.index(name) for name in names], np.int64)[camera[keep]] if len(names) else camera[keep]
    sigma = positions["uncertainty"].to_numpy(float) if "uncertainty" in positions else np.full(len(x), np.nan)
    sigma = np.where(np.isfinite(sigma) & (sigma > 0), sigma, UNKNOWN_UNCERTAINTY)
    person = known["person_id"].to_numpy(np.int64)[found[keep]]
    time_us = positions["time_us"].to_numpy(np.int64)
    return person, plane, planes, time_us[keep], x[keep], y[keep], sigma[keep]


def _group_starts(*keys: np.ndarray) -> np.ndarray:
    """First row of each run of equal keys."""
    new = np.zeros(len(keys[0]), bool)
    new[:1] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(new)


def _fuse(
    start: np.ndarray, x: np.ndarray, y: np.ndarray, sigma: np.ndarray, disagree: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each group, weighted by 1 / variance, of those places that agree with the best supported one.

    A place's support is the weight of all places of its group within `disagree`; of two that disagree, the more certain
    wins, of three that are equally certain, the two that agree.
    """
    if not len(x):
        return x, y
    weight = 1 / sigma**2
    sizes = np.diff(np.append(start, len(x)))
    group = np.repeat(np.arange(len(start)), sizes)
    support = weight.copy()
    for gap in range(1, int(sizes.max())):
        first = np.flatnonzero(group[gap:] == group[:-gap])
        second = first + gap
        near = np.hypot(x[first] - x[second], y[first] - y[second]) <= disagree[first]
        np.add.at(support, first[near], weight[second[near]])
        np.add.at(support, second[near], weight[first[near]])
    best = np.lexsort((np.arange(len(x)), sigma, -support, group))[start][group]
    weight = np.where(np.hypot(x - x[best], y - y[best]) <= disagree, weight, 0.0)
    total = np.add.reduceat(weight, start)
    return np.add.reduceat(weight * x, start) / total, np.add.reduceat(weight * y, start) / total


def _fill(
    plane: np.ndarray,
    person: np.ndarray,
    tick: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    is_floor: np.ndarray,
    most_hidden: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Put the missing ticks of hidden spans on straight lines: source row, tick, x, y of each row."""
    if not len(tick):
        return np.zeros(0, np.int64), tick, x, y
    ahead = np.append(np.diff(tick), 1)
    same = np.append((plane[1:] == plane[:-1]) & (person[1:] == person[:-1]), False)
    in_place = is_floor & (np.append(np.hypot(np.diff(x), np.diff(y)), np.inf) <= IN_PLACE_M)
    most = np.maximum(np.where(in_place, IN_PLACE_SPANS, 1) * most_hidden, 1)
    count = np.where(same & (ahead <= most), ahead, 1)
    owner = np.repeat(np.arange(len(tick)), count)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    share = number / count[owner]
    following = np.minimum(owner + 1, len(tick) - 1)
    return (
        owner,
        tick[owner] + number,
        x[owner] + share * (x[following] - x[owner]),
        y[owner] + share * (y[following] - y[owner]),
    )


def _smooth(start: np.ndarray, x: np.ndarray, y: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Centred moving average over `width` rows within each run; at a run's ends over as many as both sides have."""
    half = int(width // 2)
    if half < 1 or not len(x):
        return x, y
    sizes = np.diff(np.append(start, len(x)))
    before = np.arange(len(x)) - np.repeat(start, sizes)
    after = np.repeat(sizes, sizes) - 1 - before
    reach = np.minimum(np.minimum(before, after), half)
    row = np.arange(len(x))
    return tuple(
        (total[row + reach + 1] - total[row - reach]) / (2 * reach + 1)
        for total in (np.concatenate([[0.0], np.cumsum(values)]) for values in (x, y))
    )


def _roles(person: np.ndarray, roles: Mapping[int, str]) -> pd.Series:
    names = sorted({"shopper", "staff", *roles.values()})
    people, position = np.unique(person, return_inverse=True)
    codes = np.array([names.index(roles.get(int(who), "shopper")) for who in people], np.int64)
    codes = codes[position] if len(people) else np.zeros(0, np.int64)
    return pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index(names)))
