"""What a training run does, as one YAML file with defaults for everything."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from reid.augment import Augmentation
from reid.losses import LossSettings

RECIPES = Path(__file__).parent / "recipes"


class RecipeError(ValueError):
    """A recipe has unknown or wrong entries; the message lists them."""


@dataclass(frozen=True)
class DataSource:
    """A set to train on. `kind` and `part` are those of `reid.datasets.load_pictures`.

    `held_out` identities, chosen by `seed`, are kept for validation; the run never trains on them. `per_camera` above 0
    takes at most so many pictures of each identity in each camera, `identities` above 0 the first so many by number.
    """

    kind: str
    root: str
    part: str = "train"
    held_out: int = 0
    per_camera: int = 0
    identities: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Network:
    """`gate_bias`: where the attention's gates start, before the sigmoid (`reid.network.build_network`); None: 0 as in
    the paper, 4 (open) for osnet. Open gates leave a trained body as good as it was."""

    body: str = "resnet50"
    attention: str = "rgasc"
    image_size: tuple[int, int] = (256, 128)
    gate_bias: float | None = None


@dataclass(frozen=True)
class Batch:
    """P identities x K pictures, and unlabelled pictures for the teachers."""

    identities: int = 16
    pictures_each: int = 4
    unlabelled: int = 0


@dataclass(frozen=True)
class Optimizer:
    """`kind` adam or adamw. What is new (classifier, feature norm) has `rate`, the body `rate * body_factor`, the
    attention `rate * attention_factor`: gates that start open, far out on the sigmoid, are several units from closing,
    and Adam's steps are no larger than the rate.

    The schedule is linear from `warmup_from` to `rate` over `warmup` epochs, then `steps` (halved at each of
    `milestones`, epochs) or `cosine` (to a hundredth at the end).
    """

    kind: str = "adam"
    rate: float = 8e-4
    body_factor: float = 1.0
    attention_factor: float = 1.0
    weight_decay: float = 5e-4
    warmup: float = 20
    warmup_from: float = 8e-6
    schedule: str = "steps"
    milestones: tuple[float, ...] = (80, 120, 160, 200, 240, 280, 320, 360)


@dataclass(frozen=True)
class Recipe:
    """One run. Paths are relative to the working directory.

    Attributes:
        name: Of the run and its folder.
        start: None (fresh), `imagenet` (torchvision's ResNet), an OpenVINO IR of person-reidentification-retail-0277
            (.xml), or saved weights (.safetensors, or .pt of a state dict).
        frozen_stages: Stages of the body, from the picture on, that stay as they are, with their attention. Their maps
            are computed once and kept in `work/maps`: far cheaper steps on a machine without a GPU. Pictures are then
            augmented once, and moved and erased as maps at every step.
        map_views: Maps of each picture: the first is the picture itself, the further ones are augmented.
        map_shift: Largest move of such a map, in positions.
        epochs: Passes over the identities; `steps` above 0 overrules it.
        validate_every, checkpoint_minutes: In steps, in minutes.
        average_decay: Of the moving average of the weights, which is what is validated and kept; 0 is off.
        interpolation: Share of the trained weights in what is kept, the rest from the start (WiSE-FT, Wortsman et
            al., CVPR 2022): keeps accuracy on pictures unlike the training's. 1 is off.
        feature: `f` or `f_bn`: which one the losses other than the triplet loss see, which is validated, and which the
            trained weights use.
        centre_teachers: Take each camera's mean (an unlabelled folder's) from the teachers' features, so that the
            student learns to leave out what pictures of a camera have in common.
        teachers: Re-ID models (.xml, .onnx); the first has the student's feature size where `distil_features` is set.
        precision: Of Lightning Fabric: `32-true`, `bf16-mixed`, `16-mixed`.
    """

    name: str
    data: tuple[DataSource, ...]
    network: Network = Network()
    start: str | None = "imagenet"
    frozen_stages: int = 0
    map_shift: int = 1
    map_views: int = 1
    unlabelled: tuple[DataSource, ...] = ()
    validation: DataSource | None = None
    batch: Batch = Batch()
    optimizer: Optimizer = Optimizer()
    losses: LossSettings = field(default_factory=LossSettings)
    augmentation: Augmentation = field(default_factory=Augmentation)
    teachers: tuple[str, ...] = ()
    centre_teachers: bool = False
    feature: str = "f_bn"
    epochs: int = 600
    steps: int = 0
    validate_every: int = 500
    checkpoint_minutes: float = 5
    average_decay: float = 0.0
    interpolation: float = 1.0
    precision: str = "32-true"
    devices: int | str = "auto"
    threads: int = 0
    workers: int = 2
    seed: int = 0
    work: str = "runs"


def load_recipe(source: str | Path | Mapping[str, Any], **changes: Any) -> Recipe:
    """A recipe from a YAML file, the name of one in reid/recipes, or a mapping; `changes` replace top-level entries.

    Raises:
        RecipeError: Unknown names or values of a wrong shape, all of them in one message.
        FileNotFoundError: No such file or recipe.
    """
    if isinstance(source, Mapping):
        entries = dict(source)
    else:
        path = Path(source)
        if not path.is_file():
            path = RECIPES / f"{source}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.yaml")))
            raise FileNotFoundError(f"no recipe {source}: give a YAML file or one of {known}")
        entries = yaml.safe_load(path.read_text())
    problems: list[str] = []
    recipe = _build(Recipe, {**entries, **changes}, "", problems)
    if problems:
        raise RecipeError("the recipe has mistakes:\n  " + "\n  ".join(problems))
    return recipe


def _build(kind: type, entries: Any, where: str, problems: list[str]) -> Any:
    if not isinstance(entries, Mapping):
        problems.append(f"{where or 'recipe'}: expected named entries, found {entries!r}")
        return None
    hints, values = get_type_hints(kind), {}
    fields = {item.name: item for item in dataclasses.fields(kind)}
    for name, value in entries.items():
        if name not in fields:
            problems.append(f"{where}{name}: unknown; known are {', '.join(fields)}")
        else:
            values[name] = _value(hints[name], value, f"{where}{name}", problems)
    for name, item in fields.items():
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if name not in values and required:
            problems.append(f"{where}{name}: missing")
    return None if problems else kind(**values)


def _value(hint: Any, value: Any, where: str, problems: list[str]) -> Any:
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, f"{where}.", problems)  # type: ignore[arg-type]
    inner = [part for part in getattr(hint, "__args__", ()) if dataclasses.is_dataclass(part)]
    if inner and isinstance(value, list):
        return tuple(_build(inner[0], entry, f"{where}[{k}].", problems) for k, entry in enumerate(value))  # type: ignore[arg-type]
    if inner and isinstance(value, Mapping):
        return _build(inner[0], value, f"{where}.", problems)  # type: ignore[arg-type]
    if isinstance(value, list):
        return tuple(value)
    if hint in (int, float) and isinstance(value, str):
        try:
            return hint(value)  # YAML reads 5e-4 as text
        except ValueError:
            problems.append(f"{where}: expected a number, found {value!r}")
    elif hint in (int, float) and not isinstance(value, (int, float)):
        problems.append(f"{where}: expected a number, found {value!r}")
    return value


def as_entries(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values, for records."""
    return dataclasses.asdict(recipe)
