"""Accuracy and throughput of the shipped re-identification weights, beside models of others, as one JSON object.

    python -m tests.benchmarks.reid --json
    python -m tests.benchmarks.reid --json --weights rga-store --sets cuhk03_p1 pku_reid --no-throughput

`accuracy.<weights>.<set>` has rank1, mAP, mINP and tpr_at_fpr1; the same figures with `_centred` behind the name are
after taking each camera's mean from the embeddings (reid.centring), which needs pictures of the site but no labels.
Sets: cuhk03_p1 (identities 643..742, camera 1 -> 2), pku_reid (camera 1 -> 2), rendered (each crop against all crops of
other cameras), rendered_look_alikes (gallery of the same group), rendered_children.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from reid.centring import centred
from reid.datasets import EvaluationSet, load_evaluation
from reid.evaluate import Describe, features_of, measure, open_model
from reid.metrics import market_ranking
from reid.weights_config import SHIPPED

SHARED = Path(__file__).parents[3] / "shared"
FIGURES = ("rank1", "mAP", "mINP", "tpr_at_fpr1")
OTHERS = {
    **{
        name: f"{name}/{name}.xml"
        for name in ("person-reidentification-retail-0277", "person-reidentification-retail-0286")
    },
    "osnet_x0_25_msmt17": "osnet_x0_25_msmt17.onnx",
}


def evaluation_sets(names: list[str], shared: Path = SHARED) -> dict[str, EvaluationSet]:
    """The named sets from the folder of development data."""
    crops = shared / "data" / "crops_dev"
    known = {
        "cuhk03_p1": ("cuhk03_p1", shared / "data" / "reid" / "cuhk03_p1", ""),
        "pku_reid": ("pku_reid", shared / "data" / "reid" / "pku_reid", ""),
        "rendered": ("rendered", crops, "all"),
        "rendered_look_alikes": ("rendered", crops, "look-alikes"),
        "rendered_children": ("rendered", crops, "children"),
    }
    return {name: load_evaluation(*known[name]) for name in names or known}


def accuracy(describe: Describe, used: str, sets: dict[str, EvaluationSet]) -> dict[str, Any]:
    """Figures of one model on each set, as they come and centred by camera. Each picture is embedded once."""
    seen: dict[Path, np.ndarray] = {}
    results: dict[str, Any] = {}
    for name, chosen in sets.items():
        pictures = [chosen.query] if chosen.gallery is None else [chosen.query, chosen.gallery]
        for part in pictures:
            new = (
                part.where(np.array([file not in seen for file in part.files]))
                if any(file not in seen for file in part.files)
                else None
            )
            if new is not None:
                seen.update(zip(new.files, features_of(describe, new)[used], strict=True))
        features = [np.stack([seen[file] for file in part.files]) for part in pictures]
        figures = measure(features[0], features[-1], chosen)
        every = np.concatenate(features)
        cameras = np.concatenate([part.cameras for part in pictures])
        middle = centred(every, cameras)
        after = measure(middle[: len(features[0])], middle[-len(features[-1]) :], chosen)
        results[name] = {
            "protocol": figures["protocol"],
            **{key: round(figures[key], 4) for key in FIGURES},
            **{f"{key}_centred": round(after[key], 4) for key in FIGURES},
        }
    return results


def market_size_ranking() -> dict[str, float]:
    """Seconds of wall clock and processor for a ranking of Market-1501's size: 3,368 x 15,913, 2,048 values."""
    random = np.random.default_rng(0)
    ids, cameras = random.integers(-1, 751, 15_913), random.integers(1, 7, 15_913)
    query_ids, query_cameras = random.integers(1, 751, 3_368), random.integers(1, 7, 3_368)
    gallery = random.standard_normal((15_913, 2_048), dtype=np.float32)
    query = random.standard_normal((3_368, 2_048), dtype=np.float32)
    wall, processor = time.perf_counter(), time.process_time()
    market_ranking(query, query_ids, query_cameras, gallery, ids, cameras)
    return {"seconds": round(time.perf_counter() - wall, 2), "cpu_seconds": round(time.process_time() - processor, 2)}


def benchmark(weights: list[str], sets: list[str], *, others: bool, throughput: bool, threads: int) -> dict[str, Any]:
    """All of it, in the shape that the module's text describes."""
    chosen = evaluation_sets(sets)
    models = {name: name for name in weights or sorted(path.parent.name for path in SHIPPED.glob("*/config.json"))}
    if others:
        models |= {name: str(SHARED / "models" / file) for name, file in OTHERS.items()}
    result: dict[str, Any] = {"accuracy": {}}
    for name, model in models.items():
        describe, used = open_model(model, threads)
        result["accuracy"][name] = accuracy(describe, used, chosen)
    if throughput:
        from tests.benchmarks.reid_throughput import measure_throughput, parity_max_abs_diff

        result["throughput"] = measure_throughput(threads=threads or 2)
        result["parity_max_abs_diff"] = parity_max_abs_diff()
        result["market_size_ranking"] = market_size_ranking()
    return result


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one line for machines; else indented")
    parser.add_argument("--weights", nargs="*", default=[], help="shipped names or folders; all shipped where left out")
    parser.add_argument("--sets", nargs="*", default=[], help="all where left out")
    parser.add_argument("--others", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--throughput", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if not SHARED.is_dir():
        parser.error(f"needs the development data in {SHARED}")
    with contextlib.redirect_stdout(sys.stderr):  # NNCF's progress, and licences, are no JSON
        result = benchmark(
            arguments.weights,
            arguments.sets,
            others=arguments.others,
            throughput=arguments.throughput,
            threads=arguments.threads,
        )
    print(json.dumps(result, indent=None if arguments.json else 1))


if __name__ == "__main__":
    main()
