"""ONNX and OpenVINO models of a set of weights, in float32 and INT8, each held against torch on the crops given.

What is exported takes crops uint8 (N, H, W, 3) RGB of the network's size, any N, input ``crops``, and gives embeddings
float32 (N, D) of length 1, output ``embedding``: normalisation and L2 norm are part of it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reid.embedding_model import EmbeddingModel
from reid.int8_record import write_int8_record
from reid.pictures import resize
from reid.weights import load
from reid.weights_config import known_pictures

LEAST_COSINE = 0.999
LEAST_COSINE_INT8 = 0.98
_CALIBRATION_BATCH = 8
# Instance norms, and the parts of the L2 norm, by OpenVINO's and by ONNX's names.
_FLOAT_LAYERS = ["MVN", "InstanceNormalization", "ReduceL2", "Divide", "Div"]


class ExportError(RuntimeError):
    """An exported model that does not compute what torch computes."""


@dataclass(frozen=True)
class Exported:
    """A file and the least and mean cosine of its embeddings with torch's, over the crops it was checked on."""

    path: Path
    least_cosine: float
    mean_cosine: float


def export_onnx(model: str | Path, path: str | Path, crops: Sequence[NDArray[np.uint8]]) -> Exported:
    """Write an ONNX file, float32. Raises ExportError where the least cosine over ``crops`` is under 0.999."""
    from reid.embedder import onnx_runner

    embedding, pictures = _prepared(model, crops)
    path = Path(path)
    path.write_bytes(onnx_bytes(embedding))
    return _checked(path, onnx_runner(path), embedding, pictures, LEAST_COSINE)


