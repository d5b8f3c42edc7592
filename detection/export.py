"""From trained weights to the files that ship: OpenVINO INT8 for speed, ONNX for everywhere else.

The ONNX file keeps its weights as FP16 and widens them as it is loaded: half the size, and it computes in FP32.
Both take any batch and any size in steps of 32 pixels, so that a 16:9 camera at 640 costs 384 x 640, not 640 x 640.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from detection.boxes import fitting_size, letterbox
from detection.ultralytics_settings import import_ultralytics

SIZE_LIMIT_MB = 8.0
USUAL_CONFIDENCE = 0.25
OF_THIS_MACHINE = {"date", "description"}  # metadata that names the day and the data's folder


class ExportError(RuntimeError):
    """The weights can't be exported, or a file became too large to ship."""


@dataclass(frozen=True)
class Exported:
    """Where the files are."""

    openvino: Path
    onnx: Path


def export_detector(
    weights: str | Path,
    name: str,
    folder: str | Path,
    calibration: Sequence[str | Path],
    *,
    image_size: int = 640,
    operating_score: float = USUAL_CONFIDENCE,
) -> Exported:
    """Write FOLDER/NAME_openvino_model (INT8) and FOLDER/NAME.onnx (float).

    Args:
        weights: ultralytics checkpoint (.pt) that training wrote.
        calibration: 100 to 300 pictures like those of the cameras; ranges of the INT8 activations are taken from them.
        image_size: longer side of the calibration pictures.
        operating_score: the score, chosen on validation pictures, from which on boxes are wanted. Scores are shifted so
            that it becomes 0.25, the confidence that everybody uses; their order stays.

    Raises:
        ExportError: nncf is missing, no calibration pictures, or a file is over 8 MB.
    """
    if not calibration:
        raise ExportError("INT8 needs calibration pictures: name some like those of your cameras")
    ultralytics = import_ultralytics()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Made beside their place and moved there: a process that has the old files mapped into memory keeps those.
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        copy = Path(scratch) / f"{name}.pt"
        shutil.copy(weights, copy)
        settings: dict[str, Any] = {"dynamic": True, "imgsz": image_size, "device": "cpu"}
        trained = ultralytics.YOLO(str(copy))
        trained.model.names = {0: "person"}  # training as one class calls it an item
        shift_scores(trained.model.model[-1], operating_score)
        onnx = Path(trained.export(format="onnx", simplify=False, **settings))
        floats = Path(trained.export(format="openvino", **settings))
        made, target = Path(scratch) / "made", folder / f"{name}_openvino_model"
        made.mkdir()
        _quantize(floats, made / f"{name}.xml", [_planes(path, image_size) for path in calibration])
        _metadata(floats / "metadata.yaml", made / "metadata.yaml")
        store_as_fp16(onnx, Path(scratch) / "fp16.onnx")
        target.mkdir(exist_ok=True)
        for file in sorted(made.iterdir()):
            os.replace(file, target / file.name)
        os.replace(Path(scratch) / "fp16.onnx", folder / f"{name}.onnx")
    for path in (folder / f"{name}.onnx", target / f"{name}.bin"):
        if path.stat().st_size > SIZE_LIMIT_MB * 1e6:
            raise ExportError(f"{path} has {path.stat().st_size / 1e6:.1f} MB, more than {SIZE_LIMIT_MB:g}")
    return Exported(target, folder / f"{name}.onnx")


def shift_scores(head: Any, operating_score: float) -> None:
    """Move the class biases of a YOLOv8 head (`cv3`) so that `operating_score` becomes 0.25."""
    import torch

    logits = torch.logit(torch.tensor([USUAL_CONFIDENCE, operating_score]))
    with torch.no_grad():
        for branch in head.cv3:
            branch[-1].bias += logits[0] - logits[1]


def store_as_fp16(source: Path, target: Path) -> None:
    """Copy an ONNX file with its large float tensors stored as FP16, each cast back to float where it is used."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(str(source))
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < 256:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_fp16"))
        casts.append(helper.make_node("Cast", [f"{name}_fp16"], [name], name=f"{name}_widened", to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    kept = [item for item in model.metadata_props if item.key not in OF_THIS_MACHINE]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def _planes(path: str | Path, image_size: int) -> np.ndarray:
    """A picture as the network takes it: float32 (1, 3, H, W) RGB 0..1."""
    image = cv2.imread(str(path))
    if image is None:
        raise ExportError(f"{path} is not a readable picture")
    picture, _ = letterbox(image[..., ::-1], fitting_size(image, image_size))
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def _quantize(floats: Path, target: Path, pictures: Sequence[np.ndarray]) -> None:
    """INT8 by post-training quantization; what decodes the boxes stays float, as in ultralytics' own export."""
    try:
        import nncf
    except ImportError as error:
        raise ExportError("INT8 export needs nncf: pip install 'aisleflow[dev]'") from error
    import openvino

    model = openvino.Core().read_model(str(next(floats.glob("*.xml"))))
    operations = model.get_ordered_ops()
    last = [op.get_friendly_name() for op in operations if op.get_type_name() == "Sigmoid"][-1]
    head = last.split("/", 1)[0]
    decoding = [
        op.get_friendly_name()
        for op in operations
        if op.get_type_name() == "Sigmoid" or op.get_friendly_name().startswith((f"{head}/", f"{head}.dfl"))
    ]
    quantized = nncf.quantize(
        model,
        nncf.Dataset(pictures),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(pictures),
        ignored_scope=nncf.IgnoredScope(names=decoding),
    )
    openvino.save_model(quantized, str(target), compress_to_fp16=False)


def _metadata(source: Path, target: Path) -> None:
    """ultralytics' metadata, less the date and the paths of this machine: the same weights give the same files."""
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    target.write_text("".join(line for line in lines if line.split(":")[0] not in OF_THIS_MACHINE), encoding="utf-8")
