from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from detection.detector import SHIPPED_WEIGHTS, load_detector
from detection.start_weights import StartWeightsError, network_from_openvino, read_convolutions, restore_normalisation
from detection.synthetic_data import write_yolo
from detection.train import train_detector
from detection.training_data import RecipeError, TrainingRecipe
from detection.ultralytics_settings import import_ultralytics


@pytest.fixture
def recipe(tmp_path) -> TrainingRecipe:
    """Ten small pictures of a bright box each, two epochs on 64-pixel crops."""
    rng = np.random.default_rng(0)
    for number in range(10):
        image = rng.integers(0, 60, (96, 128, 3), dtype=np.uint8)
        x, y = rng.integers(0, 60, 2).tolist()
        image[y : y + 32, x : x + 16] = 230
        write_yolo(tmp_path / "pictures", f"{number}", image, np.array([[x, y, x + 16, y + 32]], np.float32))
    return TrainingRecipe.model_validate(
        {
            "name": "test",
            "folder": tmp_path / "run",
            "start": "none",
            "pictures": [{"images": tmp_path / "pictures" / "images", "validation_share": 0.2}],
            "schedule": {"epochs": 2, "batch": 4, "image_size": 128, "crop": 64, "pictures_per_epoch": 4,
                         "validate_each_epoch": False},
        }
    )  # fmt: skip


def test_trains_stops_and_goes_on(recipe, monkeypatch):
    import_ultralytics()
    from detection.person_trainer import PersonTrainer

    seen = []
    save = PersonTrainer.save_model

    def interrupted(trainer):
        saved = save(trainer)
        seen.append(trainer.epoch)
        if len(seen) == 1:
            raise KeyboardInterrupt
        return saved

    monkeypatch.setattr(PersonTrainer, "save_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_detector(recipe)
    weights = train_detector(recipe, resume=True)
    assert seen == [0, 1], "the second run went on after the first epoch"
    assert weights.is_file() and weights.name == "last.pt"
    assert train_detector(recipe, resume=True).samefile(weights) and seen == [0, 1], "finished: nothing is done again"


def test_half_precision_learns_and_leaves_ultralytics_own_checkpoint(recipe):
    half = recipe.schedule.model_copy(update={"precision": "bfloat16", "epochs": 1})
    weights = train_detector(recipe.model_copy(update={"schedule": half}))
    rows = (recipe.folder / "training" / "results.csv").read_text(encoding="utf-8").splitlines()
    losses = [float(value) for value in rows[1].split(",")[2:5]]
    assert len(rows) == 2 and all(0 < loss < 100 for loss in losses)
    state = torch.load(weights, weights_only=False)["ema"]
    assert type(state).__module__.startswith("ultralytics.")


def test_start_weights_that_are_not_there(recipe):
    with pytest.raises(RecipeError, match="start"):
        train_detector(recipe.model_copy(update={"start": "no/such_openvino_model"}))


def test_restored_normalisation_computes_the_same():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
    network[1].bias.data.uniform_(-1, 1)
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    network.eval()
    with torch.no_grad():
        before = network(planes)
        restore_normalisation(network, [picture])
        assert torch.allclose(network(planes), before, atol=1e-5)
        network.train()
        assert torch.allclose(network(planes), before, atol=1e-2), "the batch's own statistics now fit"
    with pytest.raises(StartWeightsError, match="no pictures"):
        restore_normalisation(network, [])


def test_onnx_and_openvino_of_one_network_give_the_same_weights():
    """Of the shipped detector: ONNX holds what INT8 rounds."""
    exact = read_convolutions(SHIPPED_WEIGHTS / "aisleflow-person-n.onnx")
    rounded = read_convolutions(SHIPPED_WEIGHTS / "aisleflow-person-n_openvino_model")
    assert exact.keys() == rounded.keys() and "model.22.cv3.0.2" in exact and "model.2.m.0.cv1.conv" in exact
    for name, (weight, bias) in exact.items():
        assert np.abs(weight - rounded[name][0]).max() <= 0.02 * np.abs(weight).max(), name
        assert (bias is None) == (rounded[name][1] is None), name


def test_int8_weights_come_back_as_a_network_that_sees_the_same(shared):
    """The dequantised network is compared with the INT8 model it was read from, on a rendered picture."""
    folder = shared / "models" / "yolov8n_int8_openvino_model"
    weights = read_convolutions(folder)
    assert weights["model.0.conv"][0].shape == (16, 3, 3, 3) and weights["model.22.cv3.0.2"][1].shape == (80,)
    capture = cv2.VideoCapture(str(shared / "data" / "store_demo" / "cam_south.mp4"))
    capture.set(cv2.CAP_PROP_POS_MSEC, 30_000)
    picture = cv2.resize(capture.read()[1], (640, 360))[..., ::-1]
    padded = np.pad(picture, ((0, 24), (0, 0), (0, 0)), constant_values=114)
    network = network_from_openvino(folder, [padded]).eval()
    with torch.no_grad():
        planes = torch.from_numpy(padded.copy()).permute(2, 0, 1)[None].float() / 255
        boxes, scores = network(planes)[0][0].split([4, 1])
    found = load_detector(str(folder), confidence=0.6, threads=1).detect([picture])[0]
    assert len(found) >= 2
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    for centre in centres:
        near = (boxes[:2] - torch.from_numpy(centre)[:, None]).norm(dim=0) < 8
        assert scores[0, near].max() > 0.3, f"the person at {centre} is not seen any more"
