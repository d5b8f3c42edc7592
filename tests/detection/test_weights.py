"""The weights that ship: they open everywhere they must, are what their card says, and find people."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from detection.detector import SHIPPED_WEIGHTS, load_detector, model_sha256
from detection.evaluate import Rule, Tally
from detection.labelled_pictures import LabelledPicture, rendered_scene

NAME = "aisleflow-person-n"
FILES = (SHIPPED_WEIGHTS / f"{NAME}_openvino_model", SHIPPED_WEIGHTS / f"{NAME}.onnx")
DEMO = Path(__file__).parents[2] / "flows" / "demo"


@pytest.fixture(scope="module")
def pictures() -> list[LabelledPicture]:
    """Rendered frames of the demo store, with truth, from where the checkout or the data folder has them."""
    for folder in (DEMO, Path(__file__).parents[3] / "shared" / "data" / "store_demo"):
        if (folder / "scene.json").is_file() and (folder / "truth" / "boxes.parquet").is_file():
            return list(rendered_scene(folder, every_s=20))
    pytest.skip("no rendered scene with truth in this checkout")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_finds_people_in_a_scene_it_was_not_trained_on(path, pictures):
    detector, tally = load_detector(str(path), threads=1), Tally()
    for picture in pictures:
        tally.add(picture, detector.detect([picture.image])[0], Rule())
    report = tally.summary()
    assert report["people"] >= 15
    assert report["recall"] >= 0.8 and report["precision"] >= 0.8, report


def test_card_names_the_files_that_are_here():
    card = (SHIPPED_WEIGHTS / "card.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"`([\w.-]+)` sha256 `([0-9a-f]{64})`", card))
    assert stated == {path.name: model_sha256(path) for path in FILES}
    assert "AGPL-3.0" in card and "CC BY 4.0" in card


def test_each_file_is_small_enough_for_a_repository():
    files = [file for path in FILES for file in ([path] if path.is_file() else path.iterdir())]
    assert files and all(file.stat().st_size < 8e6 for file in files)


def test_a_wide_picture_costs_a_wide_input_and_a_batch_gives_the_same_people(pictures):
    detector = load_detector(NAME, threads=1)
    images = [picture.image for picture in pictures[:2]]
    together = detector.detect(images)
    for image, found in zip(images, together, strict=True):
        alone = detector.detect([image])[0]
        assert len(alone) == len(found) > 0
        assert np.allclose(alone.boxes, found.boxes, atol=0.5)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_ultralytics_opens_it_and_sees_the_same(path, pictures):
    from detection.ultralytics_settings import import_ultralytics

    picture = max(pictures, key=lambda one: len(one.boxes))
    model = import_ultralytics().YOLO(str(path), task="detect")
    result = model.predict(picture.image[..., ::-1], conf=0.25, imgsz=640, device="cpu", verbose=False)[0]
    ours = load_detector(str(path), threads=1).detect([picture.image])[0]
    assert result.names == {0: "person"} and len(ours) > 0
    assert abs(len(result.boxes) - len(ours)) <= 1
