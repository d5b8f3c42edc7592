"""One timed run over one video, in a process of its own: `python -m tests.benchmarks.speed_runs TASK`, JSON in and out.

ours      the pipeline's own chunks, then tracking and the joining of tracks into people
counter   what a user would write: ultralytics' `RegionCounter` on every frame that cv2 reads
sampled   the same on every n-th frame only, at our sampling rate
decode    every frame decoded, and nothing else
detector  the detector alone on pictures of the video at hand, as many at once as it likes
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

STARTED = time.time()
SECOND = 1_000_000


@dataclass
class Run:
    """What a run took, from the first frame asked for to the last result: seconds, CPU seconds of it and its children,
    peak memory; `first_frame_s` counts from the start of the process. `times_us` and `counts`: people in view;
    `people`: different ones."""

    wall_s: float
    cpu_s: float
    peak_memory_mb: float
    first_frame_s: float | None
    frames: int
    times_us: list[int]
    counts: list[int]
    people: int
    stages: dict[str, float]


class _Clock:
    def __init__(self) -> None:
        self.first_frame_s: float | None = None
        self._memory = _PeakMemory()
        self._memory.start()
        self._wall, self._cpu = time.time(), _cpu()

    def frame(self) -> None:
        if self.first_frame_s is None:
            self.first_frame_s = time.time() - STARTED

    def run(self, frames: int, times: Any = (), counts: Any = (), people: int = 0, **stages: float) -> Run:
        wall, cpu = time.time() - self._wall, _cpu() - self._cpu
        listed = [int(one) for one in times], [int(one) for one in counts]
        return Run(wall, cpu, self._memory.finish(), self.first_frame_s, frames, *listed, people, stages)


class _PeakMemory(threading.Thread):
    """Watches how much memory this process and those that it started hold, together.

    `ru_maxrss` would not do: a child's begins with that of the process that it was forked from.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._done, self._peak = threading.Event(), 0

    def run(self) -> None:
        own = psutil.Process()
        while not self._done.wait(0.2):  # oftener would be work that is measured with the rest
            held = own.memory_info().rss
            for child in own.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    held += child.memory_info().rss
            self._peak = max(self._peak, held)

    def finish(self) -> float:
        """The peak so far, in MiB."""
        self._done.set()
        self.join()
        return self._peak / 2**20


def _usage(who: int) -> resource.struct_rusage:
    return resource.getrusage(who)


def _cpu() -> float:
    return sum(one.ru_utime + one.ru_stime for one in map(_usage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def ours(job: dict[str, Any]) -> Run:
    """The chunks of a camera-day, and their tracks."""
    import pyarrow.parquet as pq

    from flows.camera_day import track_camera_day
    from flows.chunks import Chunk, Model, detector_of, embedder_of, process_chunk
    from flows.config import Camera, DetectorChoice, Floor, Recordings, ReidChoice, Sampling, StoreConfig
    from flows.day_tables import people_of, same_person_odds
    from reid.appearance import Appearance

    choices = DetectorChoice(model=job["detector"], confidence=job["confidence"]), ReidChoice(model=job["reid"])
    detector, embedder = detector_of(choices[0]), embedder_of(choices[1])
    start_us, end_us, step_us = job["start_us"], job["start_us"] + round(job["seconds"] * SECOND), 900 * SECOND
    files, stages = [], {"decode": 0.0, "detect": 0.0, "embed": 0.0}
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        from_us = start_us
        while from_us < end_us:
            to_us = min((from_us // step_us + 1) * step_us, end_us)
            chunk = Chunk(
                camera="camera",
                path=job["path"],
                content=str(from_us),
                start_us=start_us,
                from_us=from_us,
                to_us=to_us,
                sampling_fps=job["fps"],
                assumed_fps=25,
                detector=Model(detector.name, detector.sha256),
                confidence=0.1,
                image_size=640,
                whole_s=Sampling().whole_s,
                reid=Model(embedder.name, embedder.sha256),
            )
            files.append(process_chunk(chunk, folder, choices, lambda *_: clock.frame()))
            for stage, spent in json.loads(pq.read_schema(files[-1]).metadata[b"report"])["stage_seconds"].items():
                stages[stage] += spent
            from_us = to_us
        camera = Camera(id="camera", sampling_fps=job["fps"])
        store = StoreConfig(
            id="store",
            name="Store",
            timezone="UTC",
            floor=Floor(width_m=1, depth_m=1),
            recordings=Recordings(path="{camera}.mp4"),
            cameras=(camera,),
        )
        appearance = Appearance(*same_person_odds(embedder, store))
        tracks = track_camera_day(
            camera, files, embedder.dimension, confidence=job["confidence"], appearance=appearance
        )
        times = np.unique(
            np.concatenate([pq.read_table(file, columns=["time_us"])["time_us"].to_numpy() for file in files])
        )
    people = people_of(store, [tracks], embedder)["person_id"].nunique()
    seen, counts = np.unique(tracks.time_us, return_counts=True)
    by_time = dict(zip(seen.tolist(), counts.tolist(), strict=True))
    return clock.run(len(times), times, [by_time.get(int(at), 0) for at in times], people, **stages)


def counter(job: dict[str, Any], every: int = 1) -> Run:
    """ultralytics' RegionCounter, its region the whole picture."""
    import cv2

    from detection.ultralytics_settings import import_ultralytics

    import_ultralytics()
    from ultralytics.solutions import RegionCounter

    capture = cv2.VideoCapture(job["path"])
    width, height = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    region = [(0, 0), (width, 0), (width, height), (0, height)]
    solution = RegionCounter(
        model=job["weights"], region=region, classes=[0], conf=job["confidence"], show=False, verbose=False
    )
    solution(np.zeros((height, width, 3), np.uint8))  # the model is loaded with its first picture
    times, counts, ids = [], [], set()
    number = 0
    clock = _Clock()
    while capture.grab():
        if number % every == 0:
            _, picture = capture.retrieve()
            result = solution(picture)
            clock.frame()
            times.append(job["start_us"] + round(number / job["video_fps"] * SECOND))
            counts.append(sum(result.region_counts.values()))
            ids.update(solution.track_ids)
        number += 1
    return clock.run(len(times), times, counts, len(ids))


def sampled(job: dict[str, Any]) -> Run:
    return counter(job, every=max(1, round(job["video_fps"] / job["fps"])))


def decode(job: dict[str, Any]) -> Run:
    import av

    clock = _Clock()
    with av.open(job["path"]) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        frames = 0
        for _ in container.decode(stream):
            clock.frame()
            frames += 1
    return clock.run(frames)


def detector(job: dict[str, Any]) -> Run:
    from detection.detector import load_detector
    from detection.video import Recording, VideoReader

    found = load_detector(job["detector"], confidence=0.1)
    reader = VideoReader(Recording(job["path"], "camera", job["start_us"]), 1.0)
    pictures = [frame.image for frame, _ in zip(reader, range(24), strict=False)]
    found.detect(pictures[:2])
    clock = _Clock()
    frames = 0
    until = time.time() + job["detector_s"]
    while time.time() < until:
        frames += len(found.detect(pictures))
    return clock.run(frames)


TASKS = {one.__name__: one for one in (ours, counter, sampled, decode, detector)}


if __name__ == "__main__":
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    answer.write(json.dumps(asdict(TASKS[sys.argv[1]](json.load(sys.stdin)))))
    answer.flush()
