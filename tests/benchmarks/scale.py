"""Linking a large store-day: time, memory, growth, and the same result as the exact method on a small one.

    python -m tests.benchmarks.scale [--tracklets 100000] [--json]

People, paths and cameras are simulated: a floor of 45 m x 30 m under 12 overlapping cameras, 12 minutes a person,
tracks broken every 40 s or so, embeddings with the confusion of a real network (one in three people dressed like
others, poor crops less like themselves). More tracklets mean a longer day at the same crowding. Every size runs in a
process of its own on two threads.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score

from reid.identities import Samples, Tracklets, link

WIDTH_M, DEPTH_M, DIMENSION = 45.0, 30.0, 256
CAMERAS = [(x, y) for x in (6.0, 17.0, 28.0, 39.0) for y in (5.0, 15.0, 25.0)]
REACH_M = 7.5
PEOPLE_AN_HOUR = 420
THRESHOLD = 0.42
DOORS = np.array([[[20.0, 0.0], [25.0, 0.0], [22.5, 1.0]]])
SECOND_US = 1_000_000


def path_of(rng: np.random.Generator, seconds: int) -> np.ndarray:
    """Places (seconds, 2) of someone who comes in by the door, walks from shelf to shelf and leaves."""
    stops = rng.uniform((0.5, 1.5), (WIDTH_M - 0.5, DEPTH_M - 0.5), (max(2, seconds // 45), 2))
    corners = np.vstack([[22.5, 0.0], stops, [22.5, 0.0]])
    walks = np.linalg.norm(np.diff(corners, axis=0), axis=1) / 0.9
    pauses = rng.exponential(20, len(walks))
    moments = np.concatenate([[0.0], np.cumsum(np.column_stack([walks, pauses]).ravel())])
    places = np.repeat(corners, 2, axis=0)[1:]
    at = np.arange(seconds) * moments[-1] / seconds
    return np.column_stack([np.interp(at, moments, places[: len(moments), axis]) for axis in (0, 1)])


def runs(seen: np.ndarray, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Unbroken stretches [from, to) of a boolean series, broken here and there by an occlusion of 2 to 8 s."""
    seen = seen.copy()
    for at in np.flatnonzero(rng.random(len(seen)) < 1 / 40):
        seen[at : at + int(rng.integers(2, 9))] = False
    edges = np.flatnonzero(np.diff(np.concatenate([[0], seen.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= 2]


def simulate(count: int, seed: int = 1) -> tuple[Tracklets, Samples, np.ndarray]:
    """About `count` tracklets of one day; returns them with their places and the true person of each."""
    rng = np.random.default_rng(seed)
    camera, start, length, person, index, when, where = [], [], [], [], [], [], []
    who = clock = 0.0
    while len(camera) < count:
        clock += rng.exponential(3600 / PEOPLE_AN_HOUR)
        seconds = int(np.clip(rng.gamma(3, 240), 60, 3600))
        path = path_of(rng, seconds)
        for number, centre in enumerate(CAMERAS):
            for low, high in runs(np.linalg.norm(path - centre, axis=1) < REACH_M, rng):
                index.append(np.full(high - low, len(camera)))
                when.append(int(clock) + np.arange(low, high))
                bias = rng.normal(0, 0.15, 2)
                where.append(path[low:high] + bias + rng.normal(0, 0.1, (high - low, 2)))
                camera.append(number), start.append(int(clock) + low), length.append(high - low - 1), person.append(who)
        who += 1
    truth = np.array(person, np.int64)
    quality = rng.uniform(0.1, 0.9, len(truth)).astype(np.float32)
    embedding = embeddings(truth, quality, rng)
    begin = np.array(start, np.int64) * SECOND_US
    tracklets = Tracklets(
        np.array(camera).astype("U2"), np.arange(1, len(truth) + 1), begin,
        begin + np.array(length, np.int64) * SECOND_US, embedding, quality,
    )  # fmt: skip
    xy = np.concatenate(where)
    sigma = np.full(len(xy), 0.2, np.float32)
    times = np.concatenate(when).astype(np.int64) * SECOND_US
    return tracklets, Samples(np.concatenate(index), times, xy[:, 0], xy[:, 1], sigma), truth


def embeddings(truth: np.ndarray, quality: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors (T, DIMENSION): a person's own direction, for one in three half a shared style, and noise that
    grows as quality falls. Cosines are like a real network's: same person 0.4 to 0.9, others about 0.1 to 0.5."""
    people = int(truth.max()) + 1
    own = unit(rng.normal(size=(people, DIMENSION)).astype(np.float32))
    styles = unit(rng.normal(size=(12, DIMENSION)).astype(np.float32))
    alike = rng.random(people) < 1 / 3
    own[alike] = unit(own[alike] + styles[rng.integers(0, 12, int(alike.sum()))])
    common = unit(rng.normal(size=DIMENSION).astype(np.float32))
    own = unit(own + 0.35 * common)
    result = own[truth]
    for begin in range(0, len(result), 20_000):
        rows = slice(begin, begin + 20_000)
        noise = rng.normal(size=result[rows].shape).astype(np.float32) / np.sqrt(DIMENSION)
        result[rows] = unit(result[rows] + noise * (0.25 + 0.6 * (1 - quality[rows, None])))
    return result


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def measure(count: int) -> dict[str, Any]:
    """Link one simulated day in this process."""
    tracklets, samples, truth = simulate(count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, cpu = time.perf_counter(), time.process_time()
    found = link(tracklets, samples, threshold=THRESHOLD, doors=DOORS)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    people = int(truth.max()) + 1
    return {
        "tracklets": len(tracklets),
        "places": len(samples.tracklet),
        "seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "input_mb": round(before),
        "people": found.people,
        "people_truth": people,
        "people_over_count": round((found.people - people) / people, 4),
        "adjusted_rand": round(float(adjusted_rand_score(truth, found.person_id)), 4),
    }


def compare_exact(count: int) -> dict[str, Any]:
    """Neighbours against all pairs on the same small day."""
    tracklets, samples, truth = simulate(count, seed=2)
    fast = link(tracklets, samples, threshold=THRESHOLD, doors=DOORS, exact_up_to=0)
    exact = link(tracklets, samples, threshold=THRESHOLD, doors=DOORS, exact_up_to=len(tracklets))
    return {
        "exact_tracklets": len(tracklets),
        "same_as_exact": bool((fast.person_id == exact.person_id).all()),
        "agreement_with_exact": round(float(adjusted_rand_score(exact.person_id, fast.person_id)), 5),
        "exact_people": exact.people,
        "fast_people": fast.people,
        "exact_adjusted_rand": round(float(adjusted_rand_score(truth, exact.person_id)), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracklets", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=("measure", "exact"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.only:
        print(json.dumps((measure if chosen.only == "measure" else compare_exact)(chosen.tracklets)))
        return
    small = _apart("measure", chosen.tracklets // 10)
    large = _apart("measure", chosen.tracklets)
    growth = np.log(large["cpu_seconds"] / small["cpu_seconds"]) / np.log(large["tracklets"] / small["tracklets"])
    result = large | {"growth_exponent": round(float(growth), 3), "seconds_at_a_tenth": small["seconds"]}
    result |= _apart("exact", 5000)
    result["protocol"] = (
        f"people of simulated tracklets on a floor of {WIDTH_M:g} x {DEPTH_M:g} m under {len(CAMERAS)} cameras that see"
        f" {REACH_M:g} m, against who they were simulated from; adjusted Rand index over tracklets"
    )
    print(json.dumps(result, indent=None if chosen.json else 1))


def _apart(what: str, count: int) -> dict[str, Any]:
    """Run a part in a process of its own, so that its peak memory is its own."""
    command = [sys.executable, "-m", "tests.benchmarks.scale", "--only", what, "--tracklets", str(count)]
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
