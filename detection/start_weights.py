"""Start weights for training from an exported detector, so that no pickle and no download is needed.

An OpenVINO IR or ONNX file of an ultralytics YOLOv8 detector (float, FP16 or INT8) holds every convolution with its
batch normalisation already folded in. `network_from_openvino` (which reads both) puts them back into a trainable
one-class network: INT8 weights are multiplied by their scales, one class row of the classification head is kept, and
each batch normalisation gets back the mean and spread of its own input, measured on pictures, so that the network
computes the same as before and can be trained on.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from detection.ultralytics_settings import import_ultralytics

BIAS = "/bias"


class StartWeightsError(ValueError):
    """The file isn't a YOLOv8 detector that fits the network."""


def openvino_xml(model: str | Path) -> Path:
    """The one .xml of an `*_openvino_model` folder, or `model` itself (.xml, .onnx). Raises FileNotFoundError."""
    path = Path(model)
    found = sorted(path.glob("*.xml")) if path.is_dir() else [path]
    if len(found) != 1 or not found[0].is_file():
        raise FileNotFoundError(
            f"{path} holds no single OpenVINO .xml; name an .onnx, or the folder of one exported model"
        )
    return found[0]


def read_convolutions(model: str | Path) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """Float weight (out, in, kh, kw) and bias (out,) or None of every convolution, by module name (`model.0.conv`)."""
    import openvino

    core = openvino.Core()
    graph = core.read_model(str(openvino_xml(model)))
    names: list[str] = []
    outputs = []
    for node in graph.get_ordered_ops():
        if node.get_type_name() != "Convolution":
            continue
        names.append(_module_name(node.get_friendly_name()))
        outputs.append(node.input_value(1))
        users = [target.get_node() for target in node.output(0).get_target_inputs()]
        added = [user.input_value(1) for user in users if user.get_type_name() == "Add"]
        if len(added) == 1:
            names.append(names[-1] + BIAS)
            # In ONNX a bias is brought into the shape of the convolution's output, which depends on the picture.
            shaped = added[0].get_node()
            outputs.append(shaped.input_value(0) if shaped.get_type_name() == "Reshape" else added[0])
    if not names:
        raise StartWeightsError(f"{model} has no convolutions")
    # These outputs depend on constants only (INT8 times scale, FP16 to float ...): a graph without inputs gives them.
    constants = core.compile_model(openvino.Model(outputs, [], "weights"), "CPU")([])
    values = dict(zip(names, (np.array(constants[number]) for number in range(len(names))), strict=True))
    return {
        name: (value.astype(np.float32), values[name + BIAS].reshape(-1) if name + BIAS in values else None)
        for name, value in values.items()
        if not name.endswith(BIAS)
    }


def _module_name(friendly: str) -> str:
    """`__module.model.0.conv/aten::_convolution/Convolution` or `/model.0/conv/Conv/...` -> `model.0.conv`."""
    if friendly.startswith("__module."):
        return friendly.removeprefix("__module.").split("/")[0]
    parts: list[str] = []
    for part in friendly.strip("/").split("/"):
        if part == "Conv" or part.startswith("WithoutBiases"):
            continue
        if parts and part.startswith(parts[-1] + "."):  # ONNX names a list and its member: cv3.0/cv3.0.2
            parts.pop()
        parts.append(part)
    return ".".join(parts)


