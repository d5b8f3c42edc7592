from __future__ import annotations

import shutil

import numpy as np
import onnxruntime
import pytest

from detection.boxes import letterbox, suppress
from detection.detector import (
    SHIPPED_WEIGHTS,
    DetectorError,
    DetectorNotFound,
    find_model,
    load_detector,
    model_sha256,
    person_classes,
)
from detection.video import Recording, VideoReader


@pytest.fixture(scope="module")
def pictures(shared) -> list[np.ndarray]:
    """Three pictures of a room: someone crossing, nobody, two people from behind."""
    path = shared / "data" / "videos" / "people-detection.264"
    frames = [frame.image for frame in VideoReader(Recording(str(path), "room", 0), 5, to_us=9_000_000)]
    return [frames[10], frames[20], frames[40]]


@pytest.fixture(scope="module")
def openvino_folder(shared):
    return shared / "models" / "yolov8n_int8_openvino_model"


def test_openvino_model_finds_the_people_that_are_there(pictures, openvino_folder):
    detector = load_detector(str(openvino_folder), confidence=0.4)
    assert detector.name == "yolov8n_int8" and len(detector.sha256) == 64 and detector.input_size == (640, 640)
    found = detector.detect(pictures)
    assert [len(people) for people in found] == [1, 0, 2]
    assert all(people.boxes.dtype == np.float32 and people.scores.dtype == np.float32 for people in found)
    x1, y1, x2, y2 = found[0].boxes[0]
    assert 460 < x1 < 490 and 75 < y1 < 95 and 540 < x2 < 565 and 245 < y2 < 270


def test_boxes_are_those_of_ultralytics_predict(pictures, openvino_folder):
    from detection.ultralytics_detector import UltralyticsDetector

    theirs = UltralyticsDetector(openvino_folder, confidence=0.1).detect(pictures)
    ours = load_detector(str(openvino_folder), confidence=0.1).detect(pictures)
    for mine, reference in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.boxes, reference.boxes, atol=0.01)
        np.testing.assert_allclose(mine.scores, reference.scores, atol=1e-4)


@pytest.mark.parametrize("prefix", ["", "yolox:"])
def test_yolox_agrees_with_the_other_family(pictures, shared, openvino_folder, prefix):
    path = shared / "models" / "yolox_nano.onnx"
    found = load_detector(f"{prefix}{path}", confidence=0.4, threads=1).detect(pictures)
    assert [len(people) for people in found] == [1, 0, 2]
    reference = load_detector(str(openvino_folder), confidence=0.4).detect(pictures)
    for mine, other in zip(found, reference, strict=True):
        order = [people.boxes[people.boxes[:, 0].argsort()] for people in (mine, other)]
        np.testing.assert_allclose(*order, atol=25)


@pytest.mark.parametrize("name", ["yolo11n.pt", "no-such-detector", "/no/such/file.pt", "yolox:/no/file.onnx"])
def test_a_missing_model_says_which_file_to_put_where(name, tmp_path, monkeypatch):
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(DetectorNotFound) as error:
        load_detector(name, weights_folder=tmp_path)
    assert name.removeprefix("yolox:") in str(error.value)
    if not name.removeprefix("yolox:").startswith("/"):
        assert str(tmp_path) in str(error.value)


def test_a_model_is_found_by_name_in_the_weights_folder(openvino_folder, tmp_path):
    shutil.copytree(openvino_folder, tmp_path / "shop_openvino_model")
    detector = load_detector("shop", weights_folder=tmp_path)
    assert detector.name == "shop"
    assert detector.sha256 == model_sha256(openvino_folder)
    (tmp_path / "shop_openvino_model" / "metadata.yaml").open("a").write("# changed\n")
    assert model_sha256(tmp_path / "shop_openvino_model") != detector.sha256


def test_on_a_gpu_the_onnx_file_of_a_name_is_taken_and_without_one_nothing_else(tmp_path):
    assert find_model("aisleflow-person-n", SHIPPED_WEIGHTS, onnx=True).suffix == ".onnx"
    assert find_model("aisleflow-person-n", SHIPPED_WEIGHTS).is_dir()
    with pytest.raises(DetectorError, match=r"runs on a CPU: on a GPU use an .onnx or a .pt model"):
        load_detector(str(SHIPPED_WEIGHTS / "aisleflow-person-n_openvino_model"), device="cuda")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(DetectorError, match=r"can't run on device cuda: onnxruntime .* install onnxruntime-gpu"):
            load_detector("aisleflow-person-n", device="cuda")


def test_other_networks_are_refused(shared):
    with pytest.raises(DetectorError, match="no ultralytics detection model"):
        load_detector(str(shared / "models" / "osnet_x0_25_msmt17.onnx"))


def test_person_classes(tmp_path):
    assert person_classes({0: "cat", 3: "Person"}, tmp_path) == [3]
    assert person_classes({0: "shopper"}, tmp_path) == [0]
    with pytest.raises(DetectorError, match="person"):
        person_classes({0: "cat", 1: "dog"}, tmp_path)


@pytest.mark.parametrize("centred", [True, False])
def test_letterbox_and_back(centred):
    image = np.zeros((540, 960, 3), np.uint8)
    padded, fit = letterbox(image, (640, 640), centred=centred)
    assert padded.shape == (640, 640, 3)
    box = np.array([[96.0, 54, 480, 270]])
    inside = box * fit.scale + [fit.left, fit.top, fit.left, fit.top]
    np.testing.assert_allclose(fit.to_picture(inside), box, atol=1e-3)


def test_suppression_keeps_the_best_of_each_person():
    boxes = np.array([[0, 0, 10, 20], [1, 0, 11, 20], [50, 0, 60, 20.0]])
    assert suppress(boxes, np.array([0.5, 0.9, 0.4]), iou=0.5).tolist() == [1, 2]
    assert suppress(np.zeros((0, 4)), np.zeros(0), iou=0.5).tolist() == []
