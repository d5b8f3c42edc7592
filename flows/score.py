"""Accuracy of a processed store-day against a truth folder: one flat dictionary of numbers.

The truth folder holds positions, boxes, visits, footfall and people as Parquet (synthetic_store's format: times in
UTC microseconds, metres, pixels). What is scored are the lake's tables, so it does not matter how they were made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flows.lake import Lake
from flows.schemas import empty
from flows.score_boxes import BOX, LEAST_HEIGHT_PX, LEAST_IOU, LEAST_VISIBLE, align, detection_scores, match_boxes
from flows.score_boxes import tracking_scores as tracking
from flows.score_counts import (
    CROSSING_REACH_US,
    LEAST_VISIT_IOU,
    REACH_M,
    SECOND_US,
    SHORTEST_VISIT_S,
    floor_points,
    footfall_scores,
    ground_scores,
    occupancy_scores,
    people_scores,
    staff_scores,
    visit_scores,
)
from flows.score_groups import group_scores
from flows.trajectories import trajectories

TABLES = ("positions", "identities", "visits", "footfall", "zone_counts")
TRUTH = ("positions", "boxes", "visits", "footfall", "people")
POSITIONS = ["camera", "track_id", "time_us", *BOX, "score", "x_m", "y_m"]
TIMES = {"time": "time_us", "enter": "enter_us", "exit": "exit_us", "bucket_start": "bucket_start_us"}
DOORWAY_REACH_US = 3_000_000
FEET_SEEN_SHARE = 0.9

PROTOCOL = (
    "boxes: the whole picture at any distance, truth at least {visible:.0%} visible and {height:g} px high, others "
    "neither hit nor miss, IoU {iou:g}, sampled at {fps:g} frames/s; ids: TrackEval HOTA/Identity, a picture a step, "
    "one id over all cameras; ground: the whole floor ({area}), fused points one to one within {reach:g} m of everyone "
    "inside, seen or hidden, sampled alike; duplicates: a second point on a person who has one, counted against "
    "ground_precision; people: different ids of everyone inside, seen or hidden; occupancy, dwell: by zone and "
    "{bucket:g} s bucket, everyone inside; visits: same zone, overlap in time {visit:g}, from {shortest:g} s; "
    "footfall: crossings, matched within {crossing:g} s; groups: pairs of people in one party"
)


class TruthError(ValueError):
    """The truth folder, or the tables held against it, cannot be used; the message says what to do."""


def read_truth(folder: str | Path) -> dict[str, pd.DataFrame]:
    """The truth tables of a folder. Raises TruthError naming every missing file."""
    folder = Path(folder)
    missing = [f"{name}.parquet" for name in TRUTH if not (folder / f"{name}.parquet").is_file()]
    if missing:
        raise TruthError(f"{folder} lacks {', '.join(missing)}; give the truth/ folder of a rendered store")
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in TRUTH}


def score(tables: Mapping[str, pd.DataFrame], truth_dir: str | Path) -> dict[str, Any]:
    """Score the lake's tables of one store-day against truth.

    tables: positions, identities, visits, footfall, zone_counts with the lake's columns (times as timestamps or as
    `*_us` int64); optionally `groups`, `runs` (adds seconds by stage) and `trajectories` (person_id, time_us, x, y: the
    fused places; without it they are the mean over the cameras of `positions`).
    Returns floats, ints, strings and None (where the truth has nothing to measure), keys as in `PROTOCOL`; the
    per-camera and per-zone keys end with the camera's or zone's name.
    Raises TruthError for a missing table, column or truth file, or where times do not overlap.
    """
    truth = read_truth(truth_dir)
    missing = [name for name in TABLES if name not in tables]
    if missing:
        raise TruthError(f"tables {', '.join(missing)} are missing; process the store-day before scoring it")
    found = {name: microseconds(table) for name, table in tables.items()}
    boxes = truth["boxes"].merge(truth["people"][["person_id", "age_group", "role"]], on="person_id", how="left")
    frame_us = int(np.median(np.diff(np.unique(boxes["time_us"]))))
    window = (int(boxes["time_us"].min()), int(boxes["time_us"].max()) + frame_us)

    named = found["identities"][["camera", "track_id", "person_id"]]
    positions = found["positions"][POSITIONS].merge(named, on=["camera", "track_id"], how="left")
    positions["person_id"] = positions["person_id"].fillna(-1).astype(np.int64)
    inside = positions["time_us"].between(*window)
    if len(positions) and not inside.any():
        raise TruthError("no position lies in the truth's time span; is this the right day, and the clock UTC?")
    unknown = sorted(set(positions["camera"]) - set(boxes["camera"]))
    if unknown:
        raise TruthError(f"truth knows no camera {', '.join(unknown)}; name the cameras as the truth does")
    positions, boxes, off_grid = align(positions[inside], boxes)
    matched, boxes = match_boxes(positions, boxes)

    result: dict[str, Any] = detection_scores(matched, boxes)
    result["rows_without_truth_frame"] = off_grid
    result |= _identities(matched, boxes)
    result |= _floor(matched, boxes, truth, found.get("trajectories"))
    result |= people_scores(found["identities"], truth["positions"])
    result |= footfall_scores(found["footfall"], truth["footfall"])
    result |= occupancy_scores(found["zone_counts"], truth["visits"], window)
    result |= visit_scores(found["visits"], truth["visits"])
    result |= staff_scores(matched, _roles(found), truth["people"])
    if "groups" in found:
        inside = truth["positions"]["person_id"]
        result |= group_scores(found["groups"], matched, truth["people"], inside)
    if "runs" in found and len(found["runs"]):
        result |= _speed(found["runs"])
    result["protocol"] = _protocol(boxes, found["zone_counts"], truth["positions"])
    return result


def score_lake(lake: str, store: str, truth_dir: str | Path, day: date | None = None) -> dict[str, Any]:
    """Score a store-day of a lake; without a day, the only one that the lake has of the store.

    Raises TruthError where there is no such day, or more than one to choose from.
    """
    days = [found.date for found in Lake(lake).days([store])]
    if day is None and len(days) > 1:
        raise TruthError(f"{lake} has {len(days)} days of {store}; say which with --date, for example {days[-1]}")
    if not days or (day is not None and day not in days):
        raise TruthError(f"{lake} has no day {day or ''} of {store}; process it first, with aisleflow run")
    read = Lake(lake).read_day(store, day or days[0], [*TABLES, "groups", "runs"])
    if "footfall" not in read:
        read["footfall"] = empty("footfall")
    tables = {name: table.to_pandas() for name, table in read.items()}
    return score(tables | {"trajectories": _paths(tables)}, truth_dir)


def _paths(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The people's fused paths, as counted but for the places' uncertainties, which the lake does not keep."""
    places = microseconds(tables["positions"]).rename(columns={"x_m": "x", "y_m": "y"})
    calibrated = sorted(places["camera"][places["x"].notna()].unique())
    steps = np.diff(np.unique(places["time_us"]))
    step_s = float(np.median(steps)) / SECOND_US if len(steps) else 0.2
    return trajectories(places, tables["identities"], calibrated=calibrated, step_s=step_s)


