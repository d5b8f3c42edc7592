"""Any detection model that ultralytics opens (AGPL-3.0), above all .pt files of one's own or of COCO by name."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detection.detector import Detections, DetectorError, DetectorNotFound, model_name, model_sha256, person_classes
from detection.ultralytics_settings import cache_folder, import_ultralytics, offline

CONNECT_SECONDS = 5.0


class UltralyticsDetector:
    """People by `ultralytics.YOLO(path).predict`, on a GPU where torch has one.

    Args:
        path: .pt, .onnx, or an OpenVINO folder.
        confidence: boxes below this score are dropped.
        image_size: longer side of the input, pixels.
        threads: torch threads (.pt); exported models choose their own here, `ExportedDetector` takes a number.
        batch_size: pictures a run; a model exported for one picture gets one.

    Raises:
        DetectorError: ultralytics can't open the file, or the model finds no persons.
    """

    def __init__(
        self, path: Path, *, confidence: float, image_size: int = 640, threads: int | None = None, batch_size: int = 8
    ) -> None:
        ultralytics = import_ultralytics()
        if threads is not None:
            import torch

            torch.set_num_threads(threads)
        self.name = model_name(path)
        self.sha256 = model_sha256(path)
        self.input_size = (image_size, image_size)
        try:
            self._model = ultralytics.YOLO(str(path), task="detect")
            self._persons = person_classes(dict(self._model.names), path)
        except DetectorError:
            raise
        except Exception as error:  # whatever a file that is no model makes of torch, OpenVINO or ONNX Runtime
            raise DetectorError(f"{path.name}: ultralytics can't open it as a detection model: {error}") from error
        self._options: dict[str, Any] = {"conf": confidence, "imgsz": image_size, "verbose": False}
        self._batch_size = batch_size if path.suffix == ".pt" else 1

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        found: list[Detections] = []
        for first in range(0, len(images), self._batch_size):
            batch = [np.ascontiguousarray(image[:, :, ::-1]) for image in images[first : first + self._batch_size]]
            for result in self._model.predict(batch, classes=self._persons, **self._options):
                boxes = result.boxes.cpu().numpy()
                found.append(Detections(boxes.xyxy.astype(np.float32), boxes.conf.astype(np.float32)))
        return found


def fetch(name: str, folder: Path) -> Path:
    """A model of ultralytics by name, from the cache folder or, where allowed and possible, from its release page.

    Raises:
        DetectorNotFound: it isn't there and can't be fetched; the message says which file to put where.
    """
    target = cache_folder() / Path(name).name
    if target.is_file():
        return target
    if os.sep in name:
        raise DetectorNotFound(f"detector {name!r}: no such file")
    reason = "YOLO_OFFLINE forbids fetching it" if offline() else _download(target)
    if reason is not None:
        raise DetectorNotFound(
            f"detector {name!r} is not here and {reason}: put the file {name} into {folder} or {target.parent},"
            " or name another model file by its path"
        )
    return target


def _download(target: Path) -> str | None:
    """Fetch an ultralytics release file; why it failed, or None. First a quick look: blocked networks hang long."""
    try:
        socket.create_connection(("github.com", 443), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        return f"there is no way to the internet to fetch it ({error})"
    import_ultralytics()
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

    if target.name not in GITHUB_ASSETS_NAMES:
        return "ultralytics has no model of that name"
    try:
        attempt_download_asset(str(target))
    except Exception as error:
        return f"fetching it failed ({error})"
    return None if target.is_file() else "fetching it failed"
