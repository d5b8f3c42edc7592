"""Person search: ranked candidates for a picture, a person seen in a frame, or a description.

Looks, colours and height are evidence, added as log odds: the cosine by the fit that is stored with the weights, a
garment's colour against how common the colour is that day, a child's or an adult's height by its uncertainty. Each
person is listed once, by their likeliest tracklet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal, get_args

import numpy as np
from scipy.special import expit, ndtr

from detection.colours import COLOURS, GARMENTS, colour_index
from flows.config import StoreConfig
from flows.search_days import SearchDay
from reid.feedback import sharpen
from reid.person_index import search_all

Age = Literal["child", "adult"]
CHILD_BELOW_M = 1.45
"""Height that divides children from adults: the 50th percentile at 11 years (WHO growth reference, 2007)."""
SURE_OF_AGE = 0.97
LEAST_SHARE = 0.03
MIXED_GARMENTS = 10
"""Garments of evenly mixed colours that are added to the day's: among few, even the only red one would be common."""
LOOKED_AT = 400
"""Tracklets most alike that the other evidence is weighed on."""


class SearchRefused(ValueError):
    """A search that may not be done; the message says why and what would make it allowed."""


@dataclass(frozen=True, order=True)
class TrackletName:
    """A tracklet in a store's lake. `str()` and `parse` use DATE/CAMERA/TRACK."""

    day: date
    camera: str
    track_id: int

    def __str__(self) -> str:
        return f"{self.day}/{self.camera}/{self.track_id}"

    @classmethod
    def parse(cls, text: str) -> TrackletName:
        """Raises ValueError for another form."""
        try:
            day, camera, track_id = text.split("/")
            return cls(date.fromisoformat(day), camera, int(track_id))
        except ValueError:
            raise ValueError(f"{text!r}: name a sighting as it was listed, for example 2025-03-14/west/12") from None


@dataclass(frozen=True)
class Query:
    """Who is looked for: `embedding` (D,), plain, of a picture; colours of clothes; child or adult; or several of.

    `confirmed` and `rejected` are the answers so far.
    """

    embedding: np.ndarray | None = None
    upper: str | None = None
    lower: str | None = None
    age: Age | None = None
    confirmed: tuple[TrackletName, ...] = ()
    rejected: tuple[TrackletName, ...] = ()

    def __str__(self) -> str:
        colours = [
            f"{garment} {name}" for garment, name in zip(GARMENTS, (self.upper, self.lower), strict=True) if name
        ]
        parts = ["picture"] * (self.embedding is not None) + colours + [self.age or ""]
        answers = f"{len(self.confirmed)} confirmed, {len(self.rejected)} rejected"
        return ", ".join([part for part in parts if part] + [answers] * bool(self.confirmed or self.rejected))


def described(upper: str | None, lower: str | None, age: str | None) -> dict[str, Any]:
    """The fields of a Query that words give. Raises ValueError for a colour or an age that is none."""
    for colour in (upper, lower):
        if colour is not None:
            colour_index(colour)
    if age is not None and age not in get_args(Age):
        raise ValueError(f"{age!r}: say child or adult")
    return {"upper": upper, "lower": lower, "age": age}


@dataclass(frozen=True)
class Filters:
    """Where and when to look: cameras (none: all), a span of time in UTC microseconds, a range of heights in metres."""

    cameras: tuple[str, ...] = ()
    since_us: int | None = None
    until_us: int | None = None
    heights_m: tuple[float, float] | None = None

    def __str__(self) -> str:
        parts = [f"cameras {' '.join(self.cameras)}"] if self.cameras else []
        parts += [f"since {self.since_us}"] if self.since_us is not None else []
        parts += [f"until {self.until_us}"] if self.until_us is not None else []
        parts += ["heights {:g} to {:g} m".format(*self.heights_m)] if self.heights_m else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Candidate:
    """A person who may be the one. `odds`: log odds of the evidence; `similarity`: cosine, None for mere words;
    `child`: probability of being one by height, None where unknown; `sightings`: all tracklets of the same identity."""

    name: TrackletName
    person_id: int
    start_us: int
    end_us: int
    odds: float
    similarity: float | None
    height_m: float | None
    child: float | None
    sightings: tuple[TrackletName, ...] = field(default=())

    @property
    def likelihood(self) -> float:
        """The odds as a number between 0 and 1."""
        return float(expit(self.odds))


def allow_search(config: StoreConfig, days: Sequence[date]) -> str:
    """The store's purpose of searching. Raises SearchRefused where search is off, or joins days that may not be."""
    if config.find is None:
        raise SearchRefused(
            f"person search is off for {config.id}: turn it on in its store.yaml with a purpose, "
            "find: {purpose: ...}; PRIVACY.md says what to settle before"
        )
    if len(set(days)) > 1 and not config.privacy.join_days:
        raise SearchRefused(
            f"{config.id} does not let a person be followed over several days: search one day, "
            "or set privacy.join_days in its store.yaml"
        )
    return config.find.purpose


