"""Our network against figures that the authors' code gave for known weights; data/rga_parity/README.md says how."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from reid.network import Attention, build_network
from reid.weights import load_state

DATA = Path(__file__).parent / "data" / "rga_parity"
BRANCHES = tuple(name for name in get_args(Attention) if name != "none")


def authors_keys(branch: str) -> dict[str, list[int]]:
    """Names and shapes of the authors' state dict."""
    return json.loads((DATA / "keys.json").read_text())[branch]


def known_state(branch: str) -> dict[str, torch.Tensor]:
    """The known weights, float64, every tensor made from its name."""
    norms = np.load(DATA / "batch_norm.npz")
    return {name: torch.as_tensor(_value(norms, branch, name, shape)) for name, shape in authors_keys(branch).items()}


def _value(norms: np.lib.npyio.NpzFile, branch: str, name: str, shape: list[int]) -> np.ndarray:
    if name.endswith("num_batches_tracked"):
        return np.array(0)
    if name.endswith(("running_mean", "running_var")):
        return norms[f"{branch}/{name}"].astype(np.float64)
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("bias"):
        return 0.1 * random.standard_normal(shape)
    if len(shape) == 1:
        return random.uniform(0.5, 1.5, shape)
    return random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))


def parity_difference(branch: str, pictures: int = 4) -> float:
    """Greatest absolute difference from the authors' f, f_bn and logits over the first pictures (of 4), float64."""
    network = build_network("resnet50", branch, num_classes=16).double().eval()
    load_state(network, known_state(branch))
    images = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 3, 256, 128))[:pictures])
    with torch.inference_mode():
        outputs = network(images)
    expected = np.load(DATA / "expected.npz")
    return max(
        float(np.abs(value.numpy() - expected[f"{branch}_{name}"][:pictures]).max())
        for name, value in outputs._asdict().items()
    )
