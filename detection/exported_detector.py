"""Detectors exported by ultralytics (OpenVINO folder or ONNX file), run straight on their runtime.

The same boxes as ultralytics' own `predict`, without loading torch: a process starts in under a second instead of
several, a number of threads can be set, and pictures are scaled inside OpenVINO.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from detection.boxes import Letterbox, centre_to_corners, fitting_size, letterbox, suppress
from detection.detector import Detections, DetectorError, model_name, model_sha256, person_classes
from detection.runtimes import OnnxRuntime, OpenVinoRuntime

GPU_BATCH = 8
SUPPRESSION_IOU = 0.5  # ultralytics' 0.7 leaves more second boxes on one person than it saves people who stand close


class ExportedDetector:
    """People by an ultralytics detection model in OpenVINO or ONNX form.

    Args:
        path: folder with an .xml, .bin and metadata.yaml, or an .onnx file.
        confidence: boxes below this score are dropped.
        image_size: longer side of the input, where the model leaves it open.
        threads: threads for inference; None: all cores, each with a picture of its own.
        device: `cpu`, or `cuda` for an .onnx file.

    Raises:
        DetectorError: not an ultralytics detection model, or none of its classes is a person.
    """

    def __init__(
        self, path: Path, *, confidence: float, image_size: int = 640, threads: int | None = None, device: str = "cpu"
    ) -> None:
        self.name = model_name(path)
        self.sha256 = model_sha256(path)
        self._runtime = OpenVinoRuntime(path, threads) if path.is_dir() else OnnxRuntime(path, threads, device)
        metadata = self._runtime.metadata
        if metadata.get("task") != "detect" or "names" not in metadata:
            raise DetectorError(
                f"{path.name}: no ultralytics detection model (its metadata names task {metadata.get('task')!r});"
                " export one with `yolo export`, or say yolox:PATH for YOLOX"
            )
        self._persons = np.array(person_classes(metadata["names"], path))
        self._classes = len(metadata["names"])
        batch, height, width = self._runtime.input_shape
        self._batch_size = batch or (GPU_BATCH if device == "cuda" else 1)
        self._fixed_size = (height, width) if height and width else None
        self.input_size: tuple[int, int] = self._fixed_size or (image_size, image_size)
        self._confidence = confidence

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        alike = self._batch_size == 1 or len({image.shape for image in images}) < 2
        longest = max(self.input_size)
        sizes = [self._fixed_size or (fitting_size(image, longest) if alike else self.input_size) for image in images]
        fitted = [letterbox(image, size) for image, size in zip(images, sizes, strict=True)]
        firsts = range(0, len(images), self._batch_size)
        outputs = self._runtime([self._batch(fitted[first : first + self._batch_size]) for first in firsts])
        rows = [row for output in outputs for row in output]
        return [self._people(row, fit) for row, (_, fit) in zip(rows, fitted, strict=False)]

    def _batch(self, fitted: Sequence[tuple[np.ndarray, Letterbox]]) -> np.ndarray:
        """Pictures as one array, filled up with black ones to the size of a batch."""
        pictures = np.stack([picture for picture, _ in fitted])
        missing = self._batch_size - len(pictures)
        return np.concatenate([pictures, np.zeros((missing, *pictures.shape[1:]), np.uint8)]) if missing else pictures

    def _people(self, output: np.ndarray, fit: Letterbox) -> Detections:
        """People of one picture from the network's output, (4 + classes, anchors) or end-to-end (boxes, 6)."""
        if output.shape[0] == 4 + self._classes:
            return self._from_anchors(output, fit)
        if output.shape[1] == 6:
            kept = (output[:, 4] > self._confidence) & np.isin(output[:, 5].astype(int), self._persons)
            return Detections(fit.to_picture(output[kept, :4]), output[kept, 4].astype(np.float32))
        raise DetectorError(f"{self.name}: output of shape {output.shape} is not one of an ultralytics detection model")

    def _from_anchors(self, output: np.ndarray, fit: Letterbox) -> Detections:
        person = output[4 + self._persons].max(axis=0)
        candidates = np.flatnonzero(person > self._confidence)
        # A box belongs to its best class: a coat stand that is 0.5 chair and 0.3 person is no person.
        candidates = candidates[output[4:, candidates].max(axis=0) <= person[candidates]]
        boxes, scores = centre_to_corners(output[:4, candidates].T), person[candidates]
        kept = suppress(boxes, scores, iou=SUPPRESSION_IOU)
        return Detections(fit.to_picture(boxes[kept]), scores[kept].astype(np.float32))
