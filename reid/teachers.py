"""Features of teachers: re-identification models of others, run once over all training pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid.augment import network_input, resized
from reid.datasets import read_picture
from reid.metrics import normalised

Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def teacher_features(
    model: str,
    files: Sequence[Path],
    folder: Path,
    threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Length-1 features float32 (N, D) of the picture files, each the mean of the picture's and its mirror image's.

    The result is kept in `folder` under a name made from model and files, and read from there the next time.

    Raises:
        FileNotFoundError: The model's file is missing.
    """
    digest = hashlib.sha256("\n".join([Path(model).name, *map(str, files)]).encode()).hexdigest()[:16]
    kept = folder / f"teacher-{Path(model).stem}-{digest}.npy"
    if kept.is_file():
        return np.load(kept)
    run = open_teacher(model, threads)
    features = []
    for number, file in enumerate(files):
        image = read_picture(file)
        pair = np.stack([run(image), run(np.ascontiguousarray(image[:, ::-1]))])
        features.append(normalised(pair).mean(axis=0))
        if progress is not None:
            progress(number + 1, len(files))
    folder.mkdir(parents=True, exist_ok=True)
    result = normalised(np.stack(features))
    partial = kept.with_suffix(".partial.npy")
    np.save(partial, result)
    partial.replace(kept)
    return result


def open_teacher(model: str, threads: int = 0) -> Run:
    """A function from one uint8 RGB picture to features (D,).

    An .xml is fed as Open Model Zoo's person-reidentification-retail models are (BGR, 0 to 255), an .onnx as torchreid
    exports are (RGB, ImageNet-normalised). OpenVINO runs both. The input size is the model's.

    Raises:
        FileNotFoundError: The model's file is missing.
    """
    if not Path(model).is_file():
        raise FileNotFoundError(f"no model {model}: give the path of an OpenVINO .xml or an .onnx")
    import openvino

    options: dict[str, object] = {"INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    loaded = openvino.Core().read_model(model)
    shape = loaded.input(0).get_partial_shape()
    size = (shape[2].get_length() if shape[2].is_static else 256, shape[3].get_length() if shape[3].is_static else 128)
    loaded.reshape([1, 3, *size])
    request = openvino.Core().compile_model(loaded, "CPU", options).create_infer_request()
    zoo = Path(model).suffix == ".xml"

    def run(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        image = resized(image, size)
        values = image[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) if zoo else network_input(image)
        output = request.infer([np.ascontiguousarray(values)[None]])
        return np.array(next(iter(output.values()))).reshape(-1)

    return run
