"""The end of a store-day: from its chunks' files to the lake.

`flows.plan.plan_store_day` and `finish_store_day` run in one process each; what lies between, the chunks, may run
anywhere. The Prefect flow (`flows.nightly`) and `aisleflow run` (`flows.progress`) are two ways to run the chunks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace

import fsspec
import pyarrow.parquet as pq

from flows.camera_day import CameraTracks, shop_of, track_camera_day
from flows.camera_views import CameraLook, Span, look_at, view_rows, views_before
from flows.chunks import embedder_of
from flows.covered import covered_spans
from flows.day_checks import day_checks, said_of
from flows.day_summary import DaySummary, summarise
from flows.day_tables import day_tables, people_of, same_person_odds, tracklets_of
from flows.due import remember_recordings
from flows.errors import JobStopped
from flows.lake import Lake
from flows.metrics_file import write_day_metrics
from flows.observation import missing_spans
from flows.person_heights import placed_anew
from flows.plan import Plan
from flows.run_record import run_record, with_problems
from flows.schemas import conform, empty
from flows.stages import Stages
from flows.uniforms import in_uniform, uniform_embeddings
from reid.appearance import Appearance


def video_seconds(plan: Plan, files: Sequence[str]) -> dict[str, float]:
    """Seconds from the plan to the last chunk, and the chunks' own by stage, summed over all machines."""
    seconds = {"video": time.time() - plan.started}
    for file in files:
        with fsspec.open(file) as content:
            notes = json.loads(pq.read_schema(content).metadata[b"report"])
        for stage, spent in notes.get("stage_seconds", {}).items():
            seconds[f"video: {stage}"] = seconds.get(f"video: {stage}", 0.0) + spent
    return seconds


class NothingSeen(JobStopped):
    """There were recordings, and not one picture in them could be read: that is no day without customers."""


def check_something_seen(plan: Plan, tracks: Sequence[CameraTracks]) -> None:
    """Raises NothingSeen where no camera has a picture of the day."""
    if any(track.frames for track in tracks):
        return
    told = "; ".join(dict.fromkeys(problem for track in tracks for problem in track.problems))
    raise NothingSeen(
        f"{plan.config.id} {plan.day}: not one picture could be read, so nothing was counted and the lake is as it"
        f" was: {told or 'the recordings hold none'}. Mend the recordings, or convert them to H.264 in MP4, and run"
        " again"
    )


def _covered(plan: Plan, looks: Sequence[CameraLook], lake: Lake) -> dict[str, list[Span]]:
    """By camera the spans in which its pictures show next to nothing, which is not seeing that nobody is there."""
    before = {camera: view.sharpness for camera, (_, view) in views_before(lake, plan.config.id, plan.day).items()}
    return {look.camera: covered_spans(look, plan.chunks_of(look.camera), before.get(look.camera)) for look in looks}


def finish_store_day(plan: Plan, files: Sequence[str]) -> DaySummary:
    """Tracks, people, tables and the lake, from the files of the plan's chunks (in the plan's order).

    The day's tables become visible together or not at all. Raises NothingSeen, LakeError.
    """
    stages = Stages()
    config = plan.config
    embedder = embedder_of(config.reid)
    shop, odds = shop_of(config), same_person_odds(embedder, config)
    tracks = [
        track_camera_day(
            camera,
            [file for file, chunk in zip(files, plan.chunks, strict=True) if chunk.camera == camera.id],
            embedder.dimension,
            shop,
            config.detector.confidence,
            Appearance(*odds),
        )
        for camera in config.cameras
    ]
    check_something_seen(plan, tracks)
    stages.lap("tracks")
    lake = Lake(plan.lake)
    looks = [look_at(camera.id, plan.chunks_of(camera.id), config.open_windows(plan.day)) for camera in config.cameras]
    covered = _covered(plan, looks, lake)
    tracks = [replace(one, observed=tuple(missing_spans(one.observed, covered[one.camera]))) for one in tracks]
    stages.lap("views")
    tracks = placed_anew(config, tracks, people_of(config, tracks, embedder), shop)
    identities = people_of(config, tracks, embedder)
    stages.lap("people")
    uniforms = uniform_embeddings(config, embedder, plan.secret)
    uniformed = set[int]()
    if len(uniforms):  # the day's embeddings are many, and mostly nobody asks for them a second time
        uniformed = in_uniform(tracklets_of(tracks), identities, uniforms, *odds)
    tables = day_tables(config, plan.day, tracks, identities, plan.secret.key, uniformed)
    stages.lap("tables")
    tables["camera_views"] = view_rows(looks)
    tables["runs"] = run_record(plan, tracks, video_seconds(plan, files) | stages.seconds, covered)
    ready = {name: conform(name, data) for name, data in tables.items()}
    checks = day_checks(config, plan.day, ready, looks, lake)
    ready |= {"checks": conform("checks", checks), "runs": with_problems(ready["runs"], said_of(checks))}
    absent = {} if config.entrances else {"footfall": "no entrance is configured"}
    lake.write_day(config.id, plan.day, ready, absent)
    remember_recordings(lake, config.id, plan.day, plan.stamps)
    summary = summarise(config, plan.day, {"footfall": empty("footfall")} | ready)
    write_day_metrics(summary, config.zone_info)
    return summary
