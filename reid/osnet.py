"""The OSNet body of Intel's person-reidentification-retail-0277 (Apache-2.0), and the import of its weights.

Omni-Scale Network (Zhou et al., ICCV 2019): each block runs four streams of one to four light 3x3 convolutions, and a
gate shared by the streams weighs them per channel. Differences of this one from the paper's: an instance norm on the
picture and after the first convolution, a linear context transform (Ruan et al., AAAI 2020) as the gate of every second
block, a full-map depthwise convolution in place of the average pool, 2.1 M parameters. The published weights have all
batch norms folded into the convolutions, so the convolutions here have biases.

The instance norm at the input makes the features independent of a picture's mean and contrast per colour, so that
ImageNet's usual mean and deviation over RGB serve as normalisation; the original takes BGR in 0..255 and does the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid.stages import Stage, after_strides

FEATURES = 256
_STAGE_CHANNELS = (256, 384, 512)
_GROUPS = 16  # of the linear context transform
_SQUEEZE = 16  # reduction in the gate of a stage's first block


class LightConvolution(nn.Module):
    """1x1 convolution, depthwise 3x3 convolution, ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pointwise = nn.Conv2d(channels, channels, kernel_size=1, bias=False)
        self.depthwise = nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.depthwise(self.pointwise(x)))


class SqueezeGate(nn.Module):
    """Per-channel gate from the map's mean through a bottleneck; the same for all streams of a block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // _SQUEEZE, kernel_size=1)
        self.expand = nn.Conv2d(channels // _SQUEEZE, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self.expand(functional.relu(self.reduce(mean))))


class ContextGate(nn.Module):
    """Per-channel gate from the map's mean, normalised within groups of channels (linear context transform)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(_GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        # By hand: OpenVINO's group norm is made for maps, and takes a seventh of the whole network's time on means.
        means = x.mean(dim=(2, 3)).unflatten(1, (_GROUPS, -1))
        centred = means - means.mean(dim=2, keepdim=True)
        normal = centred / (centred.square().mean(dim=2, keepdim=True) + self.norm.eps).sqrt()
        gate = torch.sigmoid(normal.flatten(1) * self.norm.weight + self.norm.bias)
        return x * gate[:, :, None, None]


