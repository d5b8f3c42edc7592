"""Process a plan on this machine with a bar a camera: seconds of video done, time taken, time left."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from flows.chunks import SECOND, Chunk, process_chunk
from flows.chunks import Progress as Tell
from flows.day_summary import DaySummary
from flows.plan import Plan
from flows.store_day import finish_store_day


def process_with_progress(plan: Plan, console: Console) -> DaySummary:
    """Process all chunks of a plan in this process, then finish the day."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    choices = (plan.config.detector, plan.config.reid)
    with Progress(*columns, console=console) as bars:
        cameras = {camera.id: _CameraBar(bars, plan, camera.id) for camera in plan.config.cameras}
        files: list[str] = []
        for chunk in plan.chunks:
            bar = cameras[chunk.camera]
            files.append(process_chunk(chunk, plan.work, choices, bar.teller(chunk)))
            bar.finished(chunk)
        people = bars.add_task("people, tables, lake", total=None, amount="")
        summary = finish_store_day(plan, files)
        bars.update(people, total=1, completed=1)
    return summary


class _CameraBar:
    """A camera's bar. Its length is unknown where a recording does not say how long it is."""

    def __init__(self, bars: Progress, plan: Plan, camera: str) -> None:
        lengths = [chunk.seconds for chunk in plan.chunks if chunk.camera == camera]
        self._total = None if None in lengths else sum(length or 0 for length in lengths)
        self._bars, self._done_s = bars, 0.0
        self._task: TaskID = bars.add_task(camera, total=self._total, amount="")

    def teller(self, chunk: Chunk) -> Tell:
        """What `process_chunk` tells its progress to."""
        return lambda _, time_us: self._show(self._done_s + (time_us - chunk.from_us) / SECOND)

    def finished(self, chunk: Chunk) -> None:
        if chunk.seconds is not None:
            self._done_s += chunk.seconds
            self._show(self._done_s)

    def _show(self, seconds: float) -> None:
        whole = "" if self._total is None else f"/{self._total:.0f}"
        self._bars.update(self._task, completed=seconds, amount=f"{seconds:.0f}{whole} s of video")
