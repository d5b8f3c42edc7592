from __future__ import annotations

import numpy as np

from detection.crops import CropSelector, crop_qualities, cut_out
from detection.detector import Detections
from detection.looks import looks_of
from detection.video import Frame

SECOND = 1_000_000


def picture(size: tuple[int, int] = (480, 640)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)


def people(*boxes: list[float]) -> Detections:
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.9, np.float32))


def select(frames: list[tuple[int, Detections]]) -> list[tuple[int, int, float]]:
    selector, image, crops = CropSelector(4.0), picture(), []
    for time_us, found in frames:
        crops += selector.add(Frame(time_us, image), found, looks_of(image, found.boxes))
    crops += selector.finish()
    return [(crop.frame_index, crop.detection_index, round(crop.quality, 6)) for crop in crops]


def growing(count: int) -> list[tuple[int, Detections]]:
    """Someone who comes nearer for `count` frames, five a second, and someone who stands still."""
    still = [500.0, 100, 560, 260]
    return [(n * SECOND // 5, people([100.0, 100, 150 + n, 220 + 2 * n], still)) for n in range(count)]


def test_one_crop_per_person_and_slice_and_the_best_one():
    found = select(growing(20))
    assert [(frame, detection) for frame, detection, _ in found] == [(0, 1), (19, 0)]
    assert len(select(growing(40))) == 4


def test_chunks_cut_at_slices_select_what_the_whole_selects():
    frames = growing(60)
    whole = select(frames)
    parts = [(frame + first, index, quality) for first in (0, 20, 40)
             for frame, index, quality in select(frames[first : first + 20])]  # fmt: skip
    assert parts == whole and len(whole) == 6


def test_a_box_that_flickers_has_no_crop():
    frames = growing(20)
    for number in (3, 12):
        time_us, found = frames[number]
        frames[number] = time_us, people(*found.boxes.tolist(), [300.0, 300, 380, 470])
    assert [(frame, detection) for frame, detection, _ in select(frames)] == [(0, 1), (19, 0)]


def test_a_chain_that_passes_to_somebody_who_looks_otherwise_has_a_crop_of_each():
    selector, crops = CropSelector(4.0), []
    for number in range(16):
        image = np.full((480, 640, 3), 128, np.uint8)
        shirt = (200, 30, 30) if number < 8 else (30, 30, 200)
        image[100:300, 100:180] = np.array(shirt) - np.random.default_rng(number).integers(0, 30, (200, 80, 1))
        if number in (3, 12):  # a moment of somebody in front is no third person
            image[100:300, 100:180] //= 8
        found = people([100.0, 100, 180, 300])
        crops += selector.add(Frame(number * SECOND // 5, image), found, looks_of(image, found.boxes))
    crops += selector.finish()
    assert len(crops) == 2
    assert [int(crop.image[100, 40].argmax()) for crop in crops] == [0, 2]


def test_hidden_cut_small_and_blurred_people_are_worse():
    image = picture()
    whole, behind, cut, small = (
        [100.0, 100, 180, 300],
        [140.0, 80, 220, 280],
        [600.0, 100, 640, 300],
        [300.0, 50, 320, 100],
    )
    quality = crop_qualities(image, people(whole, behind, cut, small))
    alone = crop_qualities(image, people(behind))
    assert quality[1] < 0.5 * alone[0]
    assert quality[0] > 1.5 * quality[2] and quality[0] > 1.5 * quality[3]
    blurred = np.full_like(image, 90)
    assert crop_qualities(blurred, people(whole))[0] < 0.1 * quality[0]


def test_crop_is_a_copy_of_the_box_and_never_empty():
    image = picture()
    crop = cut_out(image, np.array([10, 20, 30, 60]))
    np.testing.assert_array_equal(crop, image[20:60, 10:30])
    crop[:] = 0
    assert image[20:60, 10:30].any()
    assert cut_out(image, np.array([640, 480, 640, 480])).shape == (1, 1, 3)


def test_frames_without_anyone_give_nothing():
    assert select([(0, Detections.none()), (5 * SECOND, Detections.none())]) == []
