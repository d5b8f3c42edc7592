"""Training of re-identification networks: one function, one recipe, one folder with everything about the run.

    from reid.train import train
    weights = train("rga-store")

The folder `work/NAME` holds recipe.json, curves.csv, validation.csv, checkpoint.pt (replaced atomically; a killed run
started again goes on from it, with the same batches and random numbers as if it had not been killed) and, at the end,
weights/NAME: the network with the best validation mAP, calibrated on the validation pictures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from reid import weights
from reid.augment import network_input, resized
from reid.batches import (
    Batches,
    Step,
    TrainingData,
    load_training_data,
    plain_inputs,
    repeated,
    steps_from,
    view_inputs,
)
from reid.calibration import calibration_of
from reid.centring import centred
from reid.datasets import read_picture
from reid.frozen import Top, frozen_names, open_gates, trunk_maps
from reid.losses import TrainingLoss
from reid.metrics import market_ranking
from reid.network import RGANetwork, build_network
from reid.recipe import Recipe, as_entries, load_recipe
from reid.run_files import append_row, cut_after, replace_file
from reid.schedule import TrainingError, make_optimizer, rate_factor
from reid.start import load_start
from reid.student import Student
from reid.teachers import teacher_features
from reid.verification import calibrate, pair_similarities


def train(recipe: str | Path | Mapping[str, Any] | Recipe, **changes: Any) -> Path:
    """Train by a recipe and return the folder of the trained weights (`reid.weights.load` opens it).

    Args:
        recipe: YAML file, name of one in reid/recipes, mapping, or Recipe.
        changes: top-level entries to replace, `steps=10` for instance.

    Raises:
        RecipeError, DatasetError, FileNotFoundError: The recipe or its data are not right.
        TrainingError: The folder holds another run, or the loss is not finite.
    """
    settings = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, **changes)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    fabric = Fabric(devices=settings.devices, precision=settings.precision)  # type: ignore[arg-type]
    fabric.launch()
    run = _Run(settings, fabric)
    run.fit()
    return run.finish()


class _Run:
    def __init__(self, recipe: Recipe, fabric: Fabric) -> None:
        self.recipe, self.fabric = recipe, fabric
        self.folder = Path(recipe.work) / recipe.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self._keep_recipe()
        torch.manual_seed(recipe.seed)
        self.data: TrainingData = load_training_data(recipe)
        self.network = build_network(
            recipe.network.body,  # type: ignore[arg-type]
            recipe.network.attention,  # type: ignore[arg-type]
            recipe.network.image_size,
            self.data.identities if recipe.losses.classifier else None,
            gate_bias=recipe.network.gate_bias,
        )
        load_start(self.network, recipe.start)
        open_gates(self.network, recipe.frozen_stages)
        self._prepare_inputs()
        self.top = Top(self.network, recipe.frozen_stages)
        means = self._start_features() if self._needs_start_features() else None
        student = Student(
            self.top, TrainingLoss(recipe.losses, self.data.identities, self.network.dimension, means), recipe.feature
        )
        for name, value in self.network.named_parameters():
            if name in frozen_names(self.network, recipe.frozen_stages):
                value.requires_grad_(False)
        self.start = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.average = {name: value.clone() for name, value in self.start.items()}
        # The layout that convolutions like best, on the CPU and on the GPU.
        student = student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.student, self.optimizer = fabric.setup(student, make_optimizer(student, recipe))
        self.batches = Batches(recipe, self.data, self.maps, fabric.global_rank)
        self.steps = recipe.steps or recipe.epochs * self.batches.steps_per_epoch
        self.step, self.best = 0, -1.0
        self._resume()

    # ---- preparation

    def _keep_recipe(self) -> None:
        path, text = self.folder / "recipe.json", json.dumps(as_entries(self.recipe), indent=1)
        if path.is_file() and (self.folder / "checkpoint.pt").is_file() and path.read_text() != text:
            raise TrainingError(
                f"{self.folder} holds a run with another recipe: give this one another name, or "
                "remove the folder to start anew"
            )
        path.write_text(text)

    def _prepare_inputs(self) -> None:
        recipe, pictures = self.recipe, self.data.pictures
        kept, views = Path(recipe.work) / "maps", recipe.map_views if recipe.frozen_stages else 1
        taught = [
            teacher_features(model, pictures.files, kept, recipe.threads, self._progress(model))
            for model in recipe.teachers
        ]
        if recipe.centre_teachers:
            taught = [centred(features, pictures.cameras, minimum=10) for features in taught]
        self.teachers = [torch.from_numpy(features).repeat(views, 1) for features in taught]
        self.maps = self.validation_maps = None
        if not recipe.frozen_stages:
            return
        self.maps = self._maps(
            view_inputs(recipe, pictures),
            views * len(pictures),
            [pictures.files, recipe.seed, asdict(recipe.augmentation)],
        )
        self.data = TrainingData(repeated(pictures, views), self.data.identities, self.data.validation)
        if self.data.validation is not None:
            seen = self.data.validation.files
            self.validation_maps = self._maps(
                lambda k: network_input(resized(read_picture(seen[k]), self.network.image_size)), len(seen), [seen]
            )

    def _maps(self, inputs: Callable[[int], np.ndarray], count: int, key: object) -> np.ndarray:
        return trunk_maps(
            self.network,
            self.recipe.frozen_stages,
            inputs,
            count,
            key,
            Path(self.recipe.work) / "maps",
            self.recipe.threads,
            self._progress("maps"),
        )

    def _progress(self, what: str) -> Callable[[int, int], None]:
        def say(done: int, total: int) -> None:
            if done % 200 == 0 or done == total:
                self.fabric.print(f"{Path(what).name}: {done} of {total} pictures", flush=True)

        return say

    def _needs_start_features(self) -> bool:
        trained = self.recipe.start not in (None, "imagenet")
        resumed = (self.folder / "checkpoint.pt").is_file()  # which holds what they were for
        return trained and not resumed and self.recipe.feature == "f_bn" and not self.recipe.losses.classifier

    def _start_features(self) -> Tensor:
        """Sets the feature norm's statistics to those of the start's features on the training pictures (two of each
        identity, and as many unlabelled ones), and returns the mean normed feature of each identity."""
        ids = self.data.pictures.ids
        chosen = np.concatenate(
            [np.flatnonzero(ids == k)[:2] for k in range(self.data.identities)]
            + [np.flatnonzero(ids < 0)[: 2 * self.data.identities]]
        )
        f = self._features(self.network, chosen)[0]
        self.network.feat_bn.running_mean.copy_(f.mean(0))  # type: ignore[union-attr,operator]
        self.network.feat_bn.running_var.copy_(f.var(0))  # type: ignore[union-attr,operator]
        with torch.no_grad():
            normed = nn.functional.normalize(self.network.eval().feat_bn(f), dim=1)
        means = torch.zeros(self.data.identities, self.network.dimension)
        known = torch.from_numpy(ids[chosen])
        return means.index_add_(0, known[known >= 0], normed[known >= 0])

    def _features(self, network: RGANetwork, chosen: np.ndarray | None) -> tuple[Tensor, Tensor]:
        """f and f_bn, on the CPU, of chosen training pictures, or of the validation pictures (None)."""
        pictures, maps = (
            (self.data.pictures, self.maps) if chosen is not None else (self.data.validation, self.validation_maps)
        )
        assert pictures is not None
        chosen = np.arange(len(pictures)) if chosen is None else chosen
        if maps is None:
            inputs: Iterator[Tensor] = plain_inputs(tuple(pictures.files[k] for k in chosen), network.image_size)
        else:
            inputs = (
                torch.from_numpy(np.asarray(maps[chosen[k : k + 32]], dtype=np.float32))
                for k in range(0, len(chosen), 32)
            )
        top = Top(network, self.recipe.frozen_stages).eval()
        device = next(network.parameters()).device
        with torch.no_grad():
            outputs = [top(values.to(device))[:2] for values in inputs]
        return torch.cat([f for f, _ in outputs]).cpu().float(), torch.cat([f for _, f in outputs]).cpu().float()

    # ---- steps

    def fit(self) -> None:
        """Runs the steps that are left."""
        saved, began = time.monotonic(), time.monotonic()
        for batch in steps_from(self.batches, self.step, self.steps, self.recipe.workers):
            losses = self._learn(batch)
            self.step += 1
            self._write(
                "curves.csv",
                {
                    "step": self.step,
                    "seconds": round(time.monotonic() - began, 1),
                    "rate": self.optimizer.param_groups[-1]["lr"],
                    **losses,
                },
            )
            if self.step % self.recipe.validate_every == 0 or self.step == self.steps:
                self.validate()
            if time.monotonic() - saved > 60 * self.recipe.checkpoint_minutes or self.step == self.steps:
                self._save()
                saved = time.monotonic()

    def _learn(self, batch: Step) -> dict[str, float]:
        factor = rate_factor(self.recipe, self.step, self.batches.steps_per_epoch, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_rate"] * factor
        self.student.train()
        device = self.fabric.device
        teachers = [features[batch.places].to(device) for features in self.teachers]
        inputs = batch.values.to(device, memory_format=torch.channels_last)
        losses = self.student(inputs, batch.ids.to(device), teachers)
        total = sum(losses.values(), torch.zeros((), device=device))
        if not torch.isfinite(total):
            values = {name: float(value) for name, value in losses.items()}
            raise TrainingError(f"the loss is not finite at step {self.step} ({values}): lower optimizer.rate")
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(total)
        self.optimizer.step()
        self._average()
        return {"loss": float(total.detach()), **{name: float(value.detach()) for name, value in losses.items()}}

    def _average(self) -> None:
        decay = min(self.recipe.average_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.network.state_dict().items():
            kept = self.average[name].to(value.device)
            self.average[name] = (
                kept.lerp_(value.detach(), 1 - decay) if value.is_floating_point() else value.detach().clone()
            )

    def result(self) -> RGANetwork:
        """The averaged network, interpolated with the start where the recipe says so, on the CPU."""
        recipe = self.recipe
        network = build_network(
            recipe.network.body,  # type: ignore[arg-type]
            recipe.network.attention,  # type: ignore[arg-type]
            recipe.network.image_size,
        )
        state = {}
        for name in network.state_dict():
            value, first = self.average[name].cpu(), self.start[name].cpu()
            state[name] = first.lerp(value, recipe.interpolation) if value.is_floating_point() else value
        network.load_state_dict(state)
        return network.eval()

    def validate(self) -> None:
        """Measures the averaged network on the held-out pictures and keeps it where its mAP is the best so far."""
        network = self.result()
        if self.data.validation is None:
            self._keep_best(network, float(self.step))
            return
        seen = self.data.validation
        features = self._features(network, None)[self.recipe.feature == "f_bn"].numpy()
        ranking = market_ranking(features, seen.ids, seen.cameras, features, seen.ids, seen.cameras)
        calibration = calibrate(pair_similarities(features, seen.ids, seen.cameras))
        figures = {
            "rank1": float(ranking.cmc[0]),
            "mAP": ranking.mean_average_precision,
            "mINP": ranking.mean_inverse_negative_penalty,
            "tpr_at_fpr1": calibration.tpr,
        }
        self._write("validation.csv", {"step": self.step, **figures})
        self.fabric.print(
            f"step {self.step} of {self.steps}: rank-1 {figures['rank1']:.3f}, mAP {figures['mAP']:.3f}, "
            f"TPR at 1 % FPR {calibration.tpr:.3f}",
            flush=True,
        )
        self._keep_best(network, ranking.mean_average_precision)

    def _keep_best(self, network: RGANetwork, quality: float) -> None:
        if quality > self.best and self.fabric.is_global_zero:
            self.best = quality
            replace_file(self.folder / "best.pt", network.state_dict())

    # ---- files

    def _write(self, name: str, row: dict[str, float]) -> None:
        if self.fabric.is_global_zero:
            append_row(self.folder / name, row)

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            replace_file(
                self.folder / "checkpoint.pt",
                {
                    "step": self.step,
                    "best": self.best,
                    "student": self.student.state_dict(),
                    "average": self.average,
                    "start": self.start,
                    "optimizer": self.optimizer.state_dict(),
                    "random": torch.get_rng_state(),
                },
            )
        self.fabric.barrier()

    def _resume(self) -> None:
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            for name in ("curves.csv", "validation.csv", "best.pt"):  # of a run killed before its first checkpoint
                (self.folder / name).unlink(missing_ok=True)
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.student.load_state_dict(state["student"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.start = state["average"], state["start"]
        self.step, self.best = state["step"], state["best"]
        torch.set_rng_state(state["random"])
        for name in ("curves.csv", "validation.csv"):
            cut_after(self.folder / name, self.step)

    def finish(self) -> Path:
        """Writes the best network as weights, calibrated on the validation pictures."""
        network = self.result()
        network.load_state_dict(torch.load(self.folder / "best.pt", weights_only=True))
        calibration: dict[str, float] = {}
        if self.data.validation is not None:
            seen = self.data.validation
            features = self._features(network, None)[self.recipe.feature == "f_bn"].numpy()
            calibration = calibration_of(features, seen)
        folder = self.folder / "weights" / self.recipe.name
        weights.save(
            network,
            folder,
            licence="trained here; see its data",
            restricted=False,
            calibration=calibration,
            feature=self.recipe.feature,  # type: ignore[arg-type]
        )
        return folder
