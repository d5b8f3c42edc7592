"""What a body tells about its stages, after each of which an attention module can go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """Feature map at a stage's end: channels, height and width in positions; ``ratio``: reductions of RGA there."""

    channels: int
    height: int
    width: int
    ratio: int = 8


def after_strides(image_size: tuple[int, int], count: int) -> tuple[int, int]:
    """(height, width) after ``count`` padded convolutions or poolings of stride 2, each of which rounds up."""
    height, width = image_size
    for _ in range(count):
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width