class OmniScaleBlock(nn.Module):
    """Bottleneck with four streams of growing receptive field: 3, 5, 7 and 9 positions."""

    def __init__(self, inputs: int, outputs: int, gate: type[SqueezeGate] | type[ContextGate]) -> None:
        super().__init__()
        inner = outputs // 4
        self.reduce = nn.Conv2d(inputs, inner, kernel_size=1)
        self.streams = nn.ModuleList(
            nn.Sequential(*(LightConvolution(inner) for _ in range(depth))) for depth in (1, 2, 3, 4)
        )
        self.gate = gate(inner)
        self.expand = nn.Conv2d(inner, outputs, kernel_size=1)
        self.shortcut = nn.Conv2d(inputs, outputs, kernel_size=1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        reduced = functional.relu(self.reduce(x))
        scales = [self.gate(stream(reduced)) for stream in self.streams]
        merged = scales[0] + scales[1] + scales[2] + scales[3]
        return functional.relu(self.expand(merged) + self.shortcut(x))


class Transition(nn.Module):
    """1x1 convolution, ReLU and halving of the map, between stages."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(functional.relu(self.convolution(x)), kernel_size=2)


class OSNet(nn.Module):
    """Body of three stages: 256 x H/4 x W/4, 384 x H/8 x W/8, 512 x H/16 x W/16.

    Args:
        image_size: (height, width) in pixels, both multiples of 16.

    Raises:
        ValueError: a size that does not divide.
    """

    def __init__(self, image_size: tuple[int, int]) -> None:
        super().__init__()
        if any(size < 16 or size % 16 for size in image_size):
            raise ValueError(f"osnet halves the picture four times: both sides of {image_size} must be multiples of 16")
        self.input_norm = nn.InstanceNorm2d(3, affine=True)
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.conv1_norm = nn.InstanceNorm2d(64, affine=True)
        inputs = 64
        for number, channels in enumerate(_STAGE_CHANNELS, 1):
            first = OmniScaleBlock(inputs, channels, SqueezeGate)
            self.add_module(f"stage{number}", nn.Sequential(first, OmniScaleBlock(channels, channels, ContextGate)))
            inputs = channels
        self.transition1 = Transition(_STAGE_CHANNELS[0])
        self.transition2 = Transition(_STAGE_CHANNELS[1])
        self.stages = tuple(
            Stage(channels, *after_strides(image_size, strides))
            for channels, strides in zip(_STAGE_CHANNELS, (2, 3, 4), strict=True)
        )

    def stem(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) to what the first stage takes."""
        x = functional.relu(self.conv1_norm(self.conv1(self.input_norm(x))))
        return functional.max_pool2d(x, kernel_size=3, stride=2, padding=1)

    def stage(self, number: int, x: Tensor) -> Tensor:
        """Runs stage ``number`` (from 1), the transition before it included."""
        if number > 1:
            x = self.get_submodule(f"transition{number - 1}")(x)
        return self.get_submodule(f"stage{number}")(x)


class OSNetHead(nn.Module):
    """Last map (B, 512, H, W) to features (B, 256): the head that 0277 was trained with."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        channels = _STAGE_CHANNELS[-1]
        self.convolution = nn.Conv2d(channels, channels, kernel_size=1)
        self.pool = nn.Conv2d(channels, channels, kernel_size=(height, width), groups=channels)
        self.linear = nn.Linear(channels, FEATURES)
        self.activation = nn.PReLU()
        # A network without imported weights starts as an average pool; the default start would be noise.
        nn.init.constant_(self.pool.weight, 1 / (height * width))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.convolution(x))
        # As a sum: a depthwise convolution with the whole map as its kernel has only a slow path on CPUs.
        pooled = torch.sum(x * self.pool.weight.squeeze(1), dim=(2, 3))
        if self.pool.bias is not None:
            pooled = pooled + self.pool.bias
        return self.activation(self.linear(pooled))


def load_osnet_from_openvino(xml_path: str | Path) -> dict[str, Tensor]:
    """Weights of person-reidentification-retail-0277 as a state dict of our network without attention or classifier.

    Args:
        xml_path: the .xml of the IR, its .bin beside it. Half-precision storage is widened to float32.

    Returns:
        Names ``backbone.*`` and ``head.*``, float32. ``feat_bn`` is not part of it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another model; the message names the first layer that does not fit.
    """
    from reid.openvino_layers import read_layers  # only the importer needs OpenVINO

    layers = read_layers(xml_path)
    state: dict[str, Tensor] = {}
    body, head = OSNet((256, 128)), OSNetHead(16, 8)
    for name, module in _layers_in_order(body, head):
        if not layers:
            raise ValueError(f"{xml_path} ends before {name}: it is not person-reidentification-retail-0277")
        layer = layers.pop(0)
        for part, expected in module.state_dict().items():
            value = layer.get(part)
            if value is None or value.size != expected.numel():
                found = {key: array.shape for key, array in layer.items()}
                raise ValueError(
                    f"{xml_path} has {found} where {name}.{part} needs {tuple(expected.shape)}: it is not "
                    "person-reidentification-retail-0277"
                )
            tensor = torch.from_numpy(value.copy()).reshape(expected.shape)
            key = f"{name}.{part}"
            if key in state and not torch.equal(state[key], tensor):
                raise ValueError(f"{xml_path}: the four streams of a block do not share {name}")
            state[key] = tensor
    if layers:
        raise ValueError(f"{xml_path} has {len(layers)} more layers than person-reidentification-retail-0277")
    return state


def _layers_in_order(body: OSNet, head: OSNetHead) -> Iterator[tuple[str, nn.Module]]:
    """Our layers in the order in which the IR runs its own."""
    yield "backbone.input_norm", body.input_norm
    yield "backbone.conv1", body.conv1
    yield "backbone.conv1_norm", body.conv1_norm
    for number in (1, 2, 3):
        for index, block in enumerate(body.get_submodule(f"stage{number}").children()):
            assert isinstance(block, OmniScaleBlock)
            yield from _block_in_order(f"backbone.stage{number}.{index}", block)
        if number < 3:
            yield f"backbone.transition{number}.convolution", body.get_submodule(f"transition{number}.convolution")
    yield "head.convolution", head.convolution
    yield "head.pool", head.pool
    yield "head.linear", head.linear
    yield "head.activation", head.activation


def _block_in_order(prefix: str, block: OmniScaleBlock) -> Iterator[tuple[str, nn.Module]]:
    yield f"{prefix}.reduce", block.reduce
    for index, stream in enumerate(block.streams):
        for depth, light in enumerate(stream.children()):
            yield f"{prefix}.streams.{index}.{depth}.pointwise", light.get_submodule("pointwise")
            yield f"{prefix}.streams.{index}.{depth}.depthwise", light.get_submodule("depthwise")
        for part, layer in block.gate.named_children():
            yield f"{prefix}.gate.{part}", layer
    yield f"{prefix}.expand", block.expand
    if not isinstance(block.shortcut, nn.Identity):
        yield f"{prefix}.shortcut", block.shortcut
