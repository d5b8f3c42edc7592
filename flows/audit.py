"""Audit: random quarter-hours, counted by a person from the recording, held against what the lake says.

A question asks for the people who crossed one entrance (in and out) in one recorded quarter-hour; in a store without
entrances, for those who came into and left one zone. Answers are single files that nobody replaces,
`_audits/store=ID/ANSWER.json` in the lake, outside of the days, so that a day that is processed again keeps them, and
is held against them anew.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd

from detection.zones import points_in_polygon
from flows.config import StoreConfig
from flows.lake import Lake
from flows.lake_layout import checked_store
from flows.observation import missing_spans, seen_points
from flows.places import SECOND_US, microseconds

QUARTER_US = 900 * SECOND_US
LEAST_S = 30
RESAMPLES, LEVEL = 4000, 0.95


class AuditError(ValueError):
    """There is nothing to audit; the message says why, and what to do."""


@dataclass(frozen=True)
class Question:
    """What a person is to count: who crossed `target` (an entrance, else a zone) from `start_us` to `end_us`, UTC
    microseconds, as `camera` shows it. `day` is the store's."""

    store: str
    day: date
    start_us: int
    end_us: int
    camera: str
    kind: str
    target: str

    @property
    def key(self) -> str:
        """The same for the same quarter-hour and target, whenever it is asked."""
        return f"{self.day}_{self.start_us}_{self.target}"


@dataclass(frozen=True)
class Answer:
    """What a person counted: ways in and out. `by`: who; `at`: when, UTC, ISO 8601."""

    question: Question
    counted_in: int
    counted_out: int
    by: str
    at: str
    note: str = ""


@dataclass(frozen=True)
class Accuracy:
    """How far the lake's counts can be trusted, over the quarter-hours that were counted by a person.

    `accuracy`: 1 - (sum of |counted by the lake - by the person|) / (sum by the person), ways in and out apart, so that
    errors in different quarter-hours do not cancel out; `low` and `high` its 95 % interval, by resampling whole
    quarter-hours (percentile bootstrap, Efron 1979). `ratio`: all that the lake counted over all that the person did,
    with its interval: above 1 the lake counts too many. None where the person counted nobody at all; the interval is
    None with fewer than three quarter-hours.
    """

    quarters: int
    people: int
    accuracy: float | None
    low: float | None
    high: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None


def questions(
    config: StoreConfig, lake: Lake, *, first: date | None = None, last: date | None = None, seed: int = 0
) -> Iterator[Question]:
    """Quarter-hours in random order, every recorded one of opening hours as likely as any other, each with a random
    target; the same seed and days give the same order. Raises AuditError where the lake has no day of the store."""
    days = [
        one.date
        for one in lake.days([config.id])
        if (first is None or first <= one.date) and (last is None or one.date <= last)
    ]
    if not days:
        raise AuditError(f"{lake.root} has no day of {config.id} in that span; process one first, with aisleflow run")
    targets = _targets(config)
    if not targets:
        raise AuditError(f"{config.id} has neither an entrance nor a zone to count at; draw one on Set up")
    open_quarters = [(day, start, end) for day in days for start, end in _quarters(config, day)]
    random = np.random.default_rng([seed, len(open_quarters)])
    seen: dict[date, dict[str, list[tuple[int, int]]]] = {}
    for number in random.permutation(len(open_quarters)):
        day, start, end = open_quarters[number]
        if day not in seen:
            seen[day] = _recorded(config, lake, day)
        kind, target, camera = targets[int(random.integers(len(targets)))]
        for a, b in _within(seen[day].get(camera, []), start, end):
            if b - a >= LEAST_S * SECOND_US:
                yield Question(config.id, day, a, b, camera, kind, target)
                break


