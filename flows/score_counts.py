"""Counts against truth: people, footfall, occupancy, dwell, visits, staff, and points on the floor.

All of them are held against everyone in the store, seen or hidden.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from flows.score_boxes import rows_by, trackeval_scores

REACH_M = 1.0
CROSSING_REACH_US = 3_000_000
SHORTEST_VISIT_S = 1.0
LEAST_VISIT_IOU = 0.5
SECOND_US = 1_000_000


def relative(found: float, true: float) -> float:
    """Signed relative error; against a truth of 0 the number found itself."""
    return float((found - true) / max(1.0, true))


def people_scores(identities: pd.DataFrame, truth_positions: pd.DataFrame) -> dict[str, Any]:
    """Unique people: identities of the day against everyone who was inside."""
    found = identities["person_id"][identities["person_id"] > 0].nunique()
    true = truth_positions["person_id"].nunique()
    error = relative(found, true)
    return {
        "unique_people": int(found),
        "unique_people_truth": int(true),
        "unique_people_error": abs(error),
        "people_over_count": error,
    }


def footfall_scores(footfall: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Any]:
    """Crossings in and out: relative errors of the totals, and crossings matched within 3 s."""
    result: dict[str, Any] = {}
    wrong = matched = 0
    for direction in ("in", "out"):
        found = np.sort(footfall["time_us"][footfall["direction"] == direction].to_numpy(np.int64))
        true = np.sort(truth["time_us"][truth["direction"] == direction].to_numpy(np.int64))
        result[f"footfall_{direction}"], result[f"footfall_{direction}_truth"] = len(found), len(true)
        result[f"footfall_{direction}_error"] = relative(len(found), len(true))
        wrong += abs(len(found) - len(true))
        cost = np.abs(found[:, None] - true[None, :])
        rows, columns = linear_sum_assignment(np.minimum(cost, CROSSING_REACH_US + 1))
        matched += int((cost[rows, columns] <= CROSSING_REACH_US).sum())
    true_total, total = len(truth), result["footfall_in"] + result["footfall_out"]
    result["footfall_error"] = wrong / max(1, true_total)
    result["footfall_recall"] = matched / true_total if true_total else None
    result["footfall_precision"] = matched / total if total else None
    return result


def seconds_within(visits: pd.DataFrame, start_us: np.ndarray, end_us: np.ndarray) -> np.ndarray:
    """Person-seconds that visits (enter_us, exit_us) spend in each [start, end): float (N,)."""
    enter, leave = visits["enter_us"].to_numpy(np.int64), visits["exit_us"].to_numpy(np.int64)
    shared = np.minimum(leave[None, :], end_us[:, None]) - np.maximum(enter[None, :], start_us[:, None])
    return np.clip(shared, 0, None).sum(axis=1) / SECOND_US


def occupancy_scores(zone_counts: pd.DataFrame, truth_visits: pd.DataFrame, window: tuple[int, int]) -> dict[str, Any]:
    """Mean occupancy and person-seconds by zone and bucket.

    zone_counts: zone, bucket_start_us, bucket_s, role_filter, occupancy_mean, dwell_s. Truth is the truth's visits cut
    to the same buckets and to `window`, so buckets need not start where the truth's do.
    """
    result: dict[str, Any] = {}
    for role_filter, suffix in (("all", ""), ("shoppers", "_shoppers")):
        counts = zone_counts[zone_counts["role_filter"] == role_filter]
        people = truth_visits if role_filter == "all" else truth_visits[truth_visits["role"] == "shopper"]
        compared = _compare_buckets(counts, people, window)
        truth_sum, dwell_sum = compared["true_mean"].sum(), compared["true_s"].sum()
        wrong = (compared["occupancy_mean"] - compared["true_mean"]).abs()
        result[f"occupancy_mae{suffix}"] = float(wrong.mean()) if len(compared) else None
        result[f"occupancy_wape{suffix}"] = float(wrong.sum() / truth_sum) if truth_sum else None
        missed = (compared["dwell_s"] - compared["true_s"]).abs()
        result[f"dwell_wape{suffix}"] = float(missed.sum() / dwell_sum) if dwell_sum else None
        if role_filter == "all":
            bias = (compared["occupancy_mean"] - compared["true_mean"]).sum()
            result["occupancy_bias"] = float(bias / truth_sum) if truth_sum else None
            for zone, rows in compared.groupby("zone", sort=True):
                total = rows["true_mean"].sum()
                result[f"occupancy_wape_{zone}"] = float(wrong[rows.index].sum() / total) if total else None
    return result


def _compare_buckets(counts: pd.DataFrame, visits: pd.DataFrame, window: tuple[int, int]) -> pd.DataFrame:
    """One row a zone and bucket that overlaps the window, found beside true; a bucket without a row counts as 0."""
    buckets = counts[["bucket_start_us", "bucket_s"]].drop_duplicates()
    if buckets.empty:
        buckets = pd.DataFrame({"bucket_start_us": [window[0]], "bucket_s": [(window[1] - window[0]) / SECOND_US]})
    starts = buckets["bucket_start_us"].to_numpy(np.int64)
    ends = np.minimum(starts + np.round(buckets["bucket_s"].to_numpy(float) * SECOND_US).astype(np.int64), window[1])
    begins = np.maximum(starts, window[0])
    chosen = ends > begins
    frames = []
    for zone in sorted(set(counts["zone"]) | set(visits["zone"])):
        true_s = seconds_within(visits[visits["zone"] == zone], begins[chosen], ends[chosen])
        seconds = (ends - begins)[chosen] / SECOND_US
        frames.append(
            pd.DataFrame(
                {
                    "zone": zone,
                    "bucket_start_us": starts[chosen],
                    "true_s": true_s,
                    "true_mean": true_s / seconds,
                }
            )
        )
    if not frames:
        return pd.DataFrame(columns=["zone", "bucket_start_us", "true_s", "true_mean", "occupancy_mean", "dwell_s"])
    found = counts[["zone", "bucket_start_us", "occupancy_mean", "dwell_s"]]
    merged = pd.concat(frames, ignore_index=True).merge(found, on=["zone", "bucket_start_us"], how="left")
    return merged.fillna({"occupancy_mean": 0.0, "dwell_s": 0.0})


def settle(visits: pd.DataFrame, hysteresis_s: float = SHORTEST_VISIT_S) -> pd.DataFrame:
    """Visits of one person and zone with a gap of less than the hysteresis are one visit.

    The truth cuts a path along a zone's border into many; a definition with hysteresis does not.
    """
    if visits.empty:
        return visits
    visits = visits.sort_values(["person_id", "zone", "enter_us"], kind="stable")
    same = (visits["person_id"] == visits["person_id"].shift()) & (visits["zone"] == visits["zone"].shift())
    near = visits["enter_us"] - visits["exit_us"].shift() < hysteresis_s * SECOND_US
    group = (~(same & near)).cumsum().rename("group")
    return visits.groupby(group).agg(
        person_id=("person_id", "first"), role=("role", "first"), zone=("zone", "first"),
        enter_us=("enter_us", "min"), exit_us=("exit_us", "max"),
    )  # fmt: skip


def visit_scores(visits: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Any]:
    """Visits recall and precision (same zone, overlap over union in time of at least 0.5, one to one).

    Visits shorter than the hysteresis are neither hit nor miss. Also the error of the mean dwell of a visit by zone,
    weighted with the true visits.
    """
    found, true = settle(visits), settle(truth)
    hits = counted_true = counted_found = 0
    wrong = total = 0.0
    least = SHORTEST_VISIT_S * SECOND_US
    for zone in sorted(set(found.get("zone", ())) | set(true.get("zone", ()))):
        given, wanted = found[found["zone"] == zone], true[true["zone"] == zone]
        a, b = given[["enter_us", "exit_us"]].to_numpy(np.int64), wanted[["enter_us", "exit_us"]].to_numpy(np.int64)
        shared = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
        lengths_a, lengths_b = a[:, 1] - a[:, 0], b[:, 1] - b[:, 0]
        overlap = np.clip(shared, 0, None) / np.maximum(lengths_a[:, None] + lengths_b[None, :] - shared, 1)
        rows, columns = linear_sum_assignment(-overlap)
        matched = overlap[rows, columns] >= LEAST_VISIT_IOU
        long_a, long_b = lengths_a >= least, lengths_b >= least
        hits_a, hits_b = np.zeros(len(a), bool), np.zeros(len(b), bool)
        hits_a[rows[matched]], hits_b[columns[matched]] = True, True
        hits += int((hits_b & long_b).sum())
        counted_true += int(long_b.sum())
        counted_found += int((long_a | hits_a).sum()) - int((hits_a[rows[matched]] & ~long_b[columns[matched]]).sum())
        if long_b.any():
            mean = lengths_a[long_a].mean() if long_a.any() else 0.0
            wrong += abs(mean - lengths_b[long_b].mean()) * long_b.sum()
            total += lengths_b[long_b].sum()
    return {
        "visits_recall": hits / counted_true if counted_true else None,
        "visits_precision": hits / counted_found if counted_found else None,
        "mean_dwell_wape": float(wrong / total) if total else None,
    }


def staff_scores(matched: pd.DataFrame, roles: dict[int, str], truth: pd.DataFrame) -> dict[str, Any]:
    """Share of true staff found, and of found staff that is true, by their seen boxes.

    matched: person_id (found), hit (truth's person). A true member of staff is found where at least half of the
    boxes on them carry the role.
    """
    staff = set(truth["person_id"][truth["role"] == "staff"])
    seen = matched[(matched["hit"] >= 0) & (matched["person_id"] > 0)]
    marked = seen["person_id"].map(roles).eq("staff")
    true = seen["hit"].isin(staff)
    by_true = marked[true].groupby(seen["hit"][true]).mean()
    by_found = true[marked].groupby(seen["person_id"][marked]).mean()
    return {
        "staff_recall": float((by_true >= 0.5).sum() / len(staff)) if staff else None,
        "staff_precision": float((by_found >= 0.5).mean()) if len(by_found) else None,
    }


def floor_points(positions: pd.DataFrame) -> pd.DataFrame:
    """One point a person and time: the mean over the cameras. positions: person_id, time_us, x_m, y_m."""
    seen = positions[(positions["person_id"] > 0) & positions["x_m"].notna()]
    return seen.groupby(["person_id", "time_us"], as_index=False)[["x_m", "y_m"]].mean()


def ground_scores(points: pd.DataFrame, truth: pd.DataFrame, times_us: np.ndarray) -> dict[str, Any]:
    """Points on the floor against true places, one to one within 1 m, at the sampled times.

    points: person_id, time_us, x_m, y_m, ignored (someone in the doorway, who has no true place). A point left over
    within 1 m of a true person who has a point already is a duplicate.
    """
    true = truth[truth["time_us"].isin(times_us)].reset_index(drop=True)
    points = points[points["time_us"].isin(times_us)].reset_index(drop=True)
    true_xy, xy = true[["x_m", "y_m"]].to_numpy(float), points[["x_m", "y_m"]].to_numpy(float)
    wanted, given = rows_by(true, "time_us"), rows_by(points, "time_us")
    ignored, none = points["ignored"].to_numpy(bool), np.zeros(0, np.int64)
    steps, hit, duplicate, errors = [], np.zeros(len(points), bool), np.zeros(len(points), bool), []
    for time in times_us:
        a, b = wanted.get(time, none), given.get(time, none)
        distance = np.linalg.norm(true_xy[a][:, None] - xy[b][None, :], axis=2)
        rows, columns = linear_sum_assignment(np.minimum(distance, REACH_M * 10))
        near = distance[rows, columns] <= REACH_M
        hit[b[columns[near]]] = True
        errors.append(distance[rows, columns][near])
        if len(a) and len(b):
            duplicate[b] = (distance.min(axis=0) <= REACH_M) & ~hit[b]
        left = hit[b] | ~ignored[b]
        steps.append((a, b[left], np.clip(1 - distance[:, left] / (2 * REACH_M), 0, None)))
    judged = hit | ~ignored
    keep = np.cumsum(judged) - 1
    steps = [(a, keep[b], similarity) for a, b, similarity in steps]
    ids = trackeval_scores(true["person_id"].to_numpy(), points["person_id"].to_numpy()[judged], steps)
    found = np.concatenate(errors) if errors else np.zeros(0)
    return {
        "ground_recall": float(hit.sum() / len(true)) if len(true) else None,
        "ground_precision": float(hit[judged].mean()) if judged.any() else None,
        "ground_duplicates": float(duplicate[judged].mean()) if judged.any() else None,
        "ground_error_median_m": float(np.median(found)) if len(found) else None,
        "ground_hota": ids["hota"],
        "ground_assa": ids["assa"],
        "ground_idf1": ids["idf1"],
    }
