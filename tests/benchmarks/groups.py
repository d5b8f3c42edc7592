"""Groups against the parties of rendered stores: pair precision and recall.

    python -m tests.benchmarks.groups DIR [DIR ...] [--lake LAKE --store ID] [--json]

DIR is a rendered scene with truth/ (store_dev has four parties). On true positions and crossings, so that only the
definition of a group is measured; with --lake also on what the pipeline made of that scene (`tests.benchmarks.scene DIR
--keep FOLDER` leaves its lake in FOLDER/lake, store "scene").
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from flows.groups import find_groups, parties_in
from flows.places import timestamps
from flows.score import score_lake
from flows.score_groups import pair_scores

PROTOCOL = (
    "floor, whole and at any distance: pairs of people of one party against pairs in one group, everyone who was"
    " inside; true positions at the truth's own rate, the pipeline's as `aisleflow score` prints for that lake"
)


def true_paths(truth: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Trajectories, footfall, and party by person of everyone who was inside, as a truth folder has them."""
    positions = pd.read_parquet(truth / "positions.parquet")
    people = pd.read_parquet(truth / "people.parquet").set_index("person_id")
    crossings = pd.read_parquet(truth / "footfall.parquet")
    footfall = crossings.assign(
        time=timestamps(crossings["time_us"]), entrance="main", role=crossings["person_id"].map(people["role"])
    )
    paths = positions.rename(columns={"x_m": "x", "y_m": "y"}).assign(plane="floor")
    return paths, footfall, people["party"][people.index.isin(positions["person_id"])]


def measure(truth: Path) -> dict[str, Any]:
    """Scores of one scene on its true positions, with footfall by head and by party."""
    paths, footfall, party = true_paths(truth)
    groups = find_groups(paths, footfall)
    parties = parties_in(footfall, groups)
    return pair_scores(groups, party) | {"people_in": int(parties["people"].sum()), "parties_in": len(parties)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--lake", help="lake that holds the first scene as processed")
    parser.add_argument("--store", default="scene", help="its store id")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    chosen = parser.parse_args()
    result: dict[str, Any] = {"protocol": PROTOCOL}
    result |= {f"{folder.name} (true positions)": measure(folder / "truth") for folder in chosen.folders}
    if chosen.lake:
        scores = score_lake(chosen.lake, chosen.store, chosen.folders[0] / "truth")
        own = {name: value for name, value in scores.items() if name.startswith("group_")}
        result[f"{chosen.folders[0].name} (pipeline)"] = own
    print(json.dumps(result) if chosen.json else "\n".join(f"{name}: {own}" for name, own in result.items()))


if __name__ == "__main__":
    main()
