"""What an INT8 model answers, kept beside it: quantised weights need a known answer of their own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid.weights_config import WeightsError

_VALUES = 64


@dataclass(frozen=True)
class Int8Record:
    """Hash over an INT8 model's two files, and the first values of its embeddings of `known_pictures`, (2, K)."""

    sha256: str
    known_answer: tuple[tuple[float, ...], ...]


def write_int8_record(model: Path, answer: NDArray[np.floating]) -> None:
    """Write the record of an OpenVINO model (.xml) from its embeddings (2, D) of the known pictures."""
    rows = [[round(float(value), 6) for value in row] for row in answer[:, :_VALUES]]
    model.with_suffix(".json").write_text(json.dumps({"sha256": _hash(model), "known_answer": rows}, indent=1) + "\n")


def read_int8_record(model: Path) -> Int8Record:
    """The record of an OpenVINO model (.xml). Raises WeightsError where it is missing or the files are not its own."""
    path = model.with_suffix(".json")
    try:
        values = json.loads(path.read_text())
        record = Int8Record(values["sha256"], tuple(map(tuple, values["known_answer"])))
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise WeightsError(f"{path} does not describe {model.name}: export the INT8 model again ({error})") from error
    if not model.with_suffix(".bin").is_file():
        raise WeightsError(f"{model} lacks its {model.stem}.bin: fetch the repository's large files again")
    if _hash(model) != record.sha256:
        raise WeightsError(f"{model} is not the file that {path.name} describes: fetch it, or export it, again")
    return record


def _hash(model: Path) -> str:
    digest = hashlib.sha256()
    for part in (model, model.with_suffix(".bin")):
        digest.update(part.read_bytes())
    return digest.hexdigest()
