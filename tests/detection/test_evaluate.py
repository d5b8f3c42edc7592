from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from detection.detector import Detections
from detection.evaluate import Rule, Tally, compare, evaluate
from detection.labelled_pictures import LabelledPicture, rendered_scene, yolo_folder
from detection.mistake_sheet import TILE_PX, write_sheet
from detection.synthetic_data import write_yolo


def picture(*people: tuple) -> LabelledPicture:
    """`people`: (box, visible, child)."""
    return LabelledPicture(
        "test",
        np.full((200, 300, 3), 128, np.uint8),
        np.array([person[0] for person in people], np.float32).reshape(-1, 4),
        np.array([person[1] for person in people], float),
        np.array([person[2] for person in people], bool),
        np.zeros(len(people), bool),
    )


def found(*boxes: tuple) -> Detections:
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.linspace(0.9, 0.5, len(boxes)).astype(np.float32))


ADULT = ((10, 10, 50, 150), 1.0, False)
CHILD = ((100, 60, 130, 130), 0.6, True)
HIDDEN = ((200, 10, 240, 150), 0.2, False)
SMALL = ((260, 10, 270, 40), 1.0, False)


def test_figures_of_a_worked_example():
    tally, rule = Tally(), Rule()
    mistakes = tally.add(
        picture(ADULT, CHILD, HIDDEN, SMALL), found(ADULT[0], HIDDEN[0], (150, 10, 190, 150), (12, 10, 52, 150)), rule
    )
    report = tally.summary()
    assert (report["people"], report["recall"], report["recall_children"]) == (2, 0.5, 0.0)
    assert (report["false_alarms"], report["precision"]) == (
        2,
        0.3333,
    )  # an empty place, and a second box on one person
    assert report["recall_by_height"] == {
        "60-80": {"recall": 0.0, "people": 1},
        "120-180": {"recall": 1.0, "people": 1},
    }
    assert report["recall_by_visibility"]["0.5-0.7"] == {"recall": 0.0, "people": 1}
    assert sorted(mistake.kind for mistake in mistakes) == ["false alarm", "false alarm", "missed"]


def test_a_lower_limit_asks_for_smaller_people():
    assert Rule(least_height_px=20).counted(picture(ADULT, SMALL)).tolist() == [True, True]
    assert Rule().counted(picture(ADULT, SMALL)).tolist() == [True, False]


def test_nothing_seen_is_no_figure_instead_of_a_perfect_one():
    report = Tally().summary()
    assert report["recall"] is None and report["precision"] is None and report["recall_by_height"] == {}


class Fixed:
    sha256, input_size = "0", (64, 64)

    def __init__(self, name: str, boxes: Detections) -> None:
        self.name, self._boxes = name, boxes

    def detect(self, images):
        return [self._boxes for _ in images]


def test_rivals_see_the_same_pictures_and_sheet_shows_mistakes(tmp_path):
    pictures = [picture(ADULT, CHILD)] * 3
    tallies, mistakes = compare([Fixed("a", found(ADULT[0])), Fixed("b", found())], pictures, Rule())
    assert tallies["a"].summary()["recall"] == 0.5 and tallies["b"].summary()["recall"] == 0.0
    assert tallies["a"].summary()["ms_per_frame"] is not None
    write_sheet(mistakes["b"], tmp_path / "sheet.png", columns=3)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (2 * TILE_PX, 3 * TILE_PX, 3)
    blue, _, red = sheet[:TILE_PX, :TILE_PX].astype(int).transpose(2, 0, 1)
    assert (red - blue > 60).sum() > 50  # the missed person's red frame


def test_yolo_folder_gives_pixels(tmp_path):
    boxes = np.array([[10, 20, 50, 90], [100, 5, 130, 60]], np.float32)
    write_yolo(tmp_path, "one", np.zeros((100, 200, 3), np.uint8), boxes)
    write_yolo(tmp_path, "two", np.zeros((100, 200, 3), np.uint8), boxes[:0])
    one, two = yolo_folder(tmp_path / "images")
    assert one.boxes == pytest.approx(boxes, abs=0.01) and len(two.boxes) == 0


def test_clips_need_two_teachers():
    with pytest.raises(ValueError, match="two teachers"):
        evaluate("any", clips=["clip.mp4"])
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluate("any")


def test_rendered_scene_has_truth_where_people_are(shared):
    pictures = list(rendered_scene(shared / "data" / "store_demo", every_s=20))
    assert len(pictures) == 9  # three cameras, 60 s
    assert sum(len(p.boxes) for p in pictures) > 20
    for one in pictures:
        height, width = one.image.shape[:2]
        assert (one.boxes[:, 2:] <= (width, height)).all() and not one.child.any()


def test_rivals_figures_on_a_rendered_scene(shared, tmp_path):
    models = shared / "models"
    report = evaluate(
        str(models / "yolov8n_int8_openvino_model"),
        rivals=[f"yolox:{models / 'yolox_nano.onnx'}"],
        scenes=[shared / "data" / "store_demo"],
        every_s=15,
        sheet=tmp_path / "sheet.png",
    )
    assert json.loads(json.dumps(report)) == report
    assert report["recall"] == pytest.approx(0.88, abs=0.1) and report["precision"] > 0.85
    assert report["rivals"]["yolox_nano"]["recall"] < report["recall"]
    assert report["pictures"] == 12 and (tmp_path / "sheet.png").is_file()