def microseconds(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its timestamp columns renamed to `*_us` and turned into int64 microseconds since the epoch."""
    table = table.rename(columns={old: new for old, new in TIMES.items() if old in table and new not in table})
    for name in TIMES.values():
        if name in table and not pd.api.types.is_integer_dtype(table[name]):
            times = pd.to_datetime(table[name], utc=True).dt.as_unit("us")
            table[name] = times.astype("int64")
    return table


def _roles(found: Mapping[str, pd.DataFrame]) -> dict[int, str]:
    """Role by person_id, from visits and, where given, trajectories (which also know who visited no zone)."""
    tables = [found[name] for name in ("trajectories", "visits") if "role" in found.get(name, ())]
    return {int(person): str(role) for t in tables for person, role in zip(t["person_id"], t["role"], strict=True)}


def _identities(matched: pd.DataFrame, boxes: pd.DataFrame) -> dict[str, Any]:
    """Over all cameras with the people's ids; by camera the same, and with the camera's own track ids."""
    result: dict[str, Any] = dict(tracking(matched, boxes, "person_id"))
    local: list[float] = []
    for camera, wanted in boxes.groupby("camera", sort=True):
        given = matched[matched["camera"] == camera]
        scores, tracks = tracking(given, wanted, "person_id"), tracking(given, wanted, "track_id")
        for name in ("hota", "assa", "idf1"):
            result[f"{name}_{camera}"] = scores[name]
            result[f"tracks_{name}_{camera}"] = tracks[name]
        if tracks["idf1"] is not None:
            local.append(tracks["idf1"])
    result["tracks_idf1"] = float(np.mean(local)) if local else None
    return result


def _floor(
    matched: pd.DataFrame, boxes: pd.DataFrame, truth: Mapping[str, pd.DataFrame], paths: pd.DataFrame | None
) -> dict[str, Any]:
    """Points on the floor, and how far single boxes' places are off, feet seen and hidden apart."""
    times = np.unique(boxes["time_us"])
    if paths is None:
        points = floor_points(matched)
    else:
        on_floor = paths["plane"].eq("floor") if "plane" in paths else slice(None)
        points = paths[on_floor].rename(columns={"x": "x_m", "y": "y_m"})
        points = points[["person_id", "time_us", "x_m", "y_m"]]
    places = truth["positions"].rename(columns={"x_m": "true_x", "y_m": "true_y"})
    result = ground_scores(_mark_doorway(points, matched, places), truth["positions"], times)

    hits = matched[matched["hit"] >= 0].merge(
        boxes[["camera", "time_us", "person_id", "y1", "y2", "height_px"]].rename(
            columns={"person_id": "hit", "y1": "true_y1", "y2": "true_y2"}
        ),
        on=["camera", "time_us", "hit"],
    )
    hits = hits.merge(places, left_on=["hit", "time_us"], right_on=["person_id", "time_us"], suffixes=("", "_place"))
    off = pd.Series(np.hypot(hits["x_m"] - hits["true_x"], hits["y_m"] - hits["true_y"]), index=hits.index)
    seen = (hits["true_y2"] - hits["true_y1"]) >= FEET_SEEN_SHARE * hits["height_px"]
    for name, chosen in (("feet_seen", off[seen].dropna()), ("feet_hidden", off[~seen].dropna())):
        result[f"place_error_{name}_median_m"] = float(chosen.median()) if len(chosen) else None
        result[f"place_error_{name}_p90_m"] = float(chosen.quantile(0.9)) if len(chosen) else None
    return result


def _mark_doorway(points: pd.DataFrame, matched: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """Mark points of people who stand in the doorway: the truth has boxes but no place for them."""
    who = matched.loc[(matched["hit"] >= 0) & (matched["person_id"] > 0), ["person_id", "time_us", "hit"]]
    who = who.drop_duplicates(["person_id", "time_us"]).sort_values("time_us", kind="stable")
    points = points.astype({"person_id": "int64", "time_us": "int64"}).sort_values("time_us", kind="stable")
    points = pd.merge_asof(points, who, on="time_us", by="person_id", direction="nearest", tolerance=DOORWAY_REACH_US)
    known = pd.MultiIndex.from_frame(places[["person_id", "time_us"]].astype("int64"))
    here = pd.MultiIndex.from_arrays([points["hit"].fillna(-1).astype("int64"), points["time_us"].astype("int64")])
    points["ignored"] = points["hit"].notna().to_numpy() & ~here.isin(known)
    return points


def _speed(runs: pd.DataFrame) -> dict[str, Any]:
    """Wall seconds by stage and video seconds a wall second, of the day's last run."""
    run = runs.sort_values("finished").iloc[-1]
    stages = dict(run["stage_seconds"]) if "stage_seconds" in run else {}
    result: dict[str, Any] = {f"seconds_{name}": float(seconds) for name, seconds in sorted(stages.items())}
    wall = (pd.Timestamp(run["finished"]) - pd.Timestamp(run["started"])).total_seconds()
    video = sum(float(camera["seconds_seen"]) for camera in run["cameras"])
    return result | {"seconds_total": wall, "video_seconds_per_second": video / wall if wall > 0 else None}


def _protocol(boxes: pd.DataFrame, zone_counts: pd.DataFrame, places: pd.DataFrame) -> str:
    width, depth = (float(np.ptp(places[name])) if len(places) else 0.0 for name in ("x_m", "y_m"))
    period = float(np.median(np.diff(np.unique(boxes["time_us"])))) / SECOND_US
    bucket = float(zone_counts["bucket_s"].iloc[0]) if len(zone_counts) else 0.0
    return PROTOCOL.format(
        area=f"{width:.1f} x {depth:.1f} m that people walk on",
        visible=LEAST_VISIBLE, height=LEAST_HEIGHT_PX, iou=LEAST_IOU, fps=round(1 / period, 3), reach=REACH_M,
        bucket=bucket, visit=LEAST_VISIT_IOU, shortest=SHORTEST_VISIT_S, crossing=CROSSING_REACH_US / SECOND_US,
    )  # fmt: skip
