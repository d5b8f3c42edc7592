"""The part of a body that stays frozen: its maps are computed once, which makes training steps several times cheaper.

A step then costs only the stages that learn. The maps of 256x128 pictures after an OSNet's second stage are 384x32x16;
in half precision a picture takes 393 kB on disk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor, nn

from reid.network import Features, RGANetwork


class Trunk(nn.Module):
    """Picture to the map that the first learning stage takes, without attention (see `open_gates`)."""

    def __init__(self, network: RGANetwork, stages: int) -> None:
        super().__init__()
        self.backbone, self.stages = network.backbone, stages

    def forward(self, x: Tensor) -> Tensor:
        x = self.backbone.stem(x)
        for number in range(1, self.stages + 1):
            x = self.backbone.stage(number, x)
        return x


class Top(nn.Module):
    """The rest: attention after the last frozen stage, the learning stages, and the head."""

    def __init__(self, network: RGANetwork, frozen_stages: int) -> None:
        super().__init__()
        self.network, self.frozen_stages = network, frozen_stages

    def forward(self, x: Tensor) -> Features:
        network = self.network
        if not self.frozen_stages:
            return network(x)
        for number in range(self.frozen_stages, len(network.stages) + 1):
            if number > self.frozen_stages:
                x = network.backbone.stage(number, x)
            if network.attention != "none":
                x = network.backbone.get_submodule(f"rga_att{number}")(x)
        f = network.head(x)
        f_bn = network.feat_bn(f)
        return Features(f, f_bn, None if network.cls is None else network.cls(f_bn))


def open_gates(network: RGANetwork, frozen_stages: int) -> None:
    """Makes the attention before the last frozen stage an exact identity: it is not run for the maps, nor trained."""
    for number in range(1, frozen_stages if network.attention != "none" else 0):
        for name, part in network.backbone.get_submodule(f"rga_att{number}").named_children():
            if name.startswith("W_"):
                norm = list(part.children())[-1]
                nn.init.zeros_(norm.weight)  # type: ignore[arg-type]
                nn.init.constant_(norm.bias, 20.0)  # type: ignore[arg-type]


def frozen_names(network: RGANetwork, frozen_stages: int) -> list[str]:
    """Names of the parameters that a run with so many frozen stages leaves alone."""
    if not frozen_stages:
        return []
    learning = ["head.", "feat_bn.", "cls."]
    for number in range(frozen_stages, len(network.stages) + 1):
        learning.append(f"backbone.rga_att{number}.")
        if number > frozen_stages:
            learning += [f"backbone.stage{number}.", f"backbone.transition{number - 1}.", f"backbone.layer{number}."]
    return [name for name, _ in network.named_parameters() if not name.startswith(tuple(learning))]


def trunk_maps(
    network: RGANetwork,
    stages: int,
    inputs: Callable[[int], NDArray[np.float32]],
    count: int,
    key: object,
    folder: Path,
    threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float16]:
    """Maps (count, C, h, w), float16, memory-mapped, of the network inputs float32 (3, H, W).

    OpenVINO runs the trunk. The maps are kept in `folder` under a name made from the weights and `key`, which tells
    what the inputs are; a run that was killed goes on where it stopped.
    """
    trunk = Trunk(network, stages).eval()
    digest = hashlib.sha256(repr([stages, count, key]).encode())
    for name, value in network.backbone.state_dict().items():
        if "rga_att" not in name:
            digest.update(name.encode() + value.numpy().tobytes())
    kept = folder / f"maps-{digest.hexdigest()[:16]}.npy"
    done_file = kept.with_suffix(".json")
    done = json.loads(done_file.read_text())["done"] if done_file.is_file() else 0
    if done == count:
        return np.load(kept, mmap_mode="r")
    folder.mkdir(parents=True, exist_ok=True)
    run, shape = _compiled(trunk, network.image_size, threads)
    maps = open_memmap(kept, "r+" if done else "w+", np.float16, (count, *shape))
    for number in range(done, count):
        maps[number] = run(inputs(number))
        if (number + 1) % 100 == 0 or number + 1 == count:
            maps.flush()
            done_file.write_text(json.dumps({"done": number + 1}))
        if progress is not None:
            progress(number + 1, count)
    return np.load(kept, mmap_mode="r")


def _compiled(trunk: Trunk, size: tuple[int, int], threads: int) -> tuple[Callable[[NDArray], NDArray], tuple]:
    import openvino

    example = torch.zeros(1, 3, *size)
    model = openvino.convert_model(trunk, example_input=example)
    model.reshape([1, 3, *size])
    options: dict[str, object] = {"INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()

    def run(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.array(next(iter(request.infer([values[None]]).values())))[0]

    with torch.no_grad():
        shape = tuple(trunk(example).shape[1:])
    return run, shape
