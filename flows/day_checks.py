"""Checks of a processed day: what the lake's table `checks` says of how far its numbers can be trusted.

camera moved        metres by which the calibration misplaces what the camera sees, against its view of the day before
lens covered        share of the pictures looked at in opening hours that show next to nothing
clock of a camera   seconds by which a camera that sees the same floor as another runs behind it
clock of the store  hours by which the day's course is shifted against that of the days before
coverage            share of the opening hours that a camera saw
tracks cut off      share of a camera's tracks that the video cut off
people cut off      share of shoppers who appear or vanish on the floor, away from every entrance
unsure identities   share of tracks joined to a person with a confidence under 0.5
occupancy apart     people by which occupancy from crossings and from places differ, mean over quarter-hours
unusual footfall    footfall over the usual of this weekday (`flows.unusual`)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from detection.zones import distance_to_segment
from flows.camera_views import CameraLook, blind_times, floor_shift, views_before
from flows.clock_checks import camera_lags, course_shift_h
from flows.config import StoreConfig
from flows.lake import Lake
from flows.occupancy import occupancy_by_crossings, occupancy_by_places, occupancy_disagreement
from flows.places import FLOOR, microseconds
from flows.unusual import LOW_COVERAGE, unusual_days

MOVED_M = 0.15
COVERED = 0.05
LAG_S = 2.0
SHIFT_H = 0.75
CUT_OFF, PEOPLE_CUT_OFF, UNSURE = 0.2, 0.5, 0.2
UNSURE_BELOW = 0.5
DOOR_M = 2.0
APART, APART_LEAST = 0.25, 1.0
QUARTER_S = 900
DAYS_BEFORE = 28

Tables = Mapping[str, pa.Table]


@dataclass(frozen=True)
class Check:
    """One row of `checks`. `camera` None: the whole store."""

    check: str
    value: float | None
    limit: float | None
    unit: str
    wrong: bool
    said: str
    camera: str | None = None


def day_checks(config: StoreConfig, day: date, tables: Tables, looks: Sequence[CameraLook], lake: Lake) -> pd.DataFrame:
    """All checks of a day whose tables are ready to be written: rows of the lake's table `checks`.

    What can't be measured (no day before, no entrance, no calibration) has no row, or one that says so.
    """
    found = [
        *_cameras(config, day, looks, lake),
        *_coverage(tables),
        *_cut_off(tables),
        *_people_cut_off(config, tables),
        *_unsure(tables),
        *_occupancy_apart(config, day, tables),
        *_clocks(config, day, tables, lake),
        *_unusual(config, day, tables, lake),
    ]
    return pd.DataFrame([vars(check) for check in found], columns=list(Check.__dataclass_fields__))


def _cameras(config: StoreConfig, day: date, looks: Sequence[CameraLook], lake: Lake) -> Iterator[Check]:
    before = views_before(lake, config.id, day)
    cameras = {camera.id: camera for camera in config.cameras}
    for look in looks:
        view, earlier = look.view, before.get(look.camera)
        if view is None:
            continue
        blind = blind_times(look, earlier[1].sharpness if earlier else None)
        share = len(blind) / len(look.times_us)
        said = "shows what it should"
        if share > COVERED:
            first, last = (f"{datetime.fromtimestamp(t / 1e6, config.zone_info):%H:%M}" for t in (blind[0], blind[-1]))
            said = f"{share:.0%} of the pictures show next to nothing, {first} to {last}: is the lens covered or dirty?"
        yield Check("lens covered", share, COVERED, "share", share > COVERED, said, look.camera)
        calibration = cameras[look.camera].floor_calibration
        if earlier is None or calibration is None or share > 0.5:
            continue
        shift = floor_shift(earlier[1], view, calibration, config)
        wrong = shift is None or shift > MOVED_M
        if shift is None:
            said = f"looks at something else than on {earlier[0]}: calibrate it anew"
        elif wrong:
            said = f"moved since {earlier[0]}: places are {shift:.2f} m off. Turn it back, or calibrate it anew"
        else:
            said = f"as on {earlier[0]}, to {shift:.2f} m"
        yield Check("camera moved", shift, MOVED_M, "m", wrong, said, look.camera)


def _coverage(tables: Tables) -> Iterator[Check]:
    for camera in tables["runs"].to_pylist()[-1]["cameras"]:
        if camera["seconds_expected"]:
            share = 1 - min(camera["seconds_missing"] / camera["seconds_expected"], 1.0)
            gaps = len(camera["gaps"])
            said = f"saw {share:.1%} of the opening hours, {gaps} gap{'s' * (gaps != 1)}"
            yield Check("coverage", share, LOW_COVERAGE, "share", share < LOW_COVERAGE, said, camera["camera"])


def _cut_off(tables: Tables) -> Iterator[Check]:
    if "tracklets" not in tables:
        return
    frame = tables["tracklets"].select(["camera", "truncated_start", "truncated_end"]).to_pandas()
    for camera, own in frame.groupby("camera"):
        share = float((own["truncated_start"] | own["truncated_end"]).mean())
        said = f"{share:.1%} of {len(own):,} tracks begin or end where the video does"
        yield Check("tracks cut off", share, CUT_OFF, "share", share > CUT_OFF, said, str(camera))


def _people_cut_off(config: StoreConfig, tables: Tables) -> Iterator[Check]:
    doors = [gate.line for gate in config.entrances if gate.camera is None]
    places = _places(tables)
    if not doors or places is None or places.empty:
        return
    ends = places.groupby("person_id").agg(
        first=("time_us", "min"), last=("time_us", "max"), x1=("x", "first"), y1=("y", "first"),
        x2=("x", "last"), y2=("y", "last"),
    )  # fmt: skip
    start_us, end_us = places["time_us"].min(), places["time_us"].max()
    there = _far_from(doors, ends[["x1", "y1"]].to_numpy()) & (ends["first"] > start_us + 5_000_000)
    gone = _far_from(doors, ends[["x2", "y2"]].to_numpy()) & (ends["last"] < end_us - 5_000_000)
    share = float((there | gone).mean())
    said = f"{share:.0%} of {len(ends):,} people appear or vanish more than {DOOR_M:g} m from every entrance"
    if share > PEOPLE_CUT_OFF:
        said += ": one shopper may count as several people"
    yield Check("people cut off", share, PEOPLE_CUT_OFF, "share", share > PEOPLE_CUT_OFF, said)


def _far_from(lines: Sequence[Sequence[tuple[float, float]]], points: np.ndarray) -> np.ndarray:
    """Which points (N, 2) lie farther than DOOR_M from every line."""
    return np.min([distance_to_segment(points, *np.array(line, float)) for line in lines], axis=0) > DOOR_M


def _unsure(tables: Tables) -> Iterator[Check]:
    if "identities" in tables and len(tables["identities"]):
        confidence = tables["identities"]["confidence"].to_numpy()
        share = float((confidence < UNSURE_BELOW).mean())
        said = f"{share:.1%} of {len(confidence):,} tracks are joined with a confidence under {UNSURE_BELOW}"
        yield Check("unsure identities", share, UNSURE, "share", share > UNSURE, said)


def _occupancy_apart(config: StoreConfig, day: date, tables: Tables) -> Iterator[Check]:
    places = _places(tables)
    if "footfall" not in tables or places is None or places.empty:
        return
    window = int(places["time_us"].min()), int(places["time_us"].max()) + 1
    counted = occupancy_by_crossings(tables["footfall"].to_pandas(), window)
    seen = occupancy_by_places(places, max_hidden_s=config.counting.max_hidden_s)
    both = occupancy_disagreement(counted, seen, window, QUARTER_S)
    apart, people = float(both["difference"].abs().mean()), float(both["by_places"].mean())
    limit = max(APART_LEAST, APART * people)
    said = f"people inside by crossings and by places differ by {apart:.1f} of {people:.1f} on average"
    yield Check("occupancy apart", apart, limit, "people", apart > limit, said)


def _places(tables: Tables) -> pd.DataFrame | None:
    """Where people were on the floor, one place a person and moment: person_id, role, plane, time_us, x, y."""
    if "positions" not in tables or "identities" not in tables:
        return None
    positions = tables["positions"].select(["camera", "track_id", "time", "x_m", "y_m"]).to_pandas()
    people = tables["identities"].select(["camera", "track_id", "person_id"]).to_pandas()
    joined = positions.dropna(subset=["x_m"]).merge(people, on=["camera", "track_id"])
    joined = joined.assign(time_us=microseconds(joined["time"])).sort_values(["person_id", "time_us"], kind="stable")
    joined = joined.drop_duplicates(["person_id", "time_us"])
    named = joined.rename(columns={"x_m": "x", "y_m": "y"})[["person_id", "time_us", "x", "y"]]
    return named.assign(role="shopper", plane=FLOOR)


def _clocks(config: StoreConfig, day: date, tables: Tables, lake: Lake) -> Iterator[Check]:
    if "positions" in tables:
        positions = tables["positions"].select(["camera", "time", "x_m", "y_m"]).to_pandas()
        for camera, other, lag_s in camera_lags(positions):
            wrong = abs(lag_s) >= LAG_S
            said = f"in step with {other}" if not wrong else (
                f"{abs(lag_s):.0f} s {'behind' if lag_s > 0 else 'ahead of'} {other}, as those tell who see the same "
                "floor: set the recorders' clocks"
            )  # fmt: skip
            yield Check("clock of a camera", lag_s, LAG_S, "s", wrong, said, camera)
    shift = course_shift_h(config, day, tables["zone_counts"], lake) if "zone_counts" in tables else None
    if shift is not None:
        wrong = abs(shift) >= SHIFT_H
        said = "the day runs as the days before" if not wrong else (
            f"the day runs as the days before, but {abs(shift):g} h {'later' if shift > 0 else 'earlier'}: is the "
            "recorder's clock, or its time zone, right?"
        )  # fmt: skip
        yield Check("clock of the store", shift, SHIFT_H, "h", wrong, said)


def _unusual(config: StoreConfig, day: date, tables: Tables, lake: Lake) -> Iterator[Check]:
    """The day's footfall among that of the same weekdays before, which the lake's manifests tell."""
    if "footfall" not in tables:
        return
    rows = []
    for weeks in range(1, DAYS_BEFORE // 7 + 1):
        manifest = lake.manifest(config.id, day - timedelta(weeks=weeks))
        own = manifest.numbers.get("shoppers") if manifest else None
        if own and own["seconds_expected"]:
            coverage = own["seconds_seen"] / own["seconds_expected"]
            rows.append((config.id, day - timedelta(weeks=weeks), own["footfall"], coverage))
    doors = tables["footfall"].to_pandas()
    entered = int(((doors["direction"] == "in") & (doors["role"] == "shopper")).sum())
    numbers = pd.DataFrame([*rows, (config.id, day, entered, 1.0)], columns=["store", "date", "footfall", "coverage"])
    marked = unusual_days(numbers.assign(date=pd.to_datetime(numbers["date"])))
    own_row = marked[marked["date"] == pd.Timestamp(day)]
    if len(own_row):
        change = float(own_row.iloc[0]["change"])
        said = f"{entered:,} came in, {own_row.iloc[0]['usual']:,.0f} are usual: {own_row.iloc[0]['why']}"
        yield Check("unusual footfall", change, None, "change", True, said)


def said_of(checks: pd.DataFrame) -> list[str]:
    """What looks wrong, a line each, for the run's problems."""
    wrong = checks[checks["wrong"].astype(bool)]
    owners = [f"{camera}: " if isinstance(camera, str) else "" for camera in wrong["camera"]]
    return [f"{owner}{row.check}: {row.said}" for owner, row in zip(owners, wrong.itertuples(), strict=True)]