def _targets(config: StoreConfig) -> list[tuple[str, str, str]]:
    """(kind, id, camera that sees it best) of all entrances, else of all zones; those that no camera sees left out."""
    gates = [("entrance", gate.id, gate.camera, np.array(gate.line)) for gate in config.entrances]
    places = gates or [("zone", zone.id, zone.camera, np.array(zone.polygon)) for zone in config.zones]
    found = []
    for kind, name, owner, points in places:
        camera = owner or _best_camera(config, points)
        if camera:
            found.append((kind, name, camera))
    return found


def _best_camera(config: StoreConfig, points: np.ndarray) -> str | None:
    """The calibrated camera whose picture holds most of a line or polygon in floor metres."""
    calibrations = {c.id: c.floor_calibration for c in config.cameras if c.floor_calibration is not None}
    if len(points) == 2:
        along = np.linspace(0, 1, 21)[:, None]
        spots = points[0] + along * (points[1] - points[0])
        shares = {}
        for camera, calibration in calibrations.items():
            width, height = calibration.image_size
            corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
            pixels = calibration.to_pixels(spots)
            inside = np.isfinite(pixels).all(axis=1)
            inside[inside] = points_in_polygon(pixels[inside], corners)
            shares[camera] = float(inside.mean())
    else:
        shares = {camera: float(own.mean()) for camera, own in seen_points(points, calibrations).items()}
    best = max(shares, key=lambda camera: shares[camera], default=None)
    return best if best is not None and shares[best] > 0 else None


def _quarters(config: StoreConfig, day: date) -> Iterator[tuple[int, int]]:
    for start, end in config.open_windows(day):
        for at in range(start, end, QUARTER_US):
            yield at, min(at + QUARTER_US, end)


def _recorded(config: StoreConfig, lake: Lake, day: date) -> dict[str, list[tuple[int, int]]]:
    """By camera the spans of the day in which it had pictures; none for a simulated day."""
    tables = lake.read_day(config.id, day, ["runs"])
    runs = tables["runs"].to_pylist() if "runs" in tables else []
    if not runs or runs[-1]["simulated"]:
        return {}
    spans = {}
    for camera in runs[-1]["cameras"]:
        gaps = [tuple(round(gap[edge].timestamp() * SECOND_US) for edge in ("start", "end")) for gap in camera["gaps"]]
        spans[camera["camera"]] = missing_spans(config.open_windows(day), gaps)  # what no gap covers
    return spans


