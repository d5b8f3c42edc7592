"""A camera's day: the detections of its chunks, tracked in one go, placed on the floor, with an embedding a track."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detection.detector import Detections
from detection.floor import foot_points
from detection.tracker import track
from detection.zones import points_in_polygon
from flows.config import Camera

SECOND = 1_000_000
MAX_GAP_S = 2.0
"""Seconds without a picture that are a hole in the video, not a slow camera."""

Span = tuple[int, int]


@dataclass(frozen=True)
class ChunkContent:
    """What a chunk's file says: F frames, N detections in them in order of time."""

    frame_us: np.ndarray
    frame: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    quality: np.ndarray
    embedding: np.ndarray
    problems: tuple[str, ...]
    timestamps: str


@dataclass(frozen=True)
class CameraTracks:
    """A camera's day after tracking.

    N sampled places of confirmed tracks: `track_id` (from 1), `time_us`, `boxes` (N, 4) px, `score`, `xy` (N, 2): floor
    metres, or pixels of the foot point where the camera has no calibration. T tracks: `ids` with start, end, embedding
    (T, D), NaN where no crop was good enough, its quality, and whether the video cut it off.
    `observed`: spans [from, to) in UTC microseconds in which there were pictures.
    """

    camera: str
    calibrated: bool
    track_id: np.ndarray
    time_us: np.ndarray
    boxes: np.ndarray
    score: np.ndarray
    xy: np.ndarray
    ids: np.ndarray
    start_us: np.ndarray
    end_us: np.ndarray
    samples: np.ndarray
    embedding: np.ndarray
    quality: np.ndarray
    truncated_start: np.ndarray
    truncated_end: np.ndarray
    observed: tuple[Span, ...]
    frames: int
    problems: tuple[str, ...] = field(default=())
    timestamps: str = "container"


def track_camera_day(camera: Camera, files: Sequence[Path], dimension: int) -> CameraTracks:
    """Track a camera's day from its chunks' files, given in order of time. `dimension` is the embeddings' length."""
    content = _join([read_chunk(path, dimension) for path in files], dimension)
    keep = _unmasked(camera, content.boxes)
    boxes, scores = content.boxes[keep], content.scores[keep]
    bounds = np.searchsorted(content.frame[keep], np.arange(len(content.frame_us) + 1))
    frames = [Detections(boxes[start:end], scores[start:end]) for start, end in pairwise(bounds)]
    track_id = np.full(len(content.boxes), -1, np.int64)
    if keep.any():
        track_id[keep] = np.concatenate(track(content.frame_us, frames, fps=camera.sampling_fps))
    observed = observed_spans(content.frame_us, camera.sampling_fps)
    return _tracks(camera, content, track_id, observed)


def _tracks(camera: Camera, content: ChunkContent, track_id: np.ndarray, observed: tuple[Span, ...]) -> CameraTracks:
    rows = np.flatnonzero(track_id > 0)
    rows = rows[np.lexsort((content.frame[rows], track_id[rows]))]
    times = content.frame_us[content.frame[rows]]
    ids, first, samples = np.unique(track_id[rows], return_index=True, return_counts=True)
    last = (first + samples - 1).astype(np.intp)
    embedding, quality = _mean_embeddings(content, rows, first, samples)
    starts, ends = times[first], times[last]
    feet = foot_points(content.boxes[rows])
    calibration = camera.floor_calibration
    return CameraTracks(
        camera=camera.id,
        calibrated=calibration is not None,
        track_id=track_id[rows],
        time_us=times,
        boxes=content.boxes[rows],
        score=content.scores[rows],
        xy=feet if calibration is None else calibration.to_floor(feet),
        ids=ids,
        start_us=starts,
        end_us=ends,
        samples=samples,
        embedding=embedding,
        quality=quality,
        truncated_start=_near_an_edge(starts, [start for start, _ in observed]),
        truncated_end=_near_an_edge(ends, [end for _, end in observed]),
        observed=observed,
        frames=len(content.frame_us),
        problems=content.problems,
        timestamps=content.timestamps,
    )


