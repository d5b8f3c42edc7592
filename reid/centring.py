"""Embeddings relative to their camera's mean: what a site's light, height and background add to everyone is removed.

Two cameras shift all embeddings by a constant part each. It makes different people alike within a camera, and one
person unlike in two. The mean over a camera's pictures of many people estimates it without any label (a simple form of
camera-based normalisation, Zhuang et al., ECCV 2020).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid.metrics import normalised


def centred(features: NDArray[np.floating[Any]], cameras: NDArray[Any], *, minimum: int = 1) -> NDArray[np.float32]:
    """Length-1 features (N, D) minus the mean of their camera's, scaled to length 1 again.

    Args:
        features: (N, D).
        cameras: (N,), names or numbers.
        minimum: Cameras with fewer rows take the mean over all rows: a mean of few people holds the people themselves.

    Raises:
        ValueError: A feature has no direction, or is exactly its camera's mean (a camera with one row).
    """
    features = normalised(features)
    cameras = np.asarray(cameras)
    result = features - features.mean(axis=0)
    for camera in np.unique(cameras):
        own = cameras == camera
        if own.sum() >= minimum:
            result[own] = features[own] - features[own].mean(axis=0)
    return normalised(result)
