"""MobileNetV2 body (Sandler et al., CVPR 2018), torchvision's names, last stride 1."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models import mobilenet_v2
from torchvision.models.mobilenetv2 import InvertedResidual

from reid.stages import Stage, after_strides

# Index in torchvision's `features` at which each stage ends, and its channels.
_STAGE_ENDS = (3, 6, 13, 18)
_CHANNELS = (24, 32, 96, 1280)
# 24 and 32 channels divided by 8 twice leave nothing: the attention there reduces by 4.
_RATIOS = (4, 4, 8, 8)


class MobileNetV2(nn.Module):
    """MobileNetV2 without classifier, the last of its five strides taken out (maps of 1/16 of the picture).

    Args:
        image_size: (height, width) of the pictures, in pixels.
    """

    def __init__(self, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.features = mobilenet_v2(weights=None).features
        strided = self.features[14]
        assert isinstance(strided, InvertedResidual)
        strided.conv[1][0].stride = (1, 1)
        self.stages = tuple(
            Stage(channels, *after_strides(image_size, strides), ratio)
            for channels, strides, ratio in zip(_CHANNELS, (2, 3, 4, 4), _RATIOS, strict=True)
        )

    def stem(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) to what the first stage takes."""
        return self.features[0](x)

    def stage(self, number: int, x: Tensor) -> Tensor:
        """Runs stage ``number`` (from 1)."""
        start = 1 if number == 1 else _STAGE_ENDS[number - 2] + 1
        return self.features[start : _STAGE_ENDS[number - 1] + 1](x)