def search(
    days: Sequence[SearchDay],
    query: Query,
    filters: Filters,
    *,
    calibration: tuple[float, float],
    count: int = 20,
    newest_first: bool = False,
) -> list[Candidate]:
    """The likeliest people, the best first, or of these the last seen first.

    Args:
        days: of one store.
        calibration: cosine of even odds, and log odds a unit of cosine (`flows.day_tables.same_person_odds`).

    Raises ValueError where the query says nothing, or names an unknown colour.
    """
    vector = sharpened(days, query)
    if vector is None and not (query.upper or query.lower or query.age):
        raise ValueError("say whom to look for: a picture, a person in a frame, colours, or child or adult")
    allowed = [_allowed(day, query, filters) for day in days]
    if vector is None:
        parts = [(np.full(int(rows.sum()), number), np.flatnonzero(rows)) for number, rows in enumerate(allowed)]
        number, row = (np.concatenate(side) for side in zip(*parts, strict=True))
        similarity = np.full(len(row), np.nan)
    else:
        indexes, queries = [day.index for day in days], [day.turned(vector) for day in days]
        number, row, similarity = search_all(indexes, queries, allowed, LOOKED_AT)
    candidates = []
    for at, day in enumerate(days):
        own = number == at
        candidates += _weighed(day, row[own], similarity[own], query, calibration)
    candidates.sort(key=lambda one: (-one.odds, one.name))
    listed = _each_once(candidates)[:count]
    return sorted(listed, key=lambda one: -one.end_us) if newest_first else listed


def sharpened(days: Sequence[SearchDay], query: Query) -> np.ndarray | None:
    """The query's embedding after the answers; None where there is none."""
    answers = []
    for names in (query.confirmed, query.rejected):
        found = [np.zeros((0, days[0].index.dimension), np.float32)]
        for day in days:
            rows = [day.row_of(name.camera, name.track_id) for name in names if name.day == day.day]
            known = [row for row in rows if row is not None]
            found += [day.plain(known)] if known else []
        answers.append(np.concatenate(found))
    return sharpen(query.embedding, *answers)


def child_probability(height_m: np.ndarray, sigma_m: np.ndarray) -> np.ndarray:
    """Probability (N,) of being shorter than CHILD_BELOW_M; NaN where the height is unknown."""
    return ndtr((CHILD_BELOW_M - height_m) / np.maximum(sigma_m, 0.03))


def _allowed(day: SearchDay, query: Query, filters: Filters) -> np.ndarray:
    """Which tracklets (N,) the filters let through. Who was answered about is not listed again."""
    rows = day.columns
    keep = np.ones(len(day.tracklets), bool)
    if filters.cameras:
        names, places = day.cameras
        keep &= np.array([name in filters.cameras for name in names], bool)[places]
    if filters.since_us is not None:
        keep &= rows["end_us"] >= filters.since_us
    if filters.until_us is not None:
        keep &= rows["start_us"] <= filters.until_us
    height, sigma = rows["height_m"], rows["height_sigma_m"]
    if filters.heights_m is not None:
        low, high = filters.heights_m
        keep &= ~((height + 2 * sigma < low) | (height - 2 * sigma > high))  # an unknown height may be any
    if query.age is not None:
        child = child_probability(height, sigma)
        keep &= ~((child < 1 - SURE_OF_AGE) if query.age == "child" else (child > SURE_OF_AGE))
    for name in (*query.confirmed, *query.rejected):
        row = day.row_of(name.camera, name.track_id) if name.day == day.day else None
        if row is not None:
            person = rows["person_id"]
            keep &= (person != person[row]) | (person == 0)
            keep[row] = False
    return keep


def _weighed(
    day: SearchDay, rows: np.ndarray, similarity: np.ndarray, query: Query, calibration: tuple[float, float]
) -> list[Candidate]:
    even, slope = calibration
    odds = np.nan_to_num(slope * (similarity - even))
    for garment, name in enumerate((query.upper, query.lower)):
        if name is not None:
            odds = odds + _colour_odds(day.colours[:, garment], colour_index(name))[rows]
    tracklets = {name: values[rows] for name, values in day.columns.items()}
    height = tracklets["height_m"]
    child = child_probability(height, tracklets["height_sigma_m"])
    if query.age is not None:
        likely = child if query.age == "child" else 1 - child
        odds = odds + np.nan_to_num(np.log((likely + LEAST_SHARE) / (1 - likely + LEAST_SHARE)))
    columns = (tracklets[name].tolist() for name in ("camera", "track_id", "person_id", "start_us", "end_us"))
    return [
        Candidate(
            name=TrackletName(day.day, camera, track),
            person_id=person,
            start_us=start_us,
            end_us=end_us,
            odds=float(odds[at]),
            similarity=None if np.isnan(similarity[at]) else float(similarity[at]),
            height_m=None if np.isnan(height[at]) else float(height[at]),
            child=None if np.isnan(child[at]) else float(child[at]),
        )
        for at, (camera, track, person, start_us, end_us) in enumerate(zip(*columns, strict=True))
    ]


def _colour_odds(shares: np.ndarray, colour: int) -> np.ndarray:
    """Log odds (N,) of wearing a colour: its share of the garment against its share of the day's garments."""
    if np.isnan(shares).all():
        raise ValueError(
            "colours were not measured on this day: it was processed before the store turned person search on; "
            "process it again, or search with a picture"
        )
    share, known = shares[:, colour], np.isfinite(shares[:, colour])
    common = (share[known].sum() + MIXED_GARMENTS / len(COLOURS)) / (known.sum() + MIXED_GARMENTS)
    return np.nan_to_num(np.log((share + LEAST_SHARE) / (common + LEAST_SHARE)))


def _each_once(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Each identity by its likeliest tracklet, the other tracklets named beside it."""
    listed: dict[tuple[date, int, int], Candidate] = {}
    others: dict[tuple[date, int, int], list[TrackletName]] = {}
    for number, one in enumerate(candidates):
        key = (one.name.day, one.person_id, 0 if one.person_id else number + 1)
        listed.setdefault(key, one)
        others.setdefault(key, []).append(one.name)
    return [replace(one, sightings=tuple(sorted(others[key]))) for key, one in listed.items()]