def read_chunk(path: Path, dimension: int) -> ChunkContent:
    """Read a chunk's file."""
    table = pq.read_table(path)
    notes = json.loads(table.schema.metadata[b"report"])
    times = table["time_us"].to_numpy()
    frame_us, frame = np.unique(times, return_inverse=True)
    found = table["score"].is_valid().to_numpy(zero_copy_only=False)
    table = table.filter(pa.array(found))
    boxes = np.column_stack([table[name].to_numpy() for name in ("x1", "y1", "x2", "y2")]).astype(np.float32)
    embedding = np.full((len(table), dimension), np.nan, np.float32)
    has = table["embedding"].is_valid().to_numpy(zero_copy_only=False)
    if has.any():
        vectors = table["embedding"].combine_chunks().drop_null()
        embedding[has] = vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, dimension)
    return ChunkContent(
        frame_us=frame_us.astype(np.int64),
        frame=frame[found],
        boxes=boxes,
        scores=table["score"].to_numpy().astype(np.float32),
        quality=np.nan_to_num(table["quality"].to_numpy()).astype(np.float32),
        embedding=embedding,
        problems=tuple(notes["problems"]),
        timestamps=notes["timestamps"],
    )


def _join(parts: list[ChunkContent], dimension: int) -> ChunkContent:
    offsets = np.cumsum([0, *(len(part.frame_us) for part in parts)])
    return ChunkContent(
        frame_us=np.concatenate([np.zeros(0, np.int64), *(part.frame_us for part in parts)]),
        frame=np.concatenate(
            [np.zeros(0, np.int64), *(part.frame + at for part, at in zip(parts, offsets[:-1], strict=True))]
        ),
        boxes=np.concatenate([np.zeros((0, 4), np.float32), *(part.boxes for part in parts)]),
        scores=np.concatenate([np.zeros(0, np.float32), *(part.scores for part in parts)]),
        quality=np.concatenate([np.zeros(0, np.float32), *(part.quality for part in parts)]),
        embedding=np.concatenate([np.zeros((0, dimension), np.float32), *(part.embedding for part in parts)]),
        problems=tuple(dict.fromkeys(problem for part in parts for problem in part.problems)),
        timestamps="assumed" if any(part.timestamps == "assumed" for part in parts) else "container",
    )


def _unmasked(camera: Camera, boxes: np.ndarray) -> np.ndarray:
    keep = np.ones(len(boxes), bool)
    for polygon in camera.mask:
        keep &= ~points_in_polygon(foot_points(boxes), np.asarray(polygon))
    return keep


def _mean_embeddings(
    content: ChunkContent, rows: np.ndarray, first: np.ndarray, samples: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Quality-weighted mean of each track's embedded crops, of length 1, and the mean quality; NaN and 0 without any."""
    dimension = content.embedding.shape[1]
    embedding = np.full((len(first), dimension), np.nan, np.float32)
    quality = np.zeros(len(first), np.float32)
    for number, (start, count) in enumerate(zip(first, samples, strict=True)):
        own = rows[start : start + count]
        own = own[~np.isnan(content.embedding[own, 0])]
        if len(own):
            weights = np.maximum(content.quality[own], 1e-3)
            mean = weights @ content.embedding[own]
            embedding[number] = mean / max(float(np.linalg.norm(mean)), 1e-12)
            quality[number] = weights.mean()
    return embedding, quality


def observed_spans(frame_us: np.ndarray, fps: float, max_gap_s: float = MAX_GAP_S) -> tuple[Span, ...]:
    """Spans in which there were pictures: sampled frames not more than `max_gap_s` apart, each good for 1/fps s."""
    if len(frame_us) == 0:
        return ()
    limit = max(max_gap_s, 2 / fps) * SECOND
    breaks = np.flatnonzero(np.diff(frame_us) > limit)
    starts = frame_us[np.concatenate([[0], breaks + 1])]
    ends = frame_us[np.concatenate([breaks, [len(frame_us) - 1]])] + round(SECOND / fps)
    return tuple((int(start), int(end)) for start, end in zip(starts, ends, strict=True))


def _near_an_edge(times: np.ndarray, edges: Sequence[int]) -> np.ndarray:
    """Whether each time lies within half a second of an edge of what was observed."""
    if not len(edges):
        return np.zeros(len(times), bool)
    return np.abs(times[:, None] - np.asarray(edges)[None, :]).min(axis=1) <= SECOND // 2
