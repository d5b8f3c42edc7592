"""Tiles lie where people are small, enlarge them enough, and nobody is found twice or lost for being cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from detection.detector import Detections
from detection.floor import FloorCalibration
from detection.looker import Looker
from detection.tiles import LEAST_PX, MOST_TILES, expected_heights, far_height, tiles_for, window_of
from detection.video import Frame

SIZE = (1280, 720)
FLOOR = np.stack(np.meshgrid(np.arange(-8, 8.1, 0.5), np.arange(1, 24.1, 0.5)), axis=-1).reshape(-1, 2)


def camera(size: tuple[int, int] = SIZE, height: float = 3.0, tilt_deg: float = 20.0) -> FloorCalibration:
    """A camera above the origin that looks north, `tilt_deg` down, 65 degrees wide."""
    width, high = size
    focal = width / 2 / np.tan(np.radians(32.5))
    tilt = np.radians(tilt_deg)
    forward = np.array([0, np.cos(tilt), -np.sin(tilt)])
    right = np.array([1.0, 0, 0])
    rotation = np.stack([right, np.cross(forward, right), forward])
    move = -rotation @ (0, 0, height)
    to_pixels = np.array([[focal, 0, width / 2], [0, focal, high / 2], [0, 0, 1]]) @ np.column_stack(
        [rotation[:, 0], rotation[:, 1], move]
    )
    return FloorCalibration.from_homography(np.linalg.inv(to_pixels), size)


def test_far_people_lie_in_tiles_that_make_them_large_enough():
    calibration = camera()
    boxes, heights = expected_heights(calibration, FLOOR)
    small = heights * 640 / SIZE[0] < LEAST_PX
    assert small.any() and not small.all()
    tiles = tiles_for(calibration, FLOOR, 640)
    windows = np.array([window_of(tile, SIZE[::-1]) for tile in tiles])
    assert 2 <= len(windows) <= MOST_TILES
    for box in boxes[small]:
        whole = (windows[:, :2] <= box[:2] + 2).all(axis=1) & (windows[:, 2:] >= box[2:] - 2).all(axis=1)
        assert whole.any(), f"nobody at {box} is whole in a tile"
    larger = 640 / (windows[:, 2:] - windows[:, :2]).max()
    far = np.quantile(heights, 0.05)
    assert far * larger >= 0.95 * min(LEAST_PX, far), "as large as wanted, or as the picture's own pixels allow"


def test_no_tiles_where_everyone_is_large_enough():
    near = FLOOR[FLOOR[:, 1] < 5]
    assert tiles_for(camera(), near, 640) == ()
    assert tiles_for(camera((640, 360)), FLOOR, 640) == (), "the picture has no more pixels to show"
    assert tiles_for(camera(tilt_deg=89.9), FLOOR, 640) == (), "no pose, no heights"
    assert tiles_for(camera(), np.zeros((0, 2)), 640) == ()


def test_tiles_fit_a_recording_of_another_size():
    (large, half) = (tiles_for(camera(size), FLOOR, 640)[0] for size in (SIZE, (2560, 1440)))
    assert window_of(large, (360, 640)) == pytest.approx(np.array(window_of(large, (720, 1280))) / 2, abs=2)
    assert half[2] - half[0] <= large[2] - large[0], "more pixels, more to gain"


def test_far_height_is_that_in_the_detectors_input():
    height = far_height(camera(), FLOOR, 640)
    assert height == pytest.approx(far_height(camera((2560, 1440)), FLOOR, 640), rel=0.02)
    assert height is not None and height < LEAST_PX
    assert far_height(camera(), FLOOR[:0], 640) is None


class Enlarging:
    """Finds white blocks of people that are at least 20 px high in an input of 100 px."""

    name, sha256, input_size = "enlarging", "0", (100, 100)

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        return [self._one(image, self.input_size[0] / max(image.shape[:2])) for image in images]

    def _one(self, image: np.ndarray, scale: float) -> Detections:
        boxes = []
        for colour in np.unique(image)[1:]:
            rows, columns = np.nonzero(image[..., 0] == colour)
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            if (box[3] - box[1]) * scale >= 20:
                boxes.append(box)
        return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.9, np.float32))


def frame(*people: tuple[int, int, int, int], changed: bool = True) -> Frame:
    image = np.zeros((200, 400, 3), np.uint8)
    for number, (x1, y1, x2, y2) in enumerate(people, 100):
        image[y1:y2, x1:x2] = number
    return Frame(0, image, True, np.full((24, 40), changed))


TILES = ((0.0, 0.0, 0.5, 0.5), (0.4, 0.0, 0.9, 0.5))  # enlarge by two


@pytest.mark.parametrize(
    "person",
    [
        (40, 20, 60, 70),  # small: in a tile alone
        (165, 20, 185, 70),  # in both tiles
        (190, 20, 210, 70),  # cut by the first, whole in the second
        (100, 20, 140, 180),  # large: reaches out of the tiles, whose piece of it is dropped
        (350, 100, 380, 190),  # outside the tiles
    ],
)
def test_everyone_is_found_once(person):
    looker = Looker(Enlarging(), TILES)
    assert looker.look([frame(person)])[0].people.boxes.tolist() == [list(person)]


def test_small_people_are_found_in_tiles_only():
    person = (40, 20, 60, 60)  # 10 px in the whole picture's input, 20 px in a tile's
    assert len(Looker(Enlarging()).look([frame(person)])[0].people) == 0
    assert len(Looker(Enlarging(), TILES).look([frame(person)])[0].people) == 1


def test_an_unchanged_empty_picture_is_not_searched():
    looker = Looker(Enlarging(), TILES)
    looker.look([frame(), frame(changed=False), frame(changed=False)])
    assert looker.runs == 1 + len(TILES)
