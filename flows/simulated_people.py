"""Invented people who walk through an invented shop: trajectories without video, for the demonstration lake.

Arrivals follow a daily and a weekly rhythm; each shopper walks a list of stops along the aisles, waits at the checkout
(longer when many do) and leaves. Staff stay all day. Everything comes from one random generator, so a seed is a month.
All people of a day are drawn at once, as arrays of (people, stops).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from flows.simulated_stores import Box, SimulatedStore

SECOND_US = 1_000_000
SAMPLE_S, STAFF_SAMPLE_S = 5, 15  # seconds between two looks of the simulated cameras
WEEKDAY_FACTOR = (0.86, 0.88, 0.94, 1.0, 1.22, 1.48, 0.8)
# Share of visitors by hour of the day: a small noon peak and a long one after work.
HOUR_WEIGHT = np.array([0, 0, 0, 0, 0, 0, 0, 1, 3, 4, 5, 6, 8, 7, 5, 5, 7, 9, 8, 5, 3, 1.5, 0, 0], dtype=float)
ZONE_PULL = {"aisle_1": 1.5, "aisle_2": 1.1, "aisle_3": 1.2, "back_wall": 0.9, "promo": 0.8}
DAY_S = 86_400.0
FOLLOWERS = 0.3  # share of shoppers who come with the one before them
BESIDE_M, BEHIND_S = 0.25, 0.8


@dataclass(frozen=True)
class Walks:
    """The ways of N people: corner points with the second of the local day at which each is passed."""

    role: np.ndarray  # (N,) "shopper" or "staff"
    seconds: np.ndarray  # (N, P), rising along P
    points: np.ndarray  # (N, P, 2) floor metres


def shoppers(
    store: SimulatedStore, open_s: tuple[float, float], weekday: int, factor: float, random: np.random.Generator
) -> Walks:
    """The customers of one shop on one day. `open_s`: opening and closing in seconds since local midnight."""
    expected = store.visitors * WEEKDAY_FACTOR[weekday] * factor * random.normal(1.0, 0.06)
    arrivals = _arrivals(open_s, max(int(random.poisson(max(expected, 1.0))), 1), random)
    count = len(arrivals)
    places, stays = _shopping(store, count, random)
    recent = np.searchsorted(arrivals, arrivals) - np.searchsorted(arrivals, arrivals - 720)  # what makes a queue
    wait = random.lognormal(3.9, 0.35, (count, 1)) * (1 + 0.05 * recent[:, None]) * (random.random((count, 1)) < 0.82)
    till = _within(np.array([store.zone_boxes["checkout"][2]]), (count, 1), random)
    till[wait[:, 0] == 0] = np.nan
    (west, y), (east, _) = store.entrance_line
    doors = random.uniform(west + 0.4, east - 0.4, (count, 2))
    outside, inside = (np.stack([doors, np.full_like(doors, y + side)], axis=2) for side in (-0.6, 0.6))
    places = np.concatenate([outside[:, :1], inside[:, :1], places, till, inside[:, 1:], outside[:, 1:]], axis=1)
    edge = np.full((count, 1), 6.0)
    stays = np.concatenate([edge, random.exponential(4, (count, 1)), stays, wait, np.zeros((count, 1)), edge], axis=1)
    speed = np.clip(random.normal(0.95, 0.15, (count, 1)), 0.5, 1.4)
    leader, arrivals, beside = _parties(arrivals, random.spawn(1)[0])
    places = places[leader] + beside[:, None]
    seconds, points = _walk(store, arrivals, places, stays[leader], speed[leader])
    return Walks(np.full(count, "shopper", dtype=object), seconds, points)


def _parties(arrivals: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Who comes with whom: for each of N people, in order of arrival, whom they walk with (themselves, where alone or
    first), when they arrive, and how far beside they walk, (N, 2) metres."""
    follows = random.random(len(arrivals)) < FOLLOWERS
    follows[0] = False
    leader = np.maximum.accumulate(np.where(follows, 0, np.arange(len(arrivals))))
    place = np.arange(len(arrivals)) - leader
    beside = np.zeros((len(arrivals), 2))
    beside[:, 0] = np.where(place > 0, BESIDE_M, 0.0) * random.choice([-1.0, 1.0], len(arrivals))
    return leader, arrivals[leader] + BEHIND_S * place, beside