def _within(spans: Sequence[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    for a, b in spans:
        if max(a, start) < min(b, end):
            yield max(a, start), min(b, end)


def counted_by_lake(lake: Lake, question: Question) -> tuple[int, int]:
    """Ways in and out that the lake has of a question, everybody counted: who is staff can't be told from a picture."""
    if question.kind == "entrance":
        rows = lake.read("footfall", [question.store], [question.day]).to_pandas()
        rows = rows[rows["entrance"] == question.target]
        inside = _between(rows["time"], question)
        directions = rows["direction"][inside]
        return int((directions == "in").sum()), int((directions == "out").sum())
    rows = lake.read("visits", [question.store], [question.day]).to_pandas()
    rows = rows[rows["zone"] == question.target]
    return int(_between(rows["enter"], question).sum()), int(_between(rows["exit"], question).sum())


def _between(times: pd.Series, question: Question) -> np.ndarray:
    moments = microseconds(times)
    return (moments >= question.start_us) & (moments < question.end_us)


def save_answer(
    lake: Lake, question: Question, counted_in: int, counted_out: int, *, by: str, note: str = ""
) -> Answer:
    """Store an answer in the lake. Raises AuditError for a count below zero."""
    if counted_in < 0 or counted_out < 0:
        raise AuditError("a count is 0 or more")
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    answer = Answer(question, counted_in, counted_out, by.strip() or "unnamed", at, note.strip())
    content = asdict(answer)
    content["question"]["day"] = question.day.isoformat()
    path = f"_audits/store={checked_store(question.store)}/{question.key}_{uuid.uuid4().hex[:12]}.json"
    lake.files.put(path, json.dumps(content, indent=1).encode())
    return answer


def answers(lake: Lake, store: str) -> list[Answer]:
    """All answers of a store, oldest first."""
    folder = f"_audits/store={checked_store(store)}"
    found = []
    for name in lake.files.names(folder):
        if name.endswith(".json") and not name.startswith("."):
            content = json.loads(lake.files.get(f"{folder}/{name}"))
            asked: dict[str, Any] = content.pop("question")
            question = Question(**(asked | {"day": date.fromisoformat(asked["day"])}))
            found.append(Answer(question, **content))
    return sorted(found, key=lambda answer: (answer.at, answer.question.key))


def audited(lake: Lake, store: str) -> pd.DataFrame:
    """A row an answer, beside what the lake says now: day, start, seconds, camera, kind, target, counted_in,
    counted_out, lake_in, lake_out, by, at, note. Answers of days that the lake has no longer are left out; of two
    answers to one question the later one counts."""
    days = {one.date for one in lake.days([store])}
    latest = {answer.question.key: answer for answer in answers(lake, store) if answer.question.day in days}
    rows = []
    for answer in latest.values():
        asked = answer.question
        lake_in, lake_out = counted_by_lake(lake, asked)
        start = pd.Timestamp(asked.start_us, unit="us", tz="UTC")
        seconds = (asked.end_us - asked.start_us) / SECOND_US
        counts = (answer.counted_in, answer.counted_out, lake_in, lake_out)
        where = (asked.day, start, seconds, asked.camera, asked.kind, asked.target)
        rows.append((*where, *counts, answer.by, answer.at, answer.note))
    names = "day start seconds camera kind target counted_in counted_out lake_in lake_out by at note".split()
    return pd.DataFrame(rows, columns=names)


def accuracy(rows: pd.DataFrame, seed: int = 0) -> Accuracy:
    """Accuracy over answers (rows of `audited`)."""
    person = rows[["counted_in", "counted_out"]].to_numpy(float)
    system = rows[["lake_in", "lake_out"]].to_numpy(float)
    errors, people, counted = np.abs(system - person).sum(axis=1), person.sum(axis=1), system.sum(axis=1)
    if not people.sum():
        return Accuracy(len(rows), 0, *(None,) * 6)
    found = float(1 - errors.sum() / people.sum()), float(counted.sum() / people.sum())
    edges: list[tuple[float | None, float | None]] = [(None, None), (None, None)]
    if len(rows) >= 3:
        drawn = np.random.default_rng(seed).integers(len(rows), size=(RESAMPLES, len(rows)))
        totals = people[drawn].sum(axis=1)
        known = totals > 0
        tails = (1 - LEVEL) / 2, (1 + LEVEL) / 2
        for number, values in enumerate((1 - errors[drawn].sum(axis=1)[known] / totals[known],
                                         counted[drawn].sum(axis=1)[known] / totals[known])):  # fmt: skip
            low, high = np.quantile(values, tails)
            edges[number] = float(low), float(high)
    return Accuracy(len(rows), int(people.sum()), found[0], *edges[0], found[1], *edges[1])


def by_crowding(rows: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of the quieter and of the busier half of the quarter-hours, by what the person counted a minute: a good
    mean may hide a bad rush hour. Returns crowding, from, to (people a minute), and the fields of `Accuracy`."""
    if len(rows) < 2:
        return pd.DataFrame()
    rate = (rows["counted_in"] + rows["counted_out"]) / rows["seconds"] * 60
    order = np.argsort(rate.to_numpy(), kind="stable")
    halves = {"quiet": order[: len(order) // 2], "busy": order[len(order) // 2 :]}
    found = []
    for name, places in halves.items():
        own = rate.iloc[places]
        found.append({"crowding": name, "from": own.min(), "to": own.max()} | asdict(accuracy(rows.iloc[places])))
    return pd.DataFrame(found)
