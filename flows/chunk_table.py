"""The table of a chunk: a row for each detection, with looks and, where its crop was chosen, an embedding."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from detection.colours import COLOURS, GARMENTS, garment_colours
from detection.crops import SelectedCrop
from detection.detector import Detections
from detection.isolated import IsolatedReader
from detection.looker import Looked
from detection.looks import SIZE as LOOKS_SIZE
from detection.looks import looks_of
from flows.stages import Stages
from reid.embedder import Embedder
from reid.rotation import rotate

MAX_CROPS_WAITING = 32
SMALLEST_CROP_PX = 8  # below, a picture says nothing about who it is; the embedder refuses it


class ChunkTable:
    """Rows of a chunk: one a detection, and one without a box for a frame without anyone."""

    def __init__(self, embedder: Embedder, secret: bytes | None, colours: bool) -> None:
        self.stages = Stages()
        self._embedder, self._secret, self._measures_colours = embedder, secret, colours
        self._frames: list[tuple[int, Detections, np.ndarray]] = []
        self._key_looks = np.zeros((0, LOOKS_SIZE), np.uint8)
        self._picture_size: tuple[int, int] | None = None
        self._waiting: list[SelectedCrop] = []
        self._embedded: dict[tuple[int, int], tuple[float, np.ndarray, np.ndarray | None]] = {}

    def add(self, looked: Looked) -> np.ndarray:
        """Take in a frame's people, in order of time; returns their looks, uint8 (N, 72)."""
        frame, boxes, repeats = looked.frame, looked.people.boxes, looked.repeats
        looks = np.empty((len(boxes), LOOKS_SIZE), np.uint8)
        looks[repeats >= 0] = self._key_looks[repeats[repeats >= 0]]
        looks[repeats < 0] = looks_of(frame.image, boxes[repeats < 0])
        if frame.key:
            self._key_looks = looks
        self._frames.append((frame.time_us, looked.people, looks))
        self._picture_size = (frame.image.shape[1], frame.image.shape[0])
        return looks

    def embed(self, crops: Iterable[SelectedCrop], last: bool = False) -> None:
        """Embed chosen crops in batches, so that pictures of people wait in memory only briefly."""
        self._waiting.extend(crop for crop in crops if min(crop.image.shape[:2]) >= SMALLEST_CROP_PX)
        if len(self._waiting) < (1 if last else MAX_CROPS_WAITING):
            return
        vectors = self._embedder.embed([crop.image for crop in self._waiting])
        if self._secret is not None:
            vectors = rotate(vectors, self._secret)
        for crop, vector in zip(self._waiting, vectors, strict=True):
            colours = garment_colours(crop.image).ravel().astype(np.float16) if self._measures_colours else None
            self._embedded[crop.frame_index, crop.detection_index] = (crop.quality, vector.astype(np.float16), colours)
        self._waiting.clear()

    def table(self, reader: IsolatedReader, stages: Stages) -> pa.Table:
        """All that was taken in, with the reader's report and the seconds of all stages as metadata."""
        rows: list[dict[str, object]] = []
        for number, (time_us, detections, looks) in enumerate(self._frames):
            for index, (box, score) in enumerate(zip(detections.boxes, detections.scores, strict=True)):
                quality, embedding, colours = self._embedded.get((number, index), (None, None, None))
                corners = dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
                crop = {"quality": quality, "embedding": embedding, "colours": colours}
                rows.append({"time_us": time_us, **corners, "score": score, "looks": looks[index].tobytes(), **crop})
            if len(detections) == 0:
                rows.append({"time_us": time_us})
        report = reader.report
        notes = {
            "problems": report.problems,
            "timestamps": report.timestamps,
            "frames_decoded": report.frames_decoded,
            "picture_size": self._picture_size,
            "stage_seconds": stages.seconds | self.stages.seconds,
        }
        schema = chunk_schema(self._embedder.dimension).with_metadata({"report": json.dumps(notes)})
        return pa.Table.from_pylist(rows, schema)


def chunk_schema(dimension: int) -> pa.Schema:
    """Columns of a chunk's file. A null box marks a frame in which nobody was found."""
    pixels = [(name, pa.float32()) for name in ("x1", "y1", "x2", "y2")]
    return pa.schema(
        [
            ("time_us", pa.int64()),
            *pixels,
            ("score", pa.float32()),
            ("looks", pa.binary(LOOKS_SIZE)),
            ("quality", pa.float32()),
            ("embedding", pa.list_(pa.float16(), dimension)),
            ("colours", pa.list_(pa.float16(), len(GARMENTS) * len(COLOURS))),
        ]
    )
