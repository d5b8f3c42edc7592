"""The re-identification network: a body, relation-aware attention after its stages, and the head of the paper."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from reid.attention import Branch, RelationAwareGlobalAttention
from reid.mobilenet import MobileNetV2
from reid.osnet import FEATURES as OSNET_FEATURES
from reid.osnet import OSNet, OSNetHead
from reid.resnet import ResNet
from reid.stages import Stage

Body = Literal["resnet50", "resnet18", "mobilenet_v2", "osnet"]
Attention = Literal["none", "rgas", "rgac", "rgasc"]

BRANCHES: dict[str, tuple[Branch, ...]] = {
    "none": (),
    "rgas": ("spatial",),
    "rgac": ("channel",),
    "rgasc": ("spatial", "channel"),
}
# osnet comes with trained weights: its gates start open (0.98) so that the start is as good as the body.
_GATE_BIAS = {"osnet": 4.0}


class Features(NamedTuple):
    """What the network says of a batch of B pictures.

    ``f`` (B, D) before and ``f_bn`` (B, D) after the feature batch norm; ``logits`` (B, num_classes) or None without
    a classifier. The paper trains the triplet loss on f, the classifier on f_bn, and tests both with the cosine.
    """

    f: Tensor
    f_bn: Tensor
    logits: Tensor | None


class GlobalAveragePool(nn.Module):
    """(B, C, H, W) to (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


class RGANetwork(nn.Module):
    """Body with attention after each stage; see `build_network`.

    Attributes:
        dimension: D of the features.
        image_size: (height, width) in pixels that the weights are for.
    """

    def __init__(
        self,
        body: Body,
        attention: Attention,
        image_size: tuple[int, int],
        num_classes: int | None,
        gate_bias: float,
    ) -> None:
        super().__init__()
        self.body, self.attention, self.image_size = body, attention, image_size
        self.backbone = _body(body, image_size)
        self.stages: tuple[Stage, ...] = self.backbone.stages
        for number, stage in enumerate(self.stages, 1) if attention != "none" else ():
            try:
                module = RelationAwareGlobalAttention(
                    stage.channels,
                    stage.height,
                    stage.width,
                    BRANCHES[attention],
                    ratio=stage.ratio,
                    gate_bias=gate_bias,
                )
            except ValueError as error:
                raise ValueError(
                    f"image_size {image_size} is too small for {body} with {attention}: after stage {number} of "
                    f"{len(self.stages)}, {error}. 128 x 112 and everything larger works with every body and attention"
                ) from error
            self.backbone.add_module(f"rga_att{number}", module)
        last = self.stages[-1]
        self.head: nn.Module
        if body == "osnet":
            self.dimension = OSNET_FEATURES
            self.head = OSNetHead(last.height, last.width)
        else:
            self.dimension = last.channels
            self.head = GlobalAveragePool()
        self.feat_bn = nn.BatchNorm1d(self.dimension)
        self.feat_bn.bias.requires_grad_(False)
        self.cls: nn.Linear | None = None
        if num_classes is not None:
            self.cls = nn.Linear(self.dimension, num_classes, bias=False)
            nn.init.normal_(self.cls.weight, std=0.001)

    def forward(self, x: Tensor) -> Features:
        """Normalised RGB pictures (B, 3, H, W), float, H and W as in ``image_size``."""
        f = self.head(self.feature_map(x))
        f_bn = self.feat_bn(f)
        return Features(f, f_bn, None if self.cls is None else self.cls(f_bn))

    def feature_map(self, x: Tensor) -> Tensor:
        """Gated map after the last stage, (B, C, h, w)."""
        if tuple(x.shape[2:]) != tuple(self.image_size):
            raise ValueError(
                f"pictures of {x.shape[2]} x {x.shape[3]} for a network built for {self.image_size[0]} x "
                f"{self.image_size[1]}: resize them, or build the network with that image_size"
            )
        x = self.backbone.stem(x)
        for number in range(1, len(self.stages) + 1):
            x = self.backbone.stage(number, x)
            if self.attention != "none":
                x = self.backbone.get_submodule(f"rga_att{number}")(x)
        return x


def build_network(
    body: Body = "resnet50",
    attention: Attention = "rgasc",
    image_size: tuple[int, int] = (256, 128),
    num_classes: int | None = None,
    *,
    gate_bias: float | None = None,
) -> RGANetwork:
    """A network with fresh weights.

    Args:
        body: ``resnet50`` is the paper's; its state dict has the names of the authors' public code. ``resnet18``,
            ``mobilenet_v2`` and ``osnet`` are light ones for machines without a GPU.
        attention: RGA-S, RGA-C, both (spatial first), or none.
        image_size: (height, width) in pixels. It is part of the attention's weights: another size, another network.
        num_classes: identities of the classifier; None leaves it out.
        gate_bias: start of the attention's last bias; None takes 0 (the paper) or, for osnet, 4 (gates start open).

    Features: f is the average-pooled last map (2048, 512, 1280 values); for osnet it is the 256-d output of the head
    that came with its weights. f_bn is f after a batch norm whose bias stays 0 and whose statistics start at 0 and 1,
    so before training it equals f up to the norm's epsilon.

    Raises:
        ValueError: an unknown name, or a size that leaves an attention module without channels.
    """
    if body not in get_args(Body):
        raise ValueError(f"unknown body {body!r}: choose one of {', '.join(get_args(Body))}")
    if attention not in get_args(Attention):
        raise ValueError(f"unknown attention {attention!r}: choose one of {', '.join(get_args(Attention))}")
    if num_classes is not None and num_classes < 1:
        raise ValueError(f"num_classes is {num_classes}: give at least 1, or None for a network without classifier")
    if gate_bias is None:
        gate_bias = _GATE_BIAS.get(body, 0.0)
    return RGANetwork(body, attention, (int(image_size[0]), int(image_size[1])), num_classes, gate_bias)


def _body(body: Body, image_size: tuple[int, int]) -> ResNet | MobileNetV2 | OSNet:
    if min(image_size) < 32:
        raise ValueError(f"image_size {image_size}: both sides need at least 32 pixels")
    if body == "osnet":
        return OSNet(image_size)
    if body == "mobilenet_v2":
        return MobileNetV2(image_size)
    return ResNet(body, image_size)


def count_parameters(network: nn.Module) -> int:
    """Number of trainable values."""
    return sum(value.numel() for value in network.parameters() if value.requires_grad)


def to_inference(network: RGANetwork) -> RGANetwork:
    """The same network in evaluation mode with no gradients and channels-last weights; in place, returned too."""
    network.eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
