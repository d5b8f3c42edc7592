"""Reads the layers with weights out of an OpenVINO IR, in the order in which it runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

_WEIGHTED = ("Convolution", "GroupConvolution", "MatMul")


def read_layers(xml_path: str | Path) -> list[dict[str, np.ndarray]]:
    """Every convolution, matrix product, normalisation and PReLU of an IR with its constants.

    Returns:
        One dict a layer: ``weight`` and, where the IR adds a constant to its output, ``bias``; float32. A factor after
        a matrix product (a folded batch norm) is multiplied into its weight and bias.

    Raises:
        FileNotFoundError: no such file.
    """
    import openvino

    if not Path(xml_path).is_file():
        raise FileNotFoundError(f"no OpenVINO IR at {xml_path}")
    layers = []
    for node in openvino.Core().read_model(str(xml_path)).get_ordered_ops():
        kind = node.get_type_name()
        if kind in _WEIGHTED:
            layers.append(_weighted(node))
        elif kind == "MVN":
            layers.append(_normalisation(node))
        elif kind == "PRelu":
            layers.append({"weight": _constant(node, 1)})
    return layers


def _weighted(node: Any) -> dict[str, np.ndarray]:
    layer = {"weight": _constant(node, 1)}
    following = _consumer(node)
    if following.get_type_name() == "Add" and (bias := _constant_operand(following)) is not None:
        layer["bias"] = bias.ravel()
        if node.get_type_name() == "MatMul":
            scale = _consumer(following)
            factor, shift = _constant_operand(scale), _constant_operand(_consumer(scale))
            if scale.get_type_name() == "Multiply" and factor is not None and shift is not None:
                layer["weight"] = layer["weight"] * factor.reshape(-1, 1)
                layer["bias"] = layer["bias"] * factor.ravel() + shift.ravel()
    return layer


def _normalisation(node: Any) -> dict[str, np.ndarray]:
    scale = _consumer(node)
    weight, bias = _constant_operand(scale), _constant_operand(_consumer(scale))
    if weight is None or bias is None:
        raise ValueError(f"normalisation {node.get_friendly_name()} has no factor and offset after it")
    return {"weight": weight.ravel(), "bias": bias.ravel()}


def _consumer(node: Any) -> Any:
    """The first consumer, reshapes skipped."""
    following = next(iter(node.output(0).get_target_inputs())).get_node()
    return _consumer(following) if following.get_type_name() in ("Reshape", "ShapeOf") else following


def _constant_operand(node: Any) -> np.ndarray | None:
    for index in range(len(node.inputs())):
        value = _constant(node, index)
        if value is not None:
            return value
    return None


def _constant(node: Any, index: int) -> Any:
    source = node.input_value(index).get_node()
    while source.get_type_name() == "Convert":  # half-precision storage
        source = source.input_value(0).get_node()
    return source.get_data().astype(np.float32) if source.get_type_name() == "Constant" else None
