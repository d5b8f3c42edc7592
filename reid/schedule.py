"""The optimizer of a run and its learning rate over the steps."""

from __future__ import annotations

import math

import torch
from torch import nn

from reid.recipe import Recipe


class TrainingError(RuntimeError):
    """A run cannot go on; the message says what to change."""


def make_optimizer(student: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam or AdamW with a rate each for the trained body, the attention, and what else is new."""
    settings = recipe.optimizer
    rates = {
        "body": settings.rate * settings.body_factor,
        "attention": settings.rate * settings.attention_factor,
        "new": settings.rate,
    }
    parts: dict[str, list[nn.Parameter]] = {part: [] for part in rates}
    for name, value in student.named_parameters():
        if value.requires_grad:
            is_body = ".backbone." in name or ".head." in name
            parts["attention" if "rga_att" in name else "body" if is_body else "new"].append(value)
    groups = [
        {"params": values, "lr": rates[part], "full_rate": rates[part]} for part, values in parts.items() if values
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