def staff(store: SimulatedStore, open_s: tuple[float, float], random: np.random.Generator) -> Walks:
    """A cashier and someone who fills shelves, from ten minutes before opening to ten after closing."""
    behind = (store.width_m - 1.2, 3.4, store.width_m - 0.5, store.depth_m - 3.8)
    aisles = [box for _, kind, box, _ in store.zone_boxes.values() if kind == "aisle"]
    stops = int((open_s[1] - open_s[0]) / 60)
    boxes = np.array([[behind] * stops, [aisles[i] for i in random.integers(len(aisles), size=stops)]])
    places = _within(boxes, (2, stops), random)
    stays = random.exponential([[240.0], [420.0]], (2, stops))
    seconds, points = _walk(store, np.full(2, open_s[0] - 600), places, stays, np.full((2, 1), 0.85))
    return Walks(np.full(2, "staff", dtype=object), np.minimum(seconds, open_s[1] + 600), points)


def sample(walks: list[Walks], midnight_us: int, random: np.random.Generator) -> pd.DataFrame:
    """Look at everybody each SAMPLE_S seconds and where they turn, with the unrest of people and of measuring.

    Staff, who stand for long, are looked at each STAFF_SAMPLE_S seconds. Returns trajectories as the metrics take them:
    person_id, role, plane, time_us, x, y (metres), in order of person and time.
    """
    frames, first = [], 1
    for group in walks:
        person, seconds = _looks(group, STAFF_SAMPLE_S if group.role[0] == "staff" else SAMPLE_S)
        # One interpolation for everybody: each person's day is shifted behind the one before.
        shift = np.arange(len(group.seconds)) * 2 * DAY_S
        clock = (group.seconds + shift[:, None]).ravel()
        xy = [np.interp(seconds + shift[person], clock, group.points[:, :, axis].ravel()) for axis in (0, 1)]
        frames.append((first + person, group.role[person], seconds, *xy))
        first += len(group.seconds)
    person, role, seconds, x, y = (np.concatenate(columns) for columns in zip(*frames, strict=True))
    return pd.DataFrame(
        {
            "person_id": person.astype(np.int64),
            "role": role,
            "plane": "floor",
            "time_us": midnight_us + (seconds * SECOND_US).astype(np.int64),
            "x": x + random.normal(0, 0.05, len(x)),
            "y": y + random.normal(0, 0.05, len(y)),
        }
    )


