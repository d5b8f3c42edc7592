"""The same-person threshold of weights, measured on pictures that neither training nor evaluation uses."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from reid import weights
from reid.centring import centred
from reid.datasets import Pictures
from reid.evaluate import features_of, open_model
from reid.metrics import Floats
from reid.verification import calibrate, pair_similarities


def calibration_of(features: Floats, pictures: Pictures, fpr: float = 0.01) -> dict[str, float]:
    """What `config.json` holds: threshold, tpr, fpr, slope, offset, pairs; and the same with `_centred` behind the name
    for embeddings from which each camera's mean was taken (`reid.centring`)."""
    plain = calibrate(pair_similarities(features, pictures.ids, pictures.cameras), fpr)
    middle = centred(features, pictures.cameras, minimum=10)
    after = calibrate(pair_similarities(middle, pictures.ids, pictures.cameras), fpr)
    return {
        **{key: float(value) for key, value in asdict(plain).items()},
        **{f"{key}_centred": float(value) for key, value in asdict(after).items()},
    }


def calibrate_weights(model: str | Path, pictures: Pictures, fpr: float = 0.01) -> dict[str, float]:
    """Measures the threshold of a folder of weights on labelled pictures and writes it into its config.json.

    Raises:
        WeightsError: No such weights.
        ValueError: The pictures hold no pairs from different cameras.
    """
    folder = weights.find(model)
    describe, used = open_model(str(model))
    values = calibration_of(features_of(describe, pictures)[used], pictures, fpr)
    config = replace(weights.read_config(folder), calibration=values)
    (folder / "config.json").write_text(json.dumps(asdict(config), indent=1) + "\n")
    return values
