"""Network and losses as one module."""

from __future__ import annotations

import torch
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
        # In half precision similarities near 1 all look the same.
        f, f_bn, logits = (None if part is None else part.float() for part in features)
        with torch.autocast(values.device.type, enabled=False):
            return self.loss(f, f if self.feature == "f" else f_bn, logits, ids, teachers)
