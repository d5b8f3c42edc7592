"""Crops a second on a CPU: the shipped embedder and ResNet-50 RGA-SC, beside the naive form in torch float32.

The ResNet-50 has random weights (their values don't change the time) and every variant of it holds the same ones. Run
alone: ``python -m tests.benchmarks.reid_throughput``. Part of ``python -m tests.benchmarks.reid``.
"""

from __future__ import annotations

import contextlib
import copy
import json
import sys
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from reid.embedder import Runner, load_embedder, openvino_runner
from reid.embedding_model import EmbeddingModel, torch_runner
from reid.export import openvino_model, quantised_openvino
from reid.network import build_network
from reid.weights import IMAGENET_DEVIATION, IMAGENET_MEAN
from reid.weights_config import WeightsConfig
from tests.reid.naive_rga import make_naive
from tests.reid.parity import BRANCHES, parity_difference

BATCH = 16
SIZE = (256, 128)


def measure_throughput(
    default: str = "rga-store", *, threads: int = 2, seconds: float = 10.0, crops: NDArray[np.uint8] | None = None
) -> dict[str, float]:
    """Crops a second, best of rounds taken in turn so that a busy moment hits all alike.

    Args:
        default: weights of the shipped embedder; "" leaves it out.
        threads: CPU threads for each.
        seconds: measured for each variant.
        crops: (N, 256, 128, 3) uint8, calibrates INT8; None takes blocks of random colour.

    Returns:
        ``naive_resnet50``, ``resnet50``, ``resnet50_int8``, ``default``, on a machine with a GPU
        ``naive_resnet50_gpu`` and ``resnet50_gpu_fp16``; ``resnet50_max_abs_diff``: between the
        embeddings of the first two, and ``resnet50_int8_least_cosine``.
    """
    if crops is None:
        coarse = np.random.default_rng(0).integers(0, 256, (BATCH, 16, 8, 3), dtype=np.uint8)
        crops = coarse.repeat(16, axis=1).repeat(16, axis=2)
    batch = np.ascontiguousarray(crops[:BATCH])
    runners = resnet50_runners(crops[: 4 * BATCH], threads)
    answers = {name: runner(batch) for name, runner in runners.items()}
    work: dict[str, Callable[[], object]] = {name: _bound(runner, batch) for name, runner in runners.items()}
    if default:
        embedder = load_embedder(default, batch_size=BATCH, threads=threads)
        work["default"] = _bound(embedder.embed, batch)
        work["default"]()
    rates = {name: len(batch) / best for name, best in best_times(work, seconds).items()}
    naive = answers["naive_resnet50"]
    rates["resnet50_max_abs_diff"] = float(np.abs(answers["resnet50"] - naive).max())
    rates["resnet50_int8_least_cosine"] = float((answers["resnet50_int8"] * naive).sum(axis=1).min())
    return rates


def resnet50_runners(crops: NDArray[np.uint8], threads: int) -> dict[str, Runner]:
    """ResNet-50 RGA-SC with the same weights: naive in torch, factored and INT8 in OpenVINO; where torch has a GPU,
    also factored in half precision and naive in float32 there."""
    torch.manual_seed(0)
    config = WeightsConfig(
        name="resnet50",
        body="resnet50",
        attention="rgasc",
        image_size=SIZE,
        feature="f",
        mean=IMAGENET_MEAN,
        deviation=IMAGENET_DEVIATION,
        licence="random weights",
        restricted=False,
        sha256="",
        calibration={},
        known_answer=[],
    )
    network = build_network("resnet50", "rgasc", SIZE).eval()
    model = EmbeddingModel(network, config).eval().requires_grad_(False)
    factored = openvino_model(model)
    quantised = quantised_openvino(model, crops)
    runners = {
        "resnet50": openvino_runner(factored, threads),
        "resnet50_int8": openvino_runner(quantised, threads),
    }
    naive = copy.deepcopy(model)
    naive.network = make_naive(network)
    if torch.cuda.is_available():
        runners["resnet50_gpu_fp16"] = torch_runner(model, device="cuda", half=True)
        runners["naive_resnet50_gpu"] = torch_runner(copy.deepcopy(naive), device="cuda")
    return {"naive_resnet50": torch_runner(naive, threads), **runners}


def best_times(work: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Least seconds a call of each, over rounds that take them in turn until each had ``seconds``."""
    times: dict[str, list[float]] = {name: [] for name in work}
    while any(sum(taken) < seconds for taken in times.values()):
        for name, call in work.items():
            if sum(times[name]) < seconds:
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
    return {name: min(taken) for name, taken in times.items()}


def parity_max_abs_diff() -> float:
    """Greatest difference from the authors' features over rgas, rgac and rgasc, float64."""
    return max(parity_difference(branch) for branch in BRANCHES)


def _bound(function: Callable[[NDArray[np.uint8]], object], batch: NDArray[np.uint8]) -> Callable[[], object]:
    return lambda: function(batch)


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # NNCF's progress is no JSON
        rates = measure_throughput()
    print(json.dumps(rates, indent=1))
