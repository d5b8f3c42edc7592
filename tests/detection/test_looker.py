"""People of every picture from a detector that sees parts: as many as if it had seen each picture whole."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from detection.detector import Detections
from detection.looker import Looker
from detection.matching import box_iou
from detection.motion import GRID
from detection.video import Frame
from detection.windows import Part, lift, paste, whole, windows_of

SIZE = (240, 400)  # cells of 10 pixels
SECOND = 1_000_000


class Painted:
    """Finds blocks of colour, each colour a person; counts the pixels that it was shown."""

    name, sha256, input_size = "painted", "0", SIZE

    def __init__(self) -> None:
        self.pixels = 0

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        self.pixels += sum(image.shape[0] * image.shape[1] for image in images)
        return [self._one(image) for image in images]

    def _one(self, image: np.ndarray) -> Detections:
        boxes = []
        for colour in np.unique(image[..., 0]):
            if colour > 200:
                _, _, stats, _ = cv2.connectedComponentsWithStats((image[..., 0] == colour).astype(np.uint8))
                boxes += [[x, y, x + wide, y + high] for x, y, wide, high, _ in stats[1:].tolist()]
        return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.9, np.float32))


def picture(*people: tuple[int, int, int]) -> np.ndarray:
    """People as (colour, left, top), each 20 x 50 px; who is drawn later stands in front."""
    image = np.full((*SIZE, 3), 90, np.uint8)
    for colour, left, top in people:
        image[top : top + 50, left : left + 20] = colour
    return image


def frames_of(pictures: Sequence[np.ndarray], keys: Sequence[int] = (0,)) -> list[Frame]:
    """Frames with the cells in which they differ from the last key frame."""
    frames, before = [], None
    for number, image in enumerate(pictures):
        if before is None:
            changed = np.ones(GRID, bool)
        else:
            changed = (image != before).any(axis=2).reshape(GRID[0], 10, GRID[1], 10).any(axis=(1, 3))
        key = number in keys
        frames.append(Frame(number * SECOND // 5, image, key, changed))
        before = image if key else before
    return frames


def look(frames: Sequence[Frame]) -> tuple[list[list[list[float]]], Looker, Painted]:
    detector = Painted()
    looker = Looker(detector)
    looked = [one for at in range(0, len(frames), 10) for one in looker.look(frames[at : at + 10])]
    return [sorted(one.people.boxes.tolist()) for one in looked], looker, detector


def whole_looks(pictures: Sequence[np.ndarray]) -> list[list[list[float]]]:
    return [sorted(found.boxes.tolist()) for found in Painted().detect(pictures)]


def test_who_walks_is_found_and_who_stands_is_repeated():
    pictures = [picture((210, 40, 60), (220, 300 - 6 * step, 100)) for step in range(8)]
    frames = frames_of(pictures)
    found, looker, detector = look(frames)
    assert found == whole_looks(pictures)
    assert detector.pixels < 0.4 * len(pictures) * np.prod(SIZE)
    detector = Painted()
    looker = Looker(detector)
    looked = [one for at in range(0, len(frames), 10) for one in looker.look(frames[at : at + 10])]
    last = looked[-1]
    standing = last.people.boxes[last.repeats >= 0]
    assert standing.tolist() == [[40, 60, 60, 110]]
    assert looked[0].people.boxes[last.repeats[last.repeats >= 0]].tolist() == standing.tolist()


def test_nobody_is_dropped_for_standing_still_for_long():
    pictures = [picture((210, 40, 60))] * 60
    found, looker, _ = look(frames_of(pictures, keys=range(0, 60, 10)))
    assert found == whole_looks(pictures)
    assert looker.runs == 6  # each key picture, since somebody is there


def test_an_empty_shop_is_looked_at_once():
    found, looker, _ = look(frames_of([picture()] * 60, keys=range(0, 60, 10)))
    assert found == [[]] * 60
    assert looker.runs == 1


def test_with_key_pictures_only_who_is_there_is_found_as_in_whole_pictures_and_an_empty_shop_is_free():
    pictures = [picture()] * 15 + [picture((210, 12 * step, 100)) for step in range(1, 9)] + [picture()] * 15
    found, looker, _ = look(frames_of(pictures, keys=range(len(pictures))))
    assert found == whole_looks(pictures)
    assert looker.runs == 1 + 8 + 7  # once at the start, each with somebody, and the group in which they left


def test_who_comes_into_an_empty_shop_is_found_at_once():
    pictures = [picture()] * 3 + [picture((210, 12 * step, 100)) for step in range(1, 5)]
    found, _, _ = look(frames_of(pictures, keys=(0, 5)))
    assert found == whole_looks(pictures)


@pytest.mark.parametrize("seed", range(4))
def test_a_crowd_that_meets_and_parts_is_the_same_in_parts(seed):
    random = np.random.default_rng(seed)
    places = random.uniform([0, 0], [380, 190], (7, 2))
    speeds = random.uniform(-8, 8, (7, 2)) * (random.random((7, 1)) < 0.6)
    pictures = []
    for _ in range(15):
        people = [(201 + 5 * number, int(x), int(y)) for number, (x, y) in enumerate(places)]
        pictures.append(picture(*sorted(people, key=lambda person: person[2])))
        places = np.clip(places + speeds, 0, [380, 190])
    found, _, _ = look(frames_of(pictures, keys=(0, 10)))
    for ours, theirs in zip(found, whole_looks(pictures), strict=True):
        # Who is half behind another is one of two boxes too many to the detectors that exist.
        apart = (box_iou(np.array(theirs), np.array(theirs)) >= 0.5).sum(axis=1) == 1
        assert [box for box, alone in zip(theirs, apart, strict=True) if alone and box not in ours] == []


def test_frames_without_a_motion_test_are_looked_at_whole():
    pictures = [picture((210, 10 * step, 60)) for step in range(10)]
    found, looker, _ = look([Frame(number, image) for number, image in enumerate(pictures)])
    assert found == whole_looks(pictures)
    assert looker.runs == 10


def test_windows_hold_whole_people_and_leave_out_who_stands_apart():
    changed = np.zeros(GRID, bool)
    changed[10, 20] = True  # at (200, 100): somebody's shoulder
    boxes = np.array([[190, 95, 215, 160], [20, 20, 50, 90]], np.float32)
    windows, stays = windows_of(changed, boxes, SIZE)
    assert stays.tolist() == [False, True]
    ((x1, y1, x2, y2),) = windows
    assert x1 <= 190 and y1 <= 95 and x2 >= 215 and y2 >= 160
    assert x1 > 50


def test_much_that_changed_is_a_whole_look():
    windows, stays = windows_of(np.ones(GRID, bool), np.zeros((1, 4), np.float32), SIZE)
    assert windows == [whole(SIZE)] and not stays.any()
    assert windows_of(np.zeros(GRID, bool), np.zeros((0, 4), np.float32), SIZE)[0] == []


def test_parts_come_back_from_their_canvas_where_they_were():
    random = np.random.default_rng(3)
    images = [np.full((*SIZE, 3), 90, np.uint8) for _ in range(10)]
    parts, people = [], []
    for number, image in enumerate(images):
        left, top = random.integers(0, 330, dtype=int), random.integers(0, 150, dtype=int)
        image[top + 10 : top + 50, left + 10 : left + 30] = 210 + number
        parts.append(Part(number, (left, top, left + 60, top + 70)))
        people.append([left + 10, top + 10, left + 30, top + 50])
    canvases = paste(parts, images)
    assert len(canvases) == 1
    found = lift(canvases[0], Painted().detect([canvases[0].image])[0], [SIZE] * 10)
    assert {one.part.picture: one.people.boxes.tolist() for one in found} == {n: [box] for n, box in enumerate(people)}
    assert not any(one.cut.any() for one in found)


def test_who_is_cut_by_a_window_is_looked_for_in_the_whole_picture():
    before = picture()
    now = picture((210, 100, 60))
    changed = np.zeros(GRID, bool)
    changed[6:8, 10:12] = True  # only the head shows against what is behind
    frames = [Frame(0, before, True, np.ones(GRID, bool)), Frame(1, now, False, changed)]
    found, looker, _ = look(frames)
    assert found[1] == [[100, 60, 120, 110]]
    assert looker.runs == 3
