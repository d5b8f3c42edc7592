"""Process a plan on this machine with a bar a camera: video seconds done, speed, time left."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from flows.chunks import SECOND, Chunk, process_chunk
from flows.day_summary import DaySummary
from flows.plan import Plan
from flows.store_day import finish_store_day


def process_with_progress(plan: Plan, console: Console) -> DaySummary:
    """Process all chunks of a plan in this process, then finish the day."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:.0f}/{task.total:.0f} s of video"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks = _bars(plan, bars)
        done: dict[str, float] = defaultdict(float)
        files: list[Path] = []
        for chunk in plan.chunks:
            before = done[chunk.camera]

            def tell(camera: str, time_us: int, chunk: Chunk = chunk, before: float = before) -> None:
                bars.update(tasks[camera], completed=before + (time_us - chunk.from_us) / SECOND)

            files.append(process_chunk(chunk, plan.work, (plan.config.detector, plan.config.reid), tell))
            done[chunk.camera] = before + (chunk.seconds or 0)
            bars.update(tasks[chunk.camera], completed=done[chunk.camera])
        people = bars.add_task("people, tables, lake", total=None)
        summary = finish_store_day(plan, files)
        bars.update(people, total=1, completed=1)
    return summary


def _bars(plan: Plan, bars: Progress) -> dict[str, TaskID]:
    tasks = {}
    for camera in plan.config.cameras:
        own = [chunk for chunk in plan.chunks if chunk.camera == camera.id]
        tasks[camera.id] = bars.add_task(camera.id, total=sum(chunk.seconds or 0 for chunk in own) or None)
    return tasks
