"""What is known of a set of weights besides its numbers, and the pictures that whoever computes with it must know.

A set is a folder ``NAME/`` with ``NAME.safetensors``, ``config.json`` and ``card.md``. Nothing here needs torch: the
processes of a night compute with the INT8 model alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reid.network import Attention, Body

SHIPPED = Path(__file__).parent / "weights"


class WeightsError(ValueError):
    """Weights that cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class WeightsConfig:
    """What belongs to a set of weights besides the numbers.

    Attributes:
        name: of the set, and of its files.
        body, attention, image_size: arguments of `build_network`.
        feature: which of f and f_bn the embedding is.
        mean, deviation: normalisation of RGB pictures in 0..1.
        licence: one line, printed on load where ``restricted``.
        restricted: research or non-commercial use only.
        sha256: of the safetensors file.
        calibration: same-person decision on cosine similarity: ``threshold``, ``slope``, ``offset``, ``tpr``, ``fpr``.
        known_answer: first values of the embedding of `known_pictures`, (2, K).
        tolerance: greatest absolute difference from them that is the same network.
    """

    name: str
    body: Body
    attention: Attention
    image_size: tuple[int, int]
    feature: Literal["f", "f_bn"]
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    licence: str
    restricted: bool
    sha256: str
    calibration: dict[str, float]
    known_answer: list[list[float]]
    tolerance: float = 1e-3


def find(model: str | Path) -> Path:
    """The folder of a shipped name or a path. Raises WeightsError with the names that there are."""
    for folder in (SHIPPED / str(model), Path(model)):
        if (folder / "config.json").is_file():
            return folder
    names = sorted(path.parent.name for path in SHIPPED.glob("*/config.json"))
    raise WeightsError(
        f"no re-identification weights {str(model)!r}: use one of {', '.join(names) or '(none ships here)'}, or the "
        "path of a folder with NAME.safetensors and config.json"
    )


def read_config(folder: Path) -> WeightsConfig:
    """config.json of a set of weights. Raises WeightsError where a field is missing or unknown."""
    try:
        values = json.loads((folder / "config.json").read_text())
        values["image_size"] = tuple(values["image_size"])
        values["mean"], values["deviation"] = tuple(values["mean"]), tuple(values["deviation"])
        return WeightsConfig(**values)
    except (TypeError, KeyError, json.JSONDecodeError) as error:
        raise WeightsError(f"{folder / 'config.json'} is not the description of a set of weights: {error}") from error


def file_sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_pictures(image_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Two seeded pictures (2, H, W, 3), blocks of colour, the same on every machine."""
    height, width = image_size
    blocks = np.random.default_rng(0).integers(0, 256, (2, -(-height // 16), -(-width // 16), 3), dtype=np.uint8)
    return blocks.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width]


def check_answer(
    answer: NDArray[np.floating], config: WeightsConfig, what: str, tolerance: float | None = None
) -> None:
    """Raises WeightsError where embeddings (2, D) of `known_pictures` are not those in ``config``."""
    expected = np.asarray(config.known_answer)
    difference = float(np.abs(answer[:, : expected.shape[1]] - expected).max()) if expected.size else np.inf
    allowed = config.tolerance if tolerance is None else tolerance
    if not difference <= allowed:
        raise WeightsError(
            f"{config.name}: {what} answers a known picture with a difference of {difference:.2g} (allowed "
            f"{allowed:.2g}): the file, the code or a library computes something else than when the weights were saved"
        )
