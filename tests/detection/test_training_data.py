from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from detection.synthetic_data import SceneRecipe, SyntheticStoreNotFound, painted_out, render_scene, write_yolo
from detection.training_data import PictureFolder, RecipeError, load_recipe, prepare_data, split_pictures
from flows.cli_models import reid

RECIPES = Path(__file__).parents[2] / "detection" / "recipes"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_that_ship_can_be_read(path):
    assert load_recipe(path).schedule.crop == 448


def test_every_mistake_is_named(tmp_path):
    recipe = write(tmp_path / "r.yaml", "name: Bad Name\nfolder: x\nstart: none\nschedule: {crop: 100, epoch: 3}\n")
    with pytest.raises(RecipeError) as error:
        load_recipe(recipe)
    assert all(word in str(error.value) for word in ("name", "schedule.crop", "schedule.epoch"))


def test_nothing_to_train_on_says_what_to_give(tmp_path):
    with pytest.raises(RecipeError, match="pictures"):
        load_recipe(write(tmp_path / "r.yaml", "name: a\nfolder: x\nstart: none\n"))


def test_copies_of_one_photo_stay_on_one_side(tmp_path):
    for photo in range(10):
        for copy in range(4):
            write_yolo(tmp_path, f"p{photo}_rf_{copy}", np.zeros((8, 8, 3), np.uint8), np.zeros((0, 4)))
    folder = PictureFolder(images=tmp_path / "images", validation_share=0.2, same_picture="_rf_")
    train, validation = split_pictures(folder, 0)
    assert len(train) == 32 and len(validation) == 8
    assert not {p.name.split("_rf_")[0] for p in train} & {p.name.split("_rf_")[0] for p in validation}


def test_lists_for_the_trainer(tmp_path):
    for number in range(10):
        write_yolo(tmp_path / "mine", f"{number}", np.zeros((8, 8, 3), np.uint8), np.array([[1, 1, 5, 7]], np.float32))
    recipe = {
        "name": "a", "folder": str(tmp_path / "run"), "start": "none",
        "pictures": [{"images": str(tmp_path / "mine" / "images"), "validation_share": 0.2}],
    }  # fmt: skip
    data = prepare_data(load_recipe(write(tmp_path / "r.yaml", yaml.safe_dump(recipe))))
    described = yaml.safe_load(data.read_text(encoding="utf-8"))
    listed = [(data.parent / described[key]).read_text(encoding="utf-8").split() for key in ("train", "val")]
    assert [len(paths) for paths in listed] == [8, 2] and all(Path(p).is_file() for paths in listed for p in paths)


def test_no_renderer_says_where_it_belongs(tmp_path):
    with pytest.raises(SyntheticStoreNotFound, match="synthetic_store"):
        render_scene(SceneRecipe(seed=1), tmp_path, tmp_path / "out")


def test_painting_out_takes_the_empty_store_and_leaves_the_others():
    image, empty = np.full((20, 20, 3), 200, np.uint8), np.full((20, 20, 3), 10, np.uint8)
    ids = np.zeros((40, 40), np.uint8)
    ids[:12, :12], ids[30:, 30:] = 1, 2
    result = painted_out(image, empty, ids, [1])
    assert (result[:6, :6] == 10).all() and (result[12:, 12:] == 200).all()
    assert painted_out(image, empty, ids, []) is image


def test_a_rendered_scene_has_labels_on_people(shared, tmp_path):
    pytest.importorskip("moderngl", reason="the renderer needs moderngl")
    scene = SceneRecipe(seed=3, people=10, families=1, pairs=0, minutes=0.4, cameras=1, interval_s=12, size=(320, 180))
    try:
        folder = render_scene(scene, shared / "synthetic_store", tmp_path)
    except Exception as error:
        if "EGL" in str(error) or "libGL" in str(error):
            pytest.skip(f"no software OpenGL here: {error}")
        raise
    pictures, labels = sorted((folder / "images").iterdir()), sorted((folder / "labels").iterdir())
    assert [p.stem for p in pictures] == [p.stem for p in labels] and len(pictures) in (1, 2)
    rows = np.array([r.split() for p in labels for r in p.read_text().splitlines()], float).reshape(-1, 5)
    assert ((rows[:, 1:] >= 0) & (rows[:, 1:] <= 1)).all()
    before = [p.stat().st_mtime_ns for p in pictures]
    render_scene(scene, shared / "synthetic_store", tmp_path)
    assert [p.stat().st_mtime_ns for p in pictures] == before, "a scene that is done is not rendered again"


def test_people_are_cut_out_of_labelled_pictures(tmp_path):
    """Who is too small, sits, or is cut off is left out; the crop is the person's own pixels."""
    image = np.zeros((200, 200, 3), np.uint8)
    image[20:120, 30:70] = (10, 20, 200)
    boxes = np.array([[30, 20, 70, 120], [100, 20, 110, 50], [100, 60, 190, 150]], np.float32)
    write_yolo(tmp_path, "one", image, boxes)
    done = CliRunner().invoke(reid, ["cut", str(tmp_path / "images"), "--target", str(tmp_path / "crops")])
    assert done.exit_code == 0, done.output
    assert "1 crops" in done.output
    (crop,) = (cv2.imread(str(file)) for file in (tmp_path / "crops").rglob("*.png"))
    assert crop is not None and crop.shape == (100, 40, 3) and np.abs(crop.mean((0, 1)) - (10, 20, 200)).max() < 6
