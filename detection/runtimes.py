"""Run an exported network on OpenVINO or ONNX Runtime: arrays in, arrays out, no telemetry."""

from __future__ import annotations

import ast
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from detection.detector import DetectorError

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


CUDA_PROVIDERS: dict[str, dict[str, Any]] = {
    "TensorrtExecutionProvider": {"trt_fp16_enable": True},
    "CUDAExecutionProvider": {},
}


class OpenVinoRuntime:
    """An OpenVINO IR folder. Pictures go in as uint8 RGB (N, H, W, 3); OpenVINO scales them to 0..1 itself.

    `input_shape` is (batch, height, width), None where free. Without a number of threads each core works on an array of
    its own (OpenVINO's streams): two cores that share every layer of one picture wait for each other.
    """

    def __init__(self, folder: Path, threads: int | None) -> None:
        import openvino as ov
        from openvino.preprocess import PrePostProcessor

        model = ov.Core().read_model(str(next(iter(sorted(folder.glob("*.xml"))))))
        shape = model.input().get_partial_shape()
        batch, _, height, width = (side.get_length() if side.is_static else None for side in shape)
        self.input_shape = (batch, height, width)
        steps = PrePostProcessor(model)
        steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        steps.input().model().set_layout(ov.Layout("NCHW"))
        steps.input().preprocess().convert_element_type(ov.Type.f32).scale(255.0)
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
        if threads is not None:
            settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        compiled = ov.Core().compile_model(steps.build(), "CPU", settings)
        self._streams = ov.AsyncInferQueue(compiled)
        self._streams.set_callback(self._keep)
        self._outputs: dict[int, np.ndarray] = {}
        self._one_at_a_time = threading.Lock()
        metadata = folder / "metadata.yaml"
        self.metadata: dict[str, Any] = yaml.safe_load(metadata.read_text()) if metadata.is_file() else {}

    def __call__(self, batches: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Output of each array of pictures."""
        with self._one_at_a_time:
            for number, pictures in enumerate(batches):
                self._streams.start_async(pictures, number)
            self._streams.wait_all()
            outputs, self._outputs = self._outputs, {}
        return [outputs[number] for number in range(len(batches))]

    def _keep(self, request: Any, number: int) -> None:
        self._outputs[number] = request.get_output_tensor(0).data.copy()


class OnnxRuntime:
    """An ONNX file on ONNX Runtime. `input_shape` is (batch, height, width), None where free.

    On the device `cuda` TensorRT computes where it is installed, else CUDA does; TensorRT in half precision. Raises
    DetectorError where neither can.
    """

    def __init__(self, path: Path, threads: int | None, device: str = "cpu") -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = threads
        providers: list[Any] = ["CPUExecutionProvider"]
        if device == "cuda":
            providers = [
                (name, CUDA_PROVIDERS[name]) for name in CUDA_PROVIDERS if name in onnxruntime.get_available_providers()
            ]
            if not providers:
                raise DetectorError(
                    f"{path.name} can't run on device cuda: onnxruntime {onnxruntime.__version__} runs on CPUs only:"
                    " install onnxruntime-gpu instead"
                )
        self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        if device == "cuda" and self._session.get_providers()[0] not in CUDA_PROVIDERS:
            raise DetectorError(
                f"{path.name} can't run on device cuda: onnxruntime finds no GPU; is its driver installed?"
            )
        self._input = self._session.get_inputs()[0].name
        batch, _, height, width = self._sides(self._session.get_inputs()[0].shape)
        self.input_shape = (batch, height, width)
        self.output_shape = tuple(self._sides(self._session.get_outputs()[0].shape))
        stored = self._session.get_modelmeta().custom_metadata_map
        self.metadata: dict[str, Any] = dict(stored)
        if "names" in stored:
            self.metadata["names"] = ast.literal_eval(stored["names"])

    @staticmethod
    def _sides(shape: list[Any]) -> list[int | None]:
        return [side if isinstance(side, int) else None for side in shape]

    def __call__(self, batches: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Output of each array of pictures, uint8 RGB (N, H, W, 3), scaled to 0..1 here."""
        return [
            self.run(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32) / np.float32(255))
            for pictures in batches
        ]

    def run(self, planes: np.ndarray) -> np.ndarray:
        """`planes`: float32 (N, 3, H, W), as the network wants it."""
        return np.asarray(self._session.run(None, {self._input: planes})[0])
