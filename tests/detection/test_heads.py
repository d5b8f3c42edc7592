"""Nobody's head is told from a blurred picture, and the rest of it is as it was."""

from __future__ import annotations

import numpy as np
import pytest

from detection.heads import BLOCKS, blur_heads, coarse, still_there, without_movers


def noise(height: int = 360, width: int = 640) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)


def test_the_head_of_each_box_is_gone_and_all_else_is_left():
    picture, boxes = noise(), np.array([[100, 100, 160, 300], [400, 200, 480, 350]])
    blurred = blur_heads(picture, boxes)
    for x1, y1, x2, y2 in boxes:
        head = blurred[y1 : y1 + (y2 - y1) // 6, x1:x2].astype(float)
        assert head.std() < 0.25 * picture.std(), "noise is averaged away"
        body = slice(y1 + (y2 - y1) // 2, y2), slice(x1, x2)
        np.testing.assert_array_equal(blurred[body], picture[body])
    np.testing.assert_array_equal(blurred[:, 200:350], picture[:, 200:350])
    assert not np.shares_memory(blurred, picture)


def test_two_heads_of_the_same_few_blocks_look_the_same():
    """What is left of a head are BLOCKS x BLOCKS colours: finer detail changes nothing."""
    grey = np.full((200, 200, 3), 128, np.uint8)
    checked = grey.copy()
    checked[::2, ::2], checked[1::2, 1::2] = 120, 120
    checked[::2, 1::2], checked[1::2, ::2] = 136, 136
    box = np.array([[60, 40, 140, 200]])
    one, other = (blur_heads(picture, box)[42:66, 64:136].astype(int) for picture in (grey, checked))
    assert np.abs(one - other).max() <= 2
    assert BLOCKS <= 4


def test_boxes_at_and_beyond_the_border_are_no_error():
    picture = noise()
    for box in ([-50, -80, 30, 60], [630, 340, 700, 420], [0, 0, 640, 360], [700, 400, 800, 500], [10, 10, 10, 10]):
        assert blur_heads(picture, np.array([box])).shape == picture.shape
    np.testing.assert_array_equal(blur_heads(picture, np.zeros((0, 4))), picture)


def test_a_coarse_picture_has_the_detail_of_a_small_one():
    picture = noise()
    assert coarse(picture, 160).shape == picture.shape
    assert coarse(picture, 160).std() < 0.5 * picture.std()
    assert coarse(picture, 640) is picture


def test_who_walks_on_is_in_no_median_and_who_stands_is():
    floor = noise()
    pictures = [floor.copy() for _ in range(9)]
    for number, picture in enumerate(pictures):
        picture[100:300, 60 * number : 60 * number + 50] = 255
        picture[100:300, 580:630] = 0
    median = without_movers(pictures)
    np.testing.assert_array_equal(median[:, :570], floor[:, :570])
    assert (median[100:300, 580:630] == 0).all()
    boxes = np.array([[60, 100, 110, 300], [580, 100, 630, 300], [700, 0, 720, 50]])
    assert still_there(median, pictures[1], boxes).tolist() == [False, True, False]
    with pytest.raises(ValueError, match="at least one picture"):
        without_movers([])
