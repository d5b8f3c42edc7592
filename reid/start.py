"""Where training starts: fresh, ImageNet, an open re-identification model, or saved weights."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from reid.network import RGANetwork
from reid.osnet import load_osnet_from_openvino


class StartError(ValueError):
    """The weights to start from don't fit the network; the message lists the keys."""


def load_start(network: RGANetwork, start: str | None) -> None:
    """Fill the network's body (and head) from a start; attention, feature norm and classifier may stay fresh.

    Args:
        start: None, `imagenet` (torchvision's weights for the body, which torchvision downloads once), the .xml of
            person-reidentification-retail-0277, a .safetensors, or a .pt with a state dict.

    Raises:
        StartError: Keys of the body are missing, unknown or of another shape.
        FileNotFoundError: No such file.
    """
    if start is None:
        return
    state = imagenet_state(network) if start == "imagenet" else read_state(start)
    own = network.state_dict()
    state = {name: value for name, value in state.items() if not name.startswith("cls.")}
    fresh = ("rga_att", "feat_bn.", "cls.", "num_batches_tracked")
    missing = [name for name in own if name not in state and not any(part in name for part in fresh)]
    unknown = [name for name in state if name not in own]
    misshapen = [name for name in state if name in own and state[name].shape != own[name].shape]
    if missing or unknown or misshapen:
        raise StartError(
            f"{start} does not fit {network.body} with {network.attention}: missing {missing}, unknown "
            f"{unknown}, of another shape {misshapen}"
        )
    network.load_state_dict(state, strict=False)


def read_state(start: str) -> dict[str, Tensor]:
    """State dict of a file."""
    path = Path(start)
    if not path.is_file():
        raise FileNotFoundError(f"no weights to start from at {path}")
    if path.suffix == ".xml":
        return load_osnet_from_openvino(path)
    state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def imagenet_state(network: RGANetwork) -> dict[str, Tensor]:
    """torchvision's ImageNet weights under our names."""
    from torchvision import models

    sources = {
        "resnet50": (models.resnet50, models.ResNet50_Weights.IMAGENET1K_V1),
        "resnet18": (models.resnet18, models.ResNet18_Weights.IMAGENET1K_V1),
        "mobilenet_v2": (models.mobilenet_v2, models.MobileNet_V2_Weights.IMAGENET1K_V1),
    }
    if network.body not in sources:
        raise StartError(f"no ImageNet start for the body {network.body}: choose start: null, or a file of weights")
    build, which = sources[network.body]
    state = build(weights=which).state_dict()
    return {f"backbone.{name}": value for name, value in state.items() if not name.startswith(("fc.", "classifier."))}
