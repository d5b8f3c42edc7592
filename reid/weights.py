"""Weights on disk: written, and opened safely; what is refused, and why."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor, nn

from reid.embedding_model import EmbeddingModel
from reid.network import RGANetwork, build_network
from reid.weights_config import (
    WeightsConfig,
    WeightsError,
    check_answer,
    file_sha256,
    find,
    known_pictures,
    read_config,
)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
_OPTIONAL = "num_batches_tracked"
_SAFE_WAY = (
    "where it was made, run `safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')` and bring the file"
)


def save(
    network: RGANetwork,
    folder: str | Path,
    *,
    licence: str,
    restricted: bool,
    calibration: Mapping[str, float],
    feature: Literal["f", "f_bn"] = "f",
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    deviation: tuple[float, float, float] = IMAGENET_DEVIATION,
) -> WeightsConfig:
    """Write a set of weights into ``folder``, whose last part is its name; the classifier is left out.

    Convolution and linear weights are stored in half precision, everything one-dimensional (norms) in float32. The
    known answer is computed from what was stored, so it holds for whoever loads it.

    Raises:
        WeightsError: values that are not finite, or too large for half precision.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stored = {name: _storable(name, value) for name, value in network.state_dict().items() if name != "cls.weight"}
    path = folder / f"{folder.name}.safetensors"
    path.write_bytes(serialise(stored))
    config = WeightsConfig(
        name=folder.name,
        body=network.body,
        attention=network.attention,
        image_size=network.image_size,
        feature=feature,
        mean=mean,
        deviation=deviation,
        licence=licence,
        restricted=restricted,
        sha256=file_sha256(path),
        calibration={key: float(value) for key, value in calibration.items()},
        known_answer=[],
    )
    answer = _answer(_network_of(config, path), config)[:, :64]
    config = WeightsConfig(**{**asdict(config), "known_answer": np.round(answer, 6).tolist()})
    (folder / "config.json").write_text(json.dumps(asdict(config), indent=1) + "\n")
    return config


def load(model: str | Path) -> tuple[RGANetwork, WeightsConfig]:
    """The network of a shipped name (``rga-store``) or of a folder written by `save`, in evaluation mode, checked.

    Raises:
        WeightsError: no such weights, a changed file, keys that do not fit, or another answer than when it was saved.
    """
    folder = find(model)
    config = read_config(folder)
    path = folder / f"{config.name}.safetensors"
    if not path.is_file():
        raise WeightsError(f"{folder} has a config.json but no {path.name}: fetch the repository's large files again")
    found = file_sha256(path)
    if found != config.sha256:
        raise WeightsError(f"{path} is not the file that config.json describes (sha256 {found}): fetch it again")
    network = _network_of(config, path)
    check_answer(_answer(network, config), config, "the loaded network")
    return network, config


def load_state(network: nn.Module, state: Mapping[str, Tensor], *, source: str = "the state dict") -> None:
    """Copy ``state`` into ``network``; every key must fit.

    Raises:
        WeightsError: with the list of missing, extra and misshapen keys; only ``num_batches_tracked`` may be missing.
            Nothing is changed then.
    """
    own = network.state_dict()
    missing = [name for name in own if name not in state and not name.endswith(_OPTIONAL)]
    extra = [name for name in state if name not in own]
    misshapen = [
        f"{name} {tuple(state[name].shape)} where {tuple(own[name].shape)} is needed"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    problems = [
        f"{len(names)} {kind}: {', '.join(names)}"
        for kind, names in (("missing", missing), ("not of this network", extra), ("of another shape", misshapen))
        if names
    ]
    if problems:
        raise WeightsError(
            f"{source} does not fit the network. Keys {'; '.join(problems)}. Build the network with the body, "
            "attention, image_size and num_classes that the weights were made with"
        )
    network.load_state_dict(dict(state), strict=False)


def read_state(path: str | Path) -> dict[str, Tensor]:
    """State dict out of a .safetensors file or a torch checkpoint, without running code from it.

    Checkpoints may be a bare state dict or the layout of the RGA authors, ``{'state_dict', 'epoch', 'best_top1',
    'optimizer'}``; names that all start with ``module.`` (saved out of DataParallel) lose that.

    Raises:
        WeightsError: not such a file, or a pickle that asks for classes of its own.
    """
    path = Path(path)
    if path.is_dir() or path.name in ("data.pkl", "data", "byteorder"):
        raise WeightsError(
            f"{path} is (part of) an unpacked checkpoint; a bare pickle is not opened, it could run any code. Take the "
            f"original archive, or {_SAFE_WAY}"
        )
    if not path.is_file():
        raise WeightsError(f"no weights at {path}")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise WeightsError(f"{path} is damaged or no safetensors file: {error}") from error
    return _strip_module(_state_of(_open_checkpoint(path), path))


def _network_of(config: WeightsConfig, path: Path) -> RGANetwork:
    network = build_network(config.body, config.attention, config.image_size).eval()
    load_state(
        network,
        {name: value.to(torch.get_default_dtype()) for name, value in read_state(path).items()},
        source=str(path),
    )
    return network


def _answer(network: RGANetwork, config: WeightsConfig) -> NDArray[np.float32]:
    with torch.inference_mode():
        return EmbeddingModel(network, config)(torch.from_numpy(known_pictures(config.image_size))).numpy()


def _storable(name: str, value: Tensor) -> Tensor:
    value = value.detach().cpu().contiguous()
    if not value.is_floating_point():
        return value
    stored = value.half() if value.ndim > 1 else value.float()
    if not torch.isfinite(stored).all():
        raise WeightsError(
            f"{name} holds values that are not finite or beyond half precision: these weights are no good"
        )
    return stored


def _open_checkpoint(path: Path) -> Any:
    # `best_top1` of the authors' checkpoints is a numpy number, which torch does not allow by itself.
    numpy_numbers: list[Any] = [np.dtype, np.float64, np.float32, type(np.dtype("f8")), type(np.dtype("f4"))]
    numpy_numbers += [
        (import_module("numpy._core.multiarray").scalar, f"numpy.{core}.multiarray.scalar")
        for core in ("core", "_core")
    ]
    try:
        with torch.serialization.safe_globals(numpy_numbers):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} asks for Python objects beyond tensors, and opening those could run any code: refused. Only a "
            f"state dict is needed: {_SAFE_WAY}. ({str(error).splitlines()[0]})"
        ) from error
    except (RuntimeError, EOFError, OSError) as error:
        raise WeightsError(f"{path} is damaged or no torch checkpoint: {str(error).splitlines()[0]}") from error


def _state_of(content: Any, path: Path) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise WeightsError(f"{path} holds no state dict: expected tensors by name, or a dict with 'state_dict'")
    return dict(content)


def _strip_module(state: dict[str, Tensor]) -> dict[str, Tensor]:
    prefix = "module."
    if all(name.startswith(prefix) for name in state):
        return {name.removeprefix(prefix): value for name, value in state.items()}
    return state