def network_from_openvino(
    model: str | Path, pictures: Iterable[np.ndarray], *, class_index: int = 0, yaml: str = "yolov8n.yaml"
) -> nn.Module:
    """A trainable one-class ultralytics network with the weights of an exported one.

    `pictures`: uint8 RGB (H, W, 3), sides multiples of 32, a dozen or more like those to be trained on: the batch
    normalisations are measured on them. `class_index`: the class that is kept. Raises StartWeightsError.
    """
    import_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    network = DetectionModel(yaml, nc=1, verbose=False)
    network.names = {0: "person"}
    weights = _one_class(read_convolutions(model), class_index, network)
    modules = dict(network.named_modules())
    with torch.no_grad():
        for name, module in modules.items():
            if not isinstance(module, nn.Conv2d):
                continue
            if name not in weights or weights[name][0].shape != tuple(module.weight.shape):
                raise StartWeightsError(f"{model}: convolution {name} is missing or has another shape than {yaml}'s")
            weight, bias = weights[name]
            module.weight.copy_(torch.from_numpy(weight))
            target = module.bias if module.bias is not None else _identity(modules, name)
            if target is not None:
                target.copy_(torch.from_numpy(bias) if bias is not None else torch.zeros_like(target))
    restore_normalisation(network, pictures)
    return network


def _identity(modules: dict[str, nn.Module], convolution: str) -> torch.Tensor | None:
    """Make the batch normalisation behind `convolution` do nothing but add its bias; returns that bias."""
    norm = modules.get(convolution.rsplit(".", 1)[0] + ".bn")
    if not isinstance(norm, nn.BatchNorm2d):
        return None
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0)
    norm.weight.fill_(float(np.sqrt(1.0 + norm.eps)))
    return norm.bias


def _one_class(weights: dict[str, tuple], class_index: int, network: nn.Module) -> dict[str, tuple]:
    """Cut the classification branches to one class and to the network's width: the channels which weigh most for it."""
    weights = dict(weights)
    modules = dict(network.named_modules())
    for last in [name for name in weights if ".cv3." in name and name.endswith(".2")]:
        stem = last.rsplit(".", 1)[0]
        weight, bias = weights[last]
        if class_index >= len(weight):
            raise StartWeightsError(f"the model has {len(weight)} classes, no class {class_index}")
        weight, bias = weight[class_index : class_index + 1], bias[class_index : class_index + 1]
        for number in (1, 0):
            name = f"{stem}.{number}.conv"
            keep = _heaviest(weight, modules[name].weight.shape[0])  # type: ignore[index,union-attr]
            weights[f"{stem}.{number + 1}.conv" if number == 0 else last] = (weight[:, keep], bias)
            weight, bias = weights[name][0][keep], weights[name][1][keep]
        weights[f"{stem}.0.conv"] = (weight, bias)
    return weights


def _heaviest(weight: np.ndarray, count: int) -> np.ndarray:
    """Indices, in order, of the `count` input channels with the largest weights."""
    return np.sort(np.argsort(-np.abs(weight).sum(axis=(0, 2, 3)), kind="stable")[:count])


def restore_normalisation(network: nn.Module, pictures: Iterable[np.ndarray]) -> None:
    """Give each batch normalisation the statistics of its input on `pictures`, the network's output unchanged."""
    sums: dict[str, list[torch.Tensor]] = {}

    def collect(name: str):
        def hook(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            x = inputs[0]
            sums.setdefault(name, []).append(torch.stack([x.mean((0, 2, 3)), x.square().mean((0, 2, 3))]))

        return hook

    norms = {name: m for name, m in network.named_modules() if isinstance(m, nn.BatchNorm2d)}
    hooks = [m.register_forward_pre_hook(collect(name)) for name, m in norms.items()]
    was_training = network.training
    network.eval()
    with torch.no_grad():
        for picture in pictures:
            network(torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255)
        for hook in hooks:
            hook.remove()
        if len(sums) != len(norms):
            raise StartWeightsError("no pictures to measure the batch normalisations on")
        for name, norm in norms.items():
            mean, square = torch.stack(sums[name]).mean(0)
            assert norm.running_mean is not None and norm.running_var is not None
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            norm.bias.add_((mean - norm.running_mean) * scale)
            variance = (square - mean.square()).clamp(min=1e-4)
            norm.weight.copy_(scale * (variance + norm.eps).sqrt())
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
    network.train(was_training)
