"""YOLOX on ONNX Runtime (Ge et al. 2021, arXiv:2107.08430; Megvii, Apache-2.0): a detector without the AGPL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from detection.boxes import Letterbox, centre_to_corners, letterbox, suppress
from detection.detector import Detections, DetectorError, model_name, model_sha256
from detection.runtimes import OnnxRuntime

STRIDES = (8, 16, 32)
SUPPRESSION_IOU = 0.45  # YOLOX' own ONNX demo
PERSON = 0  # YOLOX files name no classes; person is the first of COCO, and the only one of a person model


class YoloxDetector:
    """People by a YOLOX export: input float32 (1, 3, H, W) BGR 0..255, output (1, anchors, 5 + classes) undecoded.

    Args:
        path: the .onnx file.
        confidence: boxes whose objectness times class score is below this are dropped.
        threads: threads for inference; None: the runtime's choice.
        device: `cpu` or `cuda`.

    Raises:
        DetectorError: the file's input and output are not those of YOLOX.
    """

    def __init__(self, path: Path, *, confidence: float, threads: int | None = None, device: str = "cpu") -> None:
        self.name = model_name(path)
        self.sha256 = model_sha256(path)
        self._confidence = confidence
        self._runtime = OnnxRuntime(path, threads, device)
        if not _has_yolox_shape(self._runtime):
            raise DetectorError(f"{path.name}: input and output shapes are not those of a YOLOX export")
        _, height, width = self._runtime.input_shape
        assert height is not None and width is not None
        self.input_size = (height, width)
        self._cells, self._strides = _grid(self.input_size)

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: np.ndarray) -> Detections:
        picture, fit = letterbox(image, self.input_size, centred=False)
        planes = np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1)[None], np.float32)
        return self._people(self._runtime.run(planes)[0], fit)

    def _people(self, output: np.ndarray, fit: Letterbox) -> Detections:
        """Decode the cells whose best class is a person: centre relative to the cell, sides as logarithms."""
        scores = output[:, 4] * output[:, 5 + PERSON]
        kept = (scores > self._confidence) & (output[:, 5:].argmax(axis=1) == PERSON)
        scores, strides = scores[kept], self._strides[kept]
        centres = (output[kept, :2] + self._cells[kept]) * strides
        boxes = centre_to_corners(np.concatenate([centres, np.exp(output[kept, 2:4]) * strides], axis=1))
        best = suppress(boxes, scores, iou=SUPPRESSION_IOU)
        return Detections(fit.to_picture(boxes[best]), scores[best].astype(np.float32))


def is_yolox(path: Path) -> bool:
    """Whether an .onnx file has the input and output shapes of a YOLOX export."""
    return _has_yolox_shape(OnnxRuntime(path, threads=1))


def _has_yolox_shape(runtime: OnnxRuntime) -> bool:
    _, height, width = runtime.input_shape
    if not height or not width or len(runtime.output_shape) != 3:
        return False
    anchors = sum((height // stride) * (width // stride) for stride in STRIDES)
    return runtime.output_shape[1] == anchors and (runtime.output_shape[2] or 0) > 5


def _grid(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Cell of each anchor (A, 2) as x, y in cells, and its stride (A, 1) in pixels."""
    cells, strides = [], []
    for stride in STRIDES:
        rows, columns = size[0] // stride, size[1] // stride
        cells.append(np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2))
        strides.append(np.full((rows * columns, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
