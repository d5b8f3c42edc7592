"""What a person detector is trained on: a recipe file, and the lists of pictures made from it.

Any pictures in YOLO format will do (`images/` beside `labels/`, class 0 is a person). Rendered store scenes and
frames of video labelled by two detectors that agree can be added; both are made once and kept.
"""

from __future__ import annotations

import random
from math import ceil
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


class RecipeError(ValueError):
    """The recipe can't be used; the message lists every mistake."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RenderedScenes(_Strict):
    """Simulated stores, a seed each; held-out scenes are whole seeds. Even seeds corner shop, odd ones supermarket."""

    synthetic_store: Path = Field(description="Folder of the renderer (make.py, bodies.npz)")
    train_seeds: tuple[int, ...] = Field(description="One simulated store a seed")
    validation_seeds: tuple[int, ...] = ()
    cameras: Annotated[int, Field(ge=1, le=20)] = 6
    minutes: Annotated[float, Field(gt=0.2, le=60)] = 3.0
    interval_s: Annotated[float, Field(gt=0)] = 8.0


class PictureFolder(_Strict):
    """Labelled pictures: `images` holds pictures; the labels are where YOLO keeps them (`images` -> `labels`)."""

    images: Path
    validation_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    same_picture: str | None = Field(
        default=None, description="File names are cut at this text: augmented copies of one photo stay on one side"
    )


class TeacherClips(_Strict):
    """Video without labels. A frame is used where both teachers see the same people."""

    train: tuple[Path, ...]
    teachers: tuple[str, str] = Field(description="Two detectors, as `load_detector` names them")
    every_s: Annotated[float, Field(gt=0)] = 1.0


class Schedule(_Strict):
    """How long and how: ultralytics' trainer does the work, its own names in brackets."""

    hours: Annotated[float, Field(gt=0)] | None = Field(default=None, description="Wall-clock limit [time]")
    epochs: Annotated[int, Field(ge=1)] = 30
    pictures_per_epoch: Annotated[int, Field(ge=1)] | None = Field(default=None, description="None: all of them")
    batch: Annotated[int, Field(ge=1)] = 8
    image_size: Annotated[int, Field(ge=64, multiple_of=32)] = Field(default=640, description="Longest side [imgsz]")
    crop: Annotated[int, Field(ge=64, multiple_of=32)] | None = Field(
        default=None, description="Side of the square trained on, cut from a mosaic of whole pictures; None: image_size"
    )
    learning_rate: Annotated[float, Field(gt=0)] = 5e-4
    freeze: Annotated[int, Field(ge=0)] = Field(default=0, description="First layers that stay as they are [freeze]")
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.4
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="bfloat16 is faster where the processor has it (AVX-512 BF16, AMX, a GPU)"
    )
    validate_each_epoch: bool = True
    seed: int = 0


class TrainingRecipe(_Strict):
    """Everything `aisleflow detector train` needs. Paths are relative to the folder the command runs in."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    folder: Path = Field(description="Where pictures, checkpoints and results go")
    start: str = Field(description="OpenVINO folder of a YOLOv8 detector, an ultralytics .pt, or `none`")
    rendered: RenderedScenes | None = None
    pictures: tuple[PictureFolder, ...] = ()
    clips: TeacherClips | None = None
    schedule: Schedule = Schedule()


def load_recipe(path: str | Path) -> TrainingRecipe:
    """Read a recipe. Raises RecipeError with every mistake, one a line."""
    try:
        read = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise RecipeError(f"{path}: cannot be read: {error}") from error
    try:
        recipe = TrainingRecipe.model_validate(read)
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise RecipeError("\n".join(lines)) from error
    if not (recipe.rendered or recipe.pictures or recipe.clips):
        raise RecipeError(f"{path}: nothing to train on; give `pictures`, `rendered` or `clips`")
    return recipe


def pictures_in(folder: Path) -> list[Path]:
    """Every picture below `folder`, sorted. Raises RecipeError where there is none."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if not found:
        raise RecipeError(f"no pictures in {folder}")
    return found


def split_pictures(folder: PictureFolder, seed: int) -> tuple[list[Path], list[Path]]:
    """(training, validation) pictures of a folder; copies of one photo (`same_picture`) are never on both sides."""
    found = pictures_in(folder.images)

    def photo(path: Path) -> str:
        return path.name.split(folder.same_picture)[0] if folder.same_picture else path.name

    photos = sorted({photo(path) for path in found})
    random.Random(seed).shuffle(photos)
    held = set(photos[: round(len(photos) * folder.validation_share)])
    return [p for p in found if photo(p) not in held], [p for p in found if photo(p) in held]


def prepare_data(recipe: TrainingRecipe) -> Path:
    """Render and label what is missing, then write train.txt, validation.txt and data.yaml; returns data.yaml."""
    train: list[Path] = []
    validation: list[Path] = []
    if recipe.rendered:
        scenes = _rendered(recipe.rendered, recipe.folder / "scenes")
        train += [p for seed in recipe.rendered.train_seeds for p in scenes[seed]]
        validation += [p for seed in recipe.rendered.validation_seeds for p in scenes[seed]]
    for folder in recipe.pictures:
        ours, held = split_pictures(folder, recipe.schedule.seed)
        train += ours
        validation += held
    if recipe.clips:
        from detection.teacher_labels import label_clips

        labelled = label_clips(recipe.clips.train, recipe.clips.teachers, recipe.clips.every_s, recipe.folder / "clips")
        train += pictures_in(labelled)
    recipe.folder.mkdir(parents=True, exist_ok=True)
    for name, paths in (("train", train), ("validation", validation or train[:1])):
        text = "".join(f"{path.absolute()}\n" for path in paths)
        (recipe.folder / f"{name}.txt").write_text(text, encoding="utf-8")
    described = {
        "path": str(recipe.folder.absolute()),
        "train": "train.txt",
        "val": "validation.txt",
        "names": {0: "person"},
    }
    target = recipe.folder / "data.yaml"
    target.write_text(yaml.safe_dump(described), encoding="utf-8")
    return target


def _rendered(scenes: RenderedScenes, folder: Path) -> dict[int, list[Path]]:
    """Pictures of each seed, rendered where they are not there yet."""
    from detection.synthetic_data import SceneRecipe, render_scene

    found = {}
    for seed in (*scenes.train_seeds, *scenes.validation_seeds):
        families, pairs = 5 + seed % 3, 1 + seed % 2
        scene = SceneRecipe(
            seed=seed,
            layout=seed % 2,
            # The renderer lets four in five shoppers come in parties; a family has up to four, and two are staff.
            people=max((26, 38)[seed % 2] + seed * 7 % 6, 2 + ceil((4 * families + 2 * pairs) / 0.8)),
            families=families,
            pairs=pairs,
            cameras=scenes.cameras,
            minutes=scenes.minutes,
            interval_s=scenes.interval_s,
        )
        found[seed] = pictures_in(render_scene(scene, scenes.synthetic_store, folder))
    return found
