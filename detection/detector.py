"""Find people in pictures: one interface, several backends, chosen by the model's name or file.

model                         backend
NAME                          weights that ship in detection/weights/ (NAME_openvino_model/ or NAME.onnx)
PATH_openvino_model/, .onnx   exported by ultralytics: runs on OpenVINO or ONNX Runtime without torch
PATH.pt, yolo11n.pt, ...      ultralytics (AGPL-3.0); a known name is fetched once where there is internet
yolox:PATH.onnx, YOLOX .onnx  YOLOX on ONNX Runtime: no code or weights under the AGPL
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

SHIPPED_WEIGHTS = Path(__file__).parent / "weights"


class DetectorNotFound(FileNotFoundError):
    """No such model; the message says which file to put where."""


class DetectorError(ValueError):
    """The file is there but is no detector of people that a backend here can run."""


@dataclass(frozen=True)
class Detections:
    """People in one picture: `boxes` float32 (N, 4) xyxy pixels, `scores` float32 (N,), best first."""

    boxes: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.scores), 4):
            raise ValueError(f"boxes {self.boxes.shape} and scores {self.scores.shape} do not belong together")

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls) -> Detections:
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


class Detector(Protocol):
    """A detector of people. `input_size` is (height, width) in pixels; `sha256` identifies the weights."""

    name: str
    sha256: str
    input_size: tuple[int, int]

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """People in each picture (uint8 RGB (H, W, 3)); pictures may differ in size."""
        ...


def load_detector(
    model: str,
    *,
    confidence: float = 0.25,
    image_size: int = 640,
    threads: int | None = None,
    device: str = "cpu",
    weights_folder: str | Path | None = None,
) -> Detector:
    """Load a detector by name or path.

    Args:
        model: see the table at the top of this module.
        confidence: boxes below this score are dropped (0.1 leaves ByteTrack its low-score detections).
        image_size: longer side of the network's input, pixels; a model exported with a fixed size keeps that size.
        threads: threads for inference; None: the runtime's own choice.
        device: `cpu`, or `cuda`: .onnx on TensorRT or CUDA. A .pt model runs where torch finds a GPU either way.
        weights_folder: where names are looked up; None: the weights that ship with the package.

    Raises:
        DetectorNotFound: no such model here, and it can't be fetched.
        DetectorError: not a model that finds people, or one that can't run on the device.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    folder = Path(weights_folder) if weights_folder is not None else SHIPPED_WEIGHTS
    family, _, name = model.rpartition(":") if model.startswith("yolox:") else ("", "", model)
    path = find_model(name, folder, onnx=device == "cuda")
    if path is None and name.endswith(".pt"):
        from detection.ultralytics_detector import fetch

        path = fetch(name, folder)
    if path is None:
        raise DetectorNotFound(
            f"detector {model!r} not found: put {name}_openvino_model/ or {name}.onnx into {folder},"
            " or name a model file by its path"
        )
    if path.is_dir() or path.suffix == ".onnx":
        from detection.exported_detector import ExportedDetector
        from detection.yolox_detector import YoloxDetector, is_yolox

        if path.is_dir() and device == "cuda":
            raise DetectorError(f"{path.name} is OpenVINO's and runs on a CPU: on a GPU use an .onnx or a .pt model")
        if path.suffix == ".onnx" and (family == "yolox" or is_yolox(path)):
            return YoloxDetector(path, confidence=confidence, threads=threads, device=device)
        return ExportedDetector(path, confidence=confidence, image_size=image_size, threads=threads, device=device)
    from detection.ultralytics_detector import UltralyticsDetector

    return UltralyticsDetector(path, confidence=confidence, image_size=image_size, threads=threads)


def find_model(name: str, folder: Path, *, onnx: bool = False) -> Path | None:
    """The file or OpenVINO folder that a name or path means, or None. `onnx`: rather a file than a folder."""
    path = Path(name).expanduser()
    if path.suffix == ".xml" and path.is_file():
        return path.parent
    candidates = [path] if path.is_file() or any(path.glob("*.xml")) else []
    named = [folder / f"{name}_openvino_model", folder / f"{name}.onnx", folder / name]
    candidates += sorted(named, key=lambda path: path.suffix != ".onnx") if onnx else named
    return next((found for found in candidates if found.is_file() or any(found.glob("*.xml"))), None)


def model_sha256(path: Path) -> str:
    """SHA-256 of a model file, or of a model folder: over names and hashes of its files but *.md."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    whole = hashlib.sha256()
    for file_path in sorted(path.rglob("*")):
        if file_path.is_file() and file_path.suffix != ".md":
            whole.update(f"{file_path.relative_to(path).as_posix()} {model_sha256(file_path)}\n".encode())
    return whole.hexdigest()


def model_name(path: Path) -> str:
    """Name of a model by its file or folder: yolov8n for yolov8n.pt and yolov8n_openvino_model/."""
    return path.name.removesuffix("_openvino_model") if path.is_dir() else path.stem


def person_classes(names: dict[int, str], path: Path) -> list[int]:
    """Class numbers that mean a person: those named so, or the only class of a model with one.

    Raises:
        DetectorError: several classes, none of them a person.
    """
    persons = [number for number, name in names.items() if name.strip().lower() in ("person", "people", "pedestrian")]
    if not persons and len(names) == 1:
        persons = list(names)
    if not persons:
        raise DetectorError(
            f"{path.name}: none of its {len(names)} classes is named 'person'; use a model that has one"
        )
    return persons
