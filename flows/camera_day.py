"""A camera's day: the detections of its chunks, tracked in one go, placed on the floor, with an embedding a track."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detection.colours import COLOURS, GARMENTS
from detection.detector import Detections
from detection.floor import foot_points
from detection.looks import SIZE as LOOKS_SIZE
from detection.place import HEIGHTS_M, Fixture, Places, height_sigma, locate, mean_height
from detection.tracker import track
from detection.zones import points_in_polygon
from flows.config import Camera, StoreConfig
from reid.appearance import Appearance
from reid.switches import cut_where_pictures_change

SECOND = 1_000_000
FOOT_SIGMA_M = 0.3
MAX_GAP_S = 2.0
"""Seconds without a picture that are a hole in the video, not a slow camera."""

Span = tuple[int, int]


@dataclass(frozen=True)
class ChunkContent:
    """What a chunk's file says: F frames, N detections in them in order of time, K of these with a crop.

    `crops`: the detections, in order, that `quality` (K,), `embedding` (K, D) and `colours` (K, 22) belong to: few of
    them, so that a day's memory is that of its boxes.
    """

    frame_us: np.ndarray
    frame: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    looks: np.ndarray
    crops: np.ndarray
    quality: np.ndarray
    embedding: np.ndarray
    colours: np.ndarray
    problems: tuple[str, ...]
    timestamps: str
    picture_size: tuple[int, int] | None

    @cached_property
    def crop_of(self) -> np.ndarray:
        """Row (N,) of each detection in `quality`, `embedding` and `colours`; -1 where it has no crop."""
        row = np.full(len(self.boxes), -1)
        row[self.crops] = np.arange(len(self.crops))
        return row


@dataclass(frozen=True)
class CameraTracks:
    """A camera's day after tracking.

    N sampled places of confirmed tracks, by track and time: `track_id` (from 1), `time_us`, `boxes` (N, 4) px of
    `image_size`, `score`, `places` on the floor; where the camera is not calibrated their `xy` is the foot point in
    pixels, and all else NaN. T tracks: `ids` with start, end, number of samples, embedding (T, D), NaN where no crop
    was good enough, its mean quality, and whether the video cut the track off; `colours` (T, 2, 11) of clothes
    (detection/colours.py), NaN where not measured.
    `observed`: spans [from, to) in UTC microseconds in which there were pictures.
    """

    camera: str
    calibrated: bool
    track_id: np.ndarray
    time_us: np.ndarray
    boxes: np.ndarray
    score: np.ndarray
    places: Places
    ids: np.ndarray
    start_us: np.ndarray
    end_us: np.ndarray
    samples: np.ndarray
    embedding: np.ndarray
    quality: np.ndarray
    colours: np.ndarray
    truncated_start: np.ndarray
    truncated_end: np.ndarray
    observed: tuple[Span, ...]
    frames: int
    problems: tuple[str, ...]
    timestamps: str

    @property
    def height_m(self) -> np.ndarray:
        """Mean height (T,) of the tracks' people; NaN where the camera has no pose."""
        return mean_height(self.places.heights)

    @property
    def height_sigma_m(self) -> np.ndarray:
        """Standard deviation of height_m (T,)."""
        return height_sigma(self.places.heights)


@dataclass(frozen=True)
class Shop:
    """What of the shop helps to place people: floor (width, depth) in metres, and fixtures that hide feet."""

    floor_size: tuple[float, float]
    fixtures: tuple[Fixture, ...] = ()


def shop_of(config: StoreConfig) -> Shop:
    """The shop of a configuration."""
    floor = config.floor
    fixtures = tuple(Fixture(np.array(fixture.polygon), fixture.height_m) for fixture in floor.fixtures)
    return Shop((floor.width_m, floor.depth_m), fixtures)


def track_camera_day(
    camera: Camera,
    files: Sequence[str | Path],
    dimension: int,
    shop: Shop | None = None,
    confidence: float = 0.25,
    appearance: Appearance | None = None,
) -> CameraTracks:
    """Track a camera's day from its chunks' files, given in order of time. `dimension`: the embeddings' length.

    Boxes with a score under `confidence` start no track. `appearance`: what embeddings say of two pictures, by which a
    track that passed to somebody else is cut; None: pictures are not compared.
    """
    content = _join([_rescaled(read_chunk(path, dimension), camera.image_size) for path in files], dimension)
    keep = _unmasked(camera, content.boxes)
    boxes, scores, looks = content.boxes[keep], content.scores[keep], content.looks[keep]
    bounds = list(pairwise(np.searchsorted(content.frame[keep], np.arange(len(content.frame_us) + 1))))
    frames = [Detections(boxes[start:end], scores[start:end]) for start, end in bounds]
    track_id = np.full(len(content.boxes), -1, np.int64)
    if keep.any():
        track_id[keep] = np.concatenate(
            track(
                content.frame_us,
                frames,
                fps=camera.sampling_fps,
                looks=[looks[start:end] for start, end in bounds],
                new_track_score=confidence,
            )
        )
    if appearance is not None:
        times = content.frame_us[content.frame]
        track_id = cut_where_pictures_change(
            track_id, times, content.looks, content.crop_of, content.embedding, content.quality, appearance
        )
    return _tracks(camera, content, track_id, shop)


