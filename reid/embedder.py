"""Crops of people to embeddings, on whichever runtime is at hand: torch, ONNX Runtime or OpenVINO."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from reid.int8_record import read_int8_record
from reid.pictures import resize
from reid.weights_config import WeightsConfig, WeightsError, check_answer, find, known_pictures, read_config

if TYPE_CHECKING:
    from reid.embedding_model import EmbeddingModel

Backend = Literal["auto", "torch", "onnx", "openvino", "openvino-int8", "cuda"]
Runner = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

# Crops of one run of the network: more take more memory and no less time.
_MOST_AT_ONCE = 8
# Other processors round INT8 otherwise, and half precision rounds: the answer may differ by this much in any of an
# embedding's values.
_TOLERANCE = {"openvino-int8": 0.03, "cuda": 0.01}


class Embedder:
    """Embeds crops; made by `load_embedder`.

    Attributes:
        name: of the weights.
        sha256: of the file that computes: the weights, or the INT8 model made from them.
        dimension: D of an embedding.
        threshold: cosine similarity from which two embeddings are taken for one person.
        config: everything else that is known of the weights.
        backend: what computes, never ``auto``.
    """

    def __init__(self, config: WeightsConfig, backend: str, sha256: str, runner: Runner, batch_size: int) -> None:
        self.name = config.name
        self.config = config
        self.backend = backend
        self.sha256 = sha256
        self._runner = runner
        self._batch_size = batch_size
        answer = runner(known_pictures(config.image_size))
        check_answer(answer, config, f"the {backend} backend", _TOLERANCE.get(backend))
        self.dimension = int(answer.shape[1])

    @property
    def threshold(self) -> float:
        return self.config.calibration["threshold"]

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embeddings (N, D), float32, length 1, of N crops.

        Args:
            crops: uint8 RGB (h, w, 3), each of any size from 8 x 8; a list or an array (N, h, w, 3).

        The result does not depend on which crops are embedded together, up to float rounding.

        Raises:
            CropError: a crop that is empty, tiny, not uint8 or not RGB; nothing is embedded then. It tells the index.
        """
        pictures = resize(crops, self.config.image_size)
        embeddings = np.empty((len(pictures), self.dimension), dtype=np.float32)
        for start in range(0, len(pictures), self._batch_size):
            rows = slice(start, start + self._batch_size)
            embeddings[rows] = self._runner(pictures[rows])
        return embeddings


def load_embedder(
    model: str | Path, *, backend: Backend = "auto", batch_size: int = 32, threads: int | None = None
) -> Embedder:
    """An embedder of shipped weights (``rga-store``, ``rga-research``) or of a folder written by `weights.save`.

    Args:
        model: name or folder.
        backend: ``auto`` takes the fastest on a CPU: OpenVINO, with the INT8 model where the weights ship with one;
            ``cuda`` is torch on a GPU, in half precision.
        batch_size: crops computed together.
        threads: CPU threads; None leaves it to the runtime.

    Weights that may not be used commercially print their licence.

    Raises:
        WeightsError: unknown, damaged or changed weights, a backend that answers a known picture otherwise, or no GPU
            for ``cuda``.
        ValueError: an argument out of range.
    """
    if backend not in get_args(Backend):
        raise ValueError(f"unknown backend {backend!r}: choose one of {', '.join(get_args(Backend))}")
    if batch_size < 1 or (threads is not None and threads < 1):
        raise ValueError(f"batch_size ({batch_size}) and threads ({threads}) must be at least 1")
    folder = find(model)
    config = read_config(folder)
    if config.restricted:
        print(f"{config.name}: {config.licence}", flush=True)
    int8 = folder / f"{config.name}-int8.xml"
    if backend == "auto":
        backend = "openvino-int8" if int8.is_file() else "openvino"
    if backend == "openvino-int8":
        if not int8.is_file():
            raise WeightsError(
                f"{folder} has no INT8 model: make {int8.name} with reid.export.export_int8, or use openvino"
            )
        record = read_int8_record(int8)
        config = replace(config, known_answer=[list(row) for row in record.known_answer])
        return Embedder(config, backend, record.sha256, openvino_runner(int8, threads), batch_size)
    # Only these need torch, which takes seconds and hundreds of megabytes.
    from reid.embedding_model import EmbeddingModel
    from reid.weights import load

    network, config = load(folder)
    embedding = EmbeddingModel(network, config).eval().requires_grad_(False)
    return Embedder(config, backend, config.sha256, runner_of(embedding, backend, threads), batch_size)


def runner_of(model: EmbeddingModel, backend: str, threads: int | None = None) -> Runner:
    """What computes a batch with ``model`` on ``torch``, ``cuda``, ``onnx`` or ``openvino``."""
    if backend in ("torch", "cuda"):
        import torch

        from reid.embedding_model import torch_runner

        if backend == "torch":
            return torch_runner(model, threads)
        if not torch.cuda.is_available():
            raise WeightsError(
                f"device cuda: torch {torch.__version__} finds no GPU here; use the CPU, or see to its driver"
            )
        return torch_runner(model, device="cuda", half=True)
    from reid import export  # onnx and openvino are slow to import

    if backend == "onnx":
        return onnx_runner(export.onnx_bytes(model), threads)
    return openvino_runner(export.openvino_model(model), threads)


def onnx_runner(model: bytes | str | Path, threads: int | None = None) -> Runner:
    """Runs an ONNX model exported by `reid.export` (its bytes or its path)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    source = model if isinstance(model, bytes) else str(model)
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])

    def run(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {"crops": pictures})[0])

    return run


def openvino_runner(model: object, threads: int | None = None) -> Runner:
    """Runs an OpenVINO model (or the path of its .xml) on the CPU in float32, or in INT8 where it is quantised.

    Each thread, by default each core, works on crops of its own (OpenVINO's streams): cores that share every layer wait
    for each other, and need a fifth more processor time.
    """
    import openvino

    # Float32 asked for: by itself OpenVINO computes in bf16 where the CPU can, and answers differ between machines.
    settings: dict[str, object] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"}
    if threads is not None:
        settings |= {"NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads}
    source = str(model) if isinstance(model, Path) else model
    streams = openvino.AsyncInferQueue(openvino.Core().compile_model(source, "CPU", settings))
    answers: dict[int, NDArray[np.float32]] = {}
    streams.set_callback(lambda request, start: answers.update({start: np.array(request.get_output_tensor(0).data)}))
    one_at_a_time = threading.Lock()

    def run(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        step = min(-(-len(pictures) // len(streams)), _MOST_AT_ONCE)
        with one_at_a_time:
            answers.clear()
            for start in range(0, len(pictures), step):
                streams.start_async([pictures[start : start + step]], start)
            streams.wait_all()
            return np.concatenate([answers[start] for start in range(0, len(pictures), step)])

    return run
