"""Network and losses as one module."""

from __future__ import annotations

from torch import Tensor, nn

from reid.frozen import Top
from reid.losses import TrainingLoss


class Student(nn.Module):
    """Network and losses as one module, so that several GPUs average the gradients of both."""

    def __init__(self, top: Top, loss: TrainingLoss, feature: str) -> None:
        super().__init__()
        self.top, self.loss, self.feature = top, loss, feature

    def forward(self, values: Tensor, ids: Tensor, teachers: list[Tensor]) -> dict[str, Tensor]:
        features = self.top(values)
        used = features.f if self.feature == "f" else features.f_bn
        return self.loss(features.f, used, features.logits, ids, teachers)
