"""The record of a processing: the lake's table `runs`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise

import pyarrow as pa

from flows.camera_day import SECOND, CameraTracks, Span
from flows.observation import missing_spans
from flows.plan import Plan
from flows.schemas import from_columns


def run_record(
    plan: Plan,
    tracks: Sequence[CameraTracks],
    stages: Mapping[str, float],
    covered: Mapping[str, Sequence[Span]],
) -> pa.Table:
    """One row: what ran, on what, how long, and what was not seen. `stages`: seconds by stage. `covered`: by camera the
    spans in which its pictures show next to nothing."""
    config = plan.config
    models = {choice.name: choice.sha256 for chunk in plan.chunks for choice in (chunk.detector, chunk.reid)}
    problems = [*plan.problems, *(f"{track.camera}: {problem}" for track in tracks for problem in track.problems)]
    problems += [
        f"{track.camera}: recordings without timestamps, taken as {config.recordings.assumed_fps:g} frames a second"
        for track in tracks
        if track.timestamps == "assumed"
    ]
    row = {
        "run_id": uuid.uuid4().hex,
        "started": datetime.fromtimestamp(plan.started, UTC),
        "finished": datetime.now(UTC),
        "code_version": version("aisleflow"),
        "config_sha256": plan.config_sha256,
        "models": [{"name": name, "sha256": sha256} for name, sha256 in sorted(models.items())],
        "simulated": False,
        "cameras": [_camera_run(plan, track, covered.get(track.camera, ())) for track in tracks],
        "problems": problems,
        "stage_seconds": list(stages.items()),
    }
    return from_columns("runs", {name: [value] for name, value in row.items()})


def with_problems(runs: pa.Table, problems: Sequence[str]) -> pa.Table:
    """The record with further problems at the end of those it has."""
    told = [[*own, *problems] for own in runs["problems"].to_pylist()]
    field = runs.schema.field("problems")
    return runs.set_column(runs.schema.get_field_index("problems"), field, pa.array(told, field.type))


def _camera_run(plan: Plan, track: CameraTracks, covered: Sequence[Span]) -> dict[str, object]:
    expected = plan.config.open_windows(plan.day)
    recorded = [(c.from_us, c.to_us or c.from_us) for c in plan.chunks if c.camera == track.camera]
    gaps = missing_spans(expected, track.observed)
    expected_us, missing_us = (sum(end - start for start, end in spans) for spans in (expected, gaps))
    return {
        "camera": track.camera,
        "seconds_expected": expected_us / SECOND,
        "seconds_seen": (expected_us - missing_us) / SECOND,  # what is seen at night makes up for no hour of the day
        "seconds_missing": missing_us / SECOND,
        "frames": track.frames,
        "gaps": [
            {
                "start": datetime.fromtimestamp(start / SECOND, UTC),
                "end": datetime.fromtimestamp(end / SECOND, UTC),
                "reason": reason,
            }
            for gap in gaps
            for start, end, reason in _reasons(gap, recorded, covered)
        ],
    }


def _reasons(gap: Span, recorded: Sequence[Span], covered: Sequence[Span]) -> list[tuple[int, int, str]]:
    """A gap, cut where recordings and covered times begin and end: what was not recorded, and what a recording doesn't
    show."""
    inner = (time for span in (*recorded, *covered) for time in span if gap[0] < time < gap[1])
    pieces: list[tuple[int, int, str]] = []
    for start, end in pairwise(sorted({*gap, *inner})):
        inside, hidden = (any(a <= start and end <= b for a, b in spans) for spans in (recorded, covered))
        shown = "the pictures show next to nothing" if hidden else "no pictures in the recording"
        reason = shown if inside else "no recording"
        if pieces and (pieces[-1][2] == reason or end - start < SECOND):  # a recording's end rounds
            pieces[-1] = (pieces[-1][0], end, pieces[-1][2])
        elif pieces and pieces[-1][1] - pieces[-1][0] < SECOND:
            pieces[-1] = (pieces[-1][0], end, reason)
        else:
            pieces.append((start, end, reason))
    return pieces