def _tracks(camera: Camera, content: ChunkContent, track_id: np.ndarray, shop: Shop | None) -> CameraTracks:
    rows = np.flatnonzero(track_id > 0)
    rows = rows[np.lexsort((content.frame[rows], track_id[rows]))]
    times = content.frame_us[content.frame[rows]]
    ids, first, samples = np.unique(track_id[rows], return_index=True, return_counts=True)
    last = first + samples - 1
    embedding, quality, colours = _mean_looks(content, rows, first, samples)
    places = _places(camera, content.boxes[rows], track_id[rows], shop)
    observed = observed_spans(content.frame_us, camera.sampling_fps)
    return CameraTracks(
        camera=camera.id,
        calibrated=camera.calibration is not None,
        track_id=track_id[rows],
        time_us=times,
        boxes=content.boxes[rows],
        score=content.scores[rows],
        places=places,
        ids=ids,
        start_us=times[first],
        end_us=times[last],
        samples=samples,
        embedding=embedding,
        quality=quality,
        colours=colours,
        truncated_start=_near_an_edge(times[first], [start for start, _ in observed]),
        truncated_end=_near_an_edge(times[last], [end for _, end in observed]),
        observed=observed,
        frames=len(content.frame_us),
        problems=content.problems,
        timestamps=content.timestamps,
    )


def placed_by_height(camera: Camera, tracks: CameraTracks, shop: Shop, heights: np.ndarray) -> CameraTracks:
    """The tracks placed anew for people of heights (T, H), probabilities of HEIGHTS_M; as they are where the camera's
    calibration does not tell heights."""
    if np.isnan(tracks.places.heights).all():
        return tracks
    return replace(tracks, places=_places(camera, tracks.boxes, tracks.track_id, shop, heights))


def _places(
    camera: Camera, boxes: np.ndarray, track_id: np.ndarray, shop: Shop | None, heights: np.ndarray | None = None
) -> Places:
    """Where the people stand, how sure that is, and how tall they are.

    A calibration that gives the camera's pose lets hidden feet be placed from the head. One that doesn't (a camera that
    looks straight down) leaves the foot point, on which a box's bottom is as good as its middle.
    """
    calibration = camera.floor_calibration
    pose = calibration.pose() if calibration else None
    if calibration and pose:
        fixtures, size = (shop.fixtures, shop.floor_size) if shop else ((), None)
        return locate(boxes, track_id, pose, calibration.image_size, fixtures, size, heights)
    xy = calibration.to_floor(foot_points(boxes)) if calibration else foot_points(boxes)
    sigma = np.full(len(boxes), FOOT_SIGMA_M if calibration else np.nan)
    unknown = np.full((len(np.unique(track_id)), len(HEIGHTS_M)), np.nan)
    return Places(xy, sigma, np.zeros((len(boxes), 2)), sigma, np.full(len(boxes), np.nan), unknown)


def read_chunk(path: str | Path, dimension: int) -> ChunkContent:
    """Read a chunk's file, by path or fsspec URL."""
    with fsspec.open(str(path)) as file:
        table = pq.read_table(file)
    notes = json.loads(table.schema.metadata[b"report"])
    times = table["time_us"].to_numpy()
    frame_us, frame = np.unique(times, return_inverse=True)
    found = table["score"].is_valid().to_numpy(zero_copy_only=False)
    table = table.filter(pa.array(found))
    boxes = np.column_stack([table[name].to_numpy() for name in ("x1", "y1", "x2", "y2")]).astype(np.float32)
    crops = np.flatnonzero(table["embedding"].is_valid().to_numpy(zero_copy_only=False))
    of_crops = table.take(crops)
    return ChunkContent(
        frame_us=frame_us.astype(np.int64),
        frame=frame[found],
        boxes=boxes,
        scores=table["score"].to_numpy().astype(np.float32),
        looks=_bytes(table, "looks", LOOKS_SIZE),
        crops=crops,
        quality=of_crops["quality"].to_numpy().astype(np.float32),
        embedding=_vectors(of_crops, "embedding", dimension),
        colours=_vectors(of_crops, "colours", len(GARMENTS) * len(COLOURS)),
        problems=tuple(notes["problems"]),
        timestamps=notes["timestamps"],
        picture_size=notes["picture_size"] and tuple(notes["picture_size"]),
    )


