"""Where the network looks: RGA's spatial attention over crops, as pictures (figure 5 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reid.attention import RelationAwareGlobalAttention
from reid.network import RGANetwork
from reid.pictures import resize
from reid.weights import load
from reid.weights_config import WeightsConfig

_GAP = 4  # pixels between the pictures of a sheet


def spatial_attention(
    network: RGANetwork, config: WeightsConfig, crops: Sequence[NDArray[np.uint8]]
) -> list[NDArray[np.float32]]:
    """Spatial attention after each stage that has it.

    Args:
        network: with ``rgas`` or ``rgasc``, in evaluation mode.
        config: of its weights, for the normalisation.
        crops: N crops, uint8 RGB, any size from 8 x 8.

    Returns:
        One array (N, h, w) a stage, values in (0, 1), at the resolution of the stage's map.

    Raises:
        ValueError: a network without spatial attention.
        CropError: a crop that cannot be embedded.
    """
    modules = [module for module in network.modules() if isinstance(module, RelationAwareGlobalAttention)]
    if not modules or "spatial" not in modules[0].branches:
        raise ValueError(f"{config.name} has attention {network.attention!r}: maps need rgas or rgasc")
    maps: list[NDArray[np.float32]] = []
    hooks = [
        module.register_forward_pre_hook(
            lambda layer, inputs: maps.append(layer.spatial_gate(inputs[0]).squeeze(1).float().numpy())
        )
        for module in modules
    ]
    pictures = torch.from_numpy(resize(crops, network.image_size)).permute(0, 3, 1, 2).float() / 255
    mean, deviation = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (config.mean, config.deviation))
    try:
        with torch.inference_mode():
            network.eval()((pictures - mean) / deviation)
    finally:
        for hook in hooks:
            hook.remove()
    return maps


def overlay(crop: NDArray[np.uint8], attention: NDArray[np.float32], *, strength: float = 0.5) -> NDArray[np.uint8]:
    """Heat map (blue low, red high) over a crop of any size, uint8 RGB; stretched between the map's own extremes.

    A map without contrast (gates all alike) stays blue: nothing is made up out of rounding.
    """
    low, high = float(attention.min()), float(attention.max())
    scaled = (attention - low) / (high - low) if high - low > 1e-4 else np.zeros_like(attention)
    size = (crop.shape[1], crop.shape[0])
    heat = cv2.resize(np.uint8(scaled * 255), size, interpolation=cv2.INTER_CUBIC)  # type: ignore[call-overload]
    colour = cv2.cvtColor(cv2.applyColorMap(heat, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    mixed: NDArray[np.uint8] = cv2.addWeighted(crop, 1 - strength, colour, strength, 0).astype(np.uint8)
    return mixed


def attention_sheet(model: str | Path, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """One row a crop: the crop as the network sees it, then its attention after each stage; uint8 RGB.

    Raises:
        WeightsError, ValueError, CropError: as `weights.load` and `spatial_attention`.
    """
    network, config = load(model)
    maps = spatial_attention(network, config, crops)
    rows = []
    for index, picture in enumerate(resize(crops, network.image_size)):
        tiles = [picture, *(overlay(picture, stage[index]) for stage in maps)]
        rows.append(np.hstack([np.pad(tile, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255) for tile in tiles]))
    return np.vstack(rows)


def save_attention_sheet(model: str | Path, crops: Sequence[NDArray[np.uint8]], path: str | Path) -> None:
    """`attention_sheet` as a picture file. Raises ValueError where the file's ending names no picture format."""
    sheet = cv2.cvtColor(attention_sheet(model, crops), cv2.COLOR_RGB2BGR)
    try:
        written = cv2.imwrite(str(path), sheet)
    except cv2.error as error:
        raise ValueError(f"{path}: choose a picture file, .png or .jpg") from error
    if not written:
        raise ValueError(f"{path} could not be written: does the folder exist?")
