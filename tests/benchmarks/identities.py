"""Cross-camera identities with a perfect detector and tracker: methods compared, and what each evidence is worth.

    python -m tests.benchmarks.identities DIR... --reid MODEL [--json] [--cache FOLDER]

Tracks are made of the truth's boxes (tests/benchmarks/oracle.py), crops come from the videos; places are measured as in
the product, from boxes and calibration alone. MODEL is a name or folder of the project's weights, or an OpenVINO .xml
that takes 256x128 BGR pictures. Numbers: IDF1 over the box samples of all cameras (one to one, people against true
people), purity (share of samples in their person's majority), unique people and their signed relative error.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from detection.floor import FloorCalibration
from detection.place import HEIGHTS_M, Fixture, height_prior, locate
from reid.agglomeration import Grouping
from reid.appearance import Appearance
from reid.conflicts import overlaps
from reid.floor_agreement import FloorModel
from reid.heights import Heights
from reid.identities import (
    DEFAULT_SLOPE,
    Identities,
    PlaceEvidence,
    evidence_of_places,
    influence,
    link,
    number_people,
    pair_evidence,
    usable_embeddings,
    well_seen,
)
from reid.lifetimes import lifetimes_of
from reid.neighbours import look_alike_pairs
from reid.tracklets import Samples
from tests.benchmarks.oracle import (
    SAMPLING_FPS,
    Embed,
    cached_embeddings,
    choose_crops,
    oracle_positions,
    tracklets_of,
)


class Case:
    """A scene ready to be linked: tracklets, places as measured and as bare foot points, doors, truth."""

    def __init__(self, folder: Path, embed: Embed, name: str, cache: Path) -> None:
        scene = json.loads((folder / "scene.json").read_text())
        positions = oracle_positions(folder)
        chosen = choose_crops(positions)
        embeddings = cached_embeddings(folder, chosen, embed, name, cache)
        self.name = folder.name
        self.tracklets, self.feet = tracklets_of(positions, chosen, embeddings)
        keys = pd.MultiIndex.from_arrays([self.tracklets.camera, self.tracklets.track_id])
        self.places, self.heights = measured_places(positions, scene, self.feet, keys)
        line = np.array(scene["entrance"]["line"], float)
        self.doors = np.stack([*line, line.mean(axis=0) + scene["entrance"]["inside_direction"]])[None]
        truth = positions.groupby(["camera", "track_id"])["truth"].first()
        self.truth = truth.loc[keys].to_numpy()

    def evidence(self, weight: np.ndarray) -> PlaceEvidence:
        """What places say of all pairs of tracklets; weight: (T,), of their embeddings."""
        together = overlaps(self.tracklets, self.places)
        return evidence_of_places(self.tracklets, self.places, self.heights, together, influence(weight), FloorModel())


def measured_places(
    positions: pd.DataFrame, scene: dict[str, Any], feet: Samples, tracklets: pd.MultiIndex
) -> tuple[Samples, Heights]:
    """Places of boxes and heights of the tracklets (camera, track_id), as detection/place.py finds them."""
    fixtures = [Fixture(np.array(fixture["polygon"]), fixture["height_m"]) for fixture in scene["fixtures"]]
    values = np.full((len(positions), 5), np.nan)
    heights = np.tile(height_prior(), (len(tracklets), 1))
    size = (scene["size"][0], scene["size"][1])
    for camera in scene["cameras"]:
        rows = np.flatnonzero(positions["camera"] == camera["name"])
        pose = FloorCalibration.from_homography(np.array(camera["image_to_floor"]), size).pose()
        boxes = positions[["x1", "y1", "x2", "y2"]].to_numpy()[rows]
        assert pose is not None
        tracks = positions["track_id"].to_numpy()[rows]
        found = locate(boxes, tracks, pose, size, fixtures)
        values[rows] = np.column_stack([found.xy, found.known_height_sigma_m, found.slope])
        named = pd.MultiIndex.from_product([[camera["name"]], np.unique(tracks)])
        heights[tracklets.get_indexer(named)] = found.heights
    boxes = positions[["x1", "y1", "x2", "y2"]].to_numpy(np.float32)
    places = replace(feet, x_m=values[:, 0], y_m=values[:, 1], sigma_m=values[:, 2], slope=values[:, 3:], boxes=boxes)
    return places, Heights(HEIGHTS_M, height_prior(), heights)


PROTOCOL = (
    f"boxes of the truth at {SAMPLING_FPS:g} frames/s in all cameras of the scene, the whole floor at any distance; one"
    " id over all cameras, people one to one by shared samples (IDF1); places measured from the boxes"
)


def measures(person: np.ndarray, case: Case) -> dict[str, Any]:
    """IDF1, purity and people of an answer (T,)."""
    weight = np.bincount(case.places.tracklet, minlength=len(person)).astype(float)
    true, code = np.unique(case.truth, return_inverse=True)
    known = person > 0
    shared = np.zeros((len(true), int(person.max(initial=0)) + 1))
    np.add.at(shared, (code[known], person[known]), weight[known])
    rows, columns = linear_sum_assignment(-shared)
    people = len(np.unique(person[known]))
    return {
        "idf1": round(float(2 * shared[rows, columns].sum() / (weight.sum() + weight[known].sum())), 3),
        "purity": round(float(shared.max(axis=0).sum() / max(weight[known].sum(), 1)), 3),
        "people": people,
        "people_truth": len(true),
        "people_over_count": round((people - len(true)) / len(true), 3),
    }


def pooled(case: Case, looks: Appearance) -> np.ndarray:
    """The rival: groups compared by their quality-weighted mean embeddings, evidence of places summed over pairs."""
    embedding, weight = usable_embeddings(case.tracklets)
    count = len(case.tracklets)
    found = case.evidence(weight)
    places, never = np.zeros((count, count)), np.zeros((count, count), bool)
    np.add.at(places, (found.first, found.second), found.ratio)
    never[found.first, found.second] = found.conflict > 0
    places, never = places + places.T, never | never.T
    np.fill_diagonal(never, True)
    sums, group = embedding * weight[:, None], np.arange(count)
    gone = np.zeros(count, bool)
    while True:
        size = np.linalg.norm(sums, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            similarity = (sums @ sums.T) / np.outer(size, size)
        score = looks.evidence(similarity, np.minimum.outer(weight, weight)) + np.clip(places, -12, 12)
        score[never | gone[:, None] | gone[None, :]] = -np.inf
        a, b = sorted(int(i) for i in np.unravel_index(score.argmax(), score.shape))
        if score[a, b] <= 0:
            return number_people(group, case.tracklets, np.ones(len(group), bool), 1.0)
        sums[a] += sums[b]
        weight[a] += weight[b]
        places[a] += places[b]
        places[:, a] = places[a]
        never[a] |= never[b]
        never[:, a] = never[a]
        gone[b] = True
        group[group == b] = a


def unconstrained(case: Case, looks: Appearance) -> np.ndarray:
    """The product's method where anything may be joined: no conflicts."""
    embedding, weight = usable_embeddings(case.tracklets)
    places = case.evidence(weight)
    places = replace(places, conflict=np.zeros(len(places.first)))
    alike = look_alike_pairs(embedding, weight, -1.0, len(weight))
    edges = pair_evidence(places, alike, embedding, weight, looks, case.heights, case.tracklets)
    lifetimes = lifetimes_of(case.tracklets, case.places, case.doors)
    group = Grouping(
        embedding, weight, influence(weight), well_seen(case.tracklets, weight), edges, looks, lifetimes
    ).join()
    return number_people(group, case.tracklets, np.ones(len(group), bool), 1.0)


