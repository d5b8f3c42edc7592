"""Boxes and track ids against truth: detection recall and precision, HOTA, AssA and IDF1.

What counts: truth boxes at least 40 px high of which at least 30 % is visible. The others are ignored: a detection at
least half inside an ignored person's box is neither a hit nor a false alarm. Matching for detection is one to one at
IoU 0.5, best score first; a second box on one person is a false alarm. HOTA, AssA and IDF1 are TrackEval's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from trackeval.metrics import HOTA, Identity

LEAST_VISIBLE = 0.3
LEAST_HEIGHT_PX = 40.0
LEAST_IOU = 0.5
HEIGHTS_PX = (40, 80, 160)
FALSE_ALARM, IGNORED = -1, -2
BOX = ["x1", "y1", "x2", "y2"]


def intersections(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Areas shared by boxes (N, 4) and (M, 4), xyxy pixels: float (N, M)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.prod(np.clip(high - low, 0, None), axis=2)


def areas(boxes: np.ndarray) -> np.ndarray:
    return np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)


def intersection_over_union(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU of boxes (N, 4) and (M, 4): float (N, M) in [0, 1]."""
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def match_frame(truth: np.ndarray, counted: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Which truth box each detection of one picture hits.

    truth: (N, 4) pixels; counted: bool (N,); boxes: (M, 4); scores: (M,).
    Returns int (M,): row of `truth`, FALSE_ALARM or IGNORED.
    """
    hit = np.full(len(boxes), FALSE_ALARM)
    if not len(truth) or not len(boxes):
        return hit
    overlap = intersection_over_union(boxes, truth) * counted[None, :]
    free = counted.copy()
    for row in np.argsort(-scores, kind="stable"):
        candidates = np.where(free, overlap[row], 0.0)
        best = int(candidates.argmax())
        if candidates[best] >= LEAST_IOU:
            hit[row], free[best] = best, False
    if (~counted).any():
        inside = (intersections(boxes, truth[~counted]) / np.maximum(areas(boxes), 1e-9)[:, None]).max(axis=1)
        hit[(hit == FALSE_ALARM) & (inside >= 0.5)] = IGNORED
    return hit


def sampled_frames(times_us: np.ndarray, period_us: int) -> np.ndarray:
    """The frames that sampling looks at: the first at or after each multiple of the period. Sorted int64."""
    times = np.unique(times_us)
    return times[np.unique(times // period_us, return_index=True)[1]]


def sampling_period(times_us: np.ndarray, frame_us: int) -> int:
    """Most common distance between sampled times, microseconds, at least one frame of the truth."""
    steps = np.diff(np.unique(times_us))
    if not len(steps):
        return frame_us
    values, counts = np.unique(np.round(steps / frame_us).astype(np.int64), return_counts=True)
    return max(1, int(values[counts.argmax()])) * frame_us


def align(positions: pd.DataFrame, truth: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Bring detections and truth onto the frames that were looked at.

    positions: camera, time_us, ...; truth: the boxes table. Returns detections with time_us snapped to truth frames
    (within half a frame; others are dropped), truth rows of the sampled frames, and how many detections were dropped.
    """
    frame_us = int(np.median(np.diff(np.unique(truth["time_us"]))))
    kept, wanted, lost = [], [], 0
    for camera, boxes in truth.groupby("camera", sort=True):
        found = positions[positions["camera"] == camera]
        all_times = np.unique(truth["time_us"])
        frames = sampled_frames(all_times, sampling_period(found["time_us"].to_numpy(), frame_us))
        wanted.append(boxes[boxes["time_us"].isin(frames)])
        times = found["time_us"].to_numpy()
        nearest = frames[np.clip(np.searchsorted(frames, times - frame_us // 2), 0, len(frames) - 1)]
        near = np.abs(nearest - times) <= frame_us // 2 + 1
        lost += int((~near).sum())
        kept.append(found.assign(time_us=nearest)[near])
    return pd.concat(kept, ignore_index=True), pd.concat(wanted, ignore_index=True), lost


def match_boxes(positions: pd.DataFrame, truth: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Match every picture. Returns positions with `hit` (person_id of truth, FALSE_ALARM, IGNORED) and truth with
    `counted` and `found`."""
    truth = truth.reset_index(drop=True)
    positions = positions.reset_index(drop=True)
    high = (truth["y2"] - truth["y1"]).to_numpy()
    truth["counted"] = (truth["visible_fraction"].to_numpy() >= LEAST_VISIBLE) & (high >= LEAST_HEIGHT_PX)
    hit = np.full(len(positions), FALSE_ALARM)
    found = np.zeros(len(truth), bool)
    truth_boxes, counted = truth[BOX].to_numpy(float), truth["counted"].to_numpy()
    boxes, scores = positions[BOX].to_numpy(float), positions["score"].to_numpy(float)
    people = truth["person_id"].to_numpy()
    for wanted, given in _pictures(truth, positions):
        rows = match_frame(truth_boxes[wanted], counted[wanted], boxes[given], scores[given])
        hits = rows >= 0
        found[wanted[rows[hits]]] = True
        rows[hits] = people[wanted[rows[hits]]]
        hit[given] = rows
    return positions.assign(hit=hit), truth.assign(found=found)


def _pictures(truth: pd.DataFrame, positions: pd.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Row numbers of truth and of detections for every (camera, time), in order."""
    wanted = rows_by(truth, ["camera", "time_us"])
    given = rows_by(positions, ["camera", "time_us"])
    none = np.zeros(0, np.int64)
    for key in sorted(wanted.keys() | given.keys()):
        yield wanted.get(key, none), given.get(key, none)


def rows_by(table: pd.DataFrame, columns: str | list[str]) -> dict[Any, np.ndarray]:
    """Row numbers by the columns' values."""
    return {key: np.asarray(rows) for key, rows in table.groupby(columns).indices.items()}


def detection_scores(matched: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Any]:
    """Recall and precision at IoU 0.5, recall also by height of the truth box in pixels and for children."""
    counted = truth[truth["counted"]]
    judged = matched[matched["hit"] != IGNORED]
    result: dict[str, Any] = {"recall": _mean(counted["found"]), "precision": _mean(judged["hit"] >= 0)}
    for frame, column, name in ((counted, "found", "recall"), (judged, "hit", "precision")):
        high = (frame["y2"] - frame["y1"]).to_numpy()
        for low, top in zip(HEIGHTS_PX, (*HEIGHTS_PX[1:], np.inf), strict=True):
            label = f"{name}_{low}_{int(top)}px" if np.isfinite(top) else f"{name}_over_{low}px"
            chosen = frame[column][(high >= low) & (high < top)]
            result[label] = _mean(chosen if name == "recall" else chosen >= 0)
    if "age_group" in counted:
        result["recall_children"] = _mean(counted["found"][counted["age_group"] == "child"])
    return result


def tracking_scores(matched: pd.DataFrame, truth: pd.DataFrame, ids: str) -> dict[str, float | None]:
    """HOTA, AssA, DetA, IDF1 of the ids in column `ids` over all the pictures given.

    Each picture (camera, time) is a step of its own, so one id over several cameras has to stay one id. Rows with a
    negative id are no track and left out; so are detections of ignored people.
    """
    truth = truth[truth["counted"]].reset_index(drop=True)
    given = matched[(matched["hit"] != IGNORED) & (matched[ids] >= 0)].reset_index(drop=True)
    true_boxes, boxes = truth[BOX].to_numpy(float), given[BOX].to_numpy(float)
    steps = [
        (wanted, found, intersection_over_union(true_boxes[wanted], boxes[found]))
        for wanted, found in _pictures(truth, given)
    ]
    return trackeval_scores(truth["person_id"].to_numpy(), given[ids].to_numpy(), steps)


def trackeval_scores(
    true_ids: np.ndarray, ids: np.ndarray, steps: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> dict[str, float | None]:
    """TrackEval's HOTA and Identity on steps of (rows of truth, rows of detections, similarity (n, m))."""
    if not len(true_ids):
        return dict.fromkeys(("hota", "assa", "deta", "idf1", "idp", "idr"))
    true_names, true_codes = np.unique(true_ids, return_inverse=True)
    names, codes = np.unique(ids, return_inverse=True)
    data = {
        "num_gt_ids": len(true_names),
        "num_tracker_ids": len(names),
        "num_gt_dets": len(true_ids),
        "num_tracker_dets": len(ids),
        "gt_ids": [true_codes[wanted] for wanted, _, _ in steps],
        "tracker_ids": [codes[found] for _, found, _ in steps],
        "similarity_scores": [similarity for _, _, similarity in steps],
    }
    hota = HOTA().eval_sequence(data)
    identity = Identity({"PRINT_CONFIG": False}).eval_sequence(data)
    return {
        "hota": float(np.mean(hota["HOTA"])),
        "assa": float(np.mean(hota["AssA"])),
        "deta": float(np.mean(hota["DetA"])),
        "idf1": float(identity["IDF1"]),
        "idp": float(identity["IDP"]),
        "idr": float(identity["IDR"]),
    }


def _mean(values: pd.Series) -> float | None:
    return float(values.mean()) if len(values) else None