def export_onnx_int8(model: str | Path, path: str | Path, crops: Sequence[NDArray[np.uint8]]) -> Exported:
    """Write an ONNX file in INT8, calibrated on ``crops``. Raises ExportError under a cosine of 0.98."""
    import onnx

    from reid.embedder import onnx_runner

    embedding, pictures = _prepared(model, crops)
    whole = onnx.load_from_string(onnx_bytes(embedding))
    weighted = [node.name for node in whole.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    quantised = _quantised(whole, pictures, lambda batch: {"crops": batch}, [weighted[0], weighted[-1]])
    path = Path(path)
    onnx.save(quantised, str(path))
    return _checked(path, onnx_runner(path), embedding, pictures, LEAST_COSINE_INT8)


def export_openvino(model: str | Path, path: str | Path, crops: Sequence[NDArray[np.uint8]]) -> Exported:
    """Write an OpenVINO IR (``path`` ends in .xml), stored in half precision. Raises ExportError under 0.999."""
    import openvino

    from reid.embedder import openvino_runner

    embedding, pictures = _prepared(model, crops)
    path = _xml(path)
    openvino.save_model(openvino_model(embedding), str(path), compress_to_fp16=True)
    return _checked(path, openvino_runner(path), embedding, pictures, LEAST_COSINE)


def export_int8(model: str | Path, path: str | Path, crops: Sequence[NDArray[np.uint8]]) -> Exported:
    """Write an OpenVINO IR in INT8, calibrated on ``crops`` (a few hundred, varied). Raises ExportError under 0.98.

    Written as ``NAME-int8.xml`` into the folder of the weights, it is what `load_embedder` takes by itself. Beside it
    goes ``NAME-int8.json``: the files' hashes and the answer to the known pictures, which `load_embedder` checks.
    """
    import openvino

    from reid.embedder import openvino_runner

    embedding, pictures = _prepared(model, crops)
    path = _xml(path)
    openvino.save_model(quantised_openvino(embedding, pictures), str(path), compress_to_fp16=True)
    runner = openvino_runner(path)
    checked = _checked(path, runner, embedding, pictures, LEAST_COSINE_INT8)
    write_int8_record(path, runner(known_pictures(embedding.network.image_size)))
    return checked


def onnx_bytes(model: EmbeddingModel) -> bytes:
    """The model as ONNX, dynamic batch."""
    buffer = io.BytesIO()
    torch.onnx.export(
        model,
        (_example(model),),
        buffer,  # type: ignore[arg-type]
        input_names=["crops"],
        output_names=["embedding"],
        dynamic_axes={"crops": {0: "batch"}, "embedding": {0: "batch"}},
        opset_version=17,
        dynamo=False,  # the newer exporter needs onnxscript
    )
    return buffer.getvalue()


def openvino_model(model: EmbeddingModel) -> Any:
    """The model as an openvino.Model, dynamic batch."""
    import openvino

    height, width = model.network.image_size
    converted = openvino.convert_model(
        model, example_input=_example(model), input=[("crops", openvino.PartialShape([-1, height, width, 3]))]
    )
    converted.inputs[0].set_names({"crops"})
    converted.outputs[0].set_names({"embedding"})
    return converted


def quantised_openvino(model: EmbeddingModel, pictures: NDArray[np.uint8]) -> Any:
    """The model in INT8, calibrated on pictures (N, H, W, 3) of the network's size."""
    whole = openvino_model(model)
    weighted = [node for node in whole.get_ordered_ops() if node.get_type_name() in ("Convolution", "MatMul")]
    return _quantised(whole, pictures, lambda batch: batch, [weighted[k].get_friendly_name() for k in (0, -1)])


def _quantised(model: Any, pictures: NDArray[np.uint8], as_input: Any, ends: list[str]) -> Any:
    try:
        import nncf
    except ImportError as error:
        raise ImportError("INT8 needs nncf: pip install 'aisleflow[dev]'") from error
    batches = [pictures[start : start + _CALIBRATION_BATCH] for start in range(0, len(pictures), _CALIBRATION_BATCH)]
    return nncf.quantize(
        model,
        nncf.Dataset(batches, as_input),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(batches),
        fast_bias_correction=True,
        # What sees the picture itself meets more than the calibration's range in another shop, and the last layer and
        # norm make the embedding: these few stay float.
        ignored_scope=nncf.IgnoredScope(names=ends, types=_FLOAT_LAYERS, validate=False),
        # Products of two bytes overflow on CPUs without VNNI; half the weights' range avoids it everywhere.
        advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
    )


def _prepared(model: str | Path, crops: Sequence[NDArray[np.uint8]]) -> tuple[EmbeddingModel, NDArray[np.uint8]]:
    if not len(crops):
        raise ValueError("an export is checked against torch on real crops: give at least one")
    network, config = load(model)
    return EmbeddingModel(network, config).eval().requires_grad_(False), resize(crops, config.image_size)


def _example(model: EmbeddingModel) -> torch.Tensor:
    # Two pictures, so that no tracer takes the batch for a constant 1.
    return torch.zeros(2, *model.network.image_size, 3, dtype=torch.uint8)


def _xml(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix != ".xml":
        raise ValueError(f"an OpenVINO model is a pair of .xml and .bin: give a path that ends in .xml, not {path}")
    return path


def _checked(path: Path, runner: Any, model: EmbeddingModel, pictures: NDArray[np.uint8], least: float) -> Exported:
    cosines = []
    for start in range(0, len(pictures), _CALIBRATION_BATCH):
        batch = pictures[start : start + _CALIBRATION_BATCH]
        with torch.inference_mode():
            expected = model(torch.from_numpy(batch)).numpy()
        cosines.append((runner(batch) * expected).sum(axis=1))
    cosine = np.concatenate(cosines)
    if not cosine.min() >= least:
        raise ExportError(
            f"{path}: the embedding of crop {int(cosine.argmin())} has cosine {cosine.min():.4f} with torch's, {least} "
            "is needed: calibrate INT8 on more and more varied crops, or ship float32"
        )
    return Exported(path, float(cosine.min()), float(cosine.mean()))
