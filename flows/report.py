"""A day's report: Markdown for Prefect's artifacts, tables for the terminal."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.chunks import embedder_of
from flows.config import StoreConfig
from flows.day_summary import DaySummary
from flows.day_tables import same_person_odds
from flows.preflight import Preflight

ZONE_COLUMNS = ("zone", "mean people", "peak", "visits", "mean dwell s", "people/m2", "observed")

NEARLY_ALL = 0.98


def number(value: float | int | None, digits: int = 1) -> str:
    """A figure as people read it; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:,d}" if isinstance(value, int) else f"{value:,.{digits}f}"


def zone_rows(summary: DaySummary) -> list[dict[str, str]]:
    """One row a zone, columns `ZONE_COLUMNS`."""
    return [
        dict(
            zip(
                ZONE_COLUMNS,
                (
                    zone.name,
                    number(zone.occupancy_mean, 2),
                    number(zone.occupancy_max),
                    number(zone.visits),
                    number(zone.dwell_mean_s),
                    number(zone.density_mean, 3),
                    f"{zone.coverage:.0%}",
                ),
                strict=True,
            )
        )
        for zone in summary.zones
    ]


def headline(summary: DaySummary) -> str:
    """The day in one line; with how much of it was seen, where that is not nearly all."""
    people = f"{summary.people} shopper{'s' * (summary.people != 1)}"
    people += f" and {summary.staff} staff" if summary.staff else ""
    if summary.footfall_in is None:
        return f"{people}{_partly(summary)}; footfall is absent: no entrance is configured"
    return f"{people}; {summary.footfall_in} came in, {summary.footfall_out} went out{_partly(summary)}"


def _partly(summary: DaySummary) -> str:
    """What a number that is low for want of pictures must not be shown without."""
    expected = sum(camera.seconds_expected for camera in summary.cameras)
    seen = sum(min(camera.seconds_seen, camera.seconds_expected) for camera in summary.cameras)
    if not expected or seen >= NEARLY_ALL * expected:
        return ""
    return f" in the {seen / expected:.0%} of the opening hours that the cameras saw"


def camera_lines(summary: DaySummary) -> list[str]:
    """One line a camera: how much of the day it saw."""
    lines = []
    for camera in summary.cameras:
        share = min(camera.seconds_seen / camera.seconds_expected, 1.0) if camera.seconds_expected else 0.0
        gaps = "no gap" if camera.gaps == 0 else f"{camera.gaps} gap" + "s" * (camera.gaps > 1)
        seen = f"{camera.seconds_seen:,.0f} of {camera.seconds_expected:,.0f} s seen ({share:.0%})"
        lines.append(f"{camera.camera}: {seen}, {gaps}")
    return lines


def day_report(summary: DaySummary) -> str:
    """The day as Markdown."""
    rows = zone_rows(summary)
    lines = [f"# {summary.name}, {summary.day}", "", headline(summary), ""]
    lines += ["| " + " | ".join(ZONE_COLUMNS) + " |", "|" + " --- |" * len(ZONE_COLUMNS)]
    lines += ["| " + " | ".join(row.values()) + " |" for row in rows]
    lines += ["", "## Cameras", *(f"- {line}" for line in camera_lines(summary))]
    if summary.problems:
        lines += ["", "## Problems", *(f"- {problem}" for problem in summary.problems)]
    lines += ["", "## Models", *(f"- {name}, sha256 `{sha256[:12]}`" for name, sha256 in summary.models)]
    lines += ["", "## Time", *(f"- {stage}: {seconds:.1f} s" for stage, seconds in summary.stage_seconds.items())]
    return "\n".join(lines) + "\n"


def print_summary(summary: DaySummary, console: Console) -> None:
    """The day on a terminal."""
    console.print(f"[bold]{escape(summary.name)}, {summary.day}[/bold]: {headline(summary)}", soft_wrap=True)
    table = Table(*ZONE_COLUMNS)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in zone_rows(summary):
        table.add_row(*map(escape, row.values()))
    if summary.zones:
        console.print(table)
    for line in camera_lines(summary):
        console.print(line)
    for problem in summary.problems:
        console.print(f"[yellow]problem:[/yellow] {escape(problem)}", soft_wrap=True)
    models = ", ".join(f"{name} ({sha256[:8]})" for name, sha256 in summary.models)
    console.print(f"models: {models}", soft_wrap=True, markup=False)
    console.print("time: " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in summary.stage_seconds.items()))


def print_check(ready: Preflight, console: Console) -> None:
    """What preflight found, for someone who sets a store up."""
    config = ready.config
    console.print(f"[bold]{escape(config.name)}[/bold] ({config.id}), {ready.day}: ready")
    for camera, found in zip(config.cameras, ready.found, strict=True):
        fit = camera.floor_calibration
        placed = (
            "not calibrated: counted in pixel zones"
            if fit is None
            else f"calibration error {fit.reprojection_error_m * 100:.1f} cm, {fit.reprojection_error_px:.1f} px"
        )
        seconds = sum(((file.end_us or file.start_us) - file.start_us) / 1e6 for file in found.files)
        console.print(f"{camera.id}: {len(found.files)} recordings, {seconds:,.0f} s; {placed}")
    for warning in ready.warnings:
        console.print(f"[yellow]warning:[/yellow] {escape(str(warning))}", soft_wrap=True)
    for note in ready.advice:
        console.print(f"[yellow]note:[/yellow] {escape(str(note))}", soft_wrap=True)
    console.print(f"detector {config.detector.model}: present", soft_wrap=True, markup=False)
    present = f"re-identification {config.reid.model}: present; {_same_person(config)}"
    console.print(present, soft_wrap=True, markup=False)


def _same_person(config: StoreConfig) -> str:
    """From which likeness two pictures are held to be one person, and how sure that is."""
    embedder = embedder_of(config.reid)
    even, _ = same_person_odds(embedder, config)
    fit = embedder.config.calibration
    source = "fitted with the weights" if config.reid.threshold is None else "set in store.yaml"
    return (
        f"two pictures are as likely one person as two at cosine {even:.2f} ({source}); from {fit['threshold']:.2f} on,"
        f" {fit['tpr']:.0%} of one person's pairs are found and {fit['fpr']:.0%} of other pairs taken for one"
        f" (measured on {fit['pairs']:.0f} pairs of pictures from different cameras, none of them trained on)"
    )


def print_score(result: dict[str, Any], console: Console, as_json: bool) -> None:
    """Accuracy, as one JSON object or as lines, the protocol first."""
    if as_json:
        print(json.dumps(result))
        return
    for part in result["protocol"].split("; "):
        console.print(f"protocol, {part}", soft_wrap=True, markup=False)
    for key, value in result.items():
        if key == "protocol":
            continue
        console.print(f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}")
