from __future__ import annotations

import numpy as np

from detection.looks import SIZE, TWO_PEOPLE, USUAL_CHANGE, looks_of, unlikeness

RED_ON_BLUE = ((200, 30, 30), (30, 30, 200))
GREEN_ON_BLUE = ((30, 160, 30), (30, 30, 200))


def picture(*people: tuple[tuple[int, int, int], tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """A grey shop with people of an upper and a lower colour, and their boxes."""
    image = np.full((240, 320, 3), 127, np.uint8)
    boxes = []
    for number, (upper, lower) in enumerate(people):
        left = 20 + 80 * number
        image[40:120, left : left + 40] = upper
        image[120:200, left : left + 40] = lower
        boxes.append([left, 40, left + 40, 200])
    return image, np.array(boxes, np.float32)


def test_one_looks_like_oneself_in_other_light_and_place_and_like_nobody_else():
    image, boxes = picture(RED_ON_BLUE, GREEN_ON_BLUE)
    looks = looks_of(image, boxes)
    assert looks.shape == (2, SIZE) and looks.dtype == np.uint8
    assert np.allclose(looks.reshape(2, 9, 8).sum(axis=2), 255, atol=4), "nine histograms of all pixels"
    dimmer = looks_of((image * 0.95).astype(np.uint8), boxes + np.array([3, 2, 1, 3]))
    unlike = unlikeness(looks, dimmer)
    assert unlike.diagonal().max() < USUAL_CHANGE
    assert unlikeness(looks, looks).diagonal().max() == 0
    other = looks_of(*picture(((240, 240, 240), (20, 20, 20))))
    assert unlikeness(looks, other).min() > TWO_PEOPLE


def test_the_bands_tell_a_shirt_from_trousers():
    image, boxes = picture(RED_ON_BLUE, RED_ON_BLUE[::-1])
    assert unlikeness(*np.split(looks_of(image, boxes), 2))[0, 0] > TWO_PEOPLE


def test_boxes_beyond_the_picture_and_none_at_all():
    image, _ = picture(RED_ON_BLUE)
    beyond = np.array([[-30, -20, 10, 400], [310, 200, 390, 300], [500, 500, 520, 560], [5, 5, 5.2, 5.2]], np.float32)
    assert looks_of(image, beyond).shape == (4, SIZE)
    assert looks_of(image, np.zeros((0, 4), np.float32)).shape == (0, SIZE)
    assert unlikeness(np.zeros((0, SIZE)), np.zeros((2, SIZE))).shape == (0, 2)
