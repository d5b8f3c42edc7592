"""Chunks: pieces of a camera's recording, turned into detections with embeddings, one Parquet file each.

A chunk is decode -> detect -> looks, best crop a person and slice -> embed (flows/chunk_table.py); the three go on side
by side, with bounded queues between them. Tracking comes later, over a camera's whole day, so that where the cuts lie
can't change a count: frames are sampled on an absolute time grid, what changed between them is looked for and crops are
chosen within wall-clock slices of `SLICE_S`, and chunks are cut at multiples of that. A chunk's file is named by the
hash of all that it depends on (content of the recording, piece, camera settings, model files), so work that was done is
found again, and crops of people never leave the process.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache

import pyarrow.parquet as pq

from detection.crops import CropSelector
from detection.detector import Detector, load_detector
from detection.isolated import IsolatedReader
from detection.looker import Looked, Looker
from detection.tiles import Tile
from detection.video import Recording
from flows.ahead import ahead, batches
from flows.chunk_table import ChunkTable
from flows.config import Camera, DetectorChoice, ReidChoice, StoreConfig
from flows.day_secrets import DaySecret
from flows.errors import JobStopped
from flows.lake_files import open_files
from flows.lake_layout import not_written
from flows.recordings import CameraDay, RecordedFile, check_still_there, content_of
from flows.sight import small_people_tiles
from flows.stages import Stages
from reid.embedder import Embedder, load_embedder

FORMAT = 8  # raise when a chunk's content would differ for the same inputs
SLICE_S = 10
FRESH_S = 5  # divides SLICE_S: chunks are cut where nothing depends on what was before
CHUNK_S = 900
LOOKED_AT_ONCE = 10
MOST_PIXELS = 10 * 1920 * 1080  # that are looked at at once; as many again wait before, and as many after
LOOKED_AHEAD = 1
LEAST_SCORE = 0.1  # weaker boxes than the configured confidence still continue tracks (ByteTrack)
SECOND = 1_000_000

Progress = Callable[[str, int], None]
"""Told after each batch: camera, UTC microseconds of video just finished in it."""


@dataclass(frozen=True)
class Model:
    """A model file that a chunk was planned with; `sha256` guards against one that changed under way."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Chunk:
    """One piece of one recording and everything its result depends on. Times are UTC microseconds.

    `to_us` is None for the rest of a recording that doesn't say how long it is. `secret`: what the store-day's
    embeddings are turned by, None for plain ones. `whole_s`: see flows.config.Sampling. `tiles`: parts of each picture
    that are searched enlarged. `colours`: whether clothes' colours are measured, for person search.
    """

    camera: str
    path: str
    content: str
    start_us: int
    from_us: int
    to_us: int | None
    sampling_fps: float
    assumed_fps: float
    detector: Model
    confidence: float
    image_size: int
    whole_s: float
    reid: Model
    tiles: tuple[Tile, ...] = ()
    secret: DaySecret | None = None
    colours: bool = False

    @property
    def key(self) -> str:
        """Hash of the inputs. Paths are no input: a recording that was moved is still the same recording."""
        inputs = asdict(self) | {"path": "", "format": FORMAT, "slice_s": SLICE_S, "fresh_s": FRESH_S}
        inputs["secret"] = self.secret and self.secret.key
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def file_name(self) -> str:
        return f"{self.camera}-{self.key}.parquet"

    @property
    def seconds(self) -> float | None:
        return None if self.to_us is None else (self.to_us - self.from_us) / SECOND


class ModelChanged(JobStopped):
    """A model file is not the one the job was planned with."""


def cut_camera_day(
    config: StoreConfig,
    camera: Camera,
    found: CameraDay,
    window: tuple[int, int],
    chunk_s: int = CHUNK_S,
    secret: DaySecret | None = None,
) -> list[Chunk]:
    """Cut a camera's recordings of a day into chunks, in order of time.

    `window` is the store's local day; `chunk_s` a multiple of SLICE_S. Where recordings overlap, the later one starts
    where the earlier one ends, so that no moment is counted twice.
    """
    if chunk_s <= 0 or chunk_s % SLICE_S:
        raise ValueError(f"chunks of {chunk_s} s can't be cut: give a multiple of {SLICE_S} seconds")
    detector, reid = detector_of(config.detector), embedder_of(config.reid)
    tiles = small_people_tiles(config, camera)
    chunks, done_us = [], window[0]
    for file in found.files:
        content = content_of(file.path)
        for from_us, to_us in _pieces(max(file.start_us, done_us), file, window[1], chunk_s * SECOND):
            chunks.append(
                Chunk(
                    camera=camera.id,
                    path=file.path,
                    content=content,
                    start_us=file.start_us,
                    from_us=from_us,
                    to_us=to_us,
                    sampling_fps=camera.sampling_fps,
                    assumed_fps=config.recordings.assumed_fps,
                    detector=Model(detector.name, detector.sha256),
                    confidence=min(LEAST_SCORE, config.detector.confidence),
                    image_size=config.detector.image_size,
                    whole_s=config.sampling.whole_s,
                    reid=Model(reid.name, reid.sha256),
                    tiles=tiles,
                    secret=secret,
                    colours=config.find is not None,
                )
            )
        done_us = max(done_us, file.end_us or file.start_us)
    return chunks


