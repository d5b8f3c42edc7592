"""The optimizer of a run and its learning rate over the steps."""

from __future__ import annotations

import math

import torch
from torch import nn

from reid.recipe import Recipe


class TrainingError(RuntimeError):
    """A run cannot go on; the message says what to change."""


def make_optimizer(student: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam or AdamW with the trained body at `rate * body_factor` and what is new at `rate`."""
    body: list[nn.Parameter] = []
    new: list[nn.Parameter] = []
    for name, value in student.named_parameters():
        if value.requires_grad:
            is_body = "rga_att" not in name and (".backbone." in name or ".head." in name)
            (body if is_body else new).append(value)
    settings = recipe.optimizer
    groups = [
        {"params": values, "lr": rate, "full_rate": rate}
        for values, rate in ((body, settings.rate * settings.body_factor), (new, settings.rate))
        if values
    ]
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    if settings.kind not in kinds:
        raise TrainingError(f"unknown optimizer.kind {settings.kind!r}: choose adam or adamw")
    return kinds[settings.kind](groups, weight_decay=settings.weight_decay)


def rate_factor(recipe: Recipe, step: int, steps_per_epoch: int, steps: int) -> float:
    """Share of the full learning rate at a step: linear warm-up, then steps or a cosine."""
    settings, epoch = recipe.optimizer, step / steps_per_epoch
    if epoch < settings.warmup:
        first = settings.warmup_from / settings.rate
        return first + (1 - first) * epoch / settings.warmup
    if settings.schedule == "cosine":
        done = (step - settings.warmup * steps_per_epoch) / max(1.0, steps - settings.warmup * steps_per_epoch)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return 0.5 ** sum(epoch >= milestone for milestone in settings.milestones)
