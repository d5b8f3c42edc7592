"""`aisleflow demo`: the bundled store-day through the real job, beside its truth; then a simulated month to look at."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from flows.config import StoreConfig
from flows.day_summary import DaySummary
from flows.plan import plan_store_day
from flows.preflight import preflight
from flows.progress import process_with_progress
from flows.report import number, print_summary
from flows.score import score_lake
from flows.simulate import demo_lake
from flows.stores import DEMO

TRUTH = DEMO.parent / "truth"


def run_demo(lake: str, month: bool, out: Console, err: Console) -> None:
    """Process the demo store, print its numbers beside the truth, and say how to open the dashboard."""
    began = time.monotonic()
    plan = plan_store_day(preflight(DEMO), lake)
    summary = process_with_progress(plan, err)
    print_summary(summary, out)
    out.print(beside_truth(summary, TRUTH))
    out.print(floor_line(plan.config, score_lake(lake, plan.config.id, TRUTH, plan.day)), soft_wrap=True)
    out.print(f"processed in {time.monotonic() - began:.0f} s, every figure counted from the video alone")
    out.print(f"look at it:    AISLEFLOW_LAKE={lake} .venv/bin/streamlit run dashboards/app.py", soft_wrap=True)
    if month:
        print_how_to_look(simulate_month(Path(lake).parent / "month", 1, err), out)


def simulate_month(folder: Path, seed: int, err: Console) -> Path:
    """Simulate a month of three stores below a folder; returns it."""
    with err.status("simulating a month of three stores"):
        demo_lake(folder, seed)
    return folder


def print_how_to_look(folder: Path, out: Console) -> None:
    """The line that opens the dashboard on a simulated month."""
    out.print(
        f"a month:       AISLEFLOW_LAKE={folder}/lake AISLEFLOW_STORES={folder}/stores "
        ".venv/bin/streamlit run dashboards/app.py   (simulated people)",
        soft_wrap=True,
    )


def beside_truth(summary: DaySummary, truth: Path) -> Table:
    """Counted numbers beside the exact ones of a truth folder: everyone, hidden or not, staff included.

    The demo has no staff rule, so what is counted holds the staff as well. People are those in a zone or a door, on
    both sides.
    """
    footfall = pd.read_parquet(truth / "footfall.parquet")
    people = {*pd.read_parquet(truth / "visits.parquet")["person_id"], *footfall["person_id"]}
    crossings = footfall["direction"].value_counts().to_dict()
    counts = pd.read_parquet(truth / "zone_counts.parquet")
    occupancy = counts[counts["role_filter"] == "all"].groupby("zone")["occupancy_mean"].mean().to_dict()

    table = Table("", "counted", "truth", title="beside the truth")
    table.columns[1].justify = table.columns[2].justify = "right"
    table.add_row("different people in zones and doors", number(summary.people + summary.staff), number(len(people)))
    table.add_row("came in", number(summary.footfall_in), number(int(crossings.get("in", 0))))
    table.add_row("went out", number(summary.footfall_out), number(int(crossings.get("out", 0))))
    for zone in summary.zones:
        exact = number(float(occupancy.get(zone.zone, 0.0)), 2)
        table.add_row(f"{zone.name}, mean people", number(zone.occupancy_mean, 2), exact)
    return table


def floor_line(config: StoreConfig, scored: Mapping[str, Any]) -> str:
    """How the numbers beside the truth were made, and how many of the points on the floor are one person twice."""
    rates = ", ".join(f"{rate:g}" for rate in sorted({camera.sampling_fps for camera in config.cameras}))
    return (
        f"protocol: everyone on the whole floor of {config.floor.width_m:g} x {config.floor.depth_m:g} m, at any"
        f" distance, seen or hidden, staff too; {rates} frames a second. Of all points on the floor"
        f" {scored['ground_precision']:.0%} are a person within 1 m (ground precision), and"
        f" {scored['ground_duplicates']:.0%} a second point on somebody who has one, which counts them twice"
    )
