"""ResNet bodies as person re-identification uses them: torchvision's names, no classifier, last stride 1."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from reid.stages import Stage, after_strides

_LAYOUTS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}


class ResNet(nn.Module):
    """ResNet-18 or -50 (He et al., CVPR 2016) with ``layer4`` at stride 1, as the RGA paper uses it.

    Args:
        name: which of the two.
        image_size: (height, width) of the pictures, in pixels.
    """

    def __init__(self, name: Literal["resnet18", "resnet50"], image_size: tuple[int, int]) -> None:
        super().__init__()
        block, depths = _LAYOUTS[name]
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        inputs = 64
        stages = []
        total_strides = 2
        for number, (depth, width, stride) in enumerate(zip(depths, (64, 128, 256, 512), (1, 2, 2, 1), strict=True), 1):
            layer, inputs = _layer(block, inputs, width, depth, stride)
            self.add_module(f"layer{number}", layer)
            total_strides += stride == 2
            stages.append(Stage(inputs, *after_strides(image_size, total_strides)))
        self.stages = tuple(stages)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def stem(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) to what the first stage takes."""
        return self.maxpool(self.relu(self.bn1(self.conv1(x))))

    def stage(self, number: int, x: Tensor) -> Tensor:
        """Runs stage ``number`` (from 1)."""
        return self.get_submodule(f"layer{number}")(x)


def _layer(
    block: type[BasicBlock] | type[Bottleneck], inputs: int, width: int, depth: int, stride: int
) -> tuple[nn.Sequential, int]:
    outputs = width * block.expansion
    downsample = None
    if stride != 1 or inputs != outputs:
        downsample = nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel_size=1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
        )
    blocks = [block(inputs, width, stride, downsample), *(block(outputs, width) for _ in range(depth - 1))]
    return nn.Sequential(*blocks), outputs