def variants(threshold: float, slope: float) -> dict[str, Callable[[Case], np.ndarray]]:
    """Name -> answer (T,) of each method and ablation."""
    looks = Appearance(threshold, slope)

    def product(case: Case, **changes: Any) -> np.ndarray:
        options = {
            "tracklets": case.tracklets, "samples": case.places, "doors": case.doors, "heights": case.heights
        } | changes  # fmt: skip
        answer: Identities = link(options.pop("tracklets"), options.pop("samples"), threshold=threshold, slope=slope,
                                  **options)  # fmt: skip
        return answer.person_id

    def blind(case: Case) -> np.ndarray:
        count = len(case.tracklets)
        none = replace(case.tracklets, embedding=np.zeros((count, 0), np.float32), quality=np.zeros(count, np.float32))
        return product(case, tracklets=none)

    def nowhere(case: Case) -> np.ndarray:
        return product(case, samples=replace(case.places, x_m=np.full(len(case.places.x_m), np.nan)))

    return {
        "product": product,
        "rival: pooled embeddings, summed places": lambda case: pooled(case, looks),
        "without looks": blind,
        "without places": nowhere,
        "without conflicts": lambda case: unconstrained(case, looks),
        "without doors": lambda case: product(case, doors=None),
        "foot points instead of places": lambda case: product(case, samples=case.feet, heights=None),
        "without heights": lambda case: product(case, heights=None, samples=replace(case.places, slope=None)),
        "calibration fitted to the site": lambda case: product(case, fit_to_site=True),
    }


def embedder_of(model: str) -> tuple[Embed, float, float]:
    """Embed function, threshold and slope. An .xml is a rival without a calibration: threshold 0.42."""
    if not model.endswith(".xml"):
        from reid.embedder import load_embedder

        embedder = load_embedder(model, threads=1)
        return embedder.embed, embedder.threshold, float(embedder.config.calibration.get("slope", DEFAULT_SLOPE))
    import openvino

    network = openvino.Core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1})

    def embed(crops: Sequence[np.ndarray]) -> np.ndarray:
        rows = []
        for crop in crops:
            picture = cv2.resize(crop, (128, 256))[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
            rows.append(np.asarray(network(picture)[0]).reshape(-1))
        features = np.array(rows, np.float32)
        return features / np.linalg.norm(features, axis=1, keepdims=True)

    return embed, 0.42, DEFAULT_SLOPE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--reid", default="rga-store")
    parser.add_argument("--threshold", type=float, help="instead of the calibrated one")
    parser.add_argument("--cache", type=Path, default=Path(".cache/oracle"))
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    embed, threshold, slope = embedder_of(chosen.reid)
    threshold = chosen.threshold if chosen.threshold is not None else threshold
    cases = [Case(folder, embed, chosen.reid, chosen.cache) for folder in chosen.folders]
    table = {
        name: {case.name: measures(answer(case), case) for case in cases}
        for name, answer in variants(threshold, slope).items()
    }
    if chosen.json:
        print(json.dumps({"protocol": PROTOCOL, "reid": chosen.reid, "threshold": threshold, "slope": slope} | table))
        return
    print(f"protocol: {PROTOCOL}")
    for name, scenes in table.items():
        numbers = "  ".join(
            f"{scene} {m['idf1']:.3f} pure {m['purity']:.3f} {m['people']}/{m['people_truth']}"
            for scene, m in scenes.items()
        )
        mean = np.mean([m["idf1"] for m in scenes.values()])
        off = np.mean([abs(m["people_over_count"]) for m in scenes.values()])
        print(f"{name:45} IDF1 {mean:.3f} people off {off:.1%}   {numbers}")


if __name__ == "__main__":
    main()
