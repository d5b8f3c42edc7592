"""Person search, measured: a million tracklets, children in rendered stores, re-identification sets, damaged files.

    python -m tests.benchmarks.find --json [--work FOLDER] [--scenes DIR...] [--seeds 7 8] [--cases 100000]

One flat JSON object. `search_ms_1m`: a filtered search over 1,000,000 tracklets, days already open (find_index.py).
`child_recall_at_1/5/10`, also by box height: children on the scenes (find_children.py); `answer_s`: median seconds from
a picture to ten candidates with place and crop; `answer_cold_s`: of the command `aisleflow find`, start included.
`SET_recall_at_K`: each picture against those of other cameras. `fuzz_*`: the campaign of tests/benchmarks/fuzz.py.

--work keeps the rendered scenes and their lakes for the next time. --seeds renders more stores, with families of which
children stray, by ../shared/synthetic_store. What needs ../shared is left out where that is
missing, and `left_out` says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.find_index import search_times

SHARED = Path(__file__).parents[3] / "shared"
SCENES = ("store_dev", "store_demo")
SETS = ("rendered_children", "rendered", "cuhk03_p1", "pku_reid")
TRACKLETS = 1_000_000
PROTOCOL = (
    "child_recall_at_k: pictures of a child cut from truth boxes of one camera, whole floor at any distance, searched "
    "among the tracklets that the job made of the other cameras' video of the same day, one hit among the first k; px: "
    "height of the query's box; child_in_lake: the other cameras have a tracklet of the child at all; before_answer, "
    "after_answer: the next right candidate before and after a true Yes or No to the first one, which is in neither "
    "list, of child_queries_answered queries that have one; SET_recall_at_k: "
    "the set's own rule, each picture against those of other cameras"
)
RENDER = "--layout 0 --minutes 2 --fps 5 --people 28 --families 6 --lost 3 --cameras 3 --size 960x540 --jobs 2".split()


def rendered_scene(seed: int, work: Path) -> Path:
    """The folder of a store with lost children, rendered where it is not there yet."""
    folder = work / f"families_{seed}"
    if not (folder / "truth" / "boxes.parquet").is_file():  # written last
        renderer = SHARED / "synthetic_store" / "make.py"
        command = [sys.executable, str(renderer), "store", "--seed", str(seed), *RENDER, "--out", str(folder)]
        subprocess.run(command, check=True, stdout=sys.stderr)
    return folder


def children(folders: list[Path], work: Path) -> dict[str, Any]:
    """Figures over all scenes, and of each, with its name in front."""
    from tests.benchmarks.find_children import figures, look_for_children

    by_scene = {folder.name: look_for_children(folder, work / f"{folder.name}_lake") for folder in folders}
    result = figures([one for outcomes in by_scene.values() for one in outcomes])
    for name, outcomes in by_scene.items():
        result |= {f"{name}_{key}": value for key, value in figures(outcomes).items() if outcomes and "px" not in key}
    return result


def cold_answer(folder: Path, work: Path) -> float:
    """Seconds of `aisleflow find` by words, ten crops written, in a process of its own."""
    lake = work / f"{folder.name}_lake"
    stores = lake / "stores" / "scene"
    stores.mkdir(parents=True, exist_ok=True)
    for name in ("store.yaml", "videos"):
        if not (stores / name).exists():
            (stores / name).symlink_to(lake / name)
    with tempfile.TemporaryDirectory() as crops:
        words = ["--age", "child", "--reason", "measuring seconds to answer", "--crops", crops]
        where = ["--lake", str(lake / "lake"), "--stores", str(stores.parent), "--json"]
        command = [sys.executable, "-m", "flows.cli", "find", "--store", "scene", *words, *where]
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return round(time.perf_counter() - started, 2)


def reid_sets() -> dict[str, float]:
    """Recall of the shipped weights on crops of one camera searched among those of others."""
    from reid.evaluate import features_of, measure, open_model
    from tests.benchmarks.reid import evaluation_sets

    describe, used = open_model("rga-store", 2)
    result = {}
    for name, chosen in evaluation_sets(list(SETS)).items():
        parts = [chosen.query] if chosen.gallery is None else [chosen.query, chosen.gallery]
        features = [features_of(describe, part)[used] for part in parts]
        ranking = measure(features[0], features[-1], chosen)
        result |= {f"{name}_recall_at_{rank}": round(ranking[f"rank{rank}"], 4) for rank in (1, 5, 10)}
    return result


def benchmark(work: Path, scenes: list[Path], seeds: list[int], cases: int) -> dict[str, Any]:
    """All figures, flat."""
    os.environ.setdefault("AISLEFLOW_SECRETS", str(work / "secrets"))
    result: dict[str, Any] = {"protocol": PROTOCOL} | search_times(TRACKLETS)
    if not SHARED.is_dir() and not scenes:
        result["left_out"] = f"children, answers and re-identification sets: they need the development data in {SHARED}"
    else:
        folders = scenes or [SHARED / "data" / name for name in SCENES]
        folders = [*folders, *(rendered_scene(seed, work) for seed in seeds)]
        result |= children(folders, work)
        result["answer_cold_s"] = cold_answer(folders[0], work)
    if SHARED.is_dir():
        result |= reid_sets()
    if cases:
        from tests.benchmarks.fuzz import campaign

        fuzzed = campaign(cases)
        result |= {"fuzz_cases": fuzzed.cases, "fuzz_crashes": fuzzed.crashes, "fuzz_hangs": fuzzed.hangs}
    return result


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one line for machines; else one a figure")
    parser.add_argument("--work", type=Path, help="folder for rendered scenes and lakes, kept; else a temporary one")
    parser.add_argument(
        "--scenes", nargs="*", type=Path, default=[], help="rendered stores with truth; else ../shared's"
    )
    parser.add_argument("--seeds", nargs="*", type=int, default=[], help="further stores to render")
    parser.add_argument("--cases", type=int, default=100_000, help="damaged files; 0: none")
    chosen = parser.parse_args()
    if chosen.seeds and not SHARED.is_dir():
        parser.error(f"--seeds needs the renderer in {SHARED}/synthetic_store")
    with tempfile.TemporaryDirectory(prefix="aisleflow-find-") as temporary:
        work = (chosen.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        result = benchmark(work, chosen.scenes, chosen.seeds, chosen.cases)
    if chosen.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:48} {value}")


if __name__ == "__main__":
    main()