def _pieces(from_us: int, file: RecordedFile, day_end_us: int, step_us: int) -> Iterator[tuple[int, int | None]]:
    if file.end_us is None:
        yield from_us, None  # read to its end, on the day it begins: nobody knows where midnight is in it
        return
    end_us = min(file.end_us, day_end_us)
    while from_us < end_us:
        to_us = min((from_us // step_us + 1) * step_us, end_us)
        yield from_us, to_us
        from_us = to_us


_models = threading.Lock()


def detector_of(choice: DetectorChoice) -> Detector:
    """The detector that a configuration names, loaded once a process. Raises DetectorNotFound."""
    with _models:
        return _load_detector(choice.model, min(LEAST_SCORE, choice.confidence), choice.image_size, choice.device)


def embedder_of(choice: ReidChoice) -> Embedder:
    """The re-identification network that a configuration names, loaded once a process."""
    with _models:
        return _load_embedder(choice.model, choice.device)


@lru_cache(maxsize=2)
def _load_detector(model: str, confidence: float, image_size: int, device: str) -> Detector:
    return load_detector(model, confidence=confidence, image_size=image_size, device=device)


@lru_cache(maxsize=2)
def _load_embedder(model: str, device: str) -> Embedder:
    return load_embedder(model, backend="cuda" if device == "cuda" else "auto")


def process_chunk(
    chunk: Chunk, folder: str, config: tuple[DetectorChoice, ReidChoice], progress: Progress | None = None
) -> str:
    """Process a chunk and return the path or URL of its file in `folder`; one that is there is returned as it is.

    The file appears whole or not at all. Raises ModelChanged where a model file is not the planned one, RecordingLost
    where the recording went away under way, LakeError where the file can't be written.
    """
    files = open_files(folder)
    target = files.address(chunk.file_name)
    if files.exists(chunk.file_name):
        if progress and chunk.to_us is not None:
            progress(chunk.camera, chunk.to_us)
        return target
    detector, embedder = detector_of(config[0]), embedder_of(config[1])
    for model, planned in ((detector, chunk.detector), (embedder, chunk.reid)):
        if model.sha256 != planned.sha256:
            raise ModelChanged(
                f"the files of model {planned.name} changed while the job ran: start it again to use the new ones"
            )
    reader = IsolatedReader(
        Recording(chunk.path, chunk.camera, chunk.start_us),
        chunk.sampling_fps,
        from_us=chunk.from_us,
        to_us=chunk.to_us,
        assumed_fps=chunk.assumed_fps,
        motion=(chunk.whole_s, FRESH_S),
    )
    table = ChunkTable(embedder, chunk.secret.read() if chunk.secret else None, chunk.colours)
    selector = CropSelector(SLICE_S)
    stages = Stages()
    for looked in ahead(_looked(reader, Looker(detector, chunk.tiles), stages), LOOKED_AHEAD):
        table.stages.lap(None)
        for one in looked:
            looks = table.add(one)
            table.embed(selector.add(one.frame, one.people, looks, candidates=one.repeats < 0))
        table.stages.lap("embed")
        if progress:
            progress(chunk.camera, looked[-1].frame.time_us)
    table.embed(selector.finish(), last=True)
    table.stages.lap("embed")
    if reader.report.problems:
        check_still_there(chunk.path, chunk.content)
    content = io.BytesIO()
    pq.write_table(table.table(reader, stages), content)
    try:
        files.put(chunk.file_name, content.getvalue())
    except OSError as error:
        raise not_written(f"chunk {target}", error) from error
    return target


def pictures_at_once(size: tuple[int, int]) -> int:
    """Pictures of a size (height, width) that the detector gets at a time: fewer large ones, so that memory holds them,
    and at least one for each of two cores."""
    return max(2, min(LOOKED_AT_ONCE, MOST_PIXELS // (size[0] * size[1])))


def _looked(reader: IsolatedReader, looker: Looker, stages: Stages) -> Iterator[list[Looked]]:
    """People in the reader's frames; `stages` gets the time spent on looking, and on waiting for frames."""
    read = iter(reader)
    first = next(read, None)
    if first is None:
        return
    # With fewer ahead the detector would wait for the decoder before every search.
    at_once = pictures_at_once(first.image.shape[:2])
    for frames in batches(ahead(itertools.chain([first], read), at_once), at_once):
        stages.lap("decode")
        looked = looker.look(frames)
        stages.lap("detect")
        yield looked
        stages.lap(None)
