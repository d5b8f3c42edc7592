"""What every backend computes: crops of the network's size to embeddings of length 1; and torch computing it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from reid.fused_attention import fused
from reid.network import RGANetwork
from reid.weights_config import WeightsConfig

if TYPE_CHECKING:
    from reid.embedder import Runner


class EmbeddingModel(nn.Module):
    """Crops uint8 (N, H, W, 3) RGB, already of the network's size, to embeddings float32 (N, D) of length 1.

    What every backend runs: normalisation, network, L2 norm.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: RGANetwork, config: WeightsConfig) -> None:
        super().__init__()
        self.network = fused(network)
        self.feature = config.feature
        self.register_buffer("mean", torch.tensor(config.mean).mul(255).reshape(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(config.deviation).mul(255).reshape(1, 3, 1, 1))

    def forward(self, crops: Tensor) -> Tensor:
        # Already channels_last in memory, which the convolutions like best: no copy.
        x = (crops.permute(0, 3, 1, 2).to(self.mean.dtype) - self.mean) / self.deviation
        features = self.network(x)
        chosen = features.f if self.feature == "f" else features.f_bn
        return functional.normalize(chosen.to(self.mean.dtype), dim=1)


def torch_runner(
    model: EmbeddingModel, threads: int | None = None, *, device: str = "cpu", half: bool = False
) -> Runner:
    """Runs ``model`` in torch on a device, in float32 or, but for the L2 norm, in half precision."""
    model = model.to(device)

    def run(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        with _torch_threads(threads), torch.inference_mode(), torch.autocast(device, torch.float16, enabled=half):
            return model(torch.from_numpy(pictures).to(device)).cpu().numpy()

    return run


@contextmanager
def _torch_threads(threads: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