def _looks(group: Walks, every_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Person number and second (whole ones, each once) of every look at a group."""
    begin, end = group.seconds[:, 0], group.seconds[:, -1]
    start = np.ceil(begin / every_s).astype(np.int64)
    count = np.maximum(np.floor(end / every_s).astype(np.int64) - start + 1, 0)
    person = np.repeat(np.arange(len(begin)), count)
    grid = (np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + start[person]) * every_s
    corners = group.seconds.reshape(len(begin), -1, 4)[:, :, :2]  # where the way leaves and enters a corridor
    turning = np.repeat(np.arange(len(begin)), corners[0].size)
    seconds = np.concatenate([grid, np.rint(corners.ravel())]).astype(np.int64)
    person = np.concatenate([person, turning])
    inside = (seconds >= begin[person]) & (seconds <= end[person])
    looks = np.unique(np.stack([person[inside], seconds[inside]], axis=1), axis=0)
    return looks[:, 0], looks[:, 1].astype(float)


def _arrivals(open_s: tuple[float, float], count: int, random: np.random.Generator) -> np.ndarray:
    """Sorted arrival seconds; the last five minutes before closing bring nobody."""
    edges = np.clip(np.arange(25) * 3600.0, open_s[0], open_s[1] - 300)
    cumulative = np.concatenate([[0.0], np.cumsum(HOUR_WEIGHT * np.diff(edges))])
    return np.sort(np.interp(random.uniform(0, cumulative[-1], count), cumulative, edges))


def _shopping(store: SimulatedStore, count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Stops in the shelves: places (N, 2 Z, 2) and seconds at each (N, 2 Z); a stop that is not made has place NaN."""
    boxes = {key: box for key, (_, kind, box, _) in store.zone_boxes.items() if kind in ("aisle", "display")}
    pull = np.array([ZONE_PULL.get(name, 1.0) for name in boxes])
    order = np.argsort(random.gumbel(size=(count, len(boxes))) + np.log(pull), axis=1)[:, ::-1]  # weighted, no repeats
    wanted = np.arange(len(boxes)) < np.minimum(1 + random.poisson(2.6, (count, 1)), len(boxes))
    made = np.stack([wanted, wanted & (random.random(wanted.shape) < 0.45)], axis=2).reshape(count, -1)
    chosen = np.repeat(np.array(list(boxes.values()))[order], 2, axis=1)
    places = _within(chosen, made.shape, random)
    places[~made] = np.nan
    return places, np.where(made, random.lognormal(3.3, 0.7, made.shape), 0.0)


def _within(boxes: np.ndarray | list[Box], shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Places (*shape, 2) in boxes (..., 4), kept 0.3 m from the border where the box is wide enough."""
    low, high = np.asarray(boxes)[..., :2], np.asarray(boxes)[..., 2:]
    margin = np.minimum(0.3, (high - low) / 3)
    return low + margin + random.random((*shape, 2)) * (high - low - 2 * margin)


def _walk(
    store: SimulatedStore, start: np.ndarray, places: np.ndarray, stays: np.ndarray, speed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Join stops by ways round the shelves: seconds (N, P) and points (N, P, 2), standing at each stop for its time."""
    count, stops, _ = places.shape
    made = ~np.isnan(places[:, :, 0])
    places = places[np.arange(count)[:, None], np.maximum.accumulate(np.where(made, np.arange(stops), 0), axis=1)]
    before = np.concatenate([places[:, :1], places[:, :-1]], axis=1)
    leave, arrive = _corners(store, before, places)
    points = np.stack([leave, arrive, places, places], axis=2)  # two corners on the way, arrival, departure
    moved = np.diff(points.reshape(count, -1, 2), axis=1, prepend=places[:, :1])
    lasting = np.hypot(moved[..., 0], moved[..., 1]) / speed + 1e-3
    lasting.reshape(count, stops, 4)[:, :, 3] += stays
    return start[:, None] + np.cumsum(lasting, axis=1), points.reshape(count, -1, 2)


def _corners(store: SimulatedStore, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners between two places (N, S, 2): over the front or the back corridor where a straight way meets shelves."""
    front, back, shelves_end = 2.0, store.depth_m - 1.9, store.width_m - 4.2
    edges = np.array([(x1 + x2) / 2 for x1, _, x2, _ in store.aisle_boxes])
    same_aisle = np.equal(*(np.argmin(np.abs(place[..., :1] - edges), axis=-1) for place in (start, end)))
    y0, y1 = start[..., 1], end[..., 1]
    same_side = ((y0 >= back) & (y1 >= back)) | ((y0 <= front) & (y1 <= front))
    in_aisle = same_aisle & (np.maximum(y0, y1) < back) & (np.minimum(y0, y1) > front)
    detour = (np.minimum(start[..., 0], end[..., 0]) < shelves_end) & ~same_side & ~in_aisle
    lengths = [np.abs(y0 - y) + np.abs(y1 - y) for y in (front, back)]
    corridor = np.where(lengths[0] < lengths[1], front, back)
    # Who goes from one corridor to the other does so on the open side of the shop, east of the shelves.
    corridor = np.where((y0 >= back) & (y1 <= front), back, np.where((y0 <= front) & (y1 >= back), back, corridor))
    leave = np.stack([start[..., 0], np.where(detour, corridor, y0)], axis=-1)
    arrive = np.stack([np.where(detour, end[..., 0], start[..., 0]), leave[..., 1]], axis=-1)
    return leave, arrive
