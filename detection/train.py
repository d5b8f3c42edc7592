"""Training a person detector: ultralytics' trainer, on pictures prepared from a recipe.

On a machine without a GPU two things matter. A square crop of a mosaic shows people at the size the camera will show
them (`image_size`) for a fraction of the cost of whole pictures; and the first layers, which cost most, may stay
as they are (`freeze`). The checkpoint is written after each epoch, so that a run that was stopped can go on.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from detection.training_data import RecipeError, TrainingRecipe, load_recipe, prepare_data
from detection.ultralytics_settings import import_ultralytics


def train_detector(recipe: TrainingRecipe | str | Path, *, resume: bool = False) -> Path:
    """Train as the recipe says; returns the weights (`last.pt`, moving average, a scratch file: see `export`).

    `resume`: go on after the last finished epoch of the run in the recipe's folder; without a checkpoint there it
    starts anew, and a run that is finished is left as it is. Raises RecipeError, StartWeightsError.
    """
    recipe = recipe if isinstance(recipe, TrainingRecipe) else load_recipe(recipe)
    import_ultralytics()  # first, so that it reports and installs nothing
    from detection.person_trainer import PersonTrainer

    data = prepare_data(recipe)
    last = recipe.folder / "training" / "weights" / "last.pt"
    finished = recipe.folder / "training" / "finished"
    if resume and finished.is_file() and last.is_file():
        return last
    finished.unlink(missing_ok=True)
    schedule = recipe.schedule
    settings: dict[str, Any] = {
        "task": "detect",
        "data": str(data),
        "single_cls": True,
        "project": str(recipe.folder.absolute()),
        "name": "training",
        "exist_ok": True,
        "time": schedule.hours,
        "epochs": schedule.epochs,
        "batch": schedule.batch,
        "nbs": schedule.batch,
        "imgsz": schedule.image_size,
        "freeze": schedule.freeze,
        "optimizer": "AdamW",
        "lr0": schedule.learning_rate,
        "lrf": 0.02,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "warmup_epochs": 1.0,
        "warmup_bias_lr": 0.0,
        "scale": schedule.scale,
        "mosaic": 1.0,
        "close_mosaic": 0,
        "val": schedule.validate_each_epoch,
        "seed": schedule.seed,
        "workers": 0,
        "amp": False,
        "plots": False,
        "patience": schedule.epochs,
        "device": None,
    }
    if resume and last.is_file():
        settings.update(model=str(last), resume=str(last))
    else:
        settings.update(_start(recipe, data))
    trainer = PersonTrainer(schedule, settings)
    trainer.train()
    finished.touch()
    return Path(trainer.last)


def _start(recipe: TrainingRecipe, data: Path) -> dict[str, Any]:
    """Ultralytics' `model` and `pretrained` for the recipe's start weights."""
    if recipe.start == "none":
        return {"model": "yolov8n.yaml", "pretrained": False}
    start = Path(recipe.start)
    if start.suffix == ".pt":
        return {"model": recipe.start, "pretrained": True}
    if not start.exists():
        raise RecipeError(f"start: {start} is not there; name an exported detector's folder, a .pt, or `none`")
    import torch

    from detection.start_weights import network_from_openvino

    target = recipe.folder / "start.pt"
    if not target.is_file():
        listed = (recipe.folder / "train.txt").read_text(encoding="utf-8").split("\n")
        names = [line for line in listed if line]
        sample = random.Random(0).sample(names, min(48, len(names)))
        network = network_from_openvino(start, [_padded(name) for name in sample])
        torch.save({"model": network, "ema": None, "epoch": -1, "train_args": {}}, target)
    return {"model": "yolov8n.yaml", "pretrained": str(target)}


def _padded(path: str) -> np.ndarray:
    """RGB picture (H, W, 3), longest side 640, padded to multiples of 32."""
    image = cv2.imread(path)
    if image is None:
        raise RecipeError(f"{path} is not a readable picture")
    ratio = 640 / max(image.shape[:2])
    image = cv2.resize(image, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)[:640, :640, ::-1]
    height, width = image.shape[:2]
    return np.pad(image, ((0, -height % 32), (0, -width % 32), (0, 0)), constant_values=114)