def _vectors(table: pa.Table, column: str, dimension: int) -> np.ndarray:
    """A column of vectors as float32 (N, dimension), NaN where null."""
    result = np.full((len(table), dimension), np.nan, np.float32)
    has = table[column].is_valid().to_numpy(zero_copy_only=False)
    if has.any():
        vectors = table[column].combine_chunks().drop_null()
        result[has] = vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, dimension)
    return result


def _bytes(table: pa.Table, column: str, size: int) -> np.ndarray:
    """A column of `size` bytes each as uint8 (N, size)."""
    joined = b"".join(table[column].to_pylist())
    return np.frombuffer(joined, np.uint8).reshape(len(table), size)


def _rescaled(content: ChunkContent, image_size: tuple[int, int] | None) -> ChunkContent:
    """Boxes in the pixels that calibration, mask and zones were drawn in, whatever size was recorded."""
    if image_size is None or content.picture_size in (None, image_size):
        return content
    scale = np.array(image_size, np.float32) / np.array(content.picture_size, np.float32)
    return replace(content, boxes=content.boxes * np.tile(scale, 2), picture_size=image_size)


def _join(parts: list[ChunkContent], dimension: int) -> ChunkContent:
    return ChunkContent(
        frame_us=np.concatenate([np.zeros(0, np.int64), *(part.frame_us for part in parts)]),
        frame=_counted_on([part.frame for part in parts], [len(part.frame_us) for part in parts]),
        boxes=np.concatenate([np.zeros((0, 4), np.float32), *(part.boxes for part in parts)]),
        scores=np.concatenate([np.zeros(0, np.float32), *(part.scores for part in parts)]),
        looks=np.concatenate([np.zeros((0, LOOKS_SIZE), np.uint8), *(part.looks for part in parts)]),
        crops=_counted_on([part.crops for part in parts], [len(part.boxes) for part in parts]),
        quality=np.concatenate([np.zeros(0, np.float32), *(part.quality for part in parts)]),
        embedding=np.concatenate([np.zeros((0, dimension), np.float32), *(part.embedding for part in parts)]),
        colours=np.concatenate(
            [np.zeros((0, len(GARMENTS) * len(COLOURS)), np.float32), *(part.colours for part in parts)]
        ),
        problems=tuple(dict.fromkeys(problem for part in parts for problem in part.problems)),
        timestamps="assumed" if any(part.timestamps == "assumed" for part in parts) else "container",
        picture_size=next((part.picture_size for part in parts if part.picture_size), None),
    )


def _counted_on(numbers: list[np.ndarray], counts: list[int]) -> np.ndarray:
    """Numbers into each part as numbers into all parts in a row; `counts`: how many each part has."""
    before = np.cumsum([0, *counts])[:-1]
    return np.concatenate([np.zeros(0, np.int64), *(one + at for one, at in zip(numbers, before, strict=True))])


def _unmasked(camera: Camera, boxes: np.ndarray) -> np.ndarray:
    keep = np.ones(len(boxes), bool)
    for polygon in camera.mask:
        keep &= ~points_in_polygon(foot_points(boxes), np.asarray(polygon))
    return keep


def _mean_looks(
    content: ChunkContent, rows: np.ndarray, first: np.ndarray, samples: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quality-weighted mean of each track's embedded crops, length 1, their mean quality, and the same mean of their
    colours; NaN, 0 and NaN without."""
    dimension = content.embedding.shape[1]
    embedding = np.full((len(first), dimension), np.nan, np.float32)
    quality = np.zeros(len(first), np.float32)
    colours = np.full((len(first), len(GARMENTS), len(COLOURS)), np.nan, np.float32)
    for number, (start, count) in enumerate(zip(first, samples, strict=True)):
        own = content.crop_of[rows[start : start + count]]
        own = own[own >= 0]
        if len(own):
            weights = np.maximum(content.quality[own], 1e-3)
            mean = weights @ content.embedding[own]
            embedding[number] = mean / max(float(np.linalg.norm(mean)), 1e-12)
            quality[number] = weights.mean()
            colours[number] = (weights @ content.colours[own] / weights.sum()).reshape(len(GARMENTS), len(COLOURS))
    return embedding, quality, colours


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
